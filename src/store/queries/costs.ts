// What calls cost in a stretch of days, summed by day, by agent or by model. The database sums what is alike, by whole
// numbers; here that becomes one row for each day, agent or model.
import type { Database } from '../database.ts';
import { addCalls, addLines, addSums, type CostSums, type LineGroup, noSums } from './costs-sums.ts';

export type CostsBy = 'day' | 'agent' | 'model';

export interface CostsQuestion {
  /** First and last day, UTC. */
  from: string;
  to: string;
  by: CostsBy;
}

export interface CostRow extends CostSums {
  /** The day of the lines, the agent, or the model that the call began with; null: lines of a call that is not known. */
  key: string | null;
}

export interface Costs {
  rows: CostRow[];
  total: CostSums;
  /** What has no known price, the most lines first. */
  unpriced: { product: string; lines: number }[];
  /** Where sellers' reports and our lines differ, as it was found when they were reconciled. */
  residues: Residue[];
}

export interface Residue {
  seller: string;
  product: string;
  cause: string;
  /** The report less our lines. */
  nanoUsd: number;
  /** How much of the report no line bears. */
  besideNanoUsd: number;
}

/** Lines count on their own day, calls on the day of their admission. */
export async function readCosts(db: Database, { from, to, by }: CostsQuestion): Promise<Costs> {
  const rows = new Map<string | null, CostRow>();
  const rowOf = (key: string | null): CostRow => {
    let row = rows.get(key);
    if (row === undefined) rows.set(key, (row = { key, ...noSums() }));
    return row;
  };
  const unpriced = new Map<string, number>();
  for (const group of await lineGroups(db, { from, to, by })) {
    addLines(rowOf(group.key), group);
    const lines = group.lines - group.priced;
    if (lines > 0) unpriced.set(group.product, (unpriced.get(group.product) ?? 0) + lines);
  }
  for (const { key, calls, talk_ms: talkMs } of await callGroups(db, { from, to, by }))
    addCalls(rowOf(key), calls, talkMs ?? 0);
  const total = noSums();
  for (const row of rows.values()) addSums(total, row);
  return {
    rows: [...rows.values()].toSorted(by === 'day' ? byKey : byCost),
    total,
    unpriced: [...unpriced]
      .map(([product, lines]) => ({ product, lines }))
      .toSorted((a, b) => b.lines - a.lines || (a.product < b.product ? -1 : 1)),
    residues: await residues(db, from, to),
  };
}

const byKey = (a: CostRow, b: CostRow): number => ((a.key ?? '') < (b.key ?? '') ? -1 : 1);
const byCost = (a: CostRow, b: CostRow): number => b.total.nanoUsd - a.total.nanoUsd || byKey(a, b);

const LINE_KEYS = { day: 'lines.day', agent: 'calls.agent', model: 'calls.model' } as const;

/** Lines that are alike in everything that decides where they count and what a unit of them costs. */
function lineGroups(db: Database, { from, to, by }: CostsQuestion): Promise<LineGroup[]> {
  const key = LINE_KEYS[by];
  return db
    .selectFrom('lines')
    .leftJoin('calls', 'calls.call_id', 'lines.call_id')
    .where('lines.day', '>=', from)
    .where('lines.day', '<=', to)
    .groupBy([key, 'lines.product', 'lines.what', 'lines.state', 'lines.unit', 'lines.unit_price'])
    .select([`${key} as key`, 'lines.product', 'lines.what', 'lines.state', 'lines.unit', 'lines.unit_price'])
    .select(({ fn, eb }) => [
      fn.countAll<number>().as('lines'),
      fn.count<number>('lines.cost_nano_usd').as('priced'),
      fn.sum<number | null>('lines.cost_nano_usd').as('nano_usd'),
      fn.count<number>('lines.billed_nano_usd').as('reconciled'),
      fn.sum<number | null>('lines.billed_nano_usd').as('billed_nano_usd'),
      fn
        .sum<number | null>(
          eb.case().when('lines.billed_nano_usd', 'is not', null).then(eb.ref('lines.cost_nano_usd')).end(),
        )
        .as('reconciled_nano_usd'),
      fn.sum<number>('lines.text_fresh').as('text_fresh'),
      fn.sum<number>('lines.text_cached').as('text_cached'),
      fn.sum<number>('lines.text_out').as('text_out'),
      fn.sum<number>('lines.audio_fresh').as('audio_fresh'),
      fn.sum<number>('lines.audio_cached').as('audio_cached'),
      fn.sum<number>('lines.audio_out').as('audio_out'),
      fn.sum<number>('lines.image_fresh').as('image_fresh'),
      fn.sum<number>('lines.image_cached').as('image_cached'),
    ])
    .execute();
}

/** How many calls were let in, and how long their media lasted. */
function callGroups(db: Database, { from, to, by }: CostsQuestion) {
  return db
    .selectFrom('calls')
    .where('day', '>=', from)
    .where('day', '<=', to)
    .groupBy(by)
    .select(({ fn, eb }) => [
      eb.ref(by).as('key'),
      fn.countAll<number>().as('calls'),
      fn.sum<number | null>(eb('ended_ms', '-', eb.ref('media_started_ms'))).as('talk_ms'),
    ])
    .execute();
}

function residues(db: Database, from: string, to: string): Promise<Residue[]> {
  return db
    .selectFrom('residues')
    .where('day', '>=', from)
    .where('day', '<=', to)
    .groupBy(['seller', 'product', 'cause'])
    .orderBy('seller')
    .orderBy('product')
    .orderBy('cause')
    .select(({ fn }) => [
      'seller',
      'product',
      'cause',
      fn.sum<number>('nano_usd').as('nanoUsd'),
      fn.sum<number>('beside_nano_usd').as('besideNanoUsd'),
    ])
    .execute();
}
