// What the calls that fit come to: how many, how they ended, and the middle and the slow end of what they cost, how long they
// took and how long their callers waited. Percentiles are exact: each is the value of one call (nearest rank).
import { type RawBuilder, sql } from 'kysely';
import { type Database, isSqlite } from '../database.ts';
import { callsBy, callsOf, conditionsOf, whereOf } from './call-conditions.ts';
import type { CallFilter } from './call-filter.ts';

/** Null: no call has such a value. */
export interface Spread {
  p50: number | null;
  p95: number | null;
}

export interface CallStats {
  calls: number;
  /** The others are under way, or their process died. */
  ended: number;
  successes: number;
  failures: number;
  /** By the price book. Of unpriced calls some line has no price: the sum is less than the truth. */
  cost: Spread & { nanoUsd: number; unpricedCalls: number };
  /** Medians of the calls' own turns, voice to voice; `calls`: how many have one. */
  latencyMs: Spread & { calls: number };
  /** From the start of the media to the end. */
  durationMs: Spread;
}

interface Sums {
  calls: number;
  ended: number;
  successes: number;
  failures: number;
  nano_usd: number;
  unpriced: number;
  latencies: number;
  durations: number;
}

/** Everything about the calls that fit. */
export async function callStats(db: Database, filter: CallFilter): Promise<CallStats> {
  const fits = conditionsOf(db, filter);
  const { rows } = await sql<Sums>`select count(*) as calls, count(reason) as ended,
    count(case when result = 'success' then 1 end) as successes,
    count(case when result = 'failure' then 1 end) as failures,
    coalesce(sum(cost_nano_usd), 0) as nano_usd, count(case when unpriced_lines > 0 then 1 end) as unpriced,
    count(latency_ms) as latencies, count(duration_ms) as durations from ${callsOf(db)} ${whereOf(fits)}`.execute(db);
  const sums = rows[0] as Sums;
  const spreads = await spreadsOf(db, fits, sums);
  return {
    ...{ calls: sums.calls, ended: sums.ended, successes: sums.successes, failures: sums.failures },
    cost: { nanoUsd: sums.nano_usd, ...spreads.cost, unpricedCalls: sums.unpriced },
    latencyMs: { ...spreads.latency, calls: sums.latencies },
    durationMs: spreads.duration,
  };
}

const SPREADS = { cost: 'cost_nano_usd', latency: 'latency_ms', duration: 'duration_ms' } as const;
type SpreadName = keyof typeof SPREADS;
const PERCENTS = [50, 95] as const;

async function spreadsOf(
  db: Database,
  fits: readonly RawBuilder<boolean>[],
  { calls, latencies, durations }: Sums,
): Promise<Record<SpreadName, Spread>> {
  const counts = { cost: calls, latency: latencies, duration: durations };
  const ofAll = isSqlite(db) && fits.length === 0;
  const asked = (Object.keys(SPREADS) as SpreadName[]).flatMap((name) =>
    PERCENTS.map((percent) => {
      const rank = rankOf(percent, counts[name]);
      const spread = ofAll ? nthOfAll(db, name, rank, counts[name]) : percentile(db, name, percent, rank, counts[name]);
      return sql`${spread} as ${sql.ref(`${name}${percent}`)}`;
    }),
  );
  const from = ofAll ? sql`` : sql`from ${callsOf(db)} ${whereOf(fits)}`;
  const { rows } = await sql<Record<string, number | null>>`select ${sql.join(asked)} ${from}`.execute(db);
  const row = rows[0] ?? {};
  const spread = (name: SpreadName): Spread => ({ p50: row[`${name}50`] ?? null, p95: row[`${name}95`] ?? null });
  return { cost: spread('cost'), latency: spread('latency'), duration: spread('duration') };
}

/** The nearest rank, counted from 0. */
const rankOf = (percent: number, count: number): number => Math.max(0, Math.ceil((percent * count) / 100) - 1);

function percentile(db: Database, name: SpreadName, percent: number, rank: number, count: number): RawBuilder<unknown> {
  const value = sql.ref(SPREADS[name]);
  if (!isSqlite(db)) return sql`percentile_disc(${sql.lit(percent / 100)}) within group (order by ${value})`;
  // SQLite takes the value at a share of the way from the first (0) to the last (1), rounded down.
  return sql`percentile_disc(${value}, ${sql.lit(count <= 1 ? 0 : Math.min(1, (rank + 0.5) / (count - 1)))})`;
}

/** Of all calls: their index is walked to the place, from the nearer end. Sorting ten million values takes longer than is waited. */
function nthOfAll(db: Database, name: SpreadName, rank: number, count: number): RawBuilder<unknown> {
  const value = sql.ref(SPREADS[name]);
  const fromEnd = count - 1 - rank;
  const [way, offset] = fromEnd < rank ? [sql`desc`, fromEnd] : [sql`asc`, rank];
  return sql`(select ${value} from ${callsBy(db, SPREADS[name])} where ${value} is not null
    order by ${value} ${way} limit 1 offset ${Math.max(0, offset)})`;
}
