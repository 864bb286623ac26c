// Whatever a seller charges for whatever was used: lines and residues sum to the report, to the nano-dollar.
import { expect, test } from 'vitest';
import { CAUSES } from '../../src/reconcile/causes.ts';
import { chargesOf } from '../../src/reconcile/items.ts';
import { type ProductDay, pricesOfDay, settle } from '../../src/reconcile/settle.ts';
import { PARTS, sumOf, type Vector } from '../../src/reconcile/vector.ts';
import { usedOf } from '../../src/reconcile/lines.ts';
import { FULL, tokenLine } from './ground.ts';
import fc from '../support/fast-check.ts';

const ITEMS = [
  'text, input',
  'text, cached input',
  'text, output',
  'audio, input',
  'audio, cached input',
  'audio, output',
  '',
];
const tokens = fc.array(fc.nat(3_000), { minLength: 8, maxLength: 8 });
const amount = fc.integer({ min: -2_000_000_000, max: 2_000_000_000 });
const place = fc.nat(11);
const vector = (some: readonly number[], sign: number): Vector => [...PARTS.map((_, i) => (some[i] ?? 0) * sign), sign];

const products = fc
  .record({
    lines: fc.array(tokens, { maxLength: 12 }),
    items: fc.array(fc.record({ name: fc.constantFrom(...ITEMS), nanoUsd: amount }), { maxLength: 9 }),
    extra: fc.array(place, { maxLength: 2 }),
    out: fc.array(place, { maxLength: 2 }),
    others: fc.array(fc.record({ cause: fc.constantFrom(...CAUSES), some: tokens, sign: fc.constantFrom(1, -1) }), {
      maxLength: 3,
    }),
    spread: fc.option(fc.array(fc.nat(100_000), { minLength: 12, maxLength: 12 })),
  })
  .map(({ lines: counts, items, extra, out, others: given, spread }): ProductDay => {
    const lines = counts.map((some, i) => tokenLine('call', 'answer', `resp_${i}`, FULL, i, some));
    const there = (i: number): boolean => i < lines.length;
    const others = given.map(({ cause, some, sign }) => ({ cause, used: vector(some, sign) }));
    const prices = pricesOfDay(lines);
    const named = items.map(({ name, nanoUsd }) => ({ name: `${FULL}${name && ` ${name}`}`, nanoUsd, quantity: null }));
    const used = sumOf([...lines.map(usedOf), ...others.map((other) => other.used)]);
    const dropped = new Set(extra.filter(there));
    return {
      product: FULL,
      lines,
      charges: chargesOf(named, used, prices),
      extra: dropped,
      out: new Map(out.filter((i) => there(i) && !dropped.has(i)).map((i) => [i, 'late_event'])),
      others,
      prices,
      spread,
      grainNanoUsd: 1,
    };
  });

test('every cent of a report is on a line or beside it, and every difference has a cause', () => {
  fc.assert(
    fc.property(products, (day) => {
      const { billed, residues } = settle(day);
      const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
      const reported = sum(day.charges.map(({ nanoUsd }) => nanoUsd));
      // What no item charges for is in no sum, on neither side.
      const parts = new Set(day.charges.flatMap((charge) => charge.parts));
      fc.pre(
        day.lines.every((line) =>
          usedOf(line).every((n, i) => n === 0 || PARTS[i] === undefined || parts.has(PARTS[i])),
        ),
      );
      expect(sum(billed) + sum(residues.map(({ besideNanoUsd }) => besideNanoUsd))).toBe(reported);
      expect(sum(day.lines.map((line) => line.cost_nano_usd ?? 0)) + sum(residues.map(({ nanoUsd }) => nanoUsd))).toBe(
        reported,
      );
    }),
    { numRuns: 300 },
  );
});
