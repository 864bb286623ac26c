// A clock that moves only when told to.
import type { Cancel, Clock } from '../../src/clock.ts';

interface Timer {
  atMs: number;
  fire: () => void;
}

/**
 * Timers fire inside `advance`, in order of their time and, where equal, of their arming; `nowMs` is then the timer's
 * own time. A timer armed by another fires in the same advance if it is due by its end. None fires while being armed.
 */
export class FakeClock implements Clock {
  readonly #startWallMs: number;
  #nowMs = 0;
  #timers: Timer[] = [];

  /** `wallMs` starts at 2026-01-01 unless told otherwise. */
  constructor(startWallMs = Date.UTC(2026, 0, 1)) {
    this.#startWallMs = startWallMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#startWallMs + this.#nowMs;
  }

  at(atMs: number, fire: () => void): Cancel {
    const timer = { atMs, fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Lets `ms` pass. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let timer = this.#next(endMs); timer !== undefined; timer = this.#next(endMs)) {
      this.#timers.splice(this.#timers.indexOf(timer), 1);
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      timer.fire();
    }
    this.#nowMs = endMs;
  }

  /** Timers armed and neither fired nor cancelled: zero when everything was cleared up. */
  get pending(): number {
    return this.#timers.length;
  }

  /** The earliest timer due by `endMs`; of equal ones the first armed. */
  #next(endMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs <= endMs && (next === undefined || timer.atMs < next.atMs)) next = timer;
    }
    return next;
  }
}
