// Opening a database: made once, by whoever comes first, whole or not at all.
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { realClock } from '../../src/clock.ts';
import { TrunklineError } from '../../src/errors.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { faultOf } from '../../src/store/database-faults.ts';
import { migrations } from '../../src/store/migrations.ts';
import { placeOf, shownPlace } from '../../src/store/place.ts';
import { startStore } from '../../src/store/start.ts';
import { ENGINES, useEngines } from './engines.ts';
import { charged } from './facts.ts';

const engines = useEngines();

async function tables(db: Database): Promise<string[]> {
  return (await db.introspection.getTables()).map(({ name }) => name).toSorted();
}

const TABLES = ['audit', 'calls', 'journals', 'lines', 'reconciliations', 'residues', 'tools', 'turns'];

describe.each(ENGINES)('%s', (engine) => {
  test('has its tables, whoever of several comes first', async () => {
    const dataDir = await engines.folder();
    const databaseUrl = engine === 'postgres' ? await engines.postgres.freshUrl() : null;
    const errors: string[] = [];
    const log = { info() {}, warn() {}, error: (_: object, message: string) => void errors.push(message) };
    const stores = await Promise.all(
      Array.from({ length: 3 }, (_, n) =>
        startStore({ ...{ dataDir, databaseUrl, clock: realClock, log }, nodeId: `00000000000${n}` }),
      ),
    );
    for (const [n, store] of stores.entries()) store.append(charged(`c${n}`, 'r0', n));
    await Promise.all(stores.map((store) => store.settled()));
    await Promise.all(stores.map((store) => store.close()));
    const db = await engines.open(placeOf(databaseUrl, join(dataDir, 'trunkline.sqlite')));
    expect(await tables(db)).toEqual(expect.arrayContaining(TABLES));
    expect((await db.selectFrom('lines').select('call_id').orderBy('call_id').execute()).map((l) => l.call_id)).toEqual(
      ['c0', 'c1', 'c2'],
    );
    // What the others hold up for a moment is told, and passes.
    expect(errors.filter((message) => !message.startsWith('the database cannot be used'))).toEqual([]);
  });

  test('gives counts and sums as numbers', async () => {
    const db = await engines.open(await engines.place(engine));
    const large = 9_000_000_000_000;
    await db
      .insertInto('journals')
      .values(['a', 'b'].map((journal) => ({ journal, segment: large, offset: 0 })))
      .execute();
    const sums = await db
      .selectFrom('journals')
      .select(({ fn }) => [fn.sum<number>('segment').as('sum'), fn.countAll<number>().as('count')])
      .executeTakeFirst();
    expect({ ...sums }).toEqual({ sum: 2 * large, count: 2 });
  });
});

test('tables that were made in part are rolled back', async () => {
  const path = join(await engines.folder(), 'trunkline.sqlite');
  // The last table of the first migration is there already: making it fails behind all the others.
  const other = new DatabaseSync(path);
  other.exec('create table journals (x integer)');
  await expect(openDatabase({ engine: 'sqlite', path })).rejects.toMatchObject({ code: 'TRK_DATABASE' });
  const names = other.prepare("select name from sqlite_master where type = 'table'").all();
  expect(names.map(({ name }) => name)).toEqual(['journals']);
  other.exec('drop table journals');
  other.close();
  expect(await tables(await engines.open({ engine: 'sqlite', path }))).toEqual(expect.arrayContaining(TABLES));
});

test('both engines get the same migrations', () => {
  expect(Object.keys(migrations('postgres'))).toEqual(Object.keys(migrations('sqlite')));
});

test('a place is shown without user and password', () => {
  expect(shownPlace({ engine: 'postgres', url: 'postgres://me:secret@db.example:5433/calls?sslmode=require' })).toBe(
    'PostgreSQL at db.example:5433/calls',
  );
  expect(shownPlace({ engine: 'postgres', url: 'me:secret@nowhere' })).toBe('PostgreSQL');
});

describe('a fault', () => {
  const coded = (code: string, more: object = {}): Error => Object.assign(new Error('secret 1'), { code, ...more });

  test.each([
    [
      'a lock',
      coded('ERR_SQLITE_ERROR', { errcode: 5, errstr: 'database is locked' }),
      'busy',
      'database is locked (5)',
    ],
    [
      'a full disk',
      coded('ERR_SQLITE_ERROR', { errcode: 13, errstr: 'database or disk is full' }),
      'busy',
      'full (13)',
    ],
    ['an extended code', coded('ERR_SQLITE_ERROR', { errcode: 1299, errstr: 'constraint failed' }), 'fact', '(1299)'],
    [
      'a table that is missing',
      coded('ERR_SQLITE_ERROR', { errcode: 1, errstr: 'SQL logic error' }),
      'down',
      'error (1)',
    ],
    ['no text for a zero', coded('22021'), 'fact', 'PostgreSQL says 22021'],
    ['a row too long for an index', coded('54000'), 'fact', 'PostgreSQL says 54000'],
    ['a server that may only be read', coded('25006'), 'down', 'PostgreSQL says 25006'],
    ['no right to a table', coded('42501'), 'wrong', 'PostgreSQL says 42501'],
    ['what nobody knows of a server that answers', coded('XX000'), 'odd', 'PostgreSQL says XX000'],
    ['an index that is damaged', coded('XX002'), 'down', 'PostgreSQL says XX002'],
    ['a wrong password', coded('28P01'), 'wrong', 'PostgreSQL says 28P01'],
    ['a server that stops', coded('57P01'), 'down', 'PostgreSQL says 57P01'],
    ['nobody there', coded('ECONNREFUSED', { syscall: 'connect' }), 'down', 'ECONNREFUSED'],
    ['a socket that is missing', coded('ENOENT', { syscall: 'connect' }), 'down', 'ENOENT'],
    ['a folder that is missing', coded('ENOENT', { syscall: 'open' }), 'wrong', 'ENOENT'],
    ['a connection that broke', new Error('Connection terminated unexpectedly'), 'down', 'terminated unexpectedly'],
    ['what nobody knows', new Error('secret 2'), 'down', 'it gave no answer that can be read'],
    ['our own sentence', new TrunklineError('TRK_DATABASE', 'DATABASE_URL: …'), 'wrong', 'DATABASE_URL'],
    ['what ours was caused by', new TrunklineError('TRK_DATABASE', 'x', { cause: coded('57P03') }), 'down', '57P03'],
  ])('is known: %s', (_title, error, kind, why) => {
    const fault = faultOf(error);
    expect(fault.kind).toBe(kind);
    expect(fault.why).toContain(why);
    expect(fault.why).not.toContain('secret');
  });
});
