// Voice activity detection by energy, on 20 ms windows of what the caller really sent. Its only clock is the audio:
// gaps in the stream shift it, as they do for the real server.

/** When speech starts and stops, on the session's input clock. */
export type VadEvent = { type: 'started'; startMs: number } | { type: 'stopped'; endMs: number };

/** How a turn is told from noise. */
export interface VadSettings {
  /** 0..1, mapped to -60..-20 dBFS. */
  threshold: number;
  prefixPaddingMs: number;
  silenceMs: number;
}

/** Length of one analysis window. */
export const WINDOW_MS = 20;
// A click lasts one or two windows; speech does not start or resume with fewer.
const WINDOWS_TO_START = 3;
const WINDOWS_TO_RESUME = 2;
// Once speech is known, quieter sound next to it belongs to it: down to this below the threshold while it lasts,
const KEEP_DB = 3;
// and to this when looking back for its soft onset, so many windows at most.
const ONSET_DB = 9;
const ONSET_WINDOWS = 8;

/** The detector of one session; `windowed` is fed every window in order. */
export class Vad {
  #settings: VadSettings;
  #recent: number[] = [];
  #active = 0;
  #quiet = 0;
  #doubtful = false;
  #speaking = false;

  constructor(settings: VadSettings) {
    this.#settings = settings;
  }

  /** True between `started` and `stopped`. */
  get speaking(): boolean {
    return this.#speaking;
  }

  /**
   * One window of audio.
   * @param level its loudness in dBFS
   * @param endMs the input clock at its end
   */
  windowed(level: number, endMs: number): VadEvent | undefined {
    const threshold = -60 + 40 * this.#settings.threshold;
    const active = level > (this.#speaking ? threshold - KEEP_DB : threshold);
    this.#recent.push(level);
    if (this.#recent.length > WINDOWS_TO_START + ONSET_WINDOWS) this.#recent.shift();
    this.#active = active ? this.#active + 1 : 0;

    if (!this.#speaking) {
      if (this.#active < WINDOWS_TO_START) return undefined;
      this.#speaking = true;
      this.#quiet = 0;
      const speechMs = (WINDOWS_TO_START + this.#onsetWindows(threshold)) * WINDOW_MS;
      return { type: 'started', startMs: Math.max(0, Math.round(endMs - speechMs - this.#settings.prefixPaddingMs)) };
    }
    // The first loud window may be a click: it counts as silence only once the next one is quiet again.
    if (this.#active >= WINDOWS_TO_RESUME) this.#quiet = 0;
    else if (!active) this.#quiet += this.#doubtful ? 2 : 1;
    this.#doubtful = this.#active === 1;
    if (this.#quiet * WINDOW_MS < this.#settings.silenceMs) return undefined;
    this.reset();
    return { type: 'stopped', endMs: Math.round(endMs) };
  }

  /** Forgets speech in progress. */
  reset(): void {
    this.#speaking = false;
    this.#recent = [];
    this.#active = 0;
    this.#quiet = 0;
    this.#doubtful = false;
  }

  #onsetWindows(threshold: number): number {
    const before = this.#recent.slice(0, -WINDOWS_TO_START).reverse();
    const silent = before.findIndex((level) => level <= threshold - ONSET_DB);
    return silent < 0 ? before.length : silent;
  }
}
