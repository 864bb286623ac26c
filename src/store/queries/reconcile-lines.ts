// Lines of bills as the reconciliation reads them: summed by stretches of time, one by one, and legs by the carrier's ids.
import { sql } from 'kysely';
import type { Database } from '../database.ts';
import { QUANTITY_COLUMNS } from '../line-row.ts';
import type { LinesTable } from '../schema.ts';

/** A line, without what only people read. */
export type LineToSettle = Pick<
  LinesTable,
  | 'call_id'
  | 'what'
  | 'source'
  | 'product'
  | 'at_ms'
  | 'day'
  | 'state'
  | 'unit'
  | 'unit_price'
  | 'cost_nano_usd'
  | (typeof QUANTITY_COLUMNS)[number]
>;

const COLUMNS = [
  ...([
    'call_id',
    'what',
    'source',
    'product',
    'at_ms',
    'day',
    'state',
    'unit',
    'unit_price',
    'cost_nano_usd',
  ] as const),
  ...QUANTITY_COLUMNS,
] as const;

export interface SellersDays {
  seller: string;
  /** First and last day, UTC. */
  fromDay: string;
  toDay: string;
}

/** What was charged in one stretch of time of one product, summed. */
export type LineSum = Pick<LinesTable, 'product' | 'unit' | (typeof QUANTITY_COLUMNS)[number]> & {
  /** Number of the stretch since 1970. */
  stretch: number;
  lines: number;
};

/** By stretches of `stretchMs`, which divides a day. */
export function sumLines(db: Database, question: SellersDays & { stretchMs: number }): Promise<LineSum[]> {
  const { seller, fromDay, toDay, stretchMs } = question;
  const stretch = sql<number>`at_ms / ${sql.lit(stretchMs)}`;
  return db
    .selectFrom('lines')
    .where('seller', '=', seller)
    .where('what', '!=', 'leg')
    .where('day', '>=', fromDay)
    .where('day', '<=', toDay)
    .groupBy(['product', 'unit', stretch])
    .orderBy('product')
    .orderBy('unit')
    .orderBy(stretch)
    .select(({ fn }) => [
      'product',
      'unit',
      stretch.as('stretch'),
      fn.countAll<number>().as('lines'),
      ...QUANTITY_COLUMNS.map((column) => fn.sum<number>(column).as(column)),
    ])
    .execute() as Promise<LineSum[]>;
}

export interface LinesQuestion extends SellersDays {
  products: readonly string[];
  fromMs: number;
  toMs: number;
  /** Key of the last line that was read; null: from the first. */
  after: { call_id: string; what: string; source: string } | null;
  limit: number;
}

/** Lines that are not legs, by their key, from `fromMs` up to before `toMs`. */
export function readLines(db: Database, question: LinesQuestion): Promise<LineToSettle[]> {
  const { seller, fromDay, toDay, products, fromMs, toMs, after, limit } = question;
  let query = db
    .selectFrom('lines')
    .where('seller', '=', seller)
    .where('what', '!=', 'leg')
    .where('day', '>=', fromDay)
    .where('day', '<=', toDay)
    .where('product', 'in', [...products])
    .where('at_ms', '>=', fromMs)
    .where('at_ms', '<', toMs);
  if (after !== null)
    query = query.where((eb) =>
      eb(eb.refTuple('call_id', 'what', 'source'), '>', eb.tuple(after.call_id, after.what, after.source)),
    );
  return query.orderBy('call_id').orderBy('what').orderBy('source').limit(limit).select(COLUMNS).execute();
}

/** A leg, and the carrier's id of the call that it belongs to. */
export type LegToSettle = LineToSettle & { carrier_call_id: string | null };

/** Legs of a day, or (where ids are given) of these calls of the carrier, whenever they were charged. */
export function readLegs(
  db: Database,
  { seller, day, carrierCallIds }: { seller: string; day: string | null; carrierCallIds: readonly string[] | null },
): Promise<LegToSettle[]> {
  let query = db
    .selectFrom('lines')
    .leftJoin('calls', 'calls.call_id', 'lines.call_id')
    .where('lines.seller', '=', seller)
    .where('lines.what', '=', 'leg');
  if (day !== null) query = query.where('lines.day', '=', day);
  if (carrierCallIds !== null)
    query = query.where((eb) =>
      eb.or([eb('lines.source', 'in', [...carrierCallIds]), eb('calls.carrier_call_id', 'in', [...carrierCallIds])]),
    );
  return query
    .orderBy('lines.at_ms')
    .orderBy('lines.call_id')
    .orderBy('lines.source')
    .select([...COLUMNS.map((column) => `lines.${column}` as const), 'calls.carrier_call_id'])
    .execute() as Promise<LegToSettle[]>;
}

/** Everything that was bought of a seller in these days. */
export async function boughtProducts(db: Database, { seller, fromDay, toDay }: SellersDays): Promise<string[]> {
  const rows = await db
    .selectFrom('lines')
    .where('seller', '=', seller)
    .where('day', '>=', fromDay)
    .where('day', '<=', toDay)
    .select('product')
    .distinct()
    .orderBy('product')
    .execute();
  return rows.map(({ product }) => product);
}
