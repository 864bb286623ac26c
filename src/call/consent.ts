// What cannot be undone is done only when the caller has heard it read back, whole, and has agreed since: by a turn of
// theirs, with a yes in its words where words are known, or by the key 1. The model's own word for it counts for nothing,
// and neither do words alone. Pure.
import { change, type Draft } from './draft.ts';
import type { SettledUtterance } from './effect.ts';
import type { Consent, LiveState } from './state.ts';

/** Words of a turn that were not known by then will not be waited for. */
export const WORDS_WITHIN_MS = 2_500;
/** Nobody remembers what was read to them longer ago. */
const VALID_MS = 180_000;
const MAX_TURNS = 8;
/** Longer arguments are never agreed to: nobody can read them back. */
const MAX_ARGUMENTS = 8_000;
const AGREE_KEY = '1';

/** A tool that cannot be undone was asked for, and is sound: from now on it waits for the caller. */
export function askConsent(d: Draft, tool: string, args: string): void {
  const sorted = canonical(args);
  if (sorted === null) return change(d, { consent: null });
  change(d, {
    consent: { tool, args: sorted, stage: 'asked', sinceMs: d.atMs, turns: [], key: false, waiting: null },
  });
}

/** May it run? `none`: nothing is known of it; `wait`: only the caller's words are missing; else why not. */
export type Verdict = 'none' | 'agreed' | 'wait' | { sentence: string; quietly: boolean };

/** What the caller has said to these very arguments. */
export function verdict(state: LiveState, tool: string, args: string, atMs: number): Verdict {
  const { consent, policy } = state;
  if (consent === null || consent.tool !== tool || consent.args !== canonical(args)) return 'none';
  if (atMs - consent.sinceMs > VALID_MS) return 'none';
  if (consent.stage !== 'heard')
    return no('the caller has not heard all of it. Read it back once more, then wait for a yes');
  if (consent.key) return 'agreed';
  const { by, transcribes } = policy.errands.consent;
  if (by === 'key') return no('the caller has to agree with a key. Ask them to press 1');
  if (consent.turns.length === 0) return { ...no('the caller has not answered yet. Wait'), quietly: true };
  if (!transcribes) return 'agreed';
  const heard = consent.turns.map(({ words }) => (words === null ? null : answerIn(words, policy.errands.consent)));
  if (heard.includes('no')) return no('the caller did not agree. Ask what they want instead');
  if (heard.includes(null)) return 'wait';
  if (heard.includes('yes')) return 'agreed';
  return no(UNCLEAR);
}

const UNCLEAR = 'no clear yes was heard. Ask for a plain yes, or to press 1';

const no = (why: string) => ({ sentence: `Not done: ${why}.`, quietly: false });

/** Nothing more will be known of the caller's words. */
export const unheardWords = (): string => no(UNCLEAR).sentence;

/** What an utterance's beginning means: it is taken as the read-back. */
export function readBackBegins(d: Draft): void {
  const { consent } = d.state;
  if (consent?.stage === 'asked') put(d, consent, { stage: 'reading' });
}

/** What became of an utterance: a read-back counts only when all of it was heard. */
export function readBackSettled(d: Draft, { outcome, utterance }: SettledUtterance): void {
  const { consent } = d.state;
  if (consent === null || consent.turns.length > 0 || utterance.startsWith('clip:')) return;
  if (consent.stage === 'asked') return;
  put(d, consent, { stage: outcome === 'heard' ? 'heard' : 'asked' });
}

/** The caller's turn is over: it answers what was read back before. */
export function turnTaken(d: Draft, turn: string): void {
  const { consent } = d.state;
  if (consent?.stage !== 'heard') return;
  put(d, consent, { turns: [...consent.turns.slice(1 - MAX_TURNS), { turn, words: null }] });
}

/** The words of a turn are known. */
export function wordsKnown(d: Draft, turn: string, words: string): void {
  const { consent } = d.state;
  if (consent === null || !consent.turns.some((one) => one.turn === turn)) return;
  put(d, consent, { turns: consent.turns.map((one) => (one.turn === turn ? { turn, words } : one)) });
}

/** A key: 1 agrees to what was heard, every other refuses. */
export function keyTaken(d: Draft, key: string): void {
  const { consent } = d.state;
  if (consent?.stage !== 'heard') return;
  if (key === AGREE_KEY) put(d, consent, { key: true });
  else if (consent.waiting === null) change(d, { consent: null });
}

function put(d: Draft, consent: Consent, part: Partial<Consent>): void {
  change(d, { consent: { ...consent, ...part } });
}

/** A yes, a no (which weighs more), or neither; whole words, whatever their case. */
function answerIn(words: string, { yes, no: refusing }: { yes: readonly string[]; no: readonly string[] }) {
  const said = ` ${words
    .toLowerCase()
    .replace(/[^\p{L}\p{N}']+/gu, ' ')
    .trim()} `;
  const holds = (list: readonly string[]): boolean => list.some((word) => said.includes(` ${word} `));
  if (holds(refusing)) return 'no';
  return holds(yes) ? 'yes' : 'unclear';
}

/** JSON text with its keys in order; null where it is none, or too long. */
export function canonical(args: string): string | null {
  if (args.length > MAX_ARGUMENTS) return null;
  try {
    return JSON.stringify(sorted(args.trim() === '' ? {} : (JSON.parse(args) as unknown)));
  } catch {
    return null;
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, one]) => [key, sorted(one)]);
}

/** A tool waits for nothing but the caller's words. */
export function waitForWords(d: Draft, toolCall: string): void {
  const { consent } = d.state;
  if (consent !== null) put(d, consent, { waiting: { toolCall, sinceMs: d.atMs } });
}
