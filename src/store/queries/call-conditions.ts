// A filter of calls as conditions on their table. Every word of it comes from somebody outside: it is always a value, never a
// part of a statement.
import { type RawBuilder, sql } from 'kysely';
import { type Database, isSqlite } from '../database.ts';
import { storable } from '../storable.ts';
import type { CallFilter } from './call-filter.ts';
import { saidInCall } from './call-words.ts';

const DAY_MS = 86_400_000;

/** What lists are sorted by, and spreads are made of; not `admitted_ms`, by which calls are kept in any case. */
export type OrderColumn = 'duration_ms' | 'cost_nano_usd' | 'latency_ms' | 'quality';

const ORDERS: Readonly<Record<OrderColumn, string>> = {
  duration_ms: 'calls_by_duration',
  cost_nano_usd: 'calls_by_cost',
  latency_ms: 'calls_by_latency',
  quality: 'calls_by_quality',
};

/**
 * The calls to look through. SQLite is told by which index: it holds every column that is filtered and sorted by, so that
 * no row has to be read that does not fit. PostgreSQL finds its own way, by what it knows of the values.
 */
export const callsOf = (db: Database): RawBuilder<unknown> =>
  isSqlite(db) ? sql`calls indexed by calls_for_lists` : sql`calls`;

/** All calls, as they are asked for in the order of one column: a page of them is then as quick among ten million. */
export const callsBy = (db: Database, column: OrderColumn): RawBuilder<unknown> =>
  isSqlite(db) ? sql`calls indexed by ${sql.ref(ORDERS[column])}` : sql`calls`;

/** The conditions, all of which hold; none for every call. */
export function conditionsOf(db: Database, filter: CallFilter): RawBuilder<boolean>[] {
  const conditions: RawBuilder<boolean>[] = [];
  const asked = <T>(value: T | null, condition: (value: T) => RawBuilder<boolean>): void => {
    if (value !== null) conditions.push(condition(value));
  };
  // A day is a stretch of moments, by which the index is sorted.
  asked(filter.day, (day) => {
    const fromMs = Date.parse(day);
    return sql`admitted_ms >= ${fromMs} and admitted_ms < ${fromMs + DAY_MS}`;
  });
  asked(filter.sinceMs, (ms) => sql`admitted_ms >= ${ms}`);
  asked(filter.untilMs, (ms) => sql`admitted_ms < ${ms}`);
  asked(filter.agent, (agent) => sql`agent = ${storable(agent)}`);
  asked(filter.direction, (direction) => sql`direction = ${storable(direction)}`);
  asked(filter.from, (from) => sql`from_value = ${storable(from)}`);
  asked(filter.number, (number) => withNumber(db, number));
  asked(filter.reasons, (reasons) =>
    reasons.length === 0 ? sql`1 = 0` : sql`reason in (${sql.join(reasons.map(storable))})`,
  );
  asked(filter.result, (result) => sql`result = ${storable(result)}`);
  asked(filter.minDurationMs, (ms) => sql`duration_ms >= ${ms}`);
  asked(filter.maxDurationMs, (ms) => sql`duration_ms <= ${ms}`);
  asked(filter.minNanoUsd, (nanoUsd) => sql`cost_nano_usd >= ${nanoUsd}`);
  asked(filter.maxNanoUsd, (nanoUsd) => sql`cost_nano_usd <= ${nanoUsd}`);
  asked(filter.minLatencyMs, (ms) => sql`latency_ms >= ${ms}`);
  asked(filter.maxLatencyMs, (ms) => sql`latency_ms <= ${ms}`);
  asked(filter.disposition, (disposition) => sql`disposition = ${storable(disposition)}`);
  asked(filter.words, (words) => saidInCall(db, words));
  return conditions;
}

/** As `where …`; nothing for every call. */
export const whereOf = (conditions: readonly RawBuilder<boolean>[]): RawBuilder<unknown> =>
  conditions.length === 0 ? sql`` : sql`where ${sql.join(conditions, sql` and `)}`;

/** How people write numbers: with spaces, dashes, dots and brackets. */
const BETWEEN_DIGITS = /[\s().-]/g;
/** Sorts behind every digit. */
const BEHIND_DIGITS = ':';

function withNumber(db: Database, given: string): RawBuilder<boolean> {
  const bare = given.replace(BETWEEN_DIGITS, '');
  if (/^\+\d+$/.test(bare)) {
    // Each in the words that its engine looks up in an index.
    const begins = isSqlite(db)
      ? (column: string) => sql`(${sql.ref(column)} >= ${bare} and ${sql.ref(column)} < ${bare + BEHIND_DIGITS})`
      : (column: string) => sql`${sql.ref(column)} like ${`${bare}%`}`;
    return sql`(${begins('from_value')} or ${begins('to_value')})`;
  }
  // Of an address of another kind, as it is written; no number holds anything but digits behind its plus.
  const isDigits = /^\d+$/.test(bare);
  const part = storable(isDigits ? bare : given.trim().toLowerCase());
  const within = (column: string): RawBuilder<boolean> => {
    const value = isDigits ? sql.ref(column) : sql`lower(${sql.ref(column)})`;
    return isSqlite(db) ? sql`instr(${value}, ${part}) > 0` : sql`strpos(${value}, ${part}) > 0`;
  };
  return sql`(${within('from_value')} or ${within('to_value')})`;
}
