// When this process stood still: phones, models and the server share it, and it shares the machine. A silence that falls into
// such a moment is not the server's.
import { realClock } from '../clock.ts';

const LOOK_EVERY_MS = 20;
/** Less is the grain of timers. */
const STILL_MS = 60;

interface Stall {
  fromMs: number;
  toMs: number;
}

/** Looks from the beginning; `stop` ends it. */
export class Stalls {
  readonly #stalls: Stall[] = [];
  readonly #timer: NodeJS.Timeout;
  #lookedMs = realClock.nowMs();

  constructor() {
    this.#timer = setInterval(() => {
      const nowMs = realClock.nowMs();
      if (nowMs - this.#lookedMs - LOOK_EVERY_MS > STILL_MS) this.#stalls.push({ fromMs: this.#lookedMs, toMs: nowMs });
      this.#lookedMs = nowMs;
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  get longestMs(): number {
    return Math.round(Math.max(0, ...this.#stalls.map(({ fromMs, toMs }) => toMs - fromMs)));
  }

  /** How long the process stood still between two times of the clock. */
  between(fromMs: number, toMs: number): number {
    return this.#stalls.reduce(
      (sum, stall) => sum + Math.max(0, Math.min(toMs, stall.toMs) - Math.max(fromMs, stall.fromMs)),
      0,
    );
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
