// A clock that moves when told to, so that waits of minutes cost nothing.
import type { Clock } from '../../src/clock.ts';

/** Starts at 0; timers fire in order while `advance` passes them. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #timers: { atMs: number; fire: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_795_000_000_000 + this.#nowMs;
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.length;
  }

  at(atMs: number, fire: () => void): () => void {
    const timer = { atMs, fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.fire();
    }
    this.#nowMs = untilMs;
  }
}
