// What a reconciliation keeps: how far it has come, what a seller says its lines cost, and what is left over. Everything can
// be written again: the same words change nothing.
import { sql } from 'kysely';
import type { Database } from '../database.ts';
import type { ReconciliationsTable, ResiduesTable } from '../schema.ts';

export interface SellersDay {
  day: string;
  seller: string;
}

/** Null: it was never begun. */
export async function readReconciliation(
  db: Database,
  { day, seller }: SellersDay,
): Promise<ReconciliationsTable | null> {
  const row = await db
    .selectFrom('reconciliations')
    .where('day', '=', day)
    .where('seller', '=', seller)
    .selectAll()
    .executeTakeFirst();
  return row ?? null;
}

/** How far reading the reports has come; `cursor` is JSON of whoever reads them. The last result stays until there is another. */
export async function keepProgress(
  db: Database,
  { day, seller, cursor, nowMs }: SellersDay & { cursor: string; nowMs: number },
): Promise<void> {
  await db
    .insertInto('reconciliations')
    .values({ day, seller, state: 'open', cursor, ours_nano_usd: 0, reported_nano_usd: null, changed_ms: nowMs })
    .onConflict((on) => on.columns(['day', 'seller']).doUpdateSet({ cursor }))
    .execute();
}

/** What the seller says a line cost. */
export interface BilledLine {
  callId: string;
  what: string;
  source: string;
  nanoUsd: number;
}

/** @returns how many lines were not billed at that already */
export async function billLines(db: Database, { lines }: { lines: readonly BilledLine[] }): Promise<number> {
  if (lines.length === 0) return 0;
  const rows = lines.map(
    ({ callId, what, source, nanoUsd }) =>
      sql`(cast(${callId} as text), cast(${what} as text), cast(${source} as text), cast(${nanoUsd} as bigint))`,
  );
  // Its key is named by its beginning, too: SQLite would read the whole table for each part of the lines.
  const { numAffectedRows } = await sql`
    with bill(call_id, what, source, nano_usd) as (values ${sql.join(rows)})
    update lines set state = 'billed', billed_nano_usd = bill.nano_usd
    from bill
    where lines.call_id in (${sql.join([...new Set(lines.map(({ callId }) => callId))])})
      and lines.call_id = bill.call_id and lines.what = bill.what and lines.source = bill.source
      and (lines.billed_nano_usd is null or lines.billed_nano_usd <> bill.nano_usd or lines.state <> 'billed')
  `.execute(db);
  return Number(numAffectedRows ?? 0n);
}

export interface Settlement extends SellersDay {
  /** `done`, or `open` where something is still awaited. */
  state: 'open' | 'done';
  oursNanoUsd: number;
  reportedNanoUsd: number;
  residues: readonly Omit<ResiduesTable, 'day' | 'seller'>[];
  /** What an auditor reads; without names or numbers of people. */
  note: string;
  actor: string;
  nowMs: number;
}

/**
 * Ends a reconciliation: residues in place of those of the last run.
 * @returns whether anything is different from the last run
 */
export function settleReconciliation(db: Database, settlement: Settlement): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    const { day, seller, state, oursNanoUsd, reportedNanoUsd, residues, note, actor, nowMs } = settlement;
    const result = { state, cursor: null, ours_nano_usd: oursNanoUsd, reported_nano_usd: reportedNanoUsd };
    const before = await readReconciliation(tx, { day, seller });
    const kept = await tx
      .selectFrom('residues')
      .where('day', '=', day)
      .where('seller', '=', seller)
      .select(['product', 'cause', 'nano_usd', 'beside_nano_usd', 'note'])
      .execute();
    const same =
      before !== null &&
      Object.entries(result).every(
        ([key, value]) => key === 'cursor' || before[key as keyof typeof result] === value,
      ) &&
      JSON.stringify(sorted(kept)) === JSON.stringify(sorted(residues));
    await tx
      .insertInto('reconciliations')
      .values({ day, seller, ...result, changed_ms: nowMs })
      .onConflict((on) =>
        on.columns(['day', 'seller']).doUpdateSet(same ? { cursor: null } : { ...result, changed_ms: nowMs }),
      )
      .execute();
    if (same) return false;
    await tx.deleteFrom('residues').where('day', '=', day).where('seller', '=', seller).execute();
    if (residues.length > 0)
      await tx
        .insertInto('residues')
        .values(residues.map((residue) => ({ day, seller, ...residue })))
        .execute();
    await tx
      .insertInto('audit')
      .values({ at_ms: nowMs, actor, action: 'reconcile', subject: `${day} ${seller}`, note })
      .execute();
    return true;
  });
}

const sorted = (residues: Settlement['residues']): unknown[] =>
  residues
    .map(({ product, cause, nano_usd, beside_nano_usd, note }) => [product, cause, nano_usd, beside_nano_usd, note])
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
