// What one call has cost and what its next answer can cost at the most, for its budgets. A call's bill is kept elsewhere; here
// is only what must be known before money is spent.
import { BROWSER } from '../carrier/carrier.ts';
import { carrierLine } from './cost.ts';
import type { LedgerLine, TokenCount } from './line.ts';
import { type CarrierLine, modelPrice, type PriceBook } from './prices.ts';

export interface CallMeterOptions {
  book: PriceBook;
  /** The agent's first model, and its fallback where it has one. */
  models: readonly string[];
  /** The most that one answer may produce. */
  maxOutputTokens: number;
  /** What every answer is sent of instructions and tools, in characters. */
  promptCharacters: number;
  carrier: string;
  /** What the leg is sold as; null = no price is known for it. */
  leg: CarrierLine | null;
  wallMs: () => number;
}

/** English has four characters to a token; other languages fewer. */
const CHARACTERS_PER_TOKEN = 3;
/** A minute of speech of the caller's, which comes on top of what the last answer was sent. */
const CALLER_TOKENS = 600;

export class CallMeter {
  readonly #options: CallMeterOptions;
  /** Tokens that the next answer is sent at least. */
  #context: { text: number; audio: number };

  constructor(options: CallMeterOptions) {
    this.#options = options;
    this.#context = { text: Math.ceil(options.promptCharacters / CHARACTERS_PER_TOKEN), audio: 0 };
  }

  /** A line was charged: what an answer was sent and said, the next one is sent. */
  read({ what, state, quantities }: LedgerLine): void {
    if (what !== 'answer' || state !== 'metered' || quantities.unit !== 'tokens') return;
    const all = ({ fresh, cached, out }: TokenCount): number => fresh + cached + out;
    this.#context = { text: all(quantities.text), audio: all(quantities.audio) };
  }

  /** The most that the next answer can cost: nothing of what it is sent is cached, and it is as long as it may be. */
  nextAnswerNanoUsd(): number {
    const { book, models, maxOutputTokens, wallMs } = this.#options;
    const { text, audio } = this.#context;
    const costs = models.map((model) => {
      const tokens = modelPrice(book, model, wallMs())?.price.tokens;
      if (!tokens) return 0;
      const sent = text * (tokens.text?.fresh ?? 0) + (audio + CALLER_TOKENS) * (tokens.audio?.fresh ?? 0);
      return sent + maxOutputTokens * Math.max(tokens.text?.out ?? 0, tokens.audio?.out ?? 0);
    });
    return Math.max(0, ...costs);
  }

  /** What the carrier charges for the leg and its media stream after so long. */
  carriedNanoUsd(ms: number): number {
    const { book, carrier, leg, wallMs } = this.#options;
    if (carrier === BROWSER) return 0;
    const use = { source: '', carrier, atWallMs: wallMs(), seconds: ms / 1_000 };
    const lines = [
      carrierLine({ ...use, what: 'leg', line: leg }, book),
      carrierLine({ ...use, what: 'media_stream', line: 'media_stream' }, book),
    ];
    return lines.reduce((sum, { costNanoUsd }) => sum + (costNanoUsd ?? 0), 0);
  }
}
