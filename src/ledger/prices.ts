// The price book: list prices and an operator's own, as they are dated in the files of `prices/`. Here is what it holds and
// how it is asked; load-prices.ts reads it. A later price is a further entry: lines name the file they were priced with.
//
// Money is whole nano-dollars (1 USD = 1,000,000,000). A price of N dollars per million tokens is N * 1000 nano-dollars a
// token.
import type { TokenPrice } from './line.ts';

/** What a model costs: by tokens, by time, or both where its usage comes in either form. */
export interface ModelPrice {
  /** Null: not sold by tokens. A kind of tokens that is null is not in the book. */
  tokens: { text: TokenPrice | null; audio: TokenPrice | null; image: TokenPrice | null } | null;
  /** Nano-dollars per hour of audio or of session. */
  nanoUsdPerHour: number | null;
}

/** What a carrier sells, and by what it counts. */
export const CARRIER_LINES = {
  inbound_local: 'minute',
  inbound_toll_free: 'minute',
  outbound: 'minute',
  sip: 'minute',
  app: 'minute',
  media_stream: 'minute',
  recording: 'minute',
  sms: 'piece',
  machine_detection: 'piece',
} as const;

export type CarrierLine = keyof typeof CARRIER_LINES;

/** A price and the time that it is for. */
export interface Dated<Price> {
  price: Price;
  /** Unix milliseconds, midnight UTC; up to the next entry of the same thing, or to `untilMs`. */
  fromMs: number;
  untilMs: number | null;
  /** The file and its date: the version that a line names. */
  version: string;
}

/** The prices of one folder; of each thing the newest entry last. */
export interface PriceLayer {
  models: ReadonlyMap<string, readonly Dated<ModelPrice>[]>;
  /** By `carrier/line`; nano-dollars per minute or piece. */
  lines: ReadonlyMap<string, readonly Dated<number>[]>;
}

/** A file of prices, as warnings speak of it. */
export interface PriceFile {
  name: string;
  version: string;
  /** When its prices were true, Unix milliseconds. */
  asOfMs: number;
}

export interface PriceBook {
  /** All files with their dates. */
  version: string;
  files: readonly PriceFile[];
  /** The first that knows a price has it: the operator's own, then what was shipped. */
  layers: readonly PriceLayer[];
  /** Announced ends of models, as days (YYYY-MM-DD). */
  shutdowns: ReadonlyMap<string, string>;
}

/** A model's price at a time; a dated snapshot (`gpt-realtime-2025-08-28`) costs what its family does. Null: not known. */
export function modelPrice(book: PriceBook, model: string, atWallMs: number): Dated<ModelPrice> | null {
  for (const { models } of book.layers) {
    const found = inForce(models.get(model), atWallMs) ?? inForce(models.get(familyOf(model)), atWallMs);
    if (found) return found;
  }
  return null;
}

/** What a carrier charges for a minute or a piece at a time. Null: not known. */
export function linePrice(book: PriceBook, product: string, atWallMs: number): Dated<number> | null {
  for (const { lines } of book.layers) {
    const found = inForce(lines.get(product), atWallMs);
    if (found) return found;
  }
  return null;
}

/** The day on which a model's vendor takes it away; null: none is announced. */
export const shutdownOf = (book: PriceBook, model: string): string | null =>
  book.shutdowns.get(model) ?? book.shutdowns.get(familyOf(model)) ?? null;

const familyOf = (model: string): string => model.replace(/-\d{4}-\d{2}-\d{2}$/, '');

function inForce<Price>(entries: readonly Dated<Price>[] | undefined, atWallMs: number): Dated<Price> | null {
  const latest = entries?.findLast(({ fromMs }) => fromMs <= atWallMs);
  return latest && (latest.untilMs === null || atWallMs < latest.untilMs) ? latest : null;
}
