// A month of 10,000 calls against doubles of both sellers' report APIs: every planted fault is found with its cause and its
// amount, and none is invented.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { DAYS, dayNo, type Month } from './ground.ts';
import { keep, openaiReader, reconcileDay, residuesOf, twilioReader } from './kept.ts';
import { makeMonth } from './month.ts';
import { type Reports, serveReports } from './reports.ts';

/** Of each day and seller: what was written, and plain sums of the lines and residues. */
async function sums(db: Database) {
  const kept = await db.selectFrom('reconciliations').selectAll().orderBy('day').orderBy('seller').execute();
  const lines = await db
    .selectFrom('lines')
    .groupBy(['day', 'seller'])
    .select(({ fn }) => ['day', 'seller', fn.sum<number>('cost_nano_usd').as('ours')])
    .select(({ fn }) => fn.sum<number>('billed_nano_usd').as('billed'))
    .execute();
  const residues = await db
    .selectFrom('residues')
    .groupBy(['day', 'seller'])
    .select(({ fn }) => ['day', 'seller', fn.sum<number>('nano_usd').as('all')])
    .select(({ fn }) => fn.sum<number>('beside_nano_usd').as('beside'))
    .execute();
  return kept.map((row) => {
    const same = (other: { day: string; seller: string }): boolean =>
      other.day === row.day && other.seller === row.seller;
    return { row, line: lines.find(same), residue: residues.find(same) ?? { all: 0, beside: 0 } };
  });
}

const sorted = (map: ReadonlyMap<string, number>): [string, number][] =>
  [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));

describe.each([
  { name: 'of 10,000 calls with planted faults', calls: 10_000, faults: true },
  { name: 'of 1,500 calls that is clean', calls: 1_500, faults: false },
])('a month $name', ({ calls, faults }) => {
  let month: Month;
  let reports: Reports;
  let db: Database;
  beforeAll(async () => {
    month = makeMonth({ calls, seed: 5, faults });
    reports = await serveReports(month.market);
    db = await keep(month.calls, month.lines);
    const [openai, twilio] = [openaiReader(reports), twilioReader(reports)];
    for (let n = 0; n < DAYS; n++) await reconcileDay(db, dayNo(n), openai, twilio);
  }, 60_000);
  afterAll(async () => {
    await reports.close();
    await db.destroy();
  });

  test('every planted fault is found with its cause and amount, and none is invented', async () => {
    expect(sorted(await residuesOf(db))).toEqual(sorted(month.planted));
    const causes = new Set([...month.planted.keys()].map((key) => key.split(' ').at(-1)));
    expect(causes.size).toBe(faults ? 7 : 0);
  });

  test('lines and residues sum to the reports, to the nano-dollar', async () => {
    const days = await sums(db);
    expect(days).toHaveLength(2 * DAYS);
    for (const { row, line, residue } of days) {
      expect(row).toMatchObject({ state: 'done', cursor: null, ours_nano_usd: line?.ours });
      expect((line?.ours ?? 0) + residue.all, `${row.day} ${row.seller}`).toBe(row.reported_nano_usd);
      expect((line?.billed ?? 0) + residue.beside, `${row.day} ${row.seller}`).toBe(row.reported_nano_usd);
    }
  });

  test('every line is billed, none below nothing', async () => {
    const states = await db
      .selectFrom('lines')
      .groupBy('state')
      .select(({ fn }) => ['state', fn.countAll<number>().as('lines'), fn.min('billed_nano_usd').as('least')])
      .execute();
    expect(states).toEqual([{ state: 'billed', lines: month.lines.length, least: expect.any(Number) }]);
    expect(states[0]?.least).toBeGreaterThanOrEqual(0);
  });

  test('what was written twice is billed at nothing', async () => {
    const lines = await db.selectFrom('lines').where('source', 'like', '%-again').select('billed_nano_usd').execute();
    const twins = await db
      .selectFrom('lines as a')
      .innerJoin('lines as b', (on) => on.onRef('a.call_id', '=', 'b.call_id').onRef('a.what', '=', 'b.what'))
      .whereRef('b.source', '=', (eb) => eb.fn('concat', ['a.source', eb.val('-again')]))
      .select(['a.billed_nano_usd as a', 'b.billed_nano_usd as b'])
      .execute();
    expect(lines).toHaveLength(faults ? 14 : 0);
    // Either of the two may be taken for the copy.
    expect(twins.filter(({ a, b }) => (a === 0) !== (b === 0))).toHaveLength(lines.length);
  });

  test('the sellers are asked one thing at a time', () => {
    expect(reports.overlapping).toBe(0);
    expect(reports.requests.length).toBeGreaterThan(DAYS * 6);
  });
});
