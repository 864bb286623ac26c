// What a model endpoint says of its rate limits, so that new calls stop before the vendor refuses answers to running ones.
import type { Clock } from '../clock.ts';

/** One limit as the endpoint reported it: how much of it is left, and in how many seconds it will be full again. */
export interface RateLimitFact {
  name: string;
  limit: number;
  remaining: number;
  resetSeconds: number;
}

/** Below this share of any limit no new call starts: the rest is for the answers of the calls that run. */
const KEPT_SHARE = 0.1;
/**
 * No report counts for longer, whatever it says: while every new call is refused, no new session could report anything
 * better. After it the next session that is opened reports again what is so, a limit of a day for example.
 */
const MAX_LOW_MS = 60_000;
/** Names are the vendor's; there are two today. Beyond this many the one reported longest ago is forgotten. */
const MAX_LIMITS = 16;

export class Throttle {
  readonly #clock: Clock;
  /** Until when each limit lies below the kept share, by its name, the one reported longest ago first. */
  readonly #lowUntilMs = new Map<string, number>();

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  /** New facts replace earlier ones of the same name. What cannot be true is passed over. */
  updated(facts: readonly RateLimitFact[]): void {
    const nowMs = this.#clock.nowMs();
    for (const fact of facts) {
      if (!isPlausible(fact)) continue;
      this.#lowUntilMs.delete(fact.name);
      this.#lowUntilMs.set(fact.name, nowMs + lowForMs(fact));
    }
    for (const name of this.#lowUntilMs.keys()) {
      if (this.#lowUntilMs.size <= MAX_LIMITS) break;
      this.#lowUntilMs.delete(name);
    }
  }

  /** May no new call start now? */
  get throttled(): boolean {
    const nowMs = this.#clock.nowMs();
    for (const untilMs of this.#lowUntilMs.values()) if (nowMs < untilMs) return true;
    return false;
  }
}

const isPlausible = ({ limit, remaining, resetSeconds }: RateLimitFact): boolean =>
  [limit, remaining, resetSeconds].every(Number.isFinite) && limit > 0 && resetSeconds >= 0;

/**
 * How long until the kept share is there again. A limit fills evenly, so that of the time until it is full only the part
 * counts that brings it up to the kept share. (Seen in the API's own events: 3,700 tokens of 200,000 a minute missing,
 * reset in 1.1 s.)
 */
function lowForMs({ limit, remaining, resetSeconds }: RateLimitFact): number {
  const share = Math.max(0, remaining) / limit;
  if (share >= KEPT_SHARE) return 0;
  return Math.min(MAX_LOW_MS, ((KEPT_SHARE - share) / (1 - share)) * resetSeconds * 1_000);
}
