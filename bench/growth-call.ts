// A call of any length in virtual time, with the real Call, model session and onlookers: every minute of it is talked in the
// same way, so that one minute can be held against another. What is outside of the call is staged (test/tape).
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import type { Agent } from '../src/agent/agent.ts';
import { loadAgents } from '../src/agent/load.ts';
import type { CallFacts, OnlookerFactory } from '../src/call/feed.ts';
import type { Clock } from '../src/clock.ts';
import { readConfig } from '../src/config.ts';
import { dialogueConfig } from '../src/realtime/openai/session-config.ts';
import { StagedCall, stagedFacts } from '../test/tape/staged-call.ts';

const MINUTE_MS = 60_000;
/** No limit of the call's own may end it. */
const LONGEST_MS = 10 * 3_600_000;
const GREETED_MS = 4_000;
const SAYS = 'There is something free on Monday at half past nine, or on Tuesday in the afternoon, if you like.';
const ASKS = 'And what about the other one, please, the one that I asked for last week?';
const TOOL = { name: 'find_slot', arguments: '{"day":"Monday","after":"09:00"}' };

/** The agent of the benches: everything a real one has switched on, recording too. */
export async function benchAgent(): Promise<Agent> {
  const [agent] = await loadAgents(join(import.meta.dirname, 'agents'), readConfig({ IDLE_TIMEOUT_SECONDS: '120' }));
  if (!agent) throw new Error('no agent in bench/agents');
  return agent;
}

export function factsOf(agent: Agent, callId: string): CallFacts {
  const staged = stagedFacts(true);
  const policy = { ...staged.opening.policy, maxCallMs: LONGEST_MS, rolloverAfterMs: LONGEST_MS };
  return { ...staged, agent, sessionConfig: dialogueConfig(agent), opening: { ...staged.opening, callId, policy } };
}

/** The time of a call that is yet to be made: what looks on at it is made first. */
export class CallClock implements Clock {
  #clock: Clock | null = null;
  readonly #fromMs: number;
  readonly #fromWallMs: number;

  constructor({ opening, wallMs }: CallFacts) {
    this.#fromMs = opening.atMs;
    this.#fromWallMs = wallMs;
  }

  follow(clock: Clock): void {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock?.nowMs() ?? this.#fromMs;
  }

  wallMs(): number {
    return this.#clock?.wallMs() ?? this.#fromWallMs;
  }

  at(atMs: number, fire: () => void): ReturnType<Clock['at']> {
    if (this.#clock === null) throw new Error('the call has not begun');
    return this.#clock.at(atMs, fire);
  }
}

/** One call, minute by minute. */
export class LongCall {
  readonly #staged: StagedCall;
  #turns = 0;

  /** @param clock followed from here on, if given */
  constructor(facts: CallFacts, onlookers: readonly OnlookerFactory[], clock?: CallClock) {
    this.#staged = new StagedCall(facts, onlookers);
    clock?.follow(this.#staged.clock);
  }

  /** Caller's turns so far. */
  get turns(): number {
    return this.#turns;
  }

  get isOver(): boolean {
    return this.#staged.closed;
  }

  async begin(): Promise<void> {
    this.#staged.begin();
    await this.#pass(GREETED_MS);
  }

  /** The first of the turns is answered at length and interrupted by the next, the second needs a tool. */
  async minute(turns = 5): Promise<void> {
    const slotMs = MINUTE_MS / turns;
    for (let turn = 0; turn < turns; turn++) {
      if (turn === 1) this.#staged.answers.push({ seconds: 0, tool: TOOL });
      const seconds = turn === 0 ? slotMs / 1_000 - 0.5 : 3;
      await this.turn(slotMs, { asksSeconds: 1.5, answerSeconds: seconds });
    }
  }

  async turn(slotMs: number, { asksSeconds, answerSeconds }: { asksSeconds: number; answerSeconds: number }) {
    this.#turns += 1;
    this.#staged.answers.push({ seconds: answerSeconds, text: SAYS });
    this.#staged.callerSpeaks(asksSeconds, ASKS);
    await this.#pass(slotMs);
  }

  /** The caller hangs up, and all files are closed. */
  async end(): Promise<void> {
    this.#staged.hangsUp();
    // What is closed last waits for the disk, in real time.
    for (let tries = 0; tries < 500 && !this.#staged.closed; tries++) {
      await this.#staged.run(100);
      await sleep(2);
    }
    if (!this.#staged.closed) throw new Error('the staged call did not close');
  }

  /** The disk gets its turn each second: a call's time goes slower. */
  async #pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1_000) {
      await this.#staged.run(Math.min(left, 1_000));
      await setImmediate();
    }
    await sleep(1);
  }
}
