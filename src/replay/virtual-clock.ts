// Time that stands still until it is told to move: a replay moves it from input to input, a test lets its timers fire.
import type { Cancel, Clock } from '../clock.ts';

interface Timer {
  atMs: number;
  fire: () => void;
}

/** A clock without a process behind it. Equal moves give equal times and equal orders of firing. */
export class VirtualClock implements Clock {
  /** In the order in which they were armed; there are a few per call. */
  readonly #timers = new Set<Timer>();
  readonly #wallOffsetMs: number;
  #nowMs: number;

  /** @param wallMs Unix time at `atMs`; both default to 0 */
  constructor(atMs = 0, wallMs = 0) {
    this.#nowMs = atMs;
    this.#wallOffsetMs = wallMs - atMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Math.floor(this.#nowMs + this.#wallOffsetMs);
  }

  at(atMs: number, fire: () => void): Cancel {
    const timer = { atMs, fire };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Timers that wait. */
  get armed(): number {
    return this.#timers.size;
  }

  /** Sets the time; no timer fires, due or not. */
  moveTo(atMs: number): void {
    this.#nowMs = atMs;
  }

  /** Fires what is due until `atMs`, each timer at its own time, earliest first, then stands at `atMs`. */
  runTo(atMs: number): void {
    for (let next = this.#dueBy(atMs); next; next = this.#dueBy(atMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fire();
    }
    this.#nowMs = Math.max(this.#nowMs, atMs);
  }

  #dueBy(atMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (timer.atMs <= atMs && (!first || timer.atMs < first.atMs)) first = timer;
    return first;
  }
}
