// Changes the rate of a stream of samples, for browsers that do not grant an audio context of 8 kHz: a windowed sinc, so that
// what lies above the telephone band does not fold into it. Pure; runs in a worklet, at some two million multiplications a second.

/** Zero crossings of the sinc on each side: 16 samples of the lower rate, 2 ms at 8 kHz. */
const CROSSINGS = 16;
/** Kernel values kept between two samples of the lower rate; what lies between them is interpolated. */
const STEPS = 64;
/** Of the lower rate's half: leaves the window room to fall. */
const PASSED = 0.92;

/** One direction of one stream. Delays by 16 samples of the lower rate. */
export class Resampler {
  readonly #ratio: number;
  /** Samples of the input that the kernel reaches to each side. */
  readonly #reach: number;
  readonly #kernel: Float32Array;
  readonly #kernelPerInput: number;
  #history: Float32Array;
  #kept = 0;
  /** Where the next output lies among the samples kept. */
  #at: number;

  /** Rates in samples a second. */
  constructor(from: number, to: number) {
    this.#ratio = from / to;
    const lower = Math.min(1, to / from);
    this.#reach = Math.ceil(CROSSINGS / lower);
    this.#kernelPerInput = STEPS * lower;
    this.#kernel = kernel(lower * PASSED, lower);
    this.#history = new Float32Array(4_096);
    // Silence lies before the first sample.
    this.#kept = this.#reach;
    this.#at = this.#reach;
  }

  /** Gives the samples that follow from these. */
  push(input: Float32Array): Float32Array {
    this.#keep(input);
    const output = new Float32Array(Math.max(0, Math.ceil((this.#kept - this.#reach - this.#at) / this.#ratio)));
    let made = 0;
    while (this.#at + this.#reach < this.#kept && made < output.length) {
      output[made++] = this.#sampleAt(this.#at);
      this.#at += this.#ratio;
    }
    this.#forget();
    return output.subarray(0, made);
  }

  #sampleAt(at: number): number {
    // Local names: this runs a million times a second, and a private field costs more than the multiplication.
    const history = this.#history;
    const values = this.#kernel;
    const perInput = this.#kernelPerInput;
    const last = Math.floor(at + this.#reach);
    let sum = 0;
    for (let i = Math.max(0, Math.ceil(at - this.#reach)); i <= last; i++) {
      const place = Math.abs(i - at) * perInput;
      const step = place | 0;
      // The kernel ends with zeros: a rounding at its very end reads one of them.
      const low = values[step] as number;
      sum += (history[i] as number) * (low + ((values[step + 1] as number) - low) * (place - step));
    }
    return sum;
  }

  #keep(input: Float32Array): void {
    const needed = this.#kept + input.length;
    if (needed > this.#history.length) {
      const longer = new Float32Array(2 * needed);
      longer.set(this.#history.subarray(0, this.#kept));
      this.#history = longer;
    }
    this.#history.set(input, this.#kept);
    this.#kept = needed;
  }

  #forget(): void {
    const useless = Math.max(0, Math.min(Math.floor(this.#at) - this.#reach, this.#kept));
    if (useless === 0) return;
    this.#history.copyWithin(0, useless, this.#kept);
    this.#kept -= useless;
    this.#at -= useless;
  }
}

/** Half of the kernel: `passed` is its cut-off and `lower` the lower rate, both as shares of the input's. */
function kernel(passed: number, lower: number): Float32Array {
  const length = CROSSINGS * STEPS;
  const values = new Float32Array(length + 2 * STEPS);
  for (let i = 0; i < length; i++) {
    const distance = i / STEPS / lower;
    const turn = Math.PI * passed * distance;
    const sinc = turn === 0 ? 1 : Math.sin(turn) / turn;
    // Blackman: side lobes 58 dB down.
    const share = i / length;
    const window = 0.42 + 0.5 * Math.cos(Math.PI * share) + 0.08 * Math.cos(2 * Math.PI * share);
    values[i] = passed * sinc * window;
  }
  return values;
}
