// Opens the database of a worker thread, or of a test: SQLite in a file by default, PostgreSQL by its URL. Kysely over
// both, one set of tables. Nothing else opens a database, and never the main thread of a server.
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { Kysely, PostgresDialect, SqliteAdapter, type SqliteDatabase, SqliteDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import pg from 'pg';
import { TrunklineError } from '../errors.ts';
import { faultOf } from './database-faults.ts';
import { migrations } from './migrations.ts';
import { type Place, shownPlace, urlOf } from './place.ts';
import type { Tables } from './schema.ts';

export type Database = Kysely<Tables>;

/** Another process may hold the write lock for that long. */
const BUSY_MS = 2_000;
/** One writer, and a few readers beside it. */
const MAX_CONNECTIONS = 4;
const CONNECT_WITHIN_MS = 5_000;
/** A server that took a question and went away must not keep the thread for good. */
const QUERY_WITHIN_MS = 30_000;
/** One step of a change of the tables, or the wait for another process that makes it: an index over all turns takes minutes. */
const CHANGE_WITHIN_MS = 60 * 60_000;
const OWNER_ONLY = 0o600;
const OWNER_ONLY_FOLDER = 0o700;

// Counts and nano-dollars come as text otherwise: they fit a double (2^53 nano-dollars are nine million dollars).
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
pg.types.setTypeParser(pg.types.builtins.NUMERIC, Number);

/**
 * Opens and brings the tables up to date.
 * @param queryWithinMs how long PostgreSQL may take for one question
 * @throws TrunklineError TRK_DATABASE_NEWER when a later version of Trunkline has changed the tables, TRK_DATABASE when it
 * cannot be opened or reached
 */
export async function openDatabase(place: Place, queryWithinMs = QUERY_WITHIN_MS): Promise<Database> {
  try {
    return place.engine === 'sqlite' ? await openSqlite(place.path) : await openPostgres(place.url, queryWithinMs);
  } catch (cause) {
    if (cause instanceof TrunklineError) throw cause;
    throw new TrunklineError('TRK_DATABASE', `${shownPlace(place)} cannot be used: ${faultOf(cause).why}`, { cause });
  }
}

/** Whether SQLite is asked, and not PostgreSQL. */
export const isSqlite = (db: Database): boolean => db.getExecutor().adapter instanceof SqliteAdapter;

/** Opens SQLite's file beside the thread that writes, which has brought its tables up to date. */
export function openForReading(path: string): Database {
  const raw = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS });
  return new Kysely<Tables>({ dialect: new SqliteDialect({ database: asKyselyWants(raw) }) });
}

async function openSqlite(path: string): Promise<Database> {
  if (path !== ':memory:') makePrivate(path);
  const raw = new DatabaseSync(path, { timeout: BUSY_MS });
  try {
    // Full: what the journal gives up when it is told "committed" must outlive the machine, not the process only.
    raw.exec('pragma journal_mode = wal; pragma synchronous = full; pragma secure_delete = on;');
    const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: asKyselyWants(raw) }) });
    if (await isCurrent(db, 'sqlite')) return db;
    // Kysely's migrator makes no transaction for SQLite: a process that dies half-way, or two that start at once, would
    // leave half of the tables.
    raw.exec('begin immediate');
    await migrate(db, 'sqlite');
    raw.exec('commit');
    return db;
  } catch (error) {
    raw.close();
    throw error;
  }
}

/** SQLite gives its other files the mode of the first. */
function makePrivate(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: OWNER_ONLY_FOLDER });
  closeSync(openSync(path, 'a', OWNER_ONLY));
}

async function openPostgres(url: string, queryWithinMs: number): Promise<Database> {
  if (urlOf(url) === null)
    throw new TrunklineError(
      'TRK_DATABASE',
      'DATABASE_URL: expected postgres://user:password@host:port/database (the value is not shown, it may hold a password)',
    );
  const db = connected(url, queryWithinMs);
  try {
    if (!(await isCurrent(db, 'postgres'))) await migratePatiently(url);
    return db;
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

async function migratePatiently(url: string): Promise<void> {
  const db = connected(url, CHANGE_WITHIN_MS);
  try {
    await migrate(db, 'postgres');
  } finally {
    await db.destroy();
  }
}

function connected(url: string, queryWithinMs: number): Database {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'trunkline',
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    query_timeout: queryWithinMs,
    keepAlive: true,
  });
  // A connection that breaks while nobody uses it: the next question gets another. Unheard, it would end the thread.
  pool.on('error', () => {});
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}

/** Whether the tables are as this version wants them. */
async function isCurrent(db: Database, engine: Place['engine']): Promise<boolean> {
  const known = Object.keys(migrations(engine));
  const seen = await executed(db);
  const foreign = seen.filter((name) => !known.includes(name));
  if (foreign.length > 0)
    throw new TrunklineError(
      'TRK_DATABASE_NEWER',
      `the database was changed by a later version of Trunkline (${foreign.join(', ')}); run that version, or give this one another database`,
    );
  return seen.length === known.length;
}

async function migrate(db: Database, engine: Place['engine']): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(migrations(engine)) } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/** Names of the migrations that this database has seen; none where it is new. */
async function executed(db: Database): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === 'kysely_migration')) return [];
  const rows = await db
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom('kysely_migration')
    .select('name')
    .execute();
  return rows.map(({ name }) => name);
}

/** A statement as Kysely's dialect asks for it. */
type Prepared = ReturnType<SqliteDatabase['prepare']>;

/** Texts of statements that stay prepared: Trunkline writes a few dozen, with as many rows as there are. */
const PREPARED_STATEMENTS = 200;
/** A longer one writes many rows: it is seldom asked for again, and it would keep what it wrote last. */
const LONG_TEXT_CHARS = 2_048;

/** Kysely's dialect asks for the shape of better-sqlite3. To prepare a statement costs as much as to run it: they are kept. */
export function asKyselyWants(db: DatabaseSync): SqliteDatabase {
  const kept = new Map<string, Prepared>();

  function prepared(text: string): Prepared {
    const statement = db.prepare(text);
    const values = (given: readonly unknown[]): SQLInputValue[] => given as SQLInputValue[];
    return {
      reader: statement.columns().length > 0,
      all: (given) => statement.all(...values(given)),
      run: (given) => statement.run(...values(given)),
      // One of its own: a statement that is run again begins anew, wherever another reader of it stands.
      iterate: (given) => db.prepare(text).iterate(...values(given)) as IterableIterator<unknown>,
    };
  }

  return {
    close: () => db.close(),
    prepare(text) {
      // Where its disk is full SQLite has rolled back by itself: to ask for it again would hide why.
      if (text === 'rollback' && !db.isTransaction) return prepared('select null where false');
      if (text.length > LONG_TEXT_CHARS) return prepared(text);
      const statement = kept.get(text) ?? prepared(text);
      // The latest stay.
      kept.delete(text);
      kept.set(text, statement);
      if (kept.size > PREPARED_STATEMENTS) kept.delete(kept.keys().next().value as string);
      return statement;
    },
  };
}
