// A line of a bill as a row of the table. Only time by the second has fractions: it is stored in whole milliseconds.
import type { LedgerLine, Quantities } from '../ledger/line.ts';
import type { LinesTable } from './schema.ts';
import { storable } from './storable.ts';

/** The day of UTC that a moment belongs to, YYYY-MM-DD. */
export const dayOf = (wallMs: number): string => new Date(wallMs).toISOString().slice(0, 10);

export const lineRow = (callId: string, line: LedgerLine): LinesTable => ({
  call_id: callId,
  what: line.what,
  source: storable(line.source),
  seller: storable(line.seller),
  product: storable(line.product),
  at_ms: Math.round(line.atWallMs),
  day: dayOf(line.atWallMs),
  state: line.state,
  ...NOTHING,
  ...counted(line.quantities),
  unit_price: line.unitPrice === null ? null : JSON.stringify(line.unitPrice),
  cost_nano_usd: line.costNanoUsd,
  price_book: line.priceBook,
  doubt: line.doubt,
  billed_nano_usd: null,
});

/** The columns that say how much; all are 0 but those of the line's unit. */
const NOTHING = {
  text_fresh: 0,
  text_cached: 0,
  text_out: 0,
  audio_fresh: 0,
  audio_cached: 0,
  audio_out: 0,
  image_fresh: 0,
  image_cached: 0,
  duration_ms: 0,
  pieces: 0,
};

export const QUANTITY_COLUMNS = Object.keys(NOTHING) as (keyof typeof NOTHING)[];

function counted(quantities: Quantities): Partial<typeof NOTHING> & { unit: string } {
  const { unit } = quantities;
  switch (unit) {
    case 'tokens': {
      const { text, audio, image } = quantities;
      return {
        unit,
        ...{ text_fresh: text.fresh, text_cached: text.cached, text_out: text.out },
        ...{ audio_fresh: audio.fresh, audio_cached: audio.cached, audio_out: audio.out },
        // No model sells images that it makes in a call.
        ...{ image_fresh: image.fresh, image_cached: image.cached },
      };
    }
    case 'seconds':
      return { unit, duration_ms: Math.round(quantities.seconds * 1_000) };
    case 'minutes':
      return { unit, duration_ms: Math.round(quantities.seconds * 1_000), pieces: quantities.minutes };
    case 'count':
      return { unit, pieces: quantities.count };
    default:
      return quantities satisfies never;
  }
}
