// Time comes from here. Decisions get it with each event; only shells ask.

/** A handle that cancels one timer; calling it twice is harmless. */
export type Cancel = () => void;

/** Monotonic milliseconds and one-shot timers. Tests and replay bring their own. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start; fractional. */
  nowMs(): number;
  /** Unix milliseconds, for records only. */
  wallMs(): number;
  /** Runs `fire` once at or after `atMs` of `nowMs()`. */
  at(atMs: number, fire: () => void): Cancel;
}

/** The process's real clock. Its timers do not keep the process alive: sockets do. */
export const realClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  at(atMs, fire) {
    const timer = setTimeout(fire, Math.max(0, Math.ceil(atMs - performance.now())));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
