// Makes the tables. One migration per released change; what was released is never edited. The same for both engines.
import { type ColumnDataType, type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { second } from './migration-second.ts';
import { third } from './migration-third.ts';

/** By name, in the order of their names. */
export function migrations(engine: 'sqlite' | 'postgres'): Record<string, Migration> {
  // 64 bits in either: SQLite's integer has them, and PostgreSQL's has not.
  const whole: ColumnDataType = engine === 'sqlite' ? 'integer' : 'bigint';
  const serial = engine === 'sqlite' ? sql`integer` : sql`bigserial`;

  const first: Migration = {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable('calls')
        .addColumn('call_id', 'text', (c) => c.primaryKey())
        .addColumn('carrier', 'text', (c) => c.notNull())
        .addColumn('carrier_call_id', 'text', (c) => c.notNull())
        .addColumn('direction', 'text', (c) => c.notNull())
        .addColumn('agent', 'text', (c) => c.notNull())
        .addColumn('agent_hash', 'text', (c) => c.notNull())
        .addColumn('model', 'text', (c) => c.notNull())
        .addColumn('node', 'text', (c) => c.notNull())
        .addColumn('from_kind', 'text', (c) => c.notNull())
        .addColumn('from_value', 'text')
        .addColumn('to_kind', 'text', (c) => c.notNull())
        .addColumn('to_value', 'text')
        .addColumn('attestation', 'text')
        .addColumn('admitted_ms', whole, (c) => c.notNull())
        .addColumn('day', 'text', (c) => c.notNull())
        .addColumn('media_started_ms', whole)
        .addColumn('ended_ms', whole)
        .addColumn('reason', 'text')
        .addColumn('ended_by', 'text')
        .addColumn('result', 'text')
        .addColumn('detail', 'text')
        .addColumn('quality', whole)
        .addColumn('audio_until_ms', whole)
        .addColumn('text_until_ms', whole)
        .addColumn('metadata_until_ms', whole)
        .execute();
      await db.schema.createIndex('calls_by_day').on('calls').columns(['day', 'agent']).execute();
      await db.schema.createIndex('calls_by_admission').on('calls').column('admitted_ms').execute();
      await db.schema.createIndex('calls_by_caller').on('calls').column('from_value').execute();
      await db.schema
        .createIndex('calls_by_carrier_call')
        .on('calls')
        .columns(['carrier', 'carrier_call_id'])
        .execute();

      await db.schema
        .createTable('turns')
        .addColumn('call_id', 'text', (c) => c.notNull())
        .addColumn('turn', whole, (c) => c.notNull())
        .addColumn('who', 'text', (c) => c.notNull())
        .addColumn('at_ms', whole)
        .addColumn('said', 'text')
        .addColumn('heard', 'text')
        .addColumn('facts', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('turns_key', ['call_id', 'turn'])
        .execute();

      await db.schema
        .createTable('tools')
        .addColumn('call_id', 'text', (c) => c.notNull())
        .addColumn('tool', whole, (c) => c.notNull())
        .addColumn('tool_call', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('status', 'text', (c) => c.notNull())
        .addColumn('at_ms', whole, (c) => c.notNull())
        .addColumn('duration_ms', whole)
        .addColumn('arguments', 'text', (c) => c.notNull())
        .addColumn('output', 'text')
        .addPrimaryKeyConstraint('tools_key', ['call_id', 'tool'])
        .execute();

      await db.schema
        .createTable('lines')
        .addColumn('call_id', 'text', (c) => c.notNull())
        .addColumn('what', 'text', (c) => c.notNull())
        .addColumn('source', 'text', (c) => c.notNull())
        .addColumn('seller', 'text', (c) => c.notNull())
        .addColumn('product', 'text', (c) => c.notNull())
        .addColumn('at_ms', whole, (c) => c.notNull())
        .addColumn('day', 'text', (c) => c.notNull())
        .addColumn('state', 'text', (c) => c.notNull())
        .addColumn('unit', 'text', (c) => c.notNull())
        .addColumn('text_fresh', whole, (c) => c.notNull())
        .addColumn('text_cached', whole, (c) => c.notNull())
        .addColumn('text_out', whole, (c) => c.notNull())
        .addColumn('audio_fresh', whole, (c) => c.notNull())
        .addColumn('audio_cached', whole, (c) => c.notNull())
        .addColumn('audio_out', whole, (c) => c.notNull())
        .addColumn('image_fresh', whole, (c) => c.notNull())
        .addColumn('image_cached', whole, (c) => c.notNull())
        .addColumn('duration_ms', whole, (c) => c.notNull())
        .addColumn('pieces', whole, (c) => c.notNull())
        .addColumn('unit_price', 'text')
        .addColumn('cost_nano_usd', whole)
        .addColumn('price_book', 'text', (c) => c.notNull())
        .addColumn('doubt', 'text')
        .addColumn('billed_nano_usd', whole)
        .addPrimaryKeyConstraint('lines_key', ['call_id', 'what', 'source'])
        .execute();
      await db.schema.createIndex('lines_by_day').on('lines').columns(['day', 'seller', 'product']).execute();

      await db.schema
        .createTable('residues')
        .addColumn('day', 'text', (c) => c.notNull())
        .addColumn('seller', 'text', (c) => c.notNull())
        .addColumn('product', 'text', (c) => c.notNull())
        .addColumn('cause', 'text', (c) => c.notNull())
        .addColumn('nano_usd', whole, (c) => c.notNull())
        .addColumn('beside_nano_usd', whole, (c) => c.notNull())
        .addColumn('note', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('residues_key', ['day', 'seller', 'product', 'cause'])
        .execute();

      await db.schema
        .createTable('reconciliations')
        .addColumn('day', 'text', (c) => c.notNull())
        .addColumn('seller', 'text', (c) => c.notNull())
        .addColumn('state', 'text', (c) => c.notNull())
        .addColumn('cursor', 'text')
        .addColumn('ours_nano_usd', whole, (c) => c.notNull())
        .addColumn('reported_nano_usd', whole)
        .addColumn('changed_ms', whole, (c) => c.notNull())
        .addPrimaryKeyConstraint('reconciliations_key', ['day', 'seller'])
        .execute();

      await db.schema
        .createTable('audit')
        .addColumn('id', serial, (c) => c.primaryKey())
        .addColumn('at_ms', whole, (c) => c.notNull())
        .addColumn('actor', 'text', (c) => c.notNull())
        .addColumn('action', 'text', (c) => c.notNull())
        .addColumn('subject', 'text', (c) => c.notNull())
        .addColumn('note', 'text', (c) => c.notNull())
        .execute();

      await db.schema
        .createTable('journals')
        .addColumn('journal', 'text', (c) => c.primaryKey())
        .addColumn('segment', whole, (c) => c.notNull())
        .addColumn('offset', whole, (c) => c.notNull())
        .execute();
    },
  };
  return { '2026-11-21-first': first, '2026-11-21-second': second(engine), '2026-11-21-third': third(engine) };
}
