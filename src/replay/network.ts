// One direction of the network between carrier and server: a constant delay, seeded jitter, strict order. TCP may be
// late but never lets one message overtake another, and neither does this.
import type { Cancel, Clock } from '../clock.ts';
import { seededRandom } from './seeded-random.ts';

export interface LinkOptions {
  /** Constant one-way delay in ms. Default 0. */
  delayMs?: number;
  /** Each message waits a further 0 to this many ms. Default 0. */
  jitterMs?: number;
  /** Seed of the jitter. Default 1. */
  seed?: number;
}

/** Carries messages one way. Owns one timer; `close()` stops it and loses what is under way. */
export class Link {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #jitterMs: number;
  readonly #random: () => number;
  readonly #underWay: { dueMs: number; deliver: (atMs: number) => void }[] = [];
  #lastDueMs = Number.NEGATIVE_INFINITY;
  #cancel: Cancel | undefined;
  #closed = false;

  constructor(clock: Clock, options: LinkOptions = {}) {
    this.#clock = clock;
    this.#delayMs = options.delayMs ?? 0;
    this.#jitterMs = options.jitterMs ?? 0;
    this.#random = seededRandom(options.seed ?? 1);
  }

  /** Calls `deliver` when the message arrives, with the exact time of arrival (a timer may fire a little after it). */
  send(deliver: (atMs: number) => void): void {
    if (this.#closed) return;
    const nowMs = this.#clock.nowMs();
    const arrivesMs = nowMs + this.#delayMs + this.#random() * this.#jitterMs;
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
