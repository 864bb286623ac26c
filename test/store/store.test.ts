// The whole store, its worker thread and its database: what happens to facts and questions while any of them is away.
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { realClock } from '../../src/clock.ts';
import { TrunklineError } from '../../src/errors.ts';
import { openDatabase } from '../../src/store/database.ts';
import { PreparedThread } from '../../src/store/database-thread.ts';
import { printRecord } from '../../src/store/journal-record.ts';
import { startStore, type StoreOptions } from '../../src/store/start.ts';
import type { Store } from '../../src/store/store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { ownsPostgres } from '../support/postgres.ts';
import { ENGINES, useEngines } from './engines.ts';
import { audited, charged, ended, NODE, started } from './facts.ts';

const engines = useEngines();

interface Line {
  level: string;
  fields: Record<string, unknown>;
  message: string;
}

interface Started {
  store: Store;
  dataDir: string;
  lines: Line[];
  /** Settles with the first line that says it. */
  said: (message: string) => Promise<Line>;
}

async function start(given: Partial<StoreOptions> = {}): Promise<Started> {
  const dataDir = given.dataDir ?? (await engines.folder());
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  const log = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields: fields as Record<string, unknown>, message });
    for (const look of waiting) look();
  };
  const store = await startStore({
    ...{ dataDir, databaseUrl: null, nodeId: NODE, clock: realClock },
    ...{ log: { info: log('info'), warn: log('warn'), error: log('error') } },
    ...given,
  });
  onTestFinished(() => store.close());
  const said = (message: string): Promise<Line> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = lines.find((line) => line.message === message);
        if (found) resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { store, dataDir, lines, said };
}

const WAIT = { timeout: 10_000, interval: 10 };
const usage = async (store: Store, callId: string): Promise<string[]> =>
  ((await store.ask('readBill', { callId }))?.lines ?? []).map(({ source }) => source);
const names = (count: number, from = 0): string[] => Array.from({ length: count }, (_, n) => `r${from + n}`);

describe.each(ENGINES)('%s', (engine) => {
  async function startEngine(given: Partial<StoreOptions> = {}): Promise<Started> {
    return start({ databaseUrl: engine === 'postgres' ? await engines.postgres.freshUrl() : null, ...given });
  }

  test('has in the database what it took, once it is settled', async () => {
    const { store } = await startEngine();
    store.append(started('c1'));
    for (let n = 0; n < 1_200; n++) store.append(charged('c1', `r${n}`, n, { atWallMs: n }));
    store.append(ended('c1'));
    expect(store.health).toMatchObject({ state: 'ok', unflushed: 1_202 });
    await store.flushed();
    expect(store.health.unflushed).toBe(0);
    await store.settled();
    expect(await usage(store, 'c1')).toEqual(names(1_200));
    expect(store.health).toEqual({ state: 'ok', lagMs: 0, journalBytes: 0, unflushed: 0, lost: 0, aside: 0, why: '' });
  });

  test('leaves nothing in the journal when it is closed, and is closed once', async () => {
    const { store, dataDir, lines } = await startEngine();
    store.append(started('c1'));
    await Promise.all([store.close(), store.close()]);
    expect(await readdir(join(dataDir, 'journal'))).toEqual([]);
    expect(lines).toEqual([]);
    await expect(store.ask('readBill', { callId: 'c1' })).rejects.toMatchObject({ code: 'TRK_STORE' });
    await expect(store.settled()).rejects.toMatchObject({ code: 'TRK_STORE' });
    store.append(ended('c1'));
    expect(store.health.lost).toBe(1);
  });

  test('refuses a database that a later version has changed', async () => {
    const place = await engines.place(engine);
    const db = await engines.open(place);
    await db
      .withTables<{ kysely_migration: { name: string; timestamp: string } }>()
      .insertInto('kysely_migration')
      .values({ name: '2099-01-01-later', timestamp: new Date().toISOString() })
      .execute();
    const given = place.engine === 'sqlite' ? { dataDir: join(place.path, '..') } : { databaseUrl: place.url };
    await expect(start(given)).rejects.toMatchObject({
      code: 'TRK_DATABASE_NEWER',
      message: expect.stringContaining('2099-01-01-later') as string,
    });
  });

  test('a thread that was prepared and died before it was needed is replaced; one that was taken cannot be discarded', async () => {
    const dead = new PreparedThread();
    await dead.discard();
    const thread = new PreparedThread();
    for (const prepared of [dead, thread]) {
      const { store } = await startEngine({ thread: prepared });
      await prepared.discard();
      store.append(audited('kept'));
      await store.settled();
      expect(store.health).toMatchObject({ state: 'ok' });
      await store.close();
    }
  });

  test('a worker that dies is started again, and nothing is lost or doubled', async () => {
    const workers: Worker[] = [];
    const seen = (worker: Worker): void => void workers.push(worker);
    process.on('worker', seen);
    onTestFinished(() => void process.off('worker', seen));
    const { store, lines } = await startEngine();
    store.append(audited('first'));
    store.append(charged('c1', 'r0', 1, { atWallMs: 0 }));
    await store.settled();
    const asked = store.ask('readBill', { callId: 'c1' }).catch((error: unknown) => error);
    await workers[0]?.terminate();
    expect(await asked).toSatisfy((got) => !(got instanceof Error) || (got as TrunklineError).code === 'TRK_STORE');
    expect(store.health).toMatchObject({ state: 'behind', why: 'the database thread died and starts again' });
    await expect(store.ask('readBill', { callId: 'c1' })).rejects.toMatchObject({ code: 'TRK_STORE' });
    store.append(audited('second'));
    store.append(charged('c1', 'r1', 1, { atWallMs: 1 }));
    await store.settled();
    expect(workers.length).toBe(2);
    expect(await usage(store, 'c1')).toEqual(names(2));
    expect(store.health.state).toBe('ok');
    expect(lines).toEqual([]);
  });
});

