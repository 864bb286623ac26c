// What is done once although it is asked twice: the answer of a change is kept under its key, in the transaction that makes
// the change, so that an answer that was lost on the way can be asked for again.
import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { inTransaction } from '../../services/database.ts';
import { Refusal } from '../../services/refusal.ts';

export interface Answer {
  status: number;
  body: object;
}

const KEPT_MS = 24 * 3_600_000;

/**
 * Makes a change and answers it; with a key that was seen, answers what it came to then. A change that is refused did
 * nothing and is not remembered: asked again, it is decided again.
 * @throws Refusal 422 when the key belongs to another request, and what `change` throws
 */
export function once(
  db: DatabaseSync,
  { key, request, nowMs }: { key: string | undefined; request: unknown[]; nowMs: number },
  change: () => Answer,
): Answer {
  if (key === undefined) return inTransaction(db, change);
  const print = createHash('sha256')
    .update(JSON.stringify(request.map(sorted)))
    .digest('hex');
  return inTransaction(db, () => {
    db.prepare('DELETE FROM answers WHERE at_ms <= ?').run(nowMs - KEPT_MS);
    const kept = db.prepare('SELECT request, status, body FROM answers WHERE key = ?').get(key);
    if (kept && kept['request'] !== print)
      throw new Refusal(422, 'idempotency_key_reused', 'This idempotency key belongs to another request.');
    if (kept) return { status: Number(kept['status']), body: JSON.parse(String(kept['body'])) as object };
    const answer = change();
    db.prepare('INSERT INTO answers (key, request, status, body, at_ms) VALUES (?, ?, ?, ?, ?)').run(
      key,
      print,
      answer.status,
      JSON.stringify(answer.body),
      nowMs,
    );
    return answer;
  });
}

/** The same object, whatever the order of its keys. */
const sorted = (part: unknown): unknown =>
  typeof part === 'object' && part !== null ? Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)) : part;
