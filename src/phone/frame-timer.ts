// The 20 ms beat of outgoing frames. Each beat is planned from the start and not from the beat before it, so late
// timers cannot add up to drift; after a stall the missed beats follow quickly, a few at a time, as a real carrier's do.
import { FRAME_MS } from '../audio/mulaw.ts';
import type { Cancel, Clock } from '../clock.ts';

/** Missed frames sent in one go after a stall; then the event loop gets a turn. */
const MAX_BURST = 5;

/** Calls `beat(index, lateMs)` at `startMs + index * 20 ms`. Owns one timer; `stop()` ends it. */
export class FrameTimer {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #beat: (index: number, lateMs: number) => void;
  #index = 0;
  #heldUntilMs = 0;
  #cancel: Cancel | undefined;
  #stopped = false;

  constructor(clock: Clock, startMs: number, beat: (index: number, lateMs: number) => void) {
    this.#clock = clock;
    this.#startMs = startMs;
    this.#beat = beat;
    this.#arm(startMs);
  }

  /** Sends nothing for `ms`; the held beats follow in a burst. */
  hold(ms: number): void {
    this.#heldUntilMs = this.#clock.nowMs() + ms;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #plannedMs(): number {
    return this.#startMs + this.#index * FRAME_MS;
  }

  #arm(atMs: number): void {
    this.#cancel = this.#clock.at(atMs, () => this.#catchUp());
  }

  #catchUp(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#heldUntilMs) return this.#arm(this.#heldUntilMs);
    for (let sent = 0; sent < MAX_BURST && !this.#stopped; sent++) {
      const lateMs = nowMs - this.#plannedMs();
      if (lateMs < 0) break;
      this.#beat(this.#index++, lateMs);
    }
    if (!this.#stopped) this.#arm(Math.max(this.#plannedMs(), nowMs + 1));
  }
}
