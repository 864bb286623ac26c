// From quanta of 128 samples to frames: nothing is lost, times are true, gaps are gaps, and mute is silence that goes on.
import { expect, test } from 'vitest';
import { Capture, type CapturedFrame } from '../../../src/page/phone/capture.ts';
import { encodeSample, SILENCE } from '../../../src/page/mu-law.ts';
import fc from '../../support/fast-check.ts';

const capturing = (rate: number) => {
  const frames: CapturedFrame[] = [];
  return { frames, capture: new Capture(rate, (frame) => frames.push(frame)) };
};

const loud = (size = 128): Float32Array => new Float32Array(size).fill(0.5);

test('quanta of 128 become frames of 160 bytes, each where it was spoken', () => {
  const { frames, capture } = capturing(8_000);
  for (let i = 0; i < 50; i++) capture.push(loud(), 1_000 + i * 128);
  expect(frames).toHaveLength(40);
  expect(frames.map(({ atSample }) => atSample)).toEqual(Array.from({ length: 40 }, (_, i) => 1_000 + i * 160));
  expect(
    frames.every(({ bytes }) => bytes.length === 160 && bytes.every((byte) => byte === encodeSample(16_384))),
  ).toBe(true);
  expect(frames.every(({ level }) => level === 0.5)).toBe(true);
});

test('quanta of any sizes lose nothing and keep the time', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 60 }), (sizes) => {
      const { frames, capture } = capturing(8_000);
      let at = 0;
      for (const size of sizes) {
        capture.push(loud(size), at);
        at += size;
      }
      const bytes = frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
      expect(at - bytes).toBeLessThan(160);
      for (const [i, { atSample }] of frames.entries()) expect(atSample).toBe(i * 160);
    }),
  );
});

test('missing quanta are a gap in the times, not a shift of what follows', () => {
  const { frames, capture } = capturing(8_000);
  capture.push(loud(200), 0);
  capture.push(loud(320), 1_000);
  expect(frames.map(({ atSample, bytes }) => [atSample, bytes.length])).toEqual([
    [0, 160],
    [160, 40],
    [1_000, 160],
    [1_160, 160],
  ]);
});

test('a clock that jumps back never takes a time back', () => {
  const { frames, capture } = capturing(8_000);
  capture.push(loud(320), 5_000);
  capture.push(loud(320), 0);
  expect(frames.map(({ atSample }) => atSample)).toEqual([5_000, 5_160, 5_320, 5_480]);
});

test('muted, the line is silent and alive, and the level still shows that somebody speaks', () => {
  const { frames, capture } = capturing(8_000);
  capture.muted = true;
  capture.push(loud(160), 0);
  capture.muted = false;
  capture.push(loud(160), 160);
  expect(frames.map(({ bytes }) => bytes[0])).toEqual([SILENCE, encodeSample(16_384)]);
  expect(frames[0]).toMatchObject({ atSample: 0, level: 0.5 });
});

test('at 48 kHz a second is a second', () => {
  const { frames, capture } = capturing(48_000);
  for (let i = 0; i < 3_750; i++) capture.push(loud(128), i * 128);
  expect(frames.length).toBeGreaterThanOrEqual(499);
  expect(frames.at(-1)?.atSample).toBe((frames.length - 1) * 160);
});
