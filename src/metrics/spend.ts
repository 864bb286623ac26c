// What lines of bills become as metrics: dollars by what they were spent on, and how much of what models were sent they had
// in their cache.
import type { Counter } from 'prom-client';
import type { Billed, LedgerLine, TokenCount, TokenPrice } from '../ledger/line.ts';

/** The counters that a line moves. */
export interface SpendInstruments {
  /** Label `kind`. */
  usd: Counter;
  /** Label `cached`: `yes` or `no`. */
  inputTokens: Counter;
  unpriced: Counter;
}

/** What money is spent on, where it is not on tokens. */
const KINDS: Record<Exclude<Billed, 'answer'>, string> = {
  session: 'model_time',
  transcription: 'transcription',
  leg: 'carrier',
  media_stream: 'carrier',
  recording: 'carrier',
  message: 'carrier',
  machine_detection: 'carrier',
  tool: 'tool',
};

/** Every value of `kind`. */
export const SPEND_KINDS = [
  ...['text_in', 'text_cached', 'text_out', 'audio_in', 'audio_cached', 'audio_out', 'image_in', 'image_cached'],
  ...new Set(Object.values(KINDS)),
];

/** Counts one line, by the price book; what has no price is counted as such. */
export function observeSpend(line: LedgerLine, { usd, inputTokens, unpriced }: SpendInstruments): void {
  const { what, quantities, unitPrice, costNanoUsd } = line;
  const spent = (kind: string, nanoUsd: number): void => usd.inc({ kind }, nanoUsd / 1e9);
  if (what === 'answer' && quantities.unit === 'tokens') {
    const { text, audio, image } = quantities;
    inputTokens.inc({ cached: 'yes' }, text.cached + audio.cached + image.cached);
    inputTokens.inc({ cached: 'no' }, text.fresh + audio.fresh + image.fresh);
  }
  if (costNanoUsd === null || unitPrice === null) return unpriced.inc();
  if (what !== 'answer') return spent(KINDS[what], costNanoUsd);
  if (quantities.unit !== 'tokens' || unitPrice.per !== 'token') return spent('model_time', costNanoUsd);
  for (const kind of ['text', 'audio', 'image'] as const) {
    const [count, price]: [TokenCount, TokenPrice] = [quantities[kind], unitPrice[kind]];
    spent(`${kind}_in`, count.fresh * price.fresh);
    spent(`${kind}_cached`, count.cached * price.cached);
    if (kind !== 'image') spent(`${kind}_out`, count.out * price.out);
  }
}
