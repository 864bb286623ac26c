// Both engines for the tests of the store: a new, empty place for each test, and everything goes with the file.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { type Database, openDatabase } from '../../src/store/database.ts';
import type { Place } from '../../src/store/place.ts';
import { hasPostgres, type Postgres, startPostgres } from '../support/postgres.ts';

export const ENGINES: readonly Place['engine'][] = hasPostgres ? ['sqlite', 'postgres'] : ['sqlite'];

export interface Engines {
  /** A folder that is removed after the test. */
  folder(): Promise<string>;
  /** An empty database. */
  place(engine: Place['engine']): Promise<Place>;
  /** Opened, and closed after the test. */
  open(place: Place): Promise<Database>;
  /** The PostgreSQL of this file. */
  readonly postgres: Postgres;
}

/** To be called once in a test file, at its top. */
export function useEngines(): Engines {
  let server: Postgres | null = null;
  const folders: string[] = [];
  const opened: Database[] = [];
  beforeAll(async () => {
    if (hasPostgres) server = await startPostgres();
  });
  afterEach(async () => {
    for (const db of opened.splice(0)) await db.destroy();
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  afterAll(() => server?.close());
  const engines: Engines = {
    async folder() {
      const folder = await mkdtemp(join(tmpdir(), 'trunkline-store-'));
      folders.push(folder);
      return folder;
    },
    async place(engine) {
      if (engine === 'postgres') return { engine, url: await engines.postgres.freshUrl() };
      return { engine, path: join(await engines.folder(), 'trunkline.sqlite') };
    },
    async open(place) {
      const db = await openDatabase(place);
      opened.push(db);
      return db;
    },
    get postgres() {
      if (server === null) throw new Error('there is no PostgreSQL');
      return server;
    },
  };
  return engines;
}
