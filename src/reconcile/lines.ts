// Rows of the table of lines, as they are matched and settled.
import type { LineSum, LineToSettle } from '../store/queries/reconcile-lines.ts';
import type { Piece } from './pick.ts';
import { only, type Part, PARTS, placeOf, TOKEN_PARTS, type Vector } from './vector.ts';

/** A dated snapshot of a model is sold as its family: `gpt-realtime-2025-08-28`. */
export const familyOf = (product: string): string => product.replace(/-\d{4}-\d{2}-\d{2}$/, '');

/** Parts that a unit is sold by. */
const UNIT_PARTS: Record<string, readonly Part[]> = {
  tokens: TOKEN_PARTS,
  seconds: ['time'],
  minutes: ['minutes'],
  count: ['pieces'],
};

/** What a row counts; `lines` is how many there are in it. */
export function usedOf(row: LineToSettle | LineSum): Vector {
  const used = PARTS.map(() => 0);
  for (const part of UNIT_PARTS[row.unit] ?? []) used[placeOf(part)] = quantityOf(row, part);
  return [...used, 'lines' in row ? row.lines : 1];
}

function quantityOf(row: LineToSettle | LineSum, part: Part): number {
  if (part === 'time') return row.duration_ms;
  return part === 'minutes' || part === 'pieces' ? row.pieces : row[part];
}

/** Lines as pieces; only these places of their counts are compared. */
export function piecesOf(rows: readonly LineToSettle[], compared: ReadonlySet<number>): Piece[] {
  const first = new Map<string, number>();
  const byTime = rows.map((row, id) => ({ row, id })).toSorted((a, b) => a.row.at_ms - b.row.at_ms || a.id - b.id);
  const twins = new Set<number>();
  for (const { row, id } of byTime) {
    // To the millisecond where it is time: two streams of one call that last as long are one.
    const key = `${row.call_id} ${row.what} ${usedOf(row).join(' ')} ${row.duration_ms}`;
    if (first.has(key)) twins.add(id);
    else first.set(key, id);
  }
  return rows.map((row, id) => ({
    id,
    atMs: row.at_ms,
    used: only(usedOf(row), compared),
    twin: twins.has(id),
    reckoned: row.what === 'answer' && hasNoInput(row),
  }));
}

/** No answer is without input: nobody reported this one, and only its sound was reckoned. Billed lines keep no other sign. */
const hasNoInput = (row: LineToSettle): boolean =>
  row.text_fresh + row.text_cached + row.audio_fresh + row.audio_cached + row.image_fresh + row.image_cached === 0;
