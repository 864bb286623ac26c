// The second change of the tables: what lists of calls are filtered and sorted by stands in the row of the call, the words
// that were said have an index, and agent files are kept as they were. What is kept by then is taken along.
import { type ColumnDataType, type Kysely, type RawBuilder, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { keepSums, SUMS } from './sums-of-lines.ts';
import { medianLatency } from './turn-facts.ts';
import { indexWords } from './words-of-turns.ts';

type Engine = 'sqlite' | 'postgres';

/** Columns of the first version, in their order. */
const FIRST_COLUMNS = [
  ...['call_id', 'carrier', 'carrier_call_id', 'direction', 'agent', 'agent_hash', 'model', 'node', 'from_kind'],
  ...['from_value', 'to_kind', 'to_value', 'attestation', 'admitted_ms', 'day', 'media_started_ms', 'ended_ms'],
  ...['reason', 'ended_by', 'result', 'detail', 'quality', 'audio_until_ms', 'text_until_ms', 'metadata_until_ms'],
].map((column) => sql.ref(column));

/** Calls whose latency is reckoned in one step. */
const CALLS_AT_ONCE = 500;

export const second = (engine: Engine): Migration => ({
  async up(db: Kysely<unknown>): Promise<void> {
    const whole: ColumnDataType = engine === 'sqlite' ? 'integer' : 'bigint';
    if (engine === 'sqlite') await rebuildCalls(db);
    else await widenCalls(db);
    await sumLines(db);
    await keepSums(db, engine);
    await reckonTurns(db);
    await makeIndices(db, engine);
    if (engine === 'sqlite') await indexWords(db);
    else await sql`create index turns_words on turns using gin (to_tsvector('simple', said))`.execute(db);
    await db.schema
      .createTable('agent_files')
      .addColumn('hash', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('file', 'text', (c) => c.notNull())
      .addColumn('text', 'text', (c) => c.notNull())
      .addColumn('first_ms', whole, (c) => c.notNull())
      .execute();
  },
});

/**
 * SQLite keeps a table by the number of its rows, and only one that the table declares stays when the file is built anew:
 * so the table is made anew, once.
 */
async function rebuildCalls(db: Kysely<unknown>): Promise<void> {
  const text = ['carrier', 'carrier_call_id', 'direction', 'agent', 'agent_hash', 'model', 'node', 'from_kind'];
  let table = db.schema
    .createTable('calls_second')
    .addColumn('seq', 'integer', (c) => c.primaryKey())
    .addColumn('call_id', 'text', (c) => c.notNull().unique());
  for (const column of text) table = table.addColumn(column, 'text', (c) => c.notNull());
  await table
    .addColumn('from_value', 'text')
    .addColumn('to_kind', 'text', (c) => c.notNull())
    .addColumn('to_value', 'text')
    .addColumn('attestation', 'text')
    .addColumn('admitted_ms', 'integer', (c) => c.notNull())
    .addColumn('day', 'text', (c) => c.notNull())
    .addColumn('media_started_ms', 'integer')
    .addColumn('ended_ms', 'integer')
    .addColumn('reason', 'text')
    .addColumn('ended_by', 'text')
    .addColumn('result', 'text')
    .addColumn('detail', 'text')
    .addColumn('quality', 'integer')
    .addColumn('audio_until_ms', 'integer')
    .addColumn('text_until_ms', 'integer')
    .addColumn('metadata_until_ms', 'integer')
    .addColumn('duration_ms', 'integer', (c) => c.generatedAlwaysAs(DURATION).stored())
    .addColumn('cost_nano_usd', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('line_count', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('unpriced_lines', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('latency_ms', 'integer')
    .addColumn('disposition', 'text')
    .addColumn('turn_count', 'integer')
    .addColumn('barge_ins', 'integer')
    .execute();
  const columns = sql.join(FIRST_COLUMNS);
  await sql`insert into calls_second (${columns}) select ${columns} from calls order by admitted_ms, call_id`.execute(
    db,
  );
  await db.schema.dropTable('calls').execute();
  await sql`alter table calls_second rename to calls`.execute(db);
  // Indices go with their table.
  await db.schema.createIndex('calls_by_day').on('calls').columns(['day', 'agent']).execute();
  await db.schema.createIndex('calls_by_caller').on('calls').column('from_value').execute();
  await db.schema.createIndex('calls_by_carrier_call').on('calls').columns(['carrier', 'carrier_call_id']).execute();
}

const DURATION: RawBuilder<number> = sql`ended_ms - media_started_ms`;

async function widenCalls(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('calls')
    .addColumn('seq', sql`bigserial`, (c) => c.notNull())
    .addColumn('duration_ms', 'bigint', (c) => c.generatedAlwaysAs(DURATION).stored())
    .addColumn('cost_nano_usd', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('line_count', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('unpriced_lines', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('latency_ms', 'bigint')
    .addColumn('disposition', 'text')
    .addColumn('turn_count', 'bigint')
    .addColumn('barge_ins', 'bigint')
    .execute();
}

const sumLines = (db: Kysely<unknown>): Promise<unknown> =>
  sql`update calls set cost_nano_usd = sums.nano_usd, line_count = sums.line_count, unpriced_lines = sums.unpriced
    from (${SUMS} group by call_id) as sums where sums.call_id = calls.call_id`.execute(db);

/** How many turns the calls had, and the median of their latencies: by their facts, of which nobody knows that they can be read. */
async function reckonTurns(db: Kysely<unknown>): Promise<void> {
  let after = '';
  for (;;) {
    const { rows: calls } = await sql<{ call_id: string }>`select call_id from calls
      where call_id > ${after} order by call_id limit ${CALLS_AT_ONCE}`.execute(db);
    const last = calls.at(-1);
    if (last === undefined) return;
    const { rows: turns } = await sql<{ call_id: string; facts: string }>`select call_id, facts from turns
      where call_id > ${after} and call_id <= ${last.call_id} order by call_id, turn`.execute(db);
    after = last.call_id;
    const reckoned = [...Map.groupBy(turns, (turn) => turn.call_id)].map(([callId, own]) => {
      const latency = medianLatency(own.map(({ facts }) => facts));
      return sql`(cast(${callId} as text), cast(${own.length} as bigint), cast(${latency} as bigint))`;
    });
    if (reckoned.length > 0)
      await sql`with known(call_id, turns, latency) as (values ${sql.join(reckoned)})
        update calls set turn_count = known.turns, latency_ms = known.latency
        from known where known.call_id = calls.call_id`.execute(db);
  }
}

/** Everything that lists are filtered and sorted by, and what they come to: the seq comes with it. */
const LISTED = [
  ...['agent', 'direction', 'reason', 'result', 'disposition', 'duration_ms', 'cost_nano_usd', 'latency_ms', 'quality'],
  ...['unpriced_lines', 'from_value', 'to_value'],
];

async function makeIndices(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const index = (name: string, ...columns: string[]) =>
    db.schema.createIndex(name).on('calls').columns(columns).execute();
  // What there is to choose from is told by their first columns.
  await index('calls_by_agent', 'agent');
  await index('calls_by_reason', 'reason');
  await index('calls_by_disposition', 'disposition');
  // To look through this one from end to end takes a tenth of a second for a million calls. The third change adds one for each order.
  if (engine === 'sqlite') return index('calls_for_lists', 'admitted_ms', ...LISTED);
  await db.schema.createIndex('calls_by_seq').on('calls').column('seq').unique().execute();
  await index('calls_by_duration', 'duration_ms', 'seq');
  await index('calls_by_cost', 'cost_nano_usd', 'seq');
  await index('calls_by_latency', 'latency_ms', 'seq');
  await index('calls_by_quality', 'quality', 'seq');
}
