// The server's time during chaos: the wall clock jumps when told to, monotonic time never does. Counts the timers that are
// armed, so that one that outlives its call is seen.
import { type Cancel, type Clock, realClock } from '../clock.ts';

export class ChaosClock implements Clock {
  #armed = 0;
  #shiftMs = 0;

  /** Timers that have neither fired nor been cancelled. */
  get armed(): number {
    return this.#armed;
  }

  nowMs(): number {
    return realClock.nowMs();
  }

  wallMs(): number {
    return realClock.wallMs() + this.#shiftMs;
  }

  at(atMs: number, fire: () => void): Cancel {
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      this.#armed -= 1;
    };
    this.#armed += 1;
    const cancel = realClock.at(atMs, () => {
      end();
      fire();
    });
    return () => {
      end();
      cancel();
    };
  }

  /** The wall clock is set. */
  jump(ms: number): void {
    this.#shiftMs += ms;
  }
}
