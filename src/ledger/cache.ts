// What the model's prefix cache saved and cost over a call: the share of each answer's input that was cached, and where the
// cache was lost. Pure; looks at ledger lines only.
//
// What an answer read lies in the cache when the next one begins, as long as nothing before its end has changed: not the
// instructions, not the tools, not what is kept of the conversation. Then nearly all of it is read for a tenth of the
// price, and of audio for an eightieth.
import type { LedgerLine, TokenCount, TokenPrice } from './line.ts';

/** An answer that found far less in the cache than the one before it had left there. */
export interface CacheBreak {
  /** The answer. */
  source: string;
  /** Tokens that could have come from the cache, and that did. */
  cacheable: number;
  cached: number;
  /** What reading the difference afresh cost more; null where no price is known. */
  costNanoUsd: number | null;
}

export interface CacheUse {
  /** Cached tokens among all that went in, from 0 to 1; null where nothing did. */
  share: number | null;
  breaks: CacheBreak[];
  /** Of all breaks whose price is known. */
  costNanoUsd: number;
}

/** The API caches prefixes of this length and more; a shorter one that is not cached is no break. */
const LEAST_CACHED = 1_024;
/** Less of what was cacheable than this is a break. The cache works in steps of 128 tokens, so a little is always missing. */
const BREAK_BELOW = 0.5;

const KINDS = ['text', 'audio', 'image'] as const;
type Tokens = Record<(typeof KINDS)[number], TokenCount>;

/** The cache over the answers of one call, in their order. An answer by another model has a cache of its own. */
export function cacheUse(lines: readonly LedgerLine[]): CacheUse {
  const use: CacheUse = { share: null, breaks: [], costNanoUsd: 0 };
  const before = new Map<string, Tokens>();
  let [read, cached] = [0, 0];
  for (const line of lines) {
    const { what, quantities, product } = line;
    // What we estimated of an answer is what it said, not what it read.
    if (what !== 'answer' || quantities.unit !== 'tokens' || line.state === 'estimated') continue;
    read += sum(quantities, inputOf);
    cached += sum(quantities, cachedOf);
    const previous = before.get(product);
    before.set(product, quantities);
    const found = previous && breakOf(line, quantities, previous);
    if (!found) continue;
    use.breaks.push(found);
    use.costNanoUsd += found.costNanoUsd ?? 0;
  }
  return { ...use, share: read === 0 ? null : cached / read };
}

/** The share of an answer's input that was cached; null where nothing went in, or nobody knows. */
export function cachedShare({ quantities: q, state }: LedgerLine): number | null {
  if (q.unit !== 'tokens' || state === 'estimated') return null;
  const read = sum(q, inputOf);
  return read === 0 ? null : sum(q, cachedOf) / read;
}

function breakOf({ source, unitPrice }: LedgerLine, now: Tokens, previous: Tokens): CacheBreak | null {
  // A conversation that was cut down offers no more than is left of it.
  const cacheable = Math.min(sum(previous, inputOf), sum(now, inputOf));
  const cached = sum(now, cachedOf);
  if (cacheable < LEAST_CACHED || cached >= cacheable * BREAK_BELOW) return null;
  const costOf = (kind: (typeof KINDS)[number], price: TokenPrice): number => {
    const missing = Math.min(inputOf(previous[kind]), inputOf(now[kind])) - now[kind].cached;
    return Math.max(0, missing) * Math.max(0, price.fresh - price.cached);
  };
  const costNanoUsd =
    unitPrice?.per === 'token' ? KINDS.reduce((cost, kind) => cost + costOf(kind, unitPrice[kind]), 0) : null;
  return { source, cacheable, cached, costNanoUsd };
}

const inputOf = ({ fresh, cached }: TokenCount): number => fresh + cached;
const cachedOf = ({ cached }: TokenCount): number => cached;
const sum = (tokens: Tokens, of: (count: TokenCount) => number): number =>
  KINDS.reduce((total, kind) => total + of(tokens[kind]), 0);
