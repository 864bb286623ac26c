// One direction of the network between carrier and server: a constant delay, seeded jitter, bursts, strict order. TCP may
// be late but never lets one message overtake another, and neither does this.
import type { Cancel, Clock } from '../clock.ts';
import { seededRandom } from './seeded-random.ts';

export interface LinkOptions {
  /** Constant one-way delay in ms. Default 0. */
  delayMs?: number;
  /** Each message waits a further 0 to this many ms. Default 0. */
  jitterMs?: number;
  /** Now and then the link holds everything back for so many ms and then delivers it together. Default 0: never. */
  burstMs?: number;
  /** Mean time from one such hold to the next. Default 2000. */
  burstEveryMs?: number;
  /** Seed of jitter and bursts. Default 1. */
  seed?: number;
}

/** Carries messages one way. Owns one timer; `close()` stops it and loses what is under way. */
export class Link {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #jitterMs: number;
  readonly #random: () => number;
  readonly #holds: Holds;
  readonly #underWay: { dueMs: number; deliver: (atMs: number) => void }[] = [];
  #lastDueMs = Number.NEGATIVE_INFINITY;
  #cancel: Cancel | undefined;
  #closed = false;

  constructor(clock: Clock, options: LinkOptions = {}) {
    const { delayMs = 0, jitterMs = 0, burstMs = 0, burstEveryMs = DEFAULT_BURST_EVERY_MS, seed = 1 } = options;
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#jitterMs = jitterMs;
    this.#random = seededRandom(seed);
    this.#holds = new Holds(clock.nowMs(), burstMs, burstEveryMs, seed);
  }

  /** Calls `deliver` when the message arrives, with the exact time of arrival (a timer may fire a little after it). */
  send(deliver: (atMs: number) => void): void {
    if (this.#closed) return;
    const nowMs = this.#clock.nowMs();
    const arrivesMs = this.#holds.heldUntil(nowMs + this.#delayMs + this.#random() * this.#jitterMs);
    const dueMs = Math.max(arrivesMs, this.#lastDueMs);
    this.#lastDueMs = dueMs;
    // Without delay nothing is gained by a timer, and a test sees the message in the same turn of the event loop.
    if (dueMs <= nowMs && this.#underWay.length === 0) return deliver(nowMs);
    this.#underWay.push({ dueMs, deliver });
    this.#arm();
  }

  close(): void {
    this.#closed = true;
    this.#underWay.length = 0;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(): void {
    const next = this.#underWay[0];
    if (!next || this.#cancel) return;
    this.#cancel = this.#clock.at(next.dueMs, () => {
      this.#cancel = undefined;
      this.#deliverDue();
      this.#arm();
    });
  }

  #deliverDue(): void {
    const nowMs = this.#clock.nowMs();
    for (let next = this.#underWay[0]; next && next.dueMs <= nowMs; next = this.#underWay[0]) {
      this.#underWay.shift();
      next.deliver(next.dueMs);
    }
  }
}

const DEFAULT_BURST_EVERY_MS = 2_000;

/** The stretches in which a link delivers nothing. Their row is fixed by the seed alone. */
class Holds {
  readonly #lengthMs: number;
  readonly #everyMs: number;
  readonly #random: () => number;
  #nextMs: number;

  constructor(startMs: number, lengthMs: number, everyMs: number, seed: number) {
    this.#lengthMs = lengthMs;
    this.#everyMs = Math.max(everyMs, lengthMs);
    // Of its own: bursts do not change the jitter of a seed.
    this.#random = seededRandom(seed + 1_000);
    this.#nextMs = startMs + this.#pauseMs();
  }

  /** When a message gets through that would have arrived at `atMs`. Times may not go back by more than the jitter. */
  heldUntil(atMs: number): number {
    if (this.#lengthMs <= 0) return atMs;
    while (this.#nextMs + this.#lengthMs <= atMs) this.#nextMs += this.#lengthMs + this.#pauseMs();
    return atMs >= this.#nextMs ? this.#nextMs + this.#lengthMs : atMs;
  }

  /** Half to one and a half times what is left of a period. */
  #pauseMs(): number {
    return (this.#everyMs - this.#lengthMs) * (0.5 + this.#random());
  }
}
