// From the parameters of a request for a list of calls to the question that the store is asked. Pure.
import { TrunklineError } from '../errors.ts';
import type { CallFilter } from '../store/queries/call-filter.ts';
import type { CallFilterQuery } from './schemas/calls.ts';

const MS_PER_SECOND = 1_000;
const NANO_USD_PER_USD = 1e9;

/** @throws TrunklineError TRK_BAD_REQUEST where two bounds leave nothing between them */
export function filterOf(query: CallFilterQuery): CallFilter {
  const scaled = (value: number | undefined, by: number): number | null =>
    value === undefined ? null : Math.round(value * by);
  ordered('since', query.since, 'until', query.until);
  ordered('min_seconds', query.min_seconds, 'max_seconds', query.max_seconds);
  ordered('min_usd', query.min_usd, 'max_usd', query.max_usd);
  ordered('min_latency_ms', query.min_latency_ms, 'max_latency_ms', query.max_latency_ms);
  return {
    day: query.day ?? null,
    sinceMs: query.since ?? null,
    untilMs: query.until ?? null,
    agent: query.agent ?? null,
    direction: query.direction ?? null,
    from: withPlus(query.from),
    number: withPlus(query.number),
    reasons: query.reason?.split(',') ?? null,
    result: query.result ?? null,
    minDurationMs: scaled(query.min_seconds, MS_PER_SECOND),
    maxDurationMs: scaled(query.max_seconds, MS_PER_SECOND),
    minNanoUsd: scaled(query.min_usd, NANO_USD_PER_USD),
    maxNanoUsd: scaled(query.max_usd, NANO_USD_PER_USD),
    minLatencyMs: query.min_latency_ms ?? null,
    maxLatencyMs: query.max_latency_ms ?? null,
    disposition: query.disposition ?? null,
    words: query.words ?? null,
  };
}

/** A plus that was not escaped has become a space; nothing that is kept begins with one. */
const withPlus = (text: string | undefined): string | null => text?.replace(/^ (?=\d)/, '+') ?? null;

function ordered(low: string, from: number | undefined, high: string, to: number | undefined): void {
  if (from !== undefined && to !== undefined && from > to)
    throw new TrunklineError('TRK_BAD_REQUEST', `${low}: expected no more than ${high}`);
}
