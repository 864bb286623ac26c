// A page of the list of calls, and how many there are. Pages follow each other by the value that the list is sorted by and,
// where that is the same, by the order in which the calls came; so none is shown twice and none is left out.
import { type RawBuilder, sql } from 'kysely';
import { TrunklineError } from '../../errors.ts';
import type { Database } from '../database.ts';
import { callsBy, callsOf, conditionsOf, type OrderColumn, whereOf } from './call-conditions.ts';
import type { CallFilter } from './call-filter.ts';
import type { CallListQuestion, CallSort } from './call-order.ts';
import { type CallSummary, summaryOf } from './calls.ts';

/** What a list is sorted by. */
const COLUMNS = {
  admitted: 'admitted_ms',
  duration: 'duration_ms',
  cost: 'cost_nano_usd',
  latency: 'latency_ms',
  quality: 'quality',
} as const satisfies Record<CallSort, OrderColumn | 'admitted_ms'>;

/**
 * The calls that fit, in their order; in either order those without a value come last.
 * @throws TrunklineError TRK_BAD_REQUEST where the place is behind a call that is not known
 */
export async function listCalls(
  db: Database,
  { sort, order, limit, after, ...filter }: CallListQuestion,
): Promise<{ calls: CallSummary[]; more: boolean }> {
  const behind = after === null ? null : { value: after.value, seq: await seqOf(db, after.callId) };
  const list: SortedCalls = { db, fits: conditionsOf(db, filter), column: COLUMNS[sort], order };
  const wanted = limit + 1;
  const seqs = behind === null || behind.value !== null ? await withValue(list, behind, wanted) : [];
  // Every call was let in once and has cost something, be it nothing.
  const mayLack = sort !== 'admitted' && sort !== 'cost';
  if (mayLack && seqs.length < wanted)
    seqs.push(...(await withoutValue(list, behind?.value === null ? behind.seq : null, wanted - seqs.length)));
  const calls = await summariesOf(db, seqs.slice(0, limit));
  return { calls, more: seqs.length > limit };
}

/** How many calls fit. */
export async function countCalls(db: Database, filter: CallFilter): Promise<number> {
  const fits = conditionsOf(db, filter);
  // All of them are counted by whichever index is the smallest.
  const from = fits.length === 0 ? sql`calls` : callsOf(db);
  const { rows } = await sql<{ calls: number }>`select count(*) as calls from ${from} ${whereOf(fits)}`.execute(db);
  return rows[0]?.calls ?? 0;
}

interface SortedCalls {
  db: Database;
  fits: readonly RawBuilder<boolean>[];
  column: OrderColumn | 'admitted_ms';
  order: 'asc' | 'desc';
}

interface Behind {
  value: number | null;
  seq: number;
}

const beyond = (order: 'asc' | 'desc') => (order === 'asc' ? sql`>` : sql`<`);
const direction = (order: 'asc' | 'desc') => (order === 'asc' ? sql`asc` : sql`desc`);

/** By the order where all calls fit: a few of many that fit are found sooner where nothing else has to be read. */
const from = ({ db, fits, column }: SortedCalls): RawBuilder<unknown> =>
  fits.length === 0 && column !== 'admitted_ms' ? callsBy(db, column) : callsOf(db);

function withValue(list: SortedCalls, behind: Behind | null, limit: number): Promise<number[]> {
  const { db, fits, column, order } = list;
  const by = sql.ref(column);
  const after = behind && sql<boolean>`(${by}, seq) ${beyond(order)} (${behind.value}, ${behind.seq})`;
  const conditions = [...fits, sql<boolean>`${by} is not null`, ...(after === null ? [] : [after])];
  const way = direction(order);
  return seqsOf(
    db,
    sql`select seq from ${from(list)} ${whereOf(conditions)} order by ${by} ${way}, seq ${way} limit ${limit}`,
  );
}

function withoutValue(list: SortedCalls, behindSeq: number | null, limit: number): Promise<number[]> {
  const { db, fits, column, order } = list;
  const after = behindSeq === null ? [] : [sql<boolean>`seq ${beyond(order)} ${behindSeq}`];
  const conditions = [...fits, sql<boolean>`${sql.ref(column)} is null`, ...after];
  return seqsOf(
    db,
    sql`select seq from ${from(list)} ${whereOf(conditions)} order by seq ${direction(order)} limit ${limit}`,
  );
}

async function seqsOf(db: Database, query: RawBuilder<unknown>): Promise<number[]> {
  const { rows } = await (query as RawBuilder<{ seq: number }>).execute(db);
  return rows.map(({ seq }) => seq);
}

async function seqOf(db: Database, callId: string): Promise<number> {
  const row = await db.selectFrom('calls').select('seq').where('call_id', '=', callId).executeTakeFirst();
  if (row === undefined)
    throw new TrunklineError(
      'TRK_BAD_REQUEST',
      'cursor: expected the `next` of the page before; there is no such call',
    );
  return row.seq;
}

async function summariesOf(db: Database, seqs: readonly number[]): Promise<CallSummary[]> {
  if (seqs.length === 0) return [];
  const rows = await db.selectFrom('calls').selectAll().where('seq', 'in', seqs).execute();
  const bySeq = new Map(rows.map((row) => [row.seq, row]));
  return seqs.flatMap((seq) => {
    const row = bySeq.get(seq);
    return row === undefined ? [] : [summaryOf(row)];
  });
}
