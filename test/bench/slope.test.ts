import { expect, test } from 'vitest';
import { grows, median, trendOf } from '../../bench/slope.ts';
import { seededRandom } from '../../src/phone/seeded-random.ts';

/** 36 looks, five seconds apart. */
const looks = (value: (n: number) => number) =>
  Array.from({ length: 36 }, (_, n) => ({ atMs: n * 5_000, value: value(n) }));

test('a straight line has its slope and no noise', () => {
  const trend = trendOf(looks((n) => 1_000 + 2 * n));
  expect(trend.perHour).toBeCloseTo(1_440, 6);
  expect(trend.growth).toBeCloseTo(70, 6);
  expect(trend.noise).toBeCloseTo(0, 6);
  expect(trend.chance).toBeLessThan(1e-6);
  expect(grows(trend)).toBe(true);
  expect([grows(trend, 69), grows(trend, 71)]).toEqual([true, false]);
});

test('noise without growth is not growth, whatever the seed', () => {
  const found = Array.from({ length: 200 }, (_, seed) => {
    const random = seededRandom(seed);
    return grows(trendOf(looks(() => 80_000 + 4_000 * random())));
  });
  expect(found.filter(Boolean).length).toBeLessThanOrEqual(4);
});

test('growth of twice the noise is found below any noise, and one outlier does not make it', () => {
  const missed = Array.from({ length: 200 }, (_, seed) => {
    const random = seededRandom(seed);
    return grows(trendOf(looks((n) => 80_000 + 4_000 * random() + (n / 35) * 4_000)));
  }).filter((one) => !one);
  expect(missed.length).toBeLessThanOrEqual(20);
  expect(grows(trendOf(looks((n) => (n === 35 ? 1e9 : 100))))).toBe(false);
});

test('what falls, or stands still, does not grow', () => {
  expect(grows(trendOf(looks((n) => 1_000 - n)))).toBe(false);
  const still = trendOf(looks(() => 7));
  expect(still).toEqual({ perHour: 0, growth: 0, noise: 0, chance: expect.closeTo(0.5, 6) });
  expect(grows(still)).toBe(false);
});

test('a median is the middle, or between the two', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});
