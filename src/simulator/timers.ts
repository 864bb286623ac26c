// The timers of one session: all of them end when the session does, and none may throw into the event loop.
import type { Cancel, Clock } from '../clock.ts';

/** Owner of a session's timers. */
export class Timers {
  readonly clock: Clock;
  #armed = new Set<Cancel>();
  #failed: (error: unknown) => void;
  #closed = false;

  /** @param failed told of whatever a timer's work throws */
  constructor(clock: Clock, failed: (error: unknown) => void) {
    this.clock = clock;
    this.#failed = failed;
  }

  /** Runs `work` after `ms`; never when `ms` is not finite. */
  after(ms: number, work: () => void): Cancel {
    if (this.#closed || !Number.isFinite(ms)) return () => {};
    const stop = this.clock.at(this.clock.nowMs() + ms, () => {
      this.#armed.delete(cancel);
      try {
        work();
      } catch (error) {
        this.#failed(error);
      }
    });
    const cancel: Cancel = () => {
      this.#armed.delete(cancel);
      stop();
    };
    this.#armed.add(cancel);
    return cancel;
  }

  /** Cancels everything; later timers are never armed. */
  close(): void {
    this.#closed = true;
    for (const cancel of this.#armed) cancel();
  }
}
