// Takes facts into the tables, in their order. A fact that comes again changes nothing: a call is there once, turns and tools
// are what was said of them last, and a line of a bill can only grow or become more certain. Lines of calls that nobody knows
// are kept like any other: money is never dropped.
import { type ExpressionBuilder, sql } from 'kysely';
import type { Turn } from '../../record/call-record.ts';
import type { Database } from '../database.ts';
import type { AgentKnown, CallEnded, CallStarted, StoreEvent, ToolKept, TurnKept } from '../events.ts';
import { dayOf, lineRow, QUANTITY_COLUMNS } from '../line-row.ts';
import type { CallRow, LinesTable, Tables, ToolsTable, TurnsTable } from '../schema.ts';
import { storable } from '../storable.ts';

/** Rows of one statement: SQLite takes 32,766 values in one, and a line has 24. */
const ROWS_AT_ONCE = 500;
const DAY_MS = 86_400_000;

/**
 * One transaction, if the caller wants one, is the caller's to make.
 * @returns how many calls ended of which the beginning is not known: they are nowhere
 */
export async function applyEvents(db: Database, events: readonly StoreEvent[]): Promise<number> {
  const of = <T extends StoreEvent['type']>(type: T) =>
    events.filter((event): event is Extract<StoreEvent, { type: T }> => event.type === type);
  await keepCalls(db, of('call.started').map(callRow));
  await keepLines(
    db,
    of('line.charged').map(({ callId, line }) => lineRow(callId, line)),
  );
  await keepTurns(db, of('turn.kept').map(turnRow));
  await keepTools(db, of('tool.kept').map(toolRow));
  await keepAgentFiles(db, of('agent.known'));
  for (const part of parts(of('audited')))
    await db
      .insertInto('audit')
      .values(part.map(({ atWallMs, type: _, ...said }) => ({ at_ms: atWallMs, ...said })))
      .execute();
  let unknown = 0;
  for (const ended of of('call.ended')) if (!(await endCall(db, ended))) unknown += 1;
  return unknown;
}

async function keepCalls(db: Database, rows: readonly CallRow[]): Promise<void> {
  for (const part of parts(rows, (row) => row.call_id))
    await db
      .insertInto('calls')
      .values(part)
      .onConflict((on) => on.column('call_id').doNothing())
      .execute();
}

/** The first word on a file stays: the same hash is the same text. */
async function keepAgentFiles(db: Database, known: readonly AgentKnown[]): Promise<void> {
  for (const part of parts(known, ({ hash }) => hash))
    await db
      .insertInto('agent_files')
      .values(
        part.map(({ hash, name, file, text, atWallMs }) => ({
          ...{ hash, name: storable(name), file: storable(file), text: storable(text), first_ms: atWallMs },
        })),
      )
      .onConflict((on) => on.column('hash').doNothing())
      .execute();
}

async function keepTurns(db: Database, rows: readonly TurnsTable[]): Promise<void> {
  for (const part of parts(rows, (row) => `${row.call_id} ${row.turn}`))
    await db
      .insertInto('turns')
      .values(part)
      .onConflict((on) =>
        on.columns(['call_id', 'turn']).doUpdateSet(given(['who', 'at_ms', 'said', 'heard', 'facts'])),
      )
      .execute();
}

async function keepTools(db: Database, rows: readonly ToolsTable[]): Promise<void> {
  for (const part of parts(rows, (row) => `${row.call_id} ${row.tool}`))
    await db
      .insertInto('tools')
      .values(part)
      .onConflict((on) =>
        on
          .columns(['call_id', 'tool'])
          .doUpdateSet(given(['tool_call', 'name', 'status', 'at_ms', 'duration_ms', 'arguments', 'output'])),
      )
      .execute();
}

/** What may change of a line that is known: everything but its key, and what its seller says it cost. */
const RAISED = [
  ...([
    'seller',
    'product',
    'at_ms',
    'day',
    'state',
    'unit',
    'unit_price',
    'cost_nano_usd',
    'price_book',
    'doubt',
  ] as const),
  ...QUANTITY_COLUMNS,
];

async function keepLines(db: Database, rows: readonly LinesTable[]): Promise<void> {
  for (const part of parts(rows, (row) => `${row.call_id} ${row.what} ${row.source}`))
    await db
      .insertInto('lines')
      .values(part)
      .onConflict((on) => on.columns(['call_id', 'what', 'source']).doUpdateSet(given(RAISED)).where(saysMore))
      .execute();
}

