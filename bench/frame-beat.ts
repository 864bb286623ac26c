// One drift-free beat for all lines of a process. Each line has its own millisecond in the 20, as real carriers' calls do;
// a beat is planned from the start, so late timers cannot add up, and how late each frame really was is kept.
import { FRAME_MS } from '../src/audio/mulaw.ts';

/** Beats made up in one go after a stall; then the event loop gets a turn. */
const MAX_BURST = 100;

export class FrameBeat {
  /** Ms between the planned and the real time of each frame since `measure` was called. */
  lateMs: number[] = [];
  readonly #slots: Set<() => void>[] = Array.from({ length: FRAME_MS }, () => new Set());
  readonly #startMs = performance.now();
  #beat = 0;
  #measuring = false;
  #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setTimeout(() => this.#run(), 1);
  }

  /** Calls `frame` every 20 ms until the returned function is called. */
  add(slot: number, frame: () => void): () => void {
    const lines = this.#slots[slot % FRAME_MS] as Set<() => void>;
    lines.add(frame);
    return () => void lines.delete(frame);
  }

  measure(on: boolean): void {
    this.#measuring = on;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #run(): void {
    for (let made = 0; made < MAX_BURST; made++) {
      const lateMs = performance.now() - this.#startMs - this.#beat;
      if (lateMs < 0) break;
      for (const frame of this.#slots[this.#beat % FRAME_MS] as Set<() => void>) {
        frame();
        if (this.#measuring) this.lateMs.push(lateMs);
      }
      this.#beat++;
    }
    this.#timer = setTimeout(() => this.#run(), Math.max(1, this.#startMs + this.#beat - performance.now()));
  }
}
