// A database of an older version is opened by this one: nothing that was kept is lost, and what is new is reckoned from it.
import { DatabaseSync } from 'node:sqlite';
import { Kysely, PostgresDialect, sql, SqliteDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { asKyselyWants, openDatabase } from '../../src/store/database.ts';
import { migrations } from '../../src/store/migrations.ts';
import type { Place } from '../../src/store/place.ts';
import { ANY_CALL } from '../../src/store/queries/call-filter.ts';
import { countCalls, listCalls } from '../../src/store/queries/calls-list.ts';
import { readCall } from '../../src/store/queries/calls.ts';
import type { Tables } from '../../src/store/schema.ts';
import { seed } from '../costs/seed.ts';
import { hasPostgres } from '../support/postgres.ts';
import { ENGINES, useEngines } from './engines.ts';

const engines = useEngines();
const seeded = seed({ calls: 700, days: 4, answers: 3, seed: 5 });

/** A database as the first version leaves it, with calls, turns and lines in it. */
async function leaveFirst(place: Place): Promise<void> {
  const db = raw(place);
  const { '2026-11-21-first': first } = migrations(place.engine);
  if (first === undefined) throw new Error('there is no first migration');
  const provider = { getMigrations: () => Promise.resolve({ '2026-11-21-first': first }) };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  expect(error).toBeUndefined();
  const { calls, lines, turns, tools } = seeded;
  const old = calls.map(({ latency_ms: _, disposition: __, turn_count: ___, barge_ins: ____, ...call }) => call);
  for (let i = 0; i < old.length; i += 100)
    await db
      .insertInto('calls')
      .values(old.slice(i, i + 100))
      .execute();
  for (let i = 0; i < lines.length; i += 100)
    await db
      .insertInto('lines')
      .values(lines.slice(i, i + 100))
      .execute();
  for (let i = 0; i < turns.length; i += 100)
    await db
      .insertInto('turns')
      .values(turns.slice(i, i + 100))
      .execute();
  await db.insertInto('tools').values(tools.slice(0, 50)).execute();
  // Facts that nobody can read.
  await db
    .updateTable('turns')
    .set({ facts: '' })
    .where('call_id', '=', calls[3]?.call_id as string)
    .execute();
  await db.destroy();
}

function raw(place: Place): Kysely<Tables> {
  if (place.engine === 'postgres')
    return new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: place.url }) }) });
  return new Kysely({ dialect: new SqliteDialect({ database: asKyselyWants(new DatabaseSync(place.path)) }) });
}

describe.each(ENGINES)('%s', (engine) => {
  test('keeps what was kept, and lists it by what it was', async () => {
    const place = await engines.place(engine);
    await leaveFirst(place);
    const db = await engines.open(place);
    const { calls } = await listCalls(db, { ...ANY_CALL, sort: 'admitted', order: 'asc', limit: 1_000, after: null });
    expect(calls.map(({ callId }) => callId)).toEqual(
      seeded.calls
        .toSorted((a, b) => a.admitted_ms - b.admitted_ms || (a.call_id < b.call_id ? -1 : 1))
        .map(({ call_id }) => call_id),
    );
    const byId = new Map(calls.map((call) => [call.callId, call]));
    for (const [i, call] of seeded.calls.entries()) {
      const own = seeded.lines.filter(({ call_id }) => call_id === call.call_id);
      const { ended_ms: ended, media_started_ms: started } = call;
      expect(byId.get(call.call_id)).toMatchObject({
        agent: call.agent,
        from: { value: call.from_value },
        quality: call.quality,
        durationMs: ended === null || started === null ? null : ended - started,
        latencyMs: i === 3 ? null : 812,
        turnCount: 3,
        ...{ bargeIns: null, disposition: null },
        cost: {
          nanoUsd: own.reduce((sum, { cost_nano_usd: cost }) => sum + (cost ?? 0), 0),
          lines: own.length,
          unpricedLines: own.filter(({ cost_nano_usd: cost }) => cost === null).length,
        },
      });
    }
    expect(await countCalls(db, { ...ANY_CALL, words: 'slot friday' })).toBe(700);
    expect((await readCall(db, { callId: seeded.calls[0]?.call_id as string }))?.turns).toHaveLength(3);
    // What is kept from now on is, too, kept up to date.
    await db
      .updateTable('turns')
      .set({ said: 'changed' })
      .where('call_id', '=', seeded.calls[0]?.call_id as string)
      .execute();
    expect(await countCalls(db, { ...ANY_CALL, words: 'slot friday' })).toBe(699);
    expect(await countCalls(db, { ...ANY_CALL, words: 'changed' })).toBe(1);
    await db.deleteFrom('lines').execute();
    expect(await countCalls(db, { ...ANY_CALL, maxNanoUsd: 0 })).toBe(700);
    // And again it is opened as it is.
    const again = await openDatabase(place);
    await again.destroy();
  });
});

