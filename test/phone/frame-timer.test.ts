// The 20 ms beat under late timers and held frames.
import { expect, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import { FrameTimer } from '../../src/phone/frame-timer.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** A clock whose timers all fire late. */
const lateBy = (clock: FakeClock, ms: number): Clock => ({
  nowMs: () => clock.nowMs(),
  wallMs: () => clock.wallMs(),
  at: (atMs, fire) => clock.at(Math.max(atMs, clock.nowMs()) + ms, fire),
});

test('late timers do not add up to drift', () => {
  const clock = new FakeClock();
  const startMs = clock.nowMs();
  const beats: number[] = [];
  const timer = new FrameTimer(lateBy(clock, 3), startMs, () => beats.push(clock.nowMs() - startMs));
  clock.advance(60_010);
  timer.stop();
  expect(beats).toHaveLength(3001);
  beats.forEach((atMs, i) => expect(atMs - i * 20).toBe(3));
});

test('held frames follow in a burst, a few at a time, and then the beat goes on', () => {
  const clock = new FakeClock();
  const startMs = clock.nowMs();
  const beats: number[] = [];
  const timer = new FrameTimer(clock, startMs, () => beats.push(clock.nowMs() - startMs));
  clock.advance(100);
  expect(beats).toEqual([0, 20, 40, 60, 80, 100]);
  timer.hold(200);
  clock.advance(240);
  timer.stop();
  const counts = Map.groupBy(beats.slice(6), (atMs) => atMs);
  expect([...counts].map(([atMs, all]) => [atMs, all.length])).toEqual([
    [300, 5],
    [301, 5],
    [320, 1],
    [340, 1],
  ]);
});

test('a stopped timer is silent', () => {
  const clock = new FakeClock();
  let beats = 0;
  const timer = new FrameTimer(clock, clock.nowMs(), () => {
    beats++;
    if (beats === 3) timer.stop();
  });
  clock.advance(500);
  expect(beats).toBe(3);
});
