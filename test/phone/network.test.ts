// Delay, jitter, bursts and order of one direction of the network.
import { describe, expect, test } from 'vitest';
import { Link, type LinkOptions } from '../../src/phone/network.ts';
import { FakeClock } from '../support/fake-clock.ts';
import fc from '../support/fast-check.ts';

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

describe('bursts', () => {
  const run = (options: LinkOptions, messages = 500) => {
    const clock = new FakeClock();
    const startMs = clock.nowMs();
    const link = new Link(clock, options);
    const arrived: { n: number; sentMs: number; atMs: number }[] = [];
    for (let n = 0; n < messages; n++) {
      const sentMs = clock.nowMs() - startMs;
      link.send((atMs) => arrived.push({ n, sentMs, atMs: atMs - startMs }));
      clock.advance(20);
    }
    clock.advance(5_000);
    expect(clock.pending).toBe(0);
    return arrived;
  };

  test('hold messages back and deliver them together, in order, none later than the hold', () => {
    const arrived = run({ burstMs: 300, burstEveryMs: 1_000 });
    expect(arrived.map(({ n }) => n)).toEqual(Array.from({ length: 500 }, (_, n) => n));
    const delays = arrived.map(({ sentMs, atMs }) => atMs - sentMs);
    expect(Math.max(...delays)).toBeLessThanOrEqual(300);
    const together = [...Map.groupBy(arrived, ({ atMs }) => atMs).values()].filter((group) => group.length > 1);
    // Ten seconds with a hold about every second.
    expect(together.length).toBeGreaterThanOrEqual(7);
    expect(together.length).toBeLessThanOrEqual(14);
    for (const group of together) expect(group.length).toBeGreaterThanOrEqual(14);
    expect(delays.filter((ms) => ms === 0).length).toBeGreaterThan(300);
  });

  test('come on top of delay and jitter, and leave the jitter of a seed as it was', () => {
    const options = { delayMs: 40, jitterMs: 10, seed: 5 };
    const calm = run(options);
    const bursty = run({ ...options, burstMs: 200 });
    expect(bursty.every(({ atMs }, i) => atMs >= (calm[i]?.atMs ?? 0))).toBe(true);
    const untouched = bursty.filter(({ atMs }, i) => atMs === calm[i]?.atMs);
    expect(untouched.length).toBeGreaterThan(400);
    expect(untouched.length).toBeLessThan(500);
  });

  test('are the same for the same seed, and others for another', () => {
    const options = { burstMs: 250, burstEveryMs: 800 };
    expect(run({ ...options, seed: 7 })).toEqual(run({ ...options, seed: 7 }));
    expect(run({ ...options, seed: 7 })).not.toEqual(run({ ...options, seed: 8 }));
  });
});