/** Whether a line that comes again is more certain than the one that is there, or as certain and larger. */
const saysMore = sql<boolean>`lines.state <> 'billed' and (${certainty('excluded')} > ${certainty('lines')}
  or (excluded.state = lines.state and ${size('excluded')} > ${size('lines')}))`;

function certainty(row: 'excluded' | 'lines') {
  return sql<number>`case ${sql.ref(`${row}.state`)} when 'billed' then 3 when 'metered' then 2 else 1 end`;
}

/** Quantities of one line have one unit, so that their sum tells which of two is the larger. */
function size(row: 'excluded' | 'lines') {
  return sql<number>`(${sql.join(
    QUANTITY_COLUMNS.map((column) => sql.ref(`${row}.${column}`)),
    sql` + `,
  )})`;
}

async function endCall(db: Database, ended: CallEnded): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('calls')
    .set({
      media_started_ms: ended.mediaStartedWallMs,
      ended_ms: ended.endedWallMs,
      reason: ended.reason,
      ended_by: ended.by,
      result: ended.result,
      detail: storable(ended.detail),
      quality: ended.quality,
      latency_ms: ended.latencyMs ?? null,
      disposition: ended.disposition ? storable(ended.disposition) : null,
      turn_count: ended.turnCount ?? null,
      barge_ins: ended.bargeIns ?? null,
    })
    .where('call_id', '=', ended.callId)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

function callRow(call: CallStarted): CallRow {
  const until = (days: number | null) => (days === null ? null : call.atWallMs + days * DAY_MS);
  return {
    call_id: call.callId,
    carrier: call.carrier,
    carrier_call_id: storable(call.carrierCallId),
    direction: call.direction,
    agent: call.agent,
    agent_hash: call.agentHash,
    model: call.model,
    node: call.node,
    from_kind: call.from.kind,
    from_value: storable(call.from.value),
    to_kind: call.to.kind,
    to_value: storable(call.to.value),
    attestation: call.attestation,
    admitted_ms: call.atWallMs,
    day: dayOf(call.atWallMs),
    ...{ media_started_ms: null, ended_ms: null, reason: null, ended_by: null, result: null, detail: null },
    quality: null,
    audio_until_ms: until(call.retention.audioDays),
    text_until_ms: until(call.retention.textDays),
    metadata_until_ms: until(call.retention.metadataDays),
  };
}

function turnRow({ callId, turn, said }: TurnKept): TurnsTable {
  return { call_id: callId, turn, who: said.who, ...wordsOf(said), facts: JSON.stringify(said) };
}

function wordsOf(said: Turn): Pick<TurnsTable, 'at_ms' | 'said' | 'heard'> {
  if (said.who === 'caller')
    return {
      at_ms: said.speechStartAtMs ?? said.committedAtMs,
      said: said.transcript === null ? null : storable(said.transcript),
      heard: null,
    };
  const known = said.text !== '';
  return {
    at_ms: said.soundAtMs ?? said.startAtMs,
    said: known ? storable(said.text) : null,
    heard: known ? storable(said.heardText) : null,
  };
}

const toolRow = ({ callId, tool, run }: ToolKept): ToolsTable => ({
  call_id: callId,
  tool,
  tool_call: storable(run.toolCall),
  name: storable(run.name),
  status: run.status,
  at_ms: run.atMs,
  duration_ms: run.durationMs,
  arguments: storable(run.arguments),
  output: run.output === null ? null : storable(run.output),
});

/** Sets columns to what the row that was to be inserted has in them. */
const given =
  <Table extends keyof Tables, Column extends keyof Tables[Table] & string>(columns: readonly Column[]) =>
  (eb: ExpressionBuilder<Tables, Table>) =>
    Object.fromEntries(columns.map((column) => [column, eb.ref(`excluded.${column}` as never)]));

/** Parts of a statement's size, in order; none has a key twice, because a statement may touch a row once only. */
function* parts<Row>(rows: readonly Row[], keyOf?: (row: Row) => string): Generator<Row[]> {
  let part: Row[] = [];
  let keys = new Set<string>();
  for (const row of rows) {
    const key = keyOf?.(row);
    if (part.length === ROWS_AT_ONCE || (key !== undefined && keys.has(key))) {
      yield part;
      part = [];
      keys = new Set();
    }
    part.push(row);
    if (key !== undefined) keys.add(key);
  }
  if (part.length > 0) yield part;
}
