// One call's ledger: every billable event is one line, charged once, whatever is reported twice. Late usage is a line too.
import { BROWSER } from '../carrier/carrier.ts';
import type { Usage } from '../realtime/session.ts';
import { type CarrierUse, carrierLine, type Charged, usageLine } from './cost.ts';
import type { Billed, LedgerLine } from './line.ts';
import { shippedPrices } from './load-prices.ts';
import type { PriceBook } from './prices.ts';

/** What a call has cost so far. */
export interface Total {
  /** The sum of all lines with a known price. */
  nanoUsd: number;
  /** Lines without a known price: when not 0, the sum is less than what will be billed. */
  unpricedLines: number;
  /** Lines whose quantities cannot be right as they were reported. */
  doubtedLines: number;
}

export interface LedgerOptions {
  /** Default: the shipped book. */
  prices?: PriceBook;
  /** Told of every line at the moment it is charged, and again when it becomes another: same `what` and `source`. */
  charged?: (line: LedgerLine) => void;
}

/** Owned by whoever keeps the call's record. */
export class Ledger {
  readonly prices: PriceBook;
  readonly #charged: (line: LedgerLine) => void;
  readonly #lines = new Map<string, LedgerLine>();

  constructor({ prices = shippedPrices(), charged = () => {} }: LedgerOptions = {}) {
    this.prices = prices;
    this.#charged = charged;
  }

  /** Adds what the model's side reported, or what we reckon where it said nothing; null when nothing came of it. */
  charge(usage: Usage, charged: Charged): LedgerLine | null {
    return this.put(usageLine(usage, charged, this.prices));
  }

  /** Adds what the carrier carried; null when this source was charged before. */
  chargeCarrier(use: CarrierUse): LedgerLine | null {
    if (use.carrier === BROWSER) return null;
    return this.put(carrierLine(use, this.prices));
  }

  /**
   * Adds a line. One that is there already stays, but for two cases: what we had estimated has come from its seller, or
   * the seller counts up (a session's time). Null when nothing changed.
   */
  put(line: LedgerLine): LedgerLine | null {
    const key = lineKey(line.what, line.source);
    const before = this.#lines.get(key);
    if (before && !replaces(line, before)) return null;
    this.#lines.set(key, line);
    this.#charged(line);
    return line;
  }

  /** Whether a source has its line. */
  has(what: Billed, source: string): boolean {
    return this.#lines.has(lineKey(what, source));
  }

  /** In the order they were first charged. */
  get lines(): readonly LedgerLine[] {
    return [...this.#lines.values()];
  }

  get total(): Total {
    const total: Total = { nanoUsd: 0, unpricedLines: 0, doubtedLines: 0 };
    for (const { costNanoUsd, doubt } of this.#lines.values()) {
      total.nanoUsd += costNanoUsd ?? 0;
      if (costNanoUsd === null) total.unpricedLines += 1;
      if (doubt !== null) total.doubtedLines += 1;
    }
    return total;
  }
}

function replaces(line: LedgerLine, before: LedgerLine): boolean {
  if (line.what === 'session') return timeOf(line) > timeOf(before);
  return before.state === 'estimated' && line.state === 'metered';
}

const timeOf = ({ quantities }: LedgerLine): number => (quantities.unit === 'seconds' ? quantities.seconds : 0);

const lineKey = (what: Billed, source: string): string => `${what} ${source}`;

/** Nano-dollars as people read them: `$0.0124`. Four decimals, so that a cheap call does not look free. */
export const formatUsd = (nanoUsd: number): string => `$${(nanoUsd / 1e9).toFixed(4)}`;
