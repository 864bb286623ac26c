// Which frames came late, by the carrier's own timestamps.
import { expect, test } from 'vitest';
import { LateFrames } from '../../src/record/late-frames.ts';

/** Frames of 20 ms from timestamp 0 on; `wayMs` says how long each was under way. */
function late(count: number, wayMs: (n: number) => number, clockRate = 1): number {
  const frames = new LateFrames();
  for (let n = 0; n < count; n++) frames.arrived(5_000 + n * 20 * clockRate + wayMs(n), n * 20);
  return frames.count;
}

test('steady frames are in time, however long the way', () => {
  expect(late(500, () => 300)).toBe(0);
});

test('jitter within three frames is in time', () => {
  expect(late(500, (n) => (n * 37) % 60)).toBe(0);
});

test('a stall makes late what it held back, and nothing else', () => {
  // From frame 100 on nothing for half a second; then all at once: frames 100 to 121 are more than 60 ms late.
  expect(late(500, (n) => (n >= 100 && n < 125 ? (125 - n) * 20 : 0))).toBe(22);
});

test.each([0.998, 1.002])('an hour of clocks that drift apart (rate %f) makes no frame late', (rate) => {
  expect(late(180_000, (n) => (n * 13) % 40, rate)).toBe(0);
});

test('a way that becomes longer for good is late only until it is the usual one', () => {
  const count = late(10_000, (n) => (n < 100 ? 0 : 300));
  // 240 ms too many, at 5 ms a second: 48 s.
  expect(count).toBeGreaterThan(2_000);
  expect(count).toBeLessThan(2_800);
});

test('a clock that jumps is not a late frame', () => {
  const frames = new LateFrames();
  for (let n = 0; n < 100; n++) frames.arrived(n * 20, n * 20);
  for (let n = 100; n < 200; n++) frames.arrived(n * 20, n * 20 + 3_600_000);
  for (let n = 200; n < 300; n++) frames.arrived(n * 20, n * 20);
  expect(frames.count).toBe(0);
});

test('media that starts anew has timestamps of its own', () => {
  const frames = new LateFrames();
  for (let n = 0; n < 100; n++) frames.arrived(n * 20, n * 20);
  frames.restart();
  for (let n = 0; n < 100; n++) frames.arrived(5_000 + n * 20, n * 20);
  expect(frames.count).toBe(0);
});
