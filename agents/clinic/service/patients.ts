// Who a caller is: patient number and date of birth together.
import type { DatabaseSync } from 'node:sqlite';
import { guarded } from '../../services/wrong-tries.ts';
import { Refusal } from '../../services/refusal.ts';

/** @throws Refusal 404 for a wrong pair, whichever of the two is wrong; 423 when there were too many */
export function findPatient(
  db: DatabaseSync,
  number: string,
  born: string,
  nowMs: number,
): { id: string; name: string } {
  const found = guarded(db, number, nowMs, () =>
    db.prepare('SELECT id, name FROM patients WHERE number = ? AND born = ?').get(number, born),
  );
  if (found) return { id: String(found['id']), name: String(found['name']) };
  throw new Refusal(404, 'patient_not_found', 'No patient has this number and date of birth together.');
}
