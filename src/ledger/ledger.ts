// One call's ledger: every billable event is one line, charged once, whatever is reported twice. Late usage is a line too.
import type { Usage } from '../realtime/session.ts';
import { type CarrierUse, carrierLine, type LedgerLine, usageLine } from './cost.ts';
import { PRICE_BOOK, type PriceBook } from './prices.ts';

/** What a call has cost so far. */
export interface Total {
  /** The sum of all lines with a known price. */
  nanoUsd: number;
  /** Lines without a known price: when not 0, the sum is less than what will be billed. */
  unpricedLines: number;
}

export interface LedgerOptions {
  /** Default: the book in force. */
  prices?: PriceBook;
  /** Told of every line that no price is known for. */
  unpriced?: (line: LedgerLine) => void;
}

/** Owned by whoever keeps the call's record. */
export class Ledger {
  readonly #prices: PriceBook;
  readonly #unpriced: (line: LedgerLine) => void;
  readonly #lines = new Map<string, LedgerLine>();
  #nanoUsd = 0;
  #unpricedLines = 0;

  constructor({ prices = PRICE_BOOK, unpriced = () => {} }: LedgerOptions = {}) {
    this.#prices = prices;
    this.#unpriced = unpriced;
  }

  /** Adds what the model's side reported, or what we reckon where it said nothing; null when charged before. */
  charge(usage: Usage, counted: LedgerLine['state'] = 'metered'): LedgerLine | null {
    return this.#add(usageLine(usage, this.#prices, counted));
  }

  /** Whether a source has its line. */
  has(what: LedgerLine['what'], source: string): boolean {
    return this.#lines.has(lineKey(what, source));
  }

  /** Adds what the carrier carried; null when this source was charged before. */
  chargeCarrier(use: CarrierUse): LedgerLine | null {
    return this.#add(carrierLine(use, this.#prices));
  }

  /** In the order they were charged. */
  get lines(): readonly LedgerLine[] {
    return [...this.#lines.values()];
  }

  get total(): Total {
    return { nanoUsd: this.#nanoUsd, unpricedLines: this.#unpricedLines };
  }

  get priceBook(): string {
    return this.#prices.version;
  }

  #add(line: LedgerLine): LedgerLine | null {
    const key = lineKey(line.what, line.source);
    if (this.#lines.has(key)) return null;
    this.#lines.set(key, line);
    if (line.costNanoUsd === null) {
      this.#unpricedLines += 1;
      this.#unpriced(line);
    } else {
      this.#nanoUsd += line.costNanoUsd;
    }
    return line;
  }
}

const lineKey = (what: LedgerLine['what'], source: string): string => `${what} ${source}`;

/** Nano-dollars as people read them: `$0.0124`. Four decimals, so that a cheap call does not look free. */
export const formatUsd = (nanoUsd: number): string => `$${(nanoUsd / 1e9).toFixed(4)}`;
