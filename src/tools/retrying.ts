// Tries something again and again, ever more slowly, until it succeeds or nobody wants it any more.
import type { Cancel, Clock } from '../clock.ts';

const FIRST_MS = 500;
const MOST_MS = 60_000;

/** Owns one timer. */
export class Retrying {
  readonly #clock: Clock;
  readonly #attempt: () => Promise<boolean>;
  #failures = 0;
  #running = false;
  #again = false;
  #stopped = false;
  #cancel: Cancel | null = null;

  /** @param attempt true when it succeeded; it never rejects */
  constructor(clock: Clock, attempt: () => Promise<boolean>) {
    this.#clock = clock;
    this.#attempt = attempt;
  }

  /** Begins, soon, unless it is under way; while an attempt runs, another follows it. */
  start(delayMs = FIRST_MS): void {
    if (this.#running) this.#again = true;
    else this.#arm(delayMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  #arm(delayMs: number): void {
    if (this.#stopped || this.#cancel !== null) return;
    this.#cancel = this.#clock.at(this.#clock.nowMs() + delayMs, () => {
      this.#cancel = null;
      void this.#try();
    });
  }

  async #try(): Promise<void> {
    this.#running = true;
    const done = await this.#attempt();
    this.#running = false;
    this.#failures = done ? 0 : this.#failures + 1;
    const again = this.#again;
    this.#again = false;
    if (!done) this.#arm(Math.min(MOST_MS, FIRST_MS * 2 ** this.#failures));
    else if (again) this.#arm(FIRST_MS);
  }
}
