// The bill of one call: its lines as they are kept, and their sums by state.
import type { Selectable } from 'kysely';
import type { LedgerLine, Quantities, UnitPrice } from '../../ledger/line.ts';
import type { Database } from '../database.ts';
import type { LinesTable } from '../schema.ts';

/** A line, and what its seller says it cost; null: not reconciled. */
export interface BillLine extends LedgerLine {
  billedNanoUsd: number | null;
}

/** What some lines come to. */
export interface LinesSum {
  lines: number;
  /** By the price book. */
  nanoUsd: number;
  /** Lines whose price is not known. */
  unpricedLines: number;
  /** By their sellers, as far as those were asked. */
  billedNanoUsd: number;
}

export interface Bill {
  callId: string;
  lines: BillLine[];
  total: LinesSum;
  byState: Record<LedgerLine['state'], LinesSum>;
}

/** Null: there is neither such a call nor a line of it. */
export async function readBill(db: Database, { callId }: { callId: string }): Promise<Bill | null> {
  const rows = await db
    .selectFrom('lines')
    .selectAll()
    .where('call_id', '=', callId)
    .orderBy('at_ms')
    .orderBy('what')
    .orderBy('source')
    .execute();
  if (rows.length === 0) {
    const call = await db.selectFrom('calls').select('call_id').where('call_id', '=', callId).executeTakeFirst();
    if (call === undefined) return null;
  }
  const lines = rows.map(billLine);
  const ofState = (state: LedgerLine['state']): LinesSum => sumOf(lines.filter((line) => line.state === state));
  return {
    callId,
    lines,
    total: sumOf(lines),
    byState: { estimated: ofState('estimated'), metered: ofState('metered'), billed: ofState('billed') },
  };
}

function sumOf(lines: readonly BillLine[]): LinesSum {
  const sum: LinesSum = { lines: 0, nanoUsd: 0, unpricedLines: 0, billedNanoUsd: 0 };
  for (const { costNanoUsd, billedNanoUsd } of lines) {
    sum.lines += 1;
    sum.nanoUsd += costNanoUsd ?? 0;
    sum.unpricedLines += costNanoUsd === null ? 1 : 0;
    sum.billedNanoUsd += billedNanoUsd ?? 0;
  }
  return sum;
}

function billLine(row: Selectable<LinesTable>): BillLine {
  return {
    source: row.source,
    what: row.what as LedgerLine['what'],
    seller: row.seller,
    product: row.product,
    atWallMs: row.at_ms,
    quantities: quantitiesOf(row),
    unitPrice: row.unit_price === null ? null : (JSON.parse(row.unit_price) as UnitPrice),
    costNanoUsd: row.cost_nano_usd,
    state: row.state as LedgerLine['state'],
    priceBook: row.price_book,
    doubt: row.doubt,
    billedNanoUsd: row.billed_nano_usd,
  };
}

function quantitiesOf(row: Selectable<LinesTable>): Quantities {
  const seconds = row.duration_ms / 1_000;
  switch (row.unit as Quantities['unit']) {
    case 'tokens':
      return {
        unit: 'tokens',
        text: { fresh: row.text_fresh, cached: row.text_cached, out: row.text_out },
        audio: { fresh: row.audio_fresh, cached: row.audio_cached, out: row.audio_out },
        image: { fresh: row.image_fresh, cached: row.image_cached, out: 0 },
      };
    case 'seconds':
      return { unit: 'seconds', seconds };
    case 'minutes':
      return { unit: 'minutes', seconds, minutes: row.pieces };
    case 'count':
      return { unit: 'count', count: row.pieces };
  }
}
