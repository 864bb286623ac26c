// After something was removed: nothing of it stays in free pages, and the books say that it was done.
import { sql } from 'kysely';
import { type Database, isSqlite } from '../database.ts';

/** What was done to the database. */
export interface Scrubbed {
  engine: 'sqlite' | 'postgres';
  /** Why free pages may still hold something; empty when they do not. */
  why: string;
}

/**
 * SQLite: the file is built anew and its log emptied. PostgreSQL: the tables are vacuumed; its log and its backups are the
 * operator's.
 */
export async function scrub(db: Database, _question: null): Promise<Scrubbed> {
  if (!isSqlite(db)) {
    for (const table of ['calls', 'turns', 'tools']) await sql`vacuum ${sql.table(table)}`.execute(db);
    return { engine: 'postgres', why: '' };
  }
  try {
    await sql`vacuum`.execute(db);
  } catch (error) {
    return { engine: 'sqlite', why: `the database could not be built anew: ${(error as Error).message}` };
  }
  const { rows } = await sql<{ busy: number }>`pragma wal_checkpoint(truncate)`.execute(db);
  const why = rows[0]?.busy === 1 ? "the database's log could not be emptied: another process reads it" : '';
  return { engine: 'sqlite', why };
}

/** Writes down that something was removed. No number, no word, no name. */
export async function auditPrivacy(
  db: Database,
  { atMs, actor, action, note }: { atMs: number; actor: string; action: string; note: string },
): Promise<void> {
  await db.insertInto('audit').values({ at_ms: atMs, actor, action, subject: 'calls', note }).execute();
}
