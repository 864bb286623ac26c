import { expect, test } from 'vitest';
import { FakeClock } from './fake-clock.ts';

test('fires in order of time, equal times in order of arming, at their own time', () => {
  const clock = new FakeClock();
  const fired: string[] = [];
  const note = (name: string) => () => fired.push(`${name}@${clock.nowMs()}`);
  clock.at(20, note('late'));
  clock.at(10, note('first'));
  clock.at(10, note('second'));
  clock.at(30, note('never'));
  clock.advance(25);
  expect(fired).toEqual(['first@10', 'second@10', 'late@20']);
  expect(clock.nowMs()).toBe(25);
  expect(clock.pending).toBe(1);
});

test('fires what a timer arms if it is due, and nothing that was cancelled', () => {
  const clock = new FakeClock();
  const fired: number[] = [];
  const cancel = clock.at(15, () => fired.push(15));
  clock.at(10, () => {
    cancel();
    cancel();
    clock.at(5, () => fired.push(clock.nowMs()));
    clock.at(12, () => fired.push(clock.nowMs()));
  });
  clock.advance(20);
  expect(fired).toEqual([10, 12]);
  expect(clock.pending).toBe(0);
});

test('moves wall time along', () => {
  const clock = new FakeClock(1000);
  clock.advance(500);
  expect(clock.wallMs()).toBe(1500);
});
