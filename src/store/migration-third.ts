// The third change of the tables: SQLite gets an index for each order of the list of calls, as PostgreSQL has since the second.
// With ten million calls an order that is made by looking through all of them takes a second a page.
import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Calls of one value follow each other by their seq: it is the key of the table, which SQLite's indices end with. */
const ORDERS = {
  calls_by_duration: 'duration_ms',
  calls_by_cost: 'cost_nano_usd',
  calls_by_latency: 'latency_ms',
  calls_by_quality: 'quality',
};

export const third = (engine: 'sqlite' | 'postgres'): Migration => ({
  async up(db: Kysely<unknown>): Promise<void> {
    if (engine === 'postgres') return;
    for (const [name, column] of Object.entries(ORDERS))
      await db.schema.createIndex(name).on('calls').column(column).execute();
  },
});
