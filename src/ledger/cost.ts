// From what was used to what it costs: one line per billable event. Pure. Quantities are the truth, money is derived from
// them and rounded once per line to whole nano-dollars.
import type { Usage } from '../realtime/session.ts';
import type { Doubt } from './doubt.ts';
import type { LedgerLine, Quantities, TokenCount, TokenPrice, UnitPrice } from './line.ts';
import { CARRIER_LINES, type CarrierLine, linePrice, type ModelPrice, modelPrice, type PriceBook } from './prices.ts';

/** When something was charged, who sells it, and who counted: the seller unless it says `estimated`. */
export interface Charged {
  seller: string;
  atWallMs: number;
  counted?: 'estimated' | 'metered';
  doubt?: Doubt;
}

/** What a carrier carried or did. */
export type CarrierUse = {
  /** Our id of the leg, stream or recording, or the carrier's of the piece. */
  source: string;
  carrier: string;
  /** Null: a kind of leg that no price book knows (a number abroad). */
  line: CarrierLine | null;
  atWallMs: number;
  doubt?: Doubt;
} & (
  | {
      what: 'leg' | 'media_stream' | 'recording';
      /** Null: nobody answered, which costs nothing. */
      seconds: number | null;
    }
  | { what: 'message' | 'machine_detection'; count: number }
);

/** Audio tokens in a second of caller audio: for models sold by time whose usage came as tokens. */
const AUDIO_TOKENS_PER_SECOND = 10;
const SECONDS_PER_HOUR = 3_600;

/** The line of one usage. */
export function usageLine(usage: Usage, { seller, atWallMs, counted, doubt }: Charged, book: PriceBook): LedgerLine {
  const entry = modelPrice(book, usage.model, atWallMs);
  const reported = quantitiesOf(usage);
  const soldByTime = entry !== null && entry.price.tokens === null;
  // A transcription's tokens stand for the time of its audio; an answer's tokens are no measure of time.
  const converted = reported.unit === 'tokens' && soldByTime && usage.what === 'transcription';
  const price = entry && unitPriceOf(converted ? secondsOf(reported) : reported, entry.price);
  return {
    source: usage.source,
    what: usage.what,
    seller,
    product: usage.model,
    atWallMs,
    quantities: reported,
    unitPrice: price,
    costNanoUsd: price && costOf(converted ? secondsOf(reported) : reported, price),
    state: counted ?? (converted || isGuess(usage) ? 'estimated' : 'metered'),
    priceBook: entry?.version ?? book.version,
    doubt: usage.doubt ?? doubt ?? null,
  };
}

/** The line of what a carrier sells: begun minutes count whole, each leg and stream by itself. */
export function carrierLine(use: CarrierUse, book: PriceBook): LedgerLine {
  const product = `${use.carrier}/${use.line ?? 'unknown'}`;
  const entry = use.line && linePrice(book, product, use.atWallMs);
  const quantities: Quantities =
    'count' in use ? { unit: 'count', count: use.count } : { unit: 'minutes', ...rounded(use.line, use.seconds) };
  const price: UnitPrice | null = entry && use.line && { per: CARRIER_LINES[use.line], nanoUsd: entry.price };
  return {
    source: use.source,
    what: use.what,
    seller: use.carrier,
    product,
    atWallMs: use.atWallMs,
    quantities,
    unitPrice: price,
    costNanoUsd: price && costOf(quantities, price),
    state: 'estimated',
    priceBook: entry?.version ?? book.version,
    doubt: use.doubt ?? null,
  };
}

/** The line of one run of a tool whose declaration names a price. */
export function toolLine(run: {
  source: string;
  name: string;
  nanoUsd: number;
  atWallMs: number;
  declaredIn: string;
  doubt: Doubt | null;
}): LedgerLine {
  return {
    source: run.source,
    what: 'tool',
    seller: 'tool',
    product: run.name,
    atWallMs: run.atWallMs,
    quantities: { unit: 'count', count: 1 },
    unitPrice: { per: 'piece', nanoUsd: run.nanoUsd },
    costNanoUsd: run.nanoUsd,
    state: 'estimated',
    priceBook: run.declaredIn,
    doubt: run.doubt,
  };
}

