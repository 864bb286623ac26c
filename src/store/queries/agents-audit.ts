// What was done by whom, and the agent files that calls were answered by.
import type { Database } from '../database.ts';

/** Who did what to what is kept, or to a live call. */
export interface AuditEntry {
  id: number;
  /** Unix milliseconds. */
  atWallMs: number;
  actor: string;
  action: string;
  subject: string;
  note: string;
}

/** A page of the audit, the newest first, with entries before this id; null: from the newest. */
export async function readAudit(
  db: Database,
  { limit, before }: { limit: number; before: number | null },
): Promise<{ entries: AuditEntry[]; more: boolean }> {
  let page = db.selectFrom('audit').selectAll();
  if (before !== null) page = page.where('id', '<', before);
  const rows = await page
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const entries = rows.slice(0, limit).map(({ at_ms: atWallMs, ...said }) => ({ ...said, atWallMs }));
  return { entries, more: rows.length > limit };
}

export interface KeptAgentFile {
  hash: string;
  name: string;
  file: string;
  text: string;
  /** When it was first known. */
  firstWallMs: number;
}

/** The agent file as it was; null: it is not known. */
export async function readAgentFile(db: Database, { hash }: { hash: string }): Promise<KeptAgentFile | null> {
  const row = await db.selectFrom('agent_files').selectAll().where('hash', '=', hash).executeTakeFirst();
  if (row === undefined) return null;
  const { first_ms: firstWallMs, ...file } = row;
  return { ...file, firstWallMs };
}