describe('SQLite that somebody else has locked', () => {
  test('keeps calls going: facts wait in the journal and are taken in when it is free', async () => {
    const { store, dataDir, said } = await start();
    store.append(charged('c1', 'r0', 1, { atWallMs: 0 }));
    await store.settled();
    const other = new DatabaseSync(join(dataDir, 'trunkline.sqlite'));
    onTestFinished(() => other.close());
    other.exec('begin immediate');
    store.append(charged('c1', 'r1', 1, { atWallMs: 1 }));
    await said('the database cannot be used: the journal keeps everything');
    expect(store.health).toMatchObject({ state: 'behind', unflushed: 0, lost: 0 });
    expect(store.health.why).toContain('database is locked');
    expect(store.health.journalBytes).toBeGreaterThan(100);
    expect(store.health.lagMs).toBeGreaterThan(100);
    // Reading goes on.
    expect(await usage(store, 'c1')).toEqual(names(1));
    other.exec('rollback');
    await store.settled();
    expect(await usage(store, 'c1')).toEqual(names(2));
    await said('the database is back');
    expect(store.health).toMatchObject({ state: 'ok', journalBytes: 0, lagMs: 0 });
  });
});

describe.runIf(ownsPostgres)('PostgreSQL that goes away', () => {
  test('is caught up with when it is back; questions are refused within a bound, nothing tells the password', async () => {
    const databaseUrl = await engines.postgres.freshUrl();
    const { store, lines, said } = await start({ databaseUrl });
    store.append(charged('c1', 'r0', 1, { atWallMs: 0 }));
    await store.settled();
    await engines.postgres.stop();
    try {
      for (let n = 1; n < 30; n++) store.append(charged('c1', `r${n}`, 1, { atWallMs: n }));
      await store.flushed();
      await said('the database cannot be used: the journal keeps everything');
      expect(store.health).toMatchObject({ state: 'behind', unflushed: 0, lost: 0 });
      const asked = store.ask('readBill', { callId: 'c1' });
      const refused = { code: 'TRK_STORE', message: expect.stringContaining('PostgreSQL at 127.0.0.1') as string };
      await expect(asked).rejects.toMatchObject(refused);
      await expect(asked).rejects.toBeInstanceOf(TrunklineError);
    } finally {
      await engines.postgres.start();
    }
    await store.settled();
    expect(await usage(store, 'c1')).toEqual(names(30));
    expect(store.health).toMatchObject({ state: 'ok', journalBytes: 0 });
    const { password } = new URL(databaseUrl);
    expect(password.length).toBeGreaterThan(8);
    expect(JSON.stringify([lines, store.health])).not.toContain(password);
  });

  test('does not keep a server from starting', async () => {
    const databaseUrl = await engines.postgres.freshUrl();
    await engines.postgres.stop();
    let store: Store;
    try {
      ({ store } = await start({ databaseUrl }));
      expect(store.health.state).toBe('behind');
      store.append(charged('c1', 'r0', 1));
      await store.flushed();
    } finally {
      await engines.postgres.start();
    }
    await store.settled();
    expect(await usage(store, 'c1')).toEqual(names(1));
  });

  test('that refuses us stops the start with a sentence that holds no password', async () => {
    const url = new URL(await engines.postgres.freshUrl());
    const { password } = url;
    url.pathname = '/no_such_database';
    const error = await start({ databaseUrl: url.href }).catch((thrown: unknown) => thrown as TrunklineError);
    expect(error).toMatchObject({ code: 'TRK_DATABASE', message: expect.stringContaining('3D000') as string });
    expect((error as Error).message).not.toContain(password);
  });
});

