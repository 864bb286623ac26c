// The states of a live call in words, in the order in which they are sorted, and how well its latest answer came. Pure.
import type { LiveCall, ServerFacts } from '../../dashboard/schemas/live.ts';
import { latency, number } from '../format.ts';

export type LiveState = LiveCall['state'];

export interface StateWords {
  word: string;
  /** What it says on hover. */
  meaning: string;
}

/** What wants a look comes first: sorted by state, calls that wait for us stand above those that talk. */
const STATES: Record<LiveState, StateWords> = {
  thinking: { word: 'Thinking', meaning: 'The caller has finished and hears nothing yet' },
  tool: { word: 'Tool', meaning: 'A tool runs for this caller' },
  transferring: { word: 'Handing over', meaning: 'On the way to a person' },
  connecting: { word: 'Connecting', meaning: 'Let in; the media or the model is not there yet' },
  caller_speaking: { word: 'Caller speaks', meaning: 'The caller is speaking' },
  speaking: { word: 'Agent speaks', meaning: 'The caller hears the agent' },
  listening: { word: 'Listening', meaning: "Nobody speaks; it is the caller's turn" },
  ending: { word: 'Ending', meaning: 'The call is being ended' },
};

const RANK = new Map(Object.keys(STATES).map((state, at) => [state, at]));

/** A state that this page does not know yet is shown as it is. */
export const stateInWords = (state: string): StateWords =>
  (STATES as Record<string, StateWords>)[state] ?? { word: state, meaning: '' };

export const stateRank = (state: string): number => RANK.get(state) ?? RANK.size;

export type Light = 'good' | 'warn' | 'bad' | 'quiet';

/** Up to here an answer is as prompt as people are; the same bound as the call's quality. Milliseconds. */
const PROMPT_MS = 1_000;
/** Beyond it a caller takes the line for dead. Milliseconds. */
const DEAD_AIR_MS = 2_000;

/** The latest answer as a light with a word. */
export function answerLight(latencyMs: number | null): { light: Light; word: string; value: string } {
  if (latencyMs === null) return { light: 'quiet', word: 'No answer yet', value: '' };
  const value = latency(latencyMs);
  if (latencyMs <= PROMPT_MS) return { light: 'good', word: 'Quick', value };
  if (latencyMs <= DEAD_AIR_MS) return { light: 'warn', word: 'Slow', value };
  return { light: 'bad', word: 'Too slow', value };
}

/** One number of the server, with what it means and whether it is well. */
export interface Fact {
  name: string;
  value: string;
  light: Light;
  meaning: string;
}

/** The event loop's p99 from which calls begin to notice, and from which they suffer. Milliseconds. */
const LOOP_BUSY_MS = 20;
const LOOP_LATE_MS = 100;
/** Part of a limit from which it wants a look. */
const NEARLY = 0.8;

const CIRCUITS = { closed: 'reachable', open: 'given up for now', half_open: 'being tried' } as const;
const STORES = { ok: 'keeps up', behind: 'behind', full: 'full' } as const;

const share = (part: number, whole: number): Light =>
  part >= whole ? 'bad' : part >= whole * NEARLY ? 'warn' : 'good';

/** What the strip says of the server; `money` writes nano-dollars. */
export function serverFactsInWords(facts: ServerFacts, money: (nanoUsd: number) => string): Fact[] {
  const failing = facts.circuits.filter(({ state }) => state !== 'closed');
  const worst = failing.find(({ state }) => state === 'open') ?? failing[0];
  const { spentTodayNanoUsd: spent, dayLimitNanoUsd: limit, store } = facts;
  return [
    {
      name: 'Calls',
      value: `${number(facts.live)} of ${number(facts.maxConcurrentCalls)}`,
      light: share(facts.live, facts.maxConcurrentCalls),
      meaning: 'Calls under way on this server, and how many it takes at once (MAX_CONCURRENT_CALLS)',
    },
    {
      name: 'New calls',
      value: facts.draining ? 'none: draining' : facts.live >= facts.maxConcurrentCalls ? 'refused: full' : 'taken',
      light: facts.draining || facts.live >= facts.maxConcurrentCalls ? 'warn' : 'good',
      meaning: 'Draining: no new calls are taken, those under way may finish, then the server stops',
    },
    {
      name: 'Model',
      value: facts.simulated
        ? 'simulator'
        : worst === undefined
          ? 'reachable'
          : `${worst.name}: ${CIRCUITS[worst.state]}`,
      light: worst !== undefined ? (worst.state === 'open' ? 'bad' : 'warn') : facts.simulated ? 'warn' : 'good',
      meaning:
        facts.circuits.length === 0
          ? 'Whether models can be reached'
          : `Circuits, one per model: ${facts.circuits.map(({ name, state }) => `${name} ${CIRCUITS[state]}`).join(', ')}. After too many failures a model is given up for a while, and then tried again`,
    },
    {
      name: 'Loop delay',
      value: latency(facts.loopDelayMs),
      light: facts.loopDelayMs >= LOOP_LATE_MS ? 'bad' : facts.loopDelayMs >= LOOP_BUSY_MS ? 'warn' : 'good',
      meaning: `Event-loop delay, p99 of late: how long audio may wait for this process. From ${LOOP_BUSY_MS} ms it is busy, from ${LOOP_LATE_MS} ms callers hear it`,
    },
    {
      name: 'Spent today',
      value: spent === null ? 'not known' : limit === null ? money(spent) : `${money(spent)} of ${money(limit)}`,
      light: spent === null ? 'quiet' : limit === null ? 'good' : share(spent, limit),
      meaning: 'By the price book, since midnight UTC, over all calls; with the day limit where one is set',
    },
    {
      name: 'Store',
      value: STORES[store.state],
      light: store.state === 'ok' ? 'good' : store.state === 'behind' ? 'warn' : 'bad',
      meaning: `Where calls are kept: ${store.why === '' ? 'what is written is written at once' : store.why}. The oldest that waits to be written: ${latency(store.lagMs)}`,
    },
  ];
}
