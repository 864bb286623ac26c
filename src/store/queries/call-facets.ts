// What there is to choose from when a list of calls is narrowed: every agent, end reason and disposition that some call has.
// Each is found by a step in an index from one value to the next, however many calls have it.
import { sql } from 'kysely';
import type { Database } from '../database.ts';

export interface CallFacets {
  agents: string[];
  reasons: string[];
  dispositions: string[];
}

/** Beyond it nobody chooses from a list. */
const MOST_VALUES = 200;

/** By their names; of each no more than 200. */
export async function callFacets(db: Database, _question: null): Promise<CallFacets> {
  return {
    agents: await valuesOf(db, 'agent'),
    reasons: await valuesOf(db, 'reason'),
    dispositions: await valuesOf(db, 'disposition'),
  };
}

async function valuesOf(db: Database, column: 'agent' | 'reason' | 'disposition'): Promise<string[]> {
  const by = sql.ref(column);
  const { rows } = await sql<{ value: string }>`with recursive one(value) as (
      select min(${by}) from calls
      union all
      select (select min(${by}) from calls where ${by} > one.value) from one where one.value is not null
    )
    select value from one where value is not null limit ${MOST_VALUES}`.execute(db);
  return rows.map(({ value }) => value).toSorted();
}
