// The carrier's play buffer as an exact model: first in, first out, 8 bytes a millisecond. It has no clock and no
// timers; whoever owns it passes the time in. It also remembers what was really played, which is what the caller heard.
import { BYTES_PER_MS, bytesToMs, SILENCE_BYTE } from '../audio/mulaw.ts';

/** One unbroken stretch of played audio. `bytes` is empty when the buffer was told not to keep audio. */
export interface HeardSegment {
  atMs: number;
  durationMs: number;
  bytes: Buffer;
}

/** The queue ran dry at `atMs` and audio came again `gapMs` later. A pause between two turns looks the same. */
export interface Underrun {
  atMs: number;
  gapMs: number;
}

/** What one `clear` did. */
export interface Cleared {
  /** Names of all marks that were still pending, oldest first. */
  marks: string[];
  /** Bytes that will now never be played. */
  droppedBytes: number;
  /** Bytes played since the start of the buffer, up to the clear. */
  playedBytesTotal: number;
}

/** A stretch in time; `endMs` may lie in the future while audio is queued. */
export interface TalkSpurt {
  startMs: number;
  endMs: number;
}

export interface PlaybackBufferOptions {
  /** Keep the bytes that were played. Default true; false keeps times and counts only. */
  keepAudio?: boolean;
  /** Oldest audio is forgotten above this many bytes. Default 8 MB, about 17 minutes of talk. */
  maxHistoryBytes?: number;
}

// A run of audio without a gap. Its end is computed from its length, so that rounding cannot add up over many pushes.
interface Run {
  startMs: number;
  byteLength: number;
  chunks: Buffer[];
}

const endOf = (run: Run): number => run.startMs + bytesToMs(run.byteLength);

// Whole bytes of a run played by `atMs`. The epsilon is far below a byte: it keeps rounding of clock times from costing one.
const playedOf = (run: Run, atMs: number): number =>
  Math.min(run.byteLength, Math.max(0, Math.floor((atMs - run.startMs) * BYTES_PER_MS + 1e-6)));

export class PlaybackBuffer {
  readonly underruns: Underrun[] = [];
  readonly #keepAudio: boolean;
  readonly #maxHistoryBytes: number;
  readonly #runs: Run[] = [];
  readonly #marks: { name: string; dueMs: number }[] = [];
  #historyBytes = 0;
  #forgottenBytes = 0;
  #cutAtMs: number | undefined;
  #nowMs = Number.NEGATIVE_INFINITY;

  constructor(options: PlaybackBufferOptions = {}) {
    this.#keepAudio = options.keepAudio ?? true;
    this.#maxHistoryBytes = options.maxHistoryBytes ?? 8_000_000;
  }

  /** When the last queued byte will have been played; undefined before the first push. */
  get endMs(): number | undefined {
    const run = this.#runs.at(-1);
    return run && endOf(run);
  }

  /** When the oldest pending mark comes due. */
  get nextMarkDueMs(): number | undefined {
    return this.#marks[0]?.dueMs;
  }

