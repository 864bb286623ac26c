// Money, prices and shares as tables show them. Pure.
import type { UnitPrice } from '../ledger/line.ts';
import type { Sum } from '../store/queries/costs-sums.ts';

/** What there is none of. */
export const NONE = '-';

/** Four decimals, so that a cheap call does not look free. */
const DECIMALS = 4;
const NANO_USD_PER_USD = 1e9;

/** `$0.0124`; what is less than its decimals can show does not look free. */
export function dollars(nanoUsd: number, decimals = DECIMALS): string {
  const least = NANO_USD_PER_USD / 10 ** decimals;
  if (nanoUsd > 0 && nanoUsd < least / 2) return `<${dollars(least, decimals)}`;
  return `$${(nanoUsd / NANO_USD_PER_USD).toFixed(decimals)}`;
}

/** A sum; `at least` where lines in it have no known price. */
export const sumText = (sum: Sum): string => sumCell(sum, DECIMALS, 'at least ');

/** A sum among many; `≥` is for the reader to be told of. */
export function sumCell({ nanoUsd, unpricedLines }: Sum, decimals = DECIMALS, atLeast = '≥'): string {
  if (nanoUsd === 0) return unpricedLines > 0 ? 'no price' : NONE;
  return (unpricedLines > 0 ? atLeast : '') + dollars(nanoUsd, decimals);
}

/** `+$0.0124`, `-$0.0124` */
export function differenceText(nanoUsd: number, decimals = DECIMALS): string {
  if (nanoUsd === 0) return NONE;
  const text = dollars(Math.abs(nanoUsd), decimals);
  if (text.startsWith('<')) return text;
  return `${nanoUsd < 0 ? '-' : '+'}${text}`;
}

const MS_PER_MINUTE = 60_000;

/** What a minute of talk costs, with everything; null where nobody talked. */
export const perMinute = (sum: Sum, talkMs: number): Sum | null =>
  talkMs === 0 ? null : { ...sum, nanoUsd: Math.round((sum.nanoUsd / talkMs) * MS_PER_MINUTE) };

/** `12.3` */
export const minutes = (ms: number): string => {
  const tenths = (ms / MS_PER_MINUTE).toFixed(1);
  return tenths.replace(/\B(?=(\d{3})+\.)/g, ',');
};

/** `71 %` */
export const percent = (part: number, whole: number): string =>
  whole === 0 ? NONE : `${Math.round((100 * part) / whole)} %`;

/** A price of tokens, as sellers name it: of a million. */
export const tokenPriceText = (nanoUsdPerToken: number): string => `$${atLeastTwo(nanoUsdPerToken / 1_000)}/M`;

/** Any other price. */
export function unitPriceText(price: Exclude<UnitPrice, { per: 'token' }>): string {
  const units = { hour: '/h', minute: '/min', piece: '' };
  return `$${atLeastTwo(price.nanoUsd / NANO_USD_PER_USD)}${units[price.per]}`;
}

/** As many decimals as it has, from two. */
function atLeastTwo(usd: number): string {
  const [whole = '', decimals = ''] = usd.toFixed(9).replace(/0+$/, '').split('.');
  return `${whole}.${decimals.padEnd(2, '0')}`;
}
