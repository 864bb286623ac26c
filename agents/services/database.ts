// The SQLite file of a sample business: opened with what keeps it safe when several processes have it open, and changed only
// in transactions. Statements block, which is why a business is a process of its own.
import { DatabaseSync } from 'node:sqlite';

/** How long a statement waits for another process. */
const BUSY_MS = 5_000;

/** Opens or creates the database at `path` (or `:memory:`); `schema` creates what is not there yet. */
export function openDatabase(path: string, schema: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_MS });
  db.exec('PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;');
  inTransaction(db, () => db.exec(schema));
  return db;
}

/** Runs `body` as one transaction that has the right to write from its start: it happens as a whole, or not at all. */
export function inTransaction<T>(db: DatabaseSync, body: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = body();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
