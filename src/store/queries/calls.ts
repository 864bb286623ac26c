// Questions about calls: one call with its words, ids that begin so, and what is kept at all.
import { type Selectable, sql } from 'kysely';
import type { Database } from '../database.ts';
import type { CallsTable } from '../schema.ts';
import { keptTool, keptTurn, type KeptTool, type KeptTurn } from './calls-words.ts';

/** A party as it is kept: `value` is null once it was forgotten, or gone with the metadata. */
export interface KeptParty {
  kind: string;
  value: string | null;
}

/** What a call's lines come to by the price book. */
export interface CallCost {
  nanoUsd: number;
  lines: number;
  /** Lines whose price is not known: when not 0, the sum is less than the truth. */
  unpricedLines: number;
}

/** A call as a list shows it. Times are Unix milliseconds. */
export interface CallSummary {
  callId: string;
  agent: string;
  model: string;
  carrier: string;
  direction: string;
  from: KeptParty;
  to: KeptParty;
  admittedWallMs: number;
  /** Null: no media came. */
  mediaStartedWallMs: number | null;
  /** Null while the call lives, or where its process died. */
  endedWallMs: number | null;
  reason: string | null;
  by: string | null;
  result: string | null;
  quality: number | null;
  /** From the start of the media to the end; null: no media came, or no end is known. */
  durationMs: number | null;
  /** Median of the answered turns, voice to voice; null: none was answered, or it is not known. */
  latencyMs: number | null;
  /** What the call was about, in the words of the agent file; null: the agent noted nothing. */
  disposition: string | null;
  /** Turns of both sides, and how often the caller spoke over the agent; null: not known. */
  turnCount: number | null;
  bargeIns: number | null;
  cost: CallCost;
}

/** A call with everything but its bill. */
export interface KeptCall extends CallSummary {
  carrierCallId: string;
  agentHash: string;
  node: string;
  attestation: string | null;
  detail: string | null;
  turns: KeptTurn[];
  tools: KeptTool[];
}

/** Null: there is no such call. */
export async function readCall(db: Database, { callId }: { callId: string }): Promise<KeptCall | null> {
  const row = await db.selectFrom('calls').selectAll().where('call_id', '=', callId).executeTakeFirst();
  if (row === undefined) return null;
  const turns = await db.selectFrom('turns').selectAll().where('call_id', '=', callId).orderBy('turn').execute();
  const tools = await db.selectFrom('tools').selectAll().where('call_id', '=', callId).orderBy('tool').execute();
  return {
    ...summaryOf(row),
    carrierCallId: row.carrier_call_id,
    agentHash: row.agent_hash,
    node: row.node,
    attestation: row.attestation,
    detail: row.detail,
    turns: turns.map(keptTurn),
    tools: tools.map(keptTool),
  };
}

export function summaryOf(row: Selectable<CallsTable>): CallSummary {
  return {
    callId: row.call_id,
    agent: row.agent,
    model: row.model,
    carrier: row.carrier,
    direction: row.direction,
    from: { kind: row.from_kind, value: row.from_value },
    to: { kind: row.to_kind, value: row.to_value },
    admittedWallMs: row.admitted_ms,
    mediaStartedWallMs: row.media_started_ms,
    endedWallMs: row.ended_ms,
    reason: row.reason,
    by: row.ended_by,
    result: row.result,
    quality: row.quality,
    durationMs: row.duration_ms,
    latencyMs: row.latency_ms,
    disposition: row.disposition,
    turnCount: row.turn_count,
    bargeIns: row.barge_ins,
    cost: { nanoUsd: row.cost_nano_usd, lines: row.line_count, unpricedLines: row.unpriced_lines },
  };
}

/** What there is to ask about: for whoever asked for what is not there. */
export interface Kept {
  calls: number;
  /** The newest day with a call, and with a call or a line; null: there is none. */
  lastCallDay: string | null;
  lastDay: string | null;
  /** The first of the agents with calls, by name. */
  agents: string[];
}

const AGENTS_NAMED = 20;

/** Tells what is kept. */
export async function whatIsKept(db: Database, _question: null): Promise<Kept> {
  const calls = await db
    .selectFrom('calls')
    .select(({ fn }) => [fn.countAll<number>().as('calls'), fn.max('day').as('day')])
    .executeTakeFirstOrThrow();
  const lines = await db
    .selectFrom('lines')
    .select(({ fn }) => fn.max('day').as('day'))
    .executeTakeFirstOrThrow();
  const agents = await db.selectFrom('calls').select('agent').distinct().orderBy('agent').limit(AGENTS_NAMED).execute();
  // Days sort as text. Over no row at all the largest is null.
  const days = [calls.day, lines.day].flatMap((day: string | null) => day ?? []);
  return {
    calls: calls.calls,
    lastCallDay: calls.day,
    lastDay: days.toSorted().at(-1) ?? null,
    agents: agents.map(({ agent }) => agent),
  };
}

const IDS_TOLD = 3;

/** Ids that begin so, the exact one first; a few are enough to tell that there are several. */
export async function callsBeginning(db: Database, { beginning }: { beginning: string }): Promise<string[]> {
  // The one character of ids that means something in a pattern.
  const pattern = `${beginning.replaceAll('_', '\\_')}%`;
  const rows = await db
    .selectFrom('calls')
    .select('call_id')
    .where(sql<boolean>`call_id like ${pattern} escape '\\'`)
    .orderBy('call_id')
    .limit(IDS_TOLD)
    .execute();
  return rows.map(({ call_id: id }) => id);
}
