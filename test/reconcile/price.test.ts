// What money says about the price it was reckoned with.
import { expect, test } from 'vitest';
import { type Money, moneyCause, type Price } from '../../src/reconcile/price.ts';

const token: Price = { nanoUsd: 4_000, unit: 'token' };
const money = (facts: Partial<Money>): Money => {
  const { quantity = 1_000_003, price = token } = facts;
  const expectedNanoUsd = quantity * (price?.nanoUsd ?? 0);
  return {
    nanoUsd: expectedNanoUsd,
    expectedNanoUsd,
    quantity,
    price,
    chargedQuantity: null,
    slackNanoUsd: 1,
    ...facts,
  };
};

test.each<[string, Partial<Money>, string | undefined]>([
  ['the expected amount', {}, undefined],
  ['a nano-dollar more', { nanoUsd: 4_000_012_001 }, 'rounding'],
  ['a higher price', { nanoUsd: 1_000_003 * 4_400 }, 'price_change'],
  ['a lower price', { nanoUsd: 1_000_003 * 3_755 }, 'price_change'],
  ['a price that nobody asks for', { nanoUsd: 1_000_003 * 4_401 }, 'unknown'],
  ['nothing at all', { nanoUsd: 0 }, 'free_tier'],
  ['a part of the quantity', { nanoUsd: (1_000_003 - 250_000) * 4_000 }, 'free_tier'],
  ['no whole part of the quantity', { nanoUsd: (1_000_003 - 250_000) * 4_000 + 1_777 }, 'unknown'],
  ['more than all of it', { nanoUsd: (1_000_003 + 10) * 4_000 }, 'unknown'],
  ['as much as the report says is charged', { nanoUsd: 2_000_000_000, chargedQuantity: 500_000 }, 'free_tier'],
  ['parts that cost differently', { nanoUsd: 5_000_000_000, price: null }, 'unknown'],
  ['within the rounding of the report', { nanoUsd: 4_000_011_000, slackNanoUsd: 5_000 }, 'rounding'],
])('%s', (_, facts, expected) => {
  expect(moneyCause(money(facts))?.cause).toBe(expected);
});

test('the note says both prices, as price lists do', () => {
  expect(moneyCause(money({ nanoUsd: 1_000_003 * 4_400 }))?.note).toBe(
    '$4.40 per million, the book says $4.00 per million',
  );
  const hour: Price = { nanoUsd: 360_000_000, unit: 'hour' };
  const dearer = money({ price: hour, quantity: 36_000_000, expectedNanoUsd: 3_600_000_000, nanoUsd: 4_000_000_000 });
  expect(moneyCause(dearer)).toEqual({ cause: 'price_change', note: '$0.40 per hour, the book says $0.36 per hour' });
});
