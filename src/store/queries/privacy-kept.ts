// What is kept of calls, and how it goes: audio, words, or everything but the numbers of the bill. Whoever asks removes the
// files first, so that a run that is interrupted finds the call again.
import type { Selectable, Transaction } from 'kysely';
import type { Turn } from '../../record/call-record.ts';
import type { Database } from '../database.ts';
import type { CallsTable, Tables } from '../schema.ts';
import { turnWithoutWords } from './privacy-words.ts';

/** `metadata` is all of it: who, when and how, with words and audio. */
export type KeptPart = 'audio' | 'text' | 'metadata';

const UNTIL = { audio: 'audio_until_ms', text: 'text_until_ms', metadata: 'metadata_until_ms' } as const;

/** A call with something to remove. */
export interface DueCall {
  callId: string;
  carrier: string;
  carrierCallId: string;
  untilMs: number;
}

export interface DueQuestion {
  part: KeptPart;
  nowMs: number;
  /** A call is over when it ended before the first; one of which no end is known, when it was let in before the second. */
  endedBeforeMs: number;
  admittedBeforeMs: number;
  /** The last one of the answer before; null: from the first. */
  after: DueCall | null;
  limit: number;
}

/** The calls that are over and whose time has come, the longest overdue first. */
export async function callsDue(db: Database, question: DueQuestion): Promise<DueCall[]> {
  const { part, nowMs, endedBeforeMs, admittedBeforeMs, after, limit } = question;
  const until = UNTIL[part];
  let due = db
    .selectFrom('calls')
    .select(['call_id', 'carrier', 'carrier_call_id', `${until} as until_ms`])
    .where(until, '<=', nowMs)
    .where((e) =>
      e.or([
        e('ended_ms', '<=', endedBeforeMs),
        e.and([e('ended_ms', 'is', null), e('admitted_ms', '<=', admittedBeforeMs)]),
      ]),
    );
  if (after !== null)
    due = due.where((e) =>
      e.or([e(until, '>', after.untilMs), e.and([e(until, '=', after.untilMs), e('call_id', '>', after.callId)])]),
    );
  const rows = await due.orderBy(until).orderBy('call_id').limit(limit).execute();
  return rows.map((row) => ({
    callId: row.call_id,
    carrier: row.carrier,
    carrierCallId: row.carrier_call_id,
    untilMs: row.until_ms as number,
  }));
}

/** Rows that hold something of somebody. */
export interface KeptRows {
  calls: number;
  turns: number;
  tools: number;
  /** Lines of bills, which stay. */
  lines: number;
}

/** Removes one part of what the database keeps of these calls, of all of them or of none; returns what there was. */
export async function removeKept(
  db: Database,
  { part, callIds }: { part: KeptPart; callIds: readonly string[] },
): Promise<KeptRows> {
  return db.transaction().execute(async (tx) => {
    const kept = await countRows(tx, callIds);
    if (part === 'text') await removeWords(tx, callIds);
    if (part === 'metadata') {
      await tx.deleteFrom('turns').where('call_id', 'in', callIds).execute();
      await tx.deleteFrom('tools').where('call_id', 'in', callIds).execute();
    }
    await tx
      .updateTable('calls')
      .set(part === 'metadata' ? NOBODY : { [UNTIL[part]]: null })
      .where('call_id', 'in', callIds)
      .execute();
    return kept;
  });
}

/** What `removeKept` would find. */
export const keptOf = (db: Database, { callIds }: { callIds: readonly string[] }): Promise<KeptRows> =>
  countRows(db, callIds);

/** Those of these calls that the database knows, also where it keeps nothing of them any more. */
export async function callsKnown(db: Database, { callIds }: { callIds: readonly string[] }): Promise<string[]> {
  const rows = await db.selectFrom('calls').select('call_id').where('call_id', 'in', callIds).execute();
  return rows.map((row) => row.call_id);
}

/**
 * A row of which only what the books need is left: agent, model, day and times, so that calls, minutes and money still add
 * up. The carrier's id goes, because the carrier knows the number that belongs to it.
 */
const NOBODY = {
  from_value: null,
  to_value: null,
  carrier_call_id: '',
  attestation: null,
  detail: null,
  disposition: null,
  audio_until_ms: null,
  text_until_ms: null,
  metadata_until_ms: null,
} satisfies Partial<Selectable<CallsTable>>;

async function countRows(db: Database | Transaction<Tables>, callIds: readonly string[]): Promise<KeptRows> {
  const count = async (table: 'calls' | 'turns' | 'tools' | 'lines'): Promise<number> => {
    const row = await db
      .selectFrom(table)
      .select((e) => e.fn.countAll<number>().as('n'))
      .where('call_id', 'in', callIds)
      .executeTakeFirstOrThrow();
    return Number(row.n);
  };
  return {
    calls: await count('calls'),
    turns: await count('turns'),
    tools: await count('tools'),
    lines: await count('lines'),
  };
}

async function removeWords(tx: Transaction<Tables>, callIds: readonly string[]): Promise<void> {
  await tx.updateTable('tools').set({ arguments: '', output: null }).where('call_id', 'in', callIds).execute();
  const turns = await tx
    .selectFrom('turns')
    .select(['call_id', 'turn', 'facts'])
    .where('call_id', 'in', callIds)
    .execute();
  for (const { call_id: callId, turn, facts } of turns)
    await tx
      .updateTable('turns')
      .set({ said: null, heard: null, facts: JSON.stringify(turnWithoutWords(JSON.parse(facts) as Turn)) })
      .where('call_id', '=', callId)
      .where('turn', '=', turn)
      .execute();
}