  /** Queues audio that arrived at `atMs`; it starts at once, or when everything before it has been played. */
  push(atMs: number, bytes: Uint8Array): void {
    const nowMs = this.#advance(atMs);
    if (bytes.length === 0) return;
    const run = this.#runFor(nowMs);
    run.byteLength += bytes.length;
    this.#historyBytes += bytes.length;
    if (this.#keepAudio) run.chunks.push(Buffer.from(bytes));
    this.#forget();
  }

  /** Queues a mark that arrived at `atMs` and returns when its echo is due. */
  mark(atMs: number, name: string): number {
    const nowMs = this.#advance(atMs);
    const dueMs = Math.max(nowMs, this.endMs ?? nowMs);
    this.#marks.push({ name, dueMs });
    return dueMs;
  }

  /** Removes and returns the names of marks that have come due by `atMs`, in order. */
  takeDueMarks(atMs: number): string[] {
    const nowMs = this.#advance(atMs);
    const pending = this.#marks.findIndex((mark) => mark.dueMs > nowMs);
    return this.#marks.splice(0, pending === -1 ? this.#marks.length : pending).map((mark) => mark.name);
  }

  /** Drops everything not yet played at `atMs` and gives every pending mark back. */
  clear(atMs: number): Cleared {
    const nowMs = this.#advance(atMs);
    const run = this.#runs.at(-1);
    let droppedBytes = 0;
    if (run && endOf(run) > nowMs) {
      // A byte counts as played once it has been played whole.
      const played = playedOf(run, nowMs);
      droppedBytes = run.byteLength - played;
      run.byteLength = played;
      if (this.#keepAudio) run.chunks = [Buffer.concat(run.chunks).subarray(0, played)];
      this.#historyBytes -= droppedBytes;
      if (played === 0) this.#runs.pop();
    }
    this.#cutAtMs = nowMs;
    const marks = this.#marks.splice(0).map((mark) => mark.name);
    return { marks, droppedBytes, playedBytesTotal: this.playedBytes(nowMs) };
  }

  /** Whether something is being played at `atMs`. */
  playing(atMs: number): boolean {
    return this.#runs.some((run) => run.startMs <= atMs && endOf(run) > atMs);
  }

  /** Bytes played from the start up to `atMs`. */
  playedBytes(atMs: number): number {
    let total = this.#forgottenBytes;
    for (const run of this.#runs) total += playedOf(run, atMs);
    return total;
  }

  /** Bytes waiting at `atMs`. */
  queuedBytes(atMs: number): number {
    return this.#forgottenBytes + this.#historyBytes - this.playedBytes(atMs);
  }

  /** The latest talk spurt begun by `atMs`; gaps shorter than `bridgeMs` do not end one. */
  talkSpurt(atMs: number, bridgeMs = 300): TalkSpurt | undefined {
    let spurt: TalkSpurt | undefined;
    for (let i = this.#runs.length - 1; i >= 0; i--) {
      const run = this.#runs[i] as Run;
      if (run.startMs > atMs) continue;
      if (!spurt) spurt = { startMs: run.startMs, endMs: endOf(run) };
      else if (spurt.startMs - endOf(run) < bridgeMs) spurt.startMs = run.startMs;
      else break;
    }
    return spurt;
  }

  /** What was played up to `atMs`, one segment for each unbroken stretch. */
  heard(atMs: number): HeardSegment[] {
    return this.#runs
      .filter((run) => run.startMs < atMs)
      .map((run) => {
        const played = playedOf(run, atMs);
        return {
          atMs: run.startMs,
          durationMs: bytesToMs(played),
          bytes: Buffer.concat(run.chunks).subarray(0, this.#keepAudio ? played : 0),
        };
      });
  }

  /** The line as the caller heard it from `fromMs` to `toMs`, silence included. */
  render(fromMs: number, toMs: number): Buffer {
    const line = Buffer.alloc(Math.max(0, Math.round((toMs - fromMs) * BYTES_PER_MS)), SILENCE_BYTE);
    for (const segment of this.heard(toMs))
      overlay(line, segment.bytes, Math.round((segment.atMs - fromMs) * BYTES_PER_MS));
    return line;
  }

  // Time never runs backwards in here, whatever order the owner's timers fired in.
  #advance(atMs: number): number {
    this.#nowMs = Math.max(this.#nowMs, atMs);
    return this.#nowMs;
  }

  #runFor(nowMs: number): Run {
    const last = this.#runs.at(-1);
    const cutAtMs = this.#cutAtMs;
    this.#cutAtMs = undefined;
    if (last && cutAtMs === undefined) {
      const endMs = endOf(last);
      if (nowMs <= endMs) return last;
      this.underruns.push({ atMs: endMs, gapMs: nowMs - endMs });
    }
    const run: Run = { startMs: nowMs, byteLength: 0, chunks: [] };
    this.#runs.push(run);
    return run;
  }

  #forget(): void {
    while (this.#historyBytes > this.#maxHistoryBytes && this.#runs.length > 1) {
      const run = this.#runs.shift() as Run;
      this.#historyBytes -= run.byteLength;
      this.#forgottenBytes += run.byteLength;
    }
  }
}

/** Copies `bytes` into `line` at byte `offset`, leaving out what does not fit. */
export function overlay(line: Buffer, bytes: Uint8Array, offset: number): void {
  const from = Math.max(0, -offset);
  const to = Math.min(bytes.length, line.length - offset);
  if (to > from) line.set(bytes.subarray(from, to), offset + from);
}
