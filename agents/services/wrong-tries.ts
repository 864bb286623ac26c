// Guessing, bounded: wrong tries are counted per number, whether there is such a number or not, so that neither the number nor
// what belongs to it can be found out by trying.
import type { DatabaseSync } from 'node:sqlite';
import { inTransaction } from './database.ts';
import { Refusal } from './refusal.ts';

export const WRONG_TRIES = `
CREATE TABLE IF NOT EXISTS wrong_tries (
  number TEXT PRIMARY KEY, tries INTEGER NOT NULL, since_ms INTEGER NOT NULL
) STRICT;
`;

const MAX_TRIES = 5;
/** How long wrong tries count, and how long a number is locked. */
const LOCKED_MS = 15 * 60_000;
/** Numbers that are remembered at once; meanwhile every other one is told that it is locked. */
const MAX_NUMBERS = 10_000;

/**
 * What `find` finds for a number, or undefined, which counts as a wrong try.
 * @throws Refusal 423 when there were too many, right or wrong
 */
export function guarded<T>(db: DatabaseSync, number: string, nowMs: number, find: () => T | undefined): T | undefined {
  // The refusal comes after the transaction, or the try that it counts would be rolled back.
  const { locked, found } = inTransaction(db, (): { locked: boolean; found?: T } => {
    db.prepare('DELETE FROM wrong_tries WHERE since_ms <= ?').run(nowMs - LOCKED_MS);
    const row = db.prepare('SELECT tries FROM wrong_tries WHERE number = ?').get(number);
    const others = Number(db.prepare('SELECT count(*) AS n FROM wrong_tries').get()?.['n']);
    if (row ? Number(row['tries']) >= MAX_TRIES : others >= MAX_NUMBERS) return { locked: true };
    const found = find();
    if (found !== undefined) {
      db.prepare('DELETE FROM wrong_tries WHERE number = ?').run(number);
      return { locked: false, found };
    }
    // Each wrong try begins the time anew.
    db.prepare(
      `INSERT INTO wrong_tries (number, tries, since_ms) VALUES (?, 1, ?)
       ON CONFLICT (number) DO UPDATE SET tries = tries + 1, since_ms = excluded.since_ms`,
    ).run(number, nowMs);
    return { locked: false };
  });
  if (locked)
    throw new Refusal(423, 'locked', 'There were too many wrong tries for this number; please call the desk.');
  return found;
}
