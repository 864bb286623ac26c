// From the microphone's samples to frames of a media stream: rate, mu-law, about 20 ms a frame, each with its true place in
// time. Audio comes in quanta of 128 samples that do not fit 20 ms, and now and then some are missing. Pure; runs in a worklet.
import { MULAW_RATE, SILENCE, toByte } from '../mu-law.ts';
import { Resampler } from './resampler.ts';

/** A piece of the caller's line. */
export interface CapturedFrame {
  bytes: Uint8Array;
  /** Place of its first byte, in samples of 8 kHz since the capture began. */
  atSample: number;
  /** 0 to 1: the highest sample in it, muted or not. */
  level: number;
}

/** 20 ms. */
const FRAME_BYTES = 160;

export class Capture {
  /** Sends silence instead; the line stays alive, and time passes. */
  muted = false;
  readonly #rate: number;
  readonly #told: (frame: CapturedFrame) => void;
  #resampler: Resampler | null;
  /** Input samples so far, lost ones included; where the next quantum should begin. */
  #nextInput: number | null = null;
  #bytes = new Uint8Array(FRAME_BYTES);
  #filled = 0;
  #atSample = 0;
  #peak = 0;

  /** @param rate of what is pushed, in samples a second */
  constructor(rate: number, told: (frame: CapturedFrame) => void) {
    this.#rate = rate;
    this.#told = told;
    this.#resampler = rate === MULAW_RATE ? null : new Resampler(rate, MULAW_RATE);
  }

  /** One quantum; `at` is the place of its first sample on the audio clock, of the same rate. */
  push(samples: Float32Array, at: number): void {
    if (this.#nextInput !== null && at !== this.#nextInput) this.#jump(at);
    if (this.#nextInput === null) this.#atSample = Math.round((at * MULAW_RATE) / this.#rate);
    this.#nextInput = at + samples.length;
    const line = this.#resampler?.push(samples) ?? samples;
    for (const sample of line) {
      this.#peak = Math.max(this.#peak, Math.abs(sample));
      this.#bytes[this.#filled++] = this.muted ? SILENCE : toByte(sample);
      if (this.#filled === FRAME_BYTES) this.#tell();
    }
  }

  /** Quanta are missing: what was begun goes out short, and the next frame begins where the audio really does. */
  #jump(at: number): void {
    if (this.#filled > 0) this.#tell();
    if (this.#resampler !== null) this.#resampler = new Resampler(this.#rate, MULAW_RATE);
    // Never backwards: a timestamp that was told stays true.
    this.#atSample = Math.max(this.#atSample, Math.round((at * MULAW_RATE) / this.#rate));
  }

  #tell(): void {
    const bytes = this.#bytes.slice(0, this.#filled);
    const frame = { bytes, atSample: this.#atSample, level: this.#peak };
    this.#atSample += this.#filled;
    this.#filled = 0;
    this.#peak = 0;
    this.#told(frame);
  }
}
