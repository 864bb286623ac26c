// Delay, jitter and order of one direction of the network.
import { expect, test } from 'vitest';
import fc from 'fast-check';
import { Link } from '../../src/replay/network.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('a link without delay delivers in the same turn', () => {
  const clock = new FakeClock();
  const arrived: number[] = [];
  new Link(clock).send((atMs) => arrived.push(atMs));
  expect(arrived).toEqual([clock.nowMs()]);
});

test('a link delays by its constant and tells the exact time of arrival', () => {
  const clock = new FakeClock();
  const startMs = clock.nowMs();
  const arrived: number[] = [];
  const link = new Link(clock, { delayMs: 40 });
  link.send((atMs) => arrived.push(atMs - startMs));
  clock.advance(39);
  expect(arrived).toEqual([]);
  clock.advance(1);
  expect(arrived).toEqual([40]);
});

test('no message ever overtakes another, whatever the jitter', () => {
  const pauses = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(pauses, fc.integer({ min: 1, max: 1000 }), (waits, seed) => {
      const clock = new FakeClock();
      const link = new Link(clock, { delayMs: 20, jitterMs: 60, seed });
      const arrived: { n: number; tookMs: number; atMs: number }[] = [];
      waits.forEach((waitMs, n) => {
        clock.advance(waitMs);
        const sentMs = clock.nowMs();
        link.send((atMs) => arrived.push({ n, tookMs: atMs - sentMs, atMs }));
      });
      clock.advance(200);
      expect(arrived.map(({ n }) => n)).toEqual(waits.map((_, n) => n));
      for (const { tookMs } of arrived) expect(tookMs >= 20 && tookMs <= 80).toBe(true);
    }),
  );
});

test('the same seed gives the same jitter', () => {
  const run = (seed: number): number[] => {
    const clock = new FakeClock();
    const startMs = clock.nowMs();
    const link = new Link(clock, { jitterMs: 50, seed });
    const arrived: number[] = [];
    for (let i = 0; i < 20; i++) {
      link.send((atMs) => arrived.push(atMs - startMs));
      clock.advance(20);
    }
    clock.advance(100);
    return arrived;
  };
  expect(run(7)).toEqual(run(7));
  expect(run(7)).not.toEqual(run(8));
});

test('a closed link delivers nothing more and leaves no timer', () => {
  const clock = new FakeClock();
  const link = new Link(clock, { delayMs: 40 });
  let arrived = 0;
  link.send(() => arrived++);
  link.close();
  link.send(() => arrived++);
  clock.advance(1000);
  expect(arrived).toBe(0);
});
