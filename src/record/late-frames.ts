// Which of the caller's frames came late: later than the carrier's own timestamps allow. Works on numbers alone, because
// it sees every frame of a call.

/** Beyond the usual way by more than this is late: three frames. */
const LATE_MS = 60;
/** A difference beyond this is a clock that jumped, not a frame that is late. */
const JUMP_MS = 10_000;
/**
 * The usual way is the shortest so far. It creeps up by 5 ms a second, more than two clocks drift apart, or a slow clock
 * would make every later frame of a long call late.
 */
const CREEP = 0.005;

export class LateFrames {
  #late = 0;
  /** Arrival less timestamp of a frame that came on the shortest way. */
  #usualMs = Number.NaN;
  #lastMs = 0;

  /** Frames that were late so far. */
  get count(): number {
    return this.#late;
  }

  /** A frame came at `atMs`. */
  arrived(atMs: number, timestampMs: number): void {
    const wayMs = atMs - timestampMs;
    const beyondMs = wayMs - this.#usualMs;
    // Also the first of all: nothing is known to compare with.
    if (!(Math.abs(beyondMs) < JUMP_MS)) this.#usualMs = wayMs;
    else if (beyondMs < 0) this.#usualMs = wayMs;
    else {
      if (beyondMs > LATE_MS) this.#late += 1;
      this.#usualMs += Math.min(beyondMs, (atMs - this.#lastMs) * CREEP);
    }
    this.#lastMs = atMs;
  }

  /** The media starts anew, and its timestamps with it. */
  restart(): void {
    this.#usualMs = Number.NaN;
  }
}
