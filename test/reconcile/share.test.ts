// Largest remainder: parts are whole and sum exactly.
import { expect, test } from 'vitest';
import { share } from '../../src/reconcile/share.ts';
import fc from '../support/fast-check.ts';

test('what is left goes to the largest remainders, the earlier first', () => {
  expect(share(10, [1, 1, 1])).toEqual([4, 3, 3]);
  expect(share(100, [1, 2, 3])).toEqual([17, 33, 50]);
  expect(share(-100, [1, 2, 3])).toEqual([-17, -33, -50]);
});

test('where nothing weighs, all weigh the same', () => {
  expect(share(5, [0, 0])).toEqual([3, 2]);
  expect(share(5, [])).toEqual([]);
});

test('sums beyond what a double holds in between are exact', () => {
  const weights = [900_000_000_000_001, 3, 900_000_000_000_000];
  expect(share(1_000_000_000_000_000, weights).reduce((a, b) => a + b)).toBe(1_000_000_000_000_000);
});

test('always sums to the amount, and nobody is more than one from their share', () => {
  const weights = fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 1e12 }), weights, (amount, by) => {
      const parts = share(amount, by);
      const total = by.reduce((a, b) => a + b, 0);
      expect(parts.reduce((a, b) => a + b, 0)).toBe(amount);
      if (total > 0)
        parts.forEach((part, i) => expect(Math.abs(part - (amount * (by[i] ?? 0)) / total)).toBeLessThan(1.001));
    }),
  );
});
