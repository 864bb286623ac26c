// The change of rate, judged as a filter is: what passes, what must not fold in, and that not one sample is lost.
import { describe, expect, test } from 'vitest';
import { Resampler } from '../../../src/page/phone/resampler.ts';

const sine = (hz: number, rate: number, samples: number): Float32Array =>
  Float32Array.from({ length: samples }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rate));

/** In pieces, as an audio thread gives them. */
function run(from: number, to: number, input: Float32Array, quantum = 128): Float32Array {
  const resampler = new Resampler(from, to);
  const parts: number[] = [];
  for (let i = 0; i < input.length; i += quantum) parts.push(...resampler.push(input.subarray(i, i + quantum)));
  return Float32Array.from(parts);
}

/** Level of a stretch without its ends, dB below a full sine. */
function levelDb(samples: Float32Array): number {
  const middle = samples.subarray(Math.floor(samples.length / 4), Math.floor((samples.length * 3) / 4));
  const power = middle.reduce((sum, sample) => sum + sample * sample, 0) / middle.length;
  return 10 * Math.log10(2 * power + 1e-20);
}

describe.each([44_100, 48_000, 96_000, 16_000])('from %i Hz to 8 kHz', (rate) => {
  test.each([300, 1_000, 2_000, 3_000])('%i Hz passes as it is', (hz) => {
    expect(Math.abs(levelDb(run(rate, 8_000, sine(hz, rate, rate))))).toBeLessThan(0.5);
  });

  test.each([4_600, 5_000, 7_000])('%i Hz does not fold into the band', (hz) => {
    expect(levelDb(run(rate, 8_000, sine(hz, rate, rate)))).toBeLessThan(-45);
  });
});

describe.each([44_100, 48_000])('from 8 kHz to %i Hz', (rate) => {
  test('keeps the tone and makes no image of it', () => {
    const up = run(8_000, rate, sine(1_000, 8_000, 8_000), 22);
    expect(Math.abs(levelDb(up))).toBeLessThan(0.5);
    // Without the tone itself, what is left is what was not there before.
    const phase = up.findIndex((value, i) => i > up.length / 4 && value >= 0 && (up[i - 1] as number) < 0);
    let residue = 0;
    const stretch = Math.floor(rate / 10);
    const [a, b] = [0, 1].map((quarter) => {
      let sum = 0;
      for (let i = 0; i < stretch; i++)
        sum += (up[phase + i] as number) * Math.sin((2 * Math.PI * 1_000 * i) / rate + (quarter * Math.PI) / 2);
      return (2 * sum) / stretch;
    }) as [number, number];
    for (let i = 0; i < stretch; i++) {
      const angle = (2 * Math.PI * 1_000 * i) / rate;
      residue += ((up[phase + i] as number) - a * Math.sin(angle) - b * Math.cos(angle)) ** 2;
    }
    expect(10 * Math.log10((2 * residue) / stretch)).toBeLessThan(-45);
  });
});

test('a minute of 44.1 kHz is a minute of 8 kHz, to a few samples', () => {
  const resampler = new Resampler(44_100, 8_000);
  const quantum = new Float32Array(441);
  let made = 0;
  for (let i = 0; i < 6_000; i++) made += resampler.push(quantum).length;
  expect(60 * 8_000 - made).toBeGreaterThanOrEqual(0);
  // What is missing is the delay.
  expect(60 * 8_000 - made).toBeLessThanOrEqual(20);
}, 30_000);
