// Money and counts as sellers' reports write them, and how they are refused.
import { z } from 'zod';

/** A report's number: JSON's, or a decimal in a string (Twilio's counts, some of OpenAI's amounts). */
const decimal = z.union([
  z.number(),
  z
    .string()
    .regex(/^-?\d{1,15}(\.\d{1,18})?$/, 'expected a number')
    .transform(Number),
]);

/** A count: not negative. */
export const count = z.number().int('expected a whole number').nonnegative('expected no negative count').max(1e15);

/** A count in a string, such as Twilio's `usage` and `count`. */
export const countText = decimal.refine((n) => n >= 0, 'expected no negative count');

/** Seconds or minutes. */
export const duration = z.number().nonnegative('expected no negative count').max(1e12);

/** Dollars to whole nano-dollars; below a million dollars, so that every sum is exact. */
export const money = decimal.refine((usd) => Math.abs(usd) < 1e6, 'expected an amount below a million dollars');

export const toNano = (usd: number): number => Math.round(usd * 1e9);

export const dollarsOnly = z
  .string()
  .refine((currency) => currency.toLowerCase() === 'usd', 'expected usd: the price book and all lines are in dollars');

/** Decimals of an amount, up to nine. */
export const decimalsOf = (usd: number): number =>
  /\.(\d+?)0*$/.exec(usd.toFixed(9))?.[1]?.replace(/^0$/, '').length ?? 0;

/**
 * Half of the last decimal of a report's most exact amount, in nano-dollars, at least one: how far off a rounded amount may
 * be. Nobody rounds to more than cents.
 */
export const grainOf = (decimals: number): number => Math.max(1, Math.round(10 ** (9 - Math.max(2, decimals)) / 2));
