// The loudspeaker's side of the audio thread: plays the queue, tells of marks in the very quantum in which they come due, and of
// the level now and then. Only glue: playback-queue.ts and resampler.ts do it.
import { MULAW_RATE } from '../mu-law.ts';
import { PlaybackQueue } from '../phone/playback-queue.ts';
import { Resampler } from '../phone/resampler.ts';

export type PlaybackOrder = { append: Uint8Array } | { mark: string } | 'clear' | 'over';
export type PlaybackNews = { marks: string[] } | { level: number };

/** So many quanta lie between two levels: 64 ms at 8 kHz. */
const LEVEL_EVERY = 4;

class PlaybackProcessor extends AudioWorkletProcessor {
  readonly #queue = new PlaybackQueue();
  #resampler = sampleRate === MULAW_RATE ? null : new Resampler(MULAW_RATE, sampleRate);
  /** Samples at the context's rate that were made and do not fit the last quantum. */
  #made = new Float32Array(0);
  #over = false;
  #quanta = 0;
  #peak = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<PlaybackOrder>) => this.#take(data);
  }

  #take(order: PlaybackOrder): void {
    if (order === 'over') this.#over = true;
    else if (order === 'clear') {
      this.#made = new Float32Array(0);
      if (this.#resampler !== null) this.#resampler = new Resampler(MULAW_RATE, sampleRate);
      this.#tell(this.#queue.clear());
    } else if ('mark' in order) this.#tell(this.#queue.mark(order.mark));
    else this.#queue.append(order.append);
  }

  process(_inputs: Float32Array[][], [output]: Float32Array[][]): boolean {
    const line = output?.[0];
    if (line === undefined) return !this.#over;
    if (this.#resampler === null) this.#tell(this.#queue.play(line));
    else this.#playResampled(line, this.#resampler);
    for (const sample of line) this.#peak = Math.max(this.#peak, Math.abs(sample));
    if (++this.#quanta % LEVEL_EVERY === 0) {
      this.port.postMessage({ level: this.#peak } satisfies PlaybackNews);
      this.#peak = 0;
    }
    return !this.#over;
  }

  #playResampled(line: Float32Array, resampler: Resampler): void {
    const marks: string[] = [];
    // Only as much is taken from the queue as this quantum needs: what is taken counts as heard.
    while (this.#made.length < line.length) {
      const missing = line.length - this.#made.length;
      const narrow = new Float32Array(Math.max(1, Math.ceil((missing * MULAW_RATE) / sampleRate)));
      marks.push(...this.#queue.play(narrow));
      this.#made = joined(this.#made, resampler.push(narrow));
    }
    line.set(this.#made.subarray(0, line.length));
    this.#made = this.#made.slice(line.length);
    this.#tell(marks);
  }

  #tell(marks: string[]): void {
    if (marks.length > 0) this.port.postMessage({ marks } satisfies PlaybackNews);
  }
}

function joined(first: Float32Array, second: Float32Array): Float32Array<ArrayBuffer> {
  const both = new Float32Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

registerProcessor('trunkline-playback', PlaybackProcessor);