/** A party of a call as the carrier names it. */
interface Address {
  kind: 'pstn' | 'sip' | 'client' | 'withheld';
  value: string;
}

/** NANP area codes whose called party pays. */
const TOLL_FREE = /^\+1(?:800|833|844|855|866|877|888)/;

/** What a leg is sold as. The book holds US prices: a number elsewhere has none. */
export function legLine(direction: 'inbound' | 'outbound', from: Address, to: Address): CarrierLine | null {
  if (from.kind === 'sip' || to.kind === 'sip') return 'sip';
  if (from.kind === 'client' || to.kind === 'client') return 'app';
  if (!to.value.startsWith('+1')) return null;
  if (direction === 'outbound') return 'outbound';
  return TOLL_FREE.test(to.value) ? 'inbound_toll_free' : 'inbound_local';
}

/** A completed outbound leg lasts a second at least. */
function rounded(line: CarrierLine | null, seconds: number | null): { seconds: number; minutes: number } {
  const lasted = Math.max(0, seconds ?? 0);
  const billed = line === 'outbound' && seconds !== null ? Math.max(1, lasted) : lasted;
  return { seconds: lasted, minutes: Math.ceil(billed / 60) };
}

function quantitiesOf(usage: Usage): Quantities {
  if (usage.unit === 'seconds') return { unit: 'seconds', seconds: usage.seconds };
  return {
    unit: 'tokens',
    text: split(usage.textIn, usage.cachedTextIn, usage.textOut),
    audio: split(usage.audioIn, usage.cachedAudioIn, usage.audioOut),
    image: split(usage.imageIn, usage.cachedImageIn, 0),
  };
}

/** Whether the counts are partly ours. */
const isGuess = ({ doubt }: Usage): boolean => doubt !== undefined && doubt !== 'unknown_answer';

/** Cached counts are a subset of what went in, never more. */
function split(input: number, cached: number, out: number): TokenCount {
  const subset = Math.min(cached, input);
  return { fresh: input - subset, cached: subset, out };
}

const secondsOf = (quantities: Quantities): Quantities => ({
  unit: 'seconds',
  seconds:
    quantities.unit === 'tokens' ? (quantities.audio.fresh + quantities.audio.cached) / AUDIO_TOKENS_PER_SECOND : 0,
});

const UNUSED: TokenPrice = { fresh: 0, cached: 0, out: 0 };

/** The part of a model's price that fits what was used; null where the book says nothing about it. */
function unitPriceOf(quantities: Quantities, { tokens, nanoUsdPerHour }: ModelPrice): UnitPrice | null {
  if (quantities.unit === 'seconds') return nanoUsdPerHour === null ? null : { per: 'hour', nanoUsd: nanoUsdPerHour };
  if (quantities.unit !== 'tokens' || tokens === null) return null;
  const kinds = ['text', 'audio', 'image'] as const;
  if (kinds.some((kind) => tokens[kind] === null && Object.values(quantities[kind]).some((n) => n > 0))) return null;
  const { text, audio, image } = tokens;
  return { per: 'token', text: text ?? UNUSED, audio: audio ?? UNUSED, image: image ?? UNUSED };
}

/** Whole nano-dollars; null where the price is not for this unit. */
function costOf(quantities: Quantities, price: UnitPrice): number | null {
  switch (quantities.unit) {
    case 'tokens': {
      if (price.per !== 'token') return null;
      const of = (kind: 'text' | 'audio' | 'image'): number =>
        quantities[kind].fresh * price[kind].fresh +
        quantities[kind].cached * price[kind].cached +
        quantities[kind].out * price[kind].out;
      return of('text') + of('audio') + of('image');
    }
    case 'seconds':
      return price.per === 'hour' ? Math.round((quantities.seconds * price.nanoUsd) / SECONDS_PER_HOUR) : null;
    case 'minutes':
      return price.per === 'minute' ? quantities.minutes * price.nanoUsd : null;
    case 'count':
      return price.per === 'piece' ? quantities.count * price.nanoUsd : null;
    default:
      return quantities satisfies never;
  }
}