test('a database as the second version left it gets the orders of its calls, and keeps them', async () => {
  const place = await engines.place('sqlite');
  await leaveFirst(place);
  const before = raw(place);
  const all = migrations('sqlite');
  const { '2026-11-21-third': _, ...untilSecond } = all;
  const provider = { getMigrations: () => Promise.resolve(untilSecond) };
  expect((await new Migrator({ db: before, provider }).migrateToLatest()).error).toBeUndefined();
  const orders = async (db: Kysely<Tables>): Promise<string[]> => {
    const { rows } = await sql<{ name: string }>`select name from sqlite_master where type = 'index'
      and name in ('calls_by_duration', 'calls_by_cost', 'calls_by_latency', 'calls_by_quality')`.execute(db);
    return rows.map(({ name }) => name);
  };
  expect(await orders(before)).toEqual([]);
  await before.destroy();
  const db = await engines.open(place);
  expect(await orders(db)).toHaveLength(4);
  const { calls } = await listCalls(db, { ...ANY_CALL, sort: 'cost', order: 'desc', limit: 1_000, after: null });
  const costs = calls.map(({ cost }) => cost.nanoUsd);
  expect(costs).toHaveLength(700);
  expect(costs).toEqual(costs.toSorted((a, b) => b - a));
});

test.runIf(hasPostgres)('PostgreSQL may take longer for a change of the tables than for a question', async () => {
  const place = await engines.place('postgres');
  if (place.engine !== 'postgres') return;
  await leaveFirst(place);
  const others = new pg.Pool({ connectionString: place.url });
  const holding = await others.connect();
  try {
    await holding.query('begin');
    await holding.query('lock table calls in share mode');
    const opening = openDatabase(place, 300);
    opening.catch(() => {});
    // It waits for the table, and has waited for longer than a question may take.
    const waits = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()
      and now() - query_start > interval '600 ms'`;
    await expect.poll(async () => (await others.query(waits)).rowCount, { timeout: 10_000 }).toBe(1);
    await holding.query('rollback');
    const db = await opening;
    expect(await countCalls(db, ANY_CALL)).toBe(700);
    await db.destroy();
  } finally {
    holding.release();
    await others.end();
  }
});

test('SQLite: a change that breaks off at its end leaves everything as it was, and is made by the next who opens it', async () => {
  const place = await engines.place('sqlite');
  if (place.engine !== 'sqlite') return;
  await leaveFirst(place);
  const other = new DatabaseSync(place.path);
  const names = () => other.prepare('select name from sqlite_master order by name').all();
  // The last table that it makes is there already.
  other.exec('create table agent_files (x integer)');
  const before = names();
  await expect(openDatabase(place)).rejects.toMatchObject({ code: 'TRK_DATABASE' });
  expect(names()).toEqual(before);
  other.exec('drop table agent_files');
  other.close();
  expect(await countCalls(await engines.open(place), ANY_CALL)).toBe(700);
});
