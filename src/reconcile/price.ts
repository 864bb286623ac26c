// Prices as a line of a bill carries them, per unit of each part of it; and what money that a seller reports says about the
// price that it was reckoned with.
import type { UnitPrice } from '../ledger/line.ts';
import type { Cause } from './causes.ts';
import { type Part, TOKEN_PARTS } from './vector.ts';

/** Nano-dollars of one unit. */
export interface Price {
  nanoUsd: number;
  unit: 'token' | 'hour' | 'minute' | 'piece';
}
export type Prices = Partial<Record<Part, Price>>;

/** Time is counted in milliseconds. */
const perOf = ({ unit }: Price): number => (unit === 'hour' ? 3_600_000 : 1);
/** Prices are multiples of half a cent per million tokens, or of half a hundredth of a cent. */
const grainOf = ({ unit }: Price): number => (unit === 'token' ? 5 : 50_000);

/** Of the `unit_price` of a line; empty where none is known. */
export function pricesOf(unitPrice: string | null): Prices {
  const price = unitPrice === null ? null : (JSON.parse(unitPrice) as UnitPrice);
  switch (price?.per) {
    case 'token':
      return Object.fromEntries(
        TOKEN_PARTS.map((part) => {
          const [kind, way] = part.split('_') as ['text' | 'audio' | 'image', 'fresh' | 'cached' | 'out'];
          return [part, { nanoUsd: price[kind][way], unit: 'token' }];
        }),
      );
    case 'hour':
      return { time: { nanoUsd: price.nanoUsd, unit: 'hour' } };
    case 'minute':
      return { minutes: { nanoUsd: price.nanoUsd, unit: 'minute' } };
    case 'piece':
      return { pieces: { nanoUsd: price.nanoUsd, unit: 'piece' } };
    default:
      return {};
  }
}

/** Whole nano-dollars; 0 where no price is known. */
export const costOf = (quantity: number, price: Price | undefined): number =>
  price === undefined ? 0 : Math.round((quantity * price.nanoUsd) / perOf(price));

export interface Money {
  /** What the seller reports. */
  nanoUsd: number;
  /** What it would be at the book's price. */
  expectedNanoUsd: number;
  /** How much was used, and the book's price of it, where all of it has one. */
  quantity: number;
  price: Price | null;
  /** How much the seller charges for, where its report says so. */
  chargedQuantity: number | null;
  /** How far off the sum of rounded amounts may be. */
  slackNanoUsd: number;
}

/** What rounding could do to an amount must be a small part of what two answers differ by, or either would fit. */
const TELLING = 4;

/**
 * Why an amount is not the expected one; null: it is. The first that fits: rounding; nothing charged at all; the quantity
 * that the report itself says is charged; another price, such as sellers ask for, of the whole quantity; the book's price of
 * a smaller whole quantity. A price comes before a free quantity: many lower prices look like one, hardly any free quantity
 * looks like a price.
 */
export function moneyCause(money: Money): { cause: Cause; note: string } | null {
  const { nanoUsd, expectedNanoUsd, quantity, price, chargedQuantity, slackNanoUsd } = money;
  const difference = nanoUsd - expectedNanoUsd;
  if (difference === 0) return null;
  if (Math.abs(difference) <= slackNanoUsd) return { cause: 'rounding', note: 'amounts are rounded' };
  if (price === null) return { cause: 'unknown', note: 'the amount fits no one price' };
  const fits = (amount: number): boolean => Math.abs(nanoUsd - amount) <= slackNanoUsd;
  const free = (charged: number): { cause: Cause; note: string } => ({
    cause: 'free_tier',
    note: `${(quantity - charged).toLocaleString('en-US')} of ${quantity.toLocaleString('en-US')} not charged`,
  });
  if (nanoUsd === 0) return free(0);
  if (chargedQuantity !== null && chargedQuantity < quantity && fits(costOf(chargedQuantity, price)))
    return free(chargedQuantity);
  const changed = priceFitting(money, price);
  if (changed !== null)
    return { cause: 'price_change', note: `${priceText(changed)}, the book says ${priceText(price)}` };
  const charged = Math.round(nanoUsd / price.nanoUsd);
  const telling = price.unit !== 'hour' && price.nanoUsd > TELLING * slackNanoUsd;
  if (telling && nanoUsd > 0 && charged < quantity && fits(costOf(charged, price))) return free(charged);
  return { cause: 'unknown', note: 'neither a price nor a free quantity explains it' };
}

/** The price that the whole quantity was charged at, if a seller could ask for it. */
export function priceFitting({ nanoUsd, quantity, slackNanoUsd }: Money, book: Price): Price | null {
  if (quantity === 0 || nanoUsd < 0) return null;
  const grain = grainOf(book);
  if (TELLING * slackNanoUsd > (grain * quantity) / perOf(book)) return null;
  const price = { nanoUsd: Math.round((nanoUsd * perOf(book)) / quantity / grain) * grain, unit: book.unit };
  return Math.abs(nanoUsd - costOf(quantity, price)) <= slackNanoUsd ? price : null;
}

/** As price lists say it. */
export const priceText = ({ nanoUsd, unit }: Price): string =>
  unit === 'token' ? `$${dollars(nanoUsd * 1e6)} per million` : `$${dollars(nanoUsd)} per ${unit}`;

const dollars = (nanoUsd: number): string =>
  (nanoUsd / 1e9).toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 6 });