describe('what cannot be opened', () => {
  test('a wrong URL stops the start and is not shown', async () => {
    const wrong = { code: 'TRK_DATABASE', message: expect.stringMatching(/^DATABASE_URL: (?!.*secret)/) as string };
    await expect(start({ databaseUrl: 'postgrs://u:secret@h/d' })).rejects.toMatchObject(wrong);
    for (const url of ['u:secret@h', 'https://u:secret@h/d', ''])
      await expect(openDatabase({ engine: 'postgres', url })).rejects.toMatchObject(wrong);
  });

  test('a file that is no database stops the start', async () => {
    const dataDir = await engines.folder();
    await writeFile(
      join(dataDir, 'trunkline.sqlite'),
      'These are not the pages of a database, however long this text may be.'.repeat(20),
    );
    await expect(start({ dataDir })).rejects.toMatchObject({
      code: 'TRK_DATABASE',
      message: expect.stringContaining('file is not a database') as string,
    });
  });

  test('a folder where a file should be stops the start', async () => {
    const dataDir = await engines.folder();
    await mkdir(join(dataDir, 'trunkline.sqlite'));
    await expect(start({ dataDir })).rejects.toMatchObject({ code: 'TRK_DATABASE' });
  });
});

test("the file of SQLite is its owner's only", async () => {
  const { store, dataDir } = await start();
  store.append(started('c1'));
  await store.settled();
  for (const name of await readdir(dataDir))
    if (name.startsWith('trunkline.sqlite'))
      expect([name, (await stat(join(dataDir, name))).mode & 0o777]).toEqual([name, 0o600]);
  expect((await stat(dataDir)).mode & 0o077).toBe(0);
});

test("an idle server's journal holds nothing", async () => {
  const clock = new FakeClock();
  const { store, dataDir } = await start({ clock });
  store.append(started('c1'));
  await store.settled();
  const journal = join(dataDir, 'journal', NODE);
  const [segment = ''] = await readdir(journal);
  expect(await readFile(join(journal, segment), 'utf8')).toContain('+14155550142');
  clock.advance(3_000);
  await expect.poll(() => readdir(journal), WAIT).toEqual([]);
  // It goes on in another.
  store.append(ended('c1'));
  await store.settled();
  expect(await readdir(journal)).not.toEqual([segment]);
});

test('a record that cannot be read is put aside and counted, what comes before and after it is in the database', async () => {
  const dataDir = await engines.folder();
  const dead = 'dddddddddddd';
  await mkdir(join(dataDir, 'journal', dead), { recursive: true });
  const [first, broken, last] = [0, 1, 2].map((n) => printRecord(charged('c1', `r${n}`, 1, { atWallMs: n })));
  await writeFile(join(dataDir, 'journal', dead, '1.jsonl'), `${first}${broken?.replace('r1', 'rX')}${last}`);
  const { store, said } = await start({ dataDir });
  await store.settled();
  await said('record of a journal is put aside');
  expect(await usage(store, 'c1')).toEqual(['r0', 'r2']);
  expect(store.health).toMatchObject({ state: 'ok', aside: 1 });
  expect((await readdir(join(dataDir, 'journal'))).toSorted()).toEqual([`${dead}.bad`]);
});

test('a question that cannot be sent, or that no query answers, is refused', async () => {
  const { store, said } = await start();
  const callId = (() => 'c1') as unknown as string;
  await expect(store.ask('readBill', { callId })).rejects.toMatchObject({ code: 'TRK_STORE' });
  await expect(store.ask('noSuchQuestion' as 'readBill', { callId: 'c1' })).rejects.toMatchObject({
    code: 'TRK_STORE',
  });
  await said('a question to the database failed');
  expect(await usage(store, 'c1')).toEqual([]);
});

test('a store beside a live one leaves its journal and its calls alone, and takes them over when it is gone', async () => {
  const one = await start();
  one.store.append(started('c1'));
  await one.store.settled();
  const two = await start({ dataDir: one.dataDir, nodeId: 'ffffffffffff' });
  await two.store.settled();
  expect(await readdir(join(one.dataDir, 'journal'))).toContain(NODE);
  expect(await usage(two.store, 'c1')).toEqual([]);
  expect(two.lines).toEqual([]);
  one.store.append(charged('c1', 'r0', 1));
  await one.store.settled();
  await one.store.close();
  expect(await usage(two.store, 'c1')).toEqual(names(1));
});
