// From what was used to what it costs: one line per billable event. Pure. Quantities are the truth, money is derived from
// them and rounded once per line to whole nano-dollars.
import type { Usage } from '../realtime/session.ts';
import { type CarrierLine, type ModelPrice, minutePrice, modelPrice, type PriceBook } from './prices.ts';

/** Tokens of one modality. `fresh` and `cached` together are what went in. */
export interface TokenCount {
  fresh: number;
  cached: number;
  out: number;
}

export type Quantities =
  | { unit: 'tokens'; text: TokenCount; audio: TokenCount; image: TokenCount }
  | { unit: 'seconds'; seconds: number }
  /** `minutes` is `seconds` as the carrier rounds them. */
  | { unit: 'minutes'; seconds: number; minutes: number };

/** One line of a call's bill. */
export interface LedgerLine {
  /** The seller's id of the billed thing; with `what` it names the line, which is charged once. */
  source: string;
  what: 'answer' | 'transcription' | 'leg' | 'media_stream';
  /** The model, or `carrier/line` for a carrier's minutes. */
  model: string;
  quantities: Quantities;
  /** Whole nano-dollars; null = the price book does not know what this costs. */
  costNanoUsd: number | null;
  /** `metered`: the seller counted the quantities. `estimated`: we did. Neither is what the bill will say. */
  state: 'estimated' | 'metered';
  /** The price book's version. */
  priceBook: string;
}

/** What a carrier carried. */
export interface CarrierUse {
  /** Our id of the leg or stream. */
  source: string;
  what: 'leg' | 'media_stream';
  carrier: string;
  /** Null: a kind of leg that no price book knows (a number abroad). */
  line: CarrierLine | null;
  seconds: number;
}

/** Audio tokens in a second of caller audio: for models sold by time whose usage came as tokens. */
const AUDIO_TOKENS_PER_SECOND = 10;
const SECONDS_PER_HOUR = 3_600;

/** The line of one usage; `counted` says by whom. */
export function usageLine(usage: Usage, book: PriceBook, counted: LedgerLine['state'] = 'metered'): LedgerLine {
  const price = modelPrice(book, usage.model);
  const quantities = quantitiesOf(usage);
  // The seller's own count, unless tokens had to be read as time.
  const converted = usage.unit === 'tokens' && price !== null && price.tokens === null;
  return {
    source: usage.source,
    what: usage.what,
    model: usage.model,
    quantities,
    costNanoUsd: price && usageCost(quantities, price),
    state: converted ? 'estimated' : counted,
    priceBook: book.version,
  };
}

/** The line of a leg or a media stream: begun minutes count whole, each leg by itself. */
export function carrierLine(use: CarrierUse, book: PriceBook): LedgerLine {
  const price = use.line && minutePrice(book, use.carrier, use.line);
  const seconds = Math.max(0, use.seconds);
  const minutes = Math.ceil(seconds / 60);
  return {
    source: use.source,
    what: use.what,
    model: `${use.carrier}/${use.line ?? 'unknown'}`,
    quantities: { unit: 'minutes', seconds, minutes },
    costNanoUsd: price && minutes * price.nanoUsdPerMinute,
    state: 'estimated',
    priceBook: book.version,
  };
}

/** A party of a call as the carrier names it. */
interface Address {
  kind: 'pstn' | 'sip' | 'client' | 'withheld';
  value: string;
}

/** NANP area codes whose called party pays. */
const TOLL_FREE = /^\+1(?:800|833|844|855|866|877|888)/;

/** What an inbound leg is sold as. The book holds US prices: a number elsewhere has none. */
export function inboundLine(from: Address, to: Address): CarrierLine | null {
  if (from.kind === 'sip' || to.kind === 'sip') return 'sip';
  if (from.kind === 'client' || to.kind === 'client') return 'app';
  if (TOLL_FREE.test(to.value)) return 'inbound_toll_free';
  return to.value.startsWith('+1') ? 'inbound_local' : null;
}

function quantitiesOf(usage: Usage): Quantities {
  if (usage.unit === 'seconds') return { unit: 'seconds', seconds: Math.max(0, usage.seconds) };
  return {
    unit: 'tokens',
    text: split(usage.textIn, usage.cachedTextIn, usage.textOut),
    audio: split(usage.audioIn, usage.cachedAudioIn, usage.audioOut),
    image: split(usage.imageIn, usage.cachedImageIn, 0),
  };
}

/** Cached counts are a subset of what went in, never more. */
function split(input: number, cached: number, out: number): TokenCount {
  const subset = Math.min(cached, input);
  return { fresh: input - subset, cached: subset, out };
}

function usageCost(quantities: Quantities, price: ModelPrice): number | null {
  if (quantities.unit === 'tokens') {
    if (price.tokens === null)
      return timeCost((quantities.audio.fresh + quantities.audio.cached) / AUDIO_TOKENS_PER_SECOND, price);
    let cost = 0;
    for (const kind of ['text', 'audio', 'image'] as const) {
      const count = quantities[kind];
      const each = price.tokens[kind];
      cost += count.fresh * each.fresh + count.cached * each.cached + count.out * each.out;
    }
    return Math.round(cost);
  }
  return quantities.unit === 'seconds' ? timeCost(quantities.seconds, price) : null;
}

const timeCost = (seconds: number, price: ModelPrice): number | null =>
  price.nanoUsdPerHour === null ? null : Math.round((seconds * price.nanoUsdPerHour) / SECONDS_PER_HOUR);
