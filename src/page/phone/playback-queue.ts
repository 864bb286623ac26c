// The phone's play buffer: first in, first out; marks come back when all before them has been played, or at once when a clear
// throws it away. What is played is counted to the sample, so that the server knows what was heard. Pure; runs in a worklet.
import { MULAW_RATE, toFloat } from '../mu-law.ts';

/** The server sends a few seconds ahead; what goes beyond this was never asked for. */
const MAX_QUEUED_BYTES = 120 * MULAW_RATE;
const MAX_MARKS = 4_000;

export class PlaybackQueue {
  /** Samples of the agent played so far, silence in between not counted. */
  playedSamples = 0;
  /** How often the queue ran dry after it had played something. */
  underruns = 0;
  #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that were played. */
  #offset = 0;
  #queued = 0;
  #marks: { name: string; due: number }[] = [];

  /** Bytes that wait. */
  get queuedBytes(): number {
    return this.#queued;
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#queued + bytes.length > MAX_QUEUED_BYTES) return;
    this.#chunks.push(bytes);
    this.#queued += bytes.length;
  }

  /** Marks that come back now: this one, if nothing waits before it. */
  mark(name: string): string[] {
    if (this.#queued === 0) return [name];
    // More than any server of ours has out: the oldest comes back early.
    const early = this.#marks.length >= MAX_MARKS ? this.#marks.splice(0, 1) : [];
    this.#marks.push({ name, due: this.playedSamples + this.#queued });
    return early.map((mark) => mark.name);
  }

  /** Throws away what waits; all marks come back. */
  clear(): string[] {
    this.#chunks = [];
    this.#offset = 0;
    this.#queued = 0;
    return this.#marks.splice(0).map(({ name }) => name);
  }

  /** Plays the next samples into `line`, and silence where there are none; gives the marks that came due in it. */
  play(line: Float32Array): string[] {
    let filled = 0;
    while (filled < line.length && this.#queued > 0) {
      const chunk = this.#chunks[0] as Uint8Array;
      const take = Math.min(line.length - filled, chunk.length - this.#offset);
      for (let i = 0; i < take; i++) line[filled + i] = toFloat(chunk[this.#offset + i] as number);
      filled += take;
      this.#offset += take;
      this.#queued -= take;
      if (this.#offset === chunk.length) {
        this.#chunks.shift();
        this.#offset = 0;
      }
    }
    line.fill(0, filled);
    this.playedSamples += filled;
    if (filled > 0 && filled < line.length) this.underruns++;
    const pending = this.#marks.findIndex(({ due }) => due > this.playedSamples);
    return this.#marks.splice(0, pending < 0 ? this.#marks.length : pending).map(({ name }) => name);
  }
}
