// The list of calls: every filter and every order against the same told in plain words, on both engines; pages, counts,
// statistics, and words that nobody should search for.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { callFacets } from '../../src/store/queries/call-facets.ts';
import { ANY_CALL, type CallFilter } from '../../src/store/queries/call-filter.ts';
import { type CallPlace, type CallSort, sortedValue } from '../../src/store/queries/call-order.ts';
import { countCalls, listCalls } from '../../src/store/queries/calls-list.ts';
import { callStats } from '../../src/store/queries/calls-stats.ts';
import { hasPostgres, type Postgres, startPostgres } from '../support/postgres.ts';
import { ENGINES } from './engines.ts';
import {
  AGENTS,
  DISPOSITIONS,
  FIRST_MS,
  fits,
  manyCalls,
  NUMBERS,
  REASONS,
  sortedIds,
  WORDS,
  writeCalls,
} from './many-calls.ts';
import fc from '../support/fast-check.ts';

const calls = manyCalls(400);
const SORTS: CallSort[] = ['admitted', 'duration', 'cost', 'latency', 'quality'];
const ORDERS = ['asc', 'desc'] as const;

let postgres: Postgres | null = null;
beforeAll(async () => {
  if (hasPostgres) postgres = await startPostgres();
});
afterAll(() => postgres?.close());

/** Null more often than not, so that some calls fit. */
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value });
const steps = (most: number, size: number) => fc.nat(most).map((n) => n * size);
const moment = steps(44, 8_640_000).map((ms) => FIRST_MS + ms);

const anyFilter: fc.Arbitrary<CallFilter> = fc.record({
  day: maybe(fc.constantFrom('2026-11-01', '2026-11-03', '2026-12-24')),
  sinceMs: maybe(moment),
  untilMs: maybe(moment),
  agent: maybe(fc.constantFrom(...AGENTS, 'nobody')),
  direction: maybe(fc.constantFrom('inbound', 'outbound')),
  from: maybe(fc.constantFrom(...NUMBERS)),
  number: maybe(
    fc.constantFrom(...NUMBERS, '0142', '+49', '(415) 555', '17112345', 'anna@', 'EXAMPLE', '%', "'", '+1 415-555.01'),
  ),
  reasons: maybe(fc.subarray(REASONS)),
  result: maybe(fc.constantFrom('success', 'failure')),
  minDurationMs: maybe(steps(8, 15_000)),
  maxDurationMs: maybe(steps(8, 15_000)),
  minNanoUsd: maybe(steps(6, 10_000_000)),
  maxNanoUsd: maybe(steps(6, 10_000_000)),
  minLatencyMs: maybe(steps(6, 300)),
  maxLatencyMs: maybe(steps(6, 300)),
  disposition: maybe(fc.constantFrom(...DISPOSITIONS)),
  words: maybe(
    fc
      .array(fc.constantFrom(...WORDS, 'ord', 'FRIDAY', '47', 'nothing', '"', '!'), { minLength: 1, maxLength: 3 })
      .map((words) => words.join(' ')),
  ),
});

describe.each(ENGINES)('%s', (engine) => {
  let db: Database;
  beforeAll(async () => {
    db = await openDatabase(
      engine === 'sqlite'
        ? { engine, path: ':memory:' }
        : { engine: 'postgres', url: await (postgres as Postgres).freshUrl() },
    );
    await writeCalls(db, calls);
  });
  afterAll(() => db?.destroy());

  const ids = async (filter: CallFilter, sort: CallSort, order: 'asc' | 'desc', limit: number): Promise<string[]> => {
    const found: string[] = [];
    let after: CallPlace | null = null;
    for (;;) {
      const page: Awaited<ReturnType<typeof listCalls>> = await listCalls(db, { ...filter, sort, order, limit, after });
      found.push(...page.calls.map(({ callId }) => callId));
      const last = page.calls.at(-1);
      if (!page.more || last === undefined) return found;
      expect(page.calls).toHaveLength(limit);
      after = { value: sortedValue(last, sort), callId: last.callId };
    }
  };

  test('whatever is asked, the list and its count are those of the calls that fit', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyFilter,
        fc.constantFrom(...SORTS),
        fc.constantFrom(...ORDERS),
        async (filter, sort, order) => {
          const expected = sortedIds(
            calls.filter((call) => fits(call, filter)),
            sort,
            order,
          );
          expect(await ids(filter, sort, order, 60)).toEqual(expected);
          expect(await countCalls(db, filter)).toBe(expected.length);
        },
      ),
      { numRuns: 150 },
    );
  });

  const ONE_BY_ONE: [string, Partial<CallFilter>][] = [
    ['day', { day: '2026-11-03' }],
    ['since', { sinceMs: FIRST_MS + 86_400_000 }],
    ['until', { untilMs: FIRST_MS + 86_400_000 }],
    ...AGENTS.map((agent): [string, Partial<CallFilter>] => ['agent', { agent }]),
    ['direction', { direction: 'outbound' }],
    ...NUMBERS.map((from): [string, Partial<CallFilter>] => ['caller', { from }]),
    ...['0142', '+49171', '+14155550142', '(415) 555-0143', 'anna@example', 'sip:'].map(
      (number): [string, Partial<CallFilter>] => ['number', { number }],
    ),
    ['reasons', { reasons: ['model_lost', 'agent_goodbye'] }],
    ['result', { result: 'failure' }],
    ['least duration', { minDurationMs: 30_000 }],
    ['most duration', { maxDurationMs: 30_000 }],
    ['least cost', { minNanoUsd: 20_000_000 }],
    ['most cost', { maxNanoUsd: 20_000_000 }],
    ['least latency', { minLatencyMs: 600 }],
    ['most latency', { maxLatencyMs: 600 }],
    ['disposition', { disposition: 'wrong number' }],
    ...['order', 'FRIDAY', 'müller', "don't", '4711 order', 'two-thirds', 'fri', 'order frid'].map(
      (words): [string, Partial<CallFilter>] => ['words', { words }],
    ),
  ];
  test.each(ONE_BY_ONE)('narrowed by %s %j it is shorter, and not empty', async (_name, narrowed) => {
    const filter = { ...ANY_CALL, ...narrowed };
    const found = await ids(filter, 'admitted', 'desc', 200);
    expect(found).toEqual(
      sortedIds(
        calls.filter((call) => fits(call, filter)),
        'admitted',
        'desc',
      ),
    );
    expect(found.length).toBeGreaterThan(0);
    expect(found.length).toBeLessThan(calls.length);
  });

  test('no reason at all fits no call', async () => {
    expect(await countCalls(db, { ...ANY_CALL, reasons: [] })).toBe(0);
  });

  test.each(SORTS.flatMap((sort) => ORDERS.map((order) => [sort, order] as const)))(
    'pages by %s %s hold every call once',
    async (sort, order) => {
      const found = await ids(ANY_CALL, sort, order, 7);
      expect(found).toEqual(sortedIds(calls, sort, order));
    },
  );

  test('behind a call that is not known there is no page', async () => {
    const after = { value: FIRST_MS, callId: 'nobody' };
    await expect(
      listCalls(db, { ...ANY_CALL, sort: 'admitted', order: 'desc', limit: 5, after }),
    ).rejects.toMatchObject({ code: 'TRK_BAD_REQUEST' });
  });

  test('no words are a wrong question', async () => {
    const hostile = [
      ...['"', "'", '*', '""', '"*"', 'a*', '-a', '^a', 'a:b', 'said:order', '{said} : order', 'NEAR(order friday)'],
      ...['order AND', 'OR', 'NOT order', '(order', 'order)', '+order', 'a & b', '!order', ':*', '<->', '\\', "\\'"],
      ...['order\0', '\0', '', ' ', '😀', 'नमस्ते', '\ud800', '\u{1e900}', 'x'.repeat(10_000), 'order '.repeat(5_000)],
      ...["'; drop table calls; --", '%', '_', '$1', '?', '\u200b', '§', 'a\u0301', "l'"],
    ];
    for (const words of hostile) {
      const count = await countCalls(db, { ...ANY_CALL, words });
      expect(count, words.slice(0, 20)).toBeGreaterThanOrEqual(0);
    }
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async (words) => {
        await countCalls(db, { ...ANY_CALL, words, number: words });
      }),
      { numRuns: 150 },
    );
    expect(await countCalls(db, { ...ANY_CALL, words: 'order' })).toBeGreaterThan(0);
    // Operators of either engine are words like others.
    expect(await countCalls(db, { ...ANY_CALL, words: 'order OR friday' })).toBe(0);
  });

  test('statistics are those of the calls that fit, percentiles the values of calls', async () => {
    await fc.assert(
      fc.asyncProperty(anyFilter, async (filter) => {
        expect(await callStats(db, filter)).toEqual(statsOf(calls.filter((call) => fits(call, filter))));
      }),
      { numRuns: 100, examples: [[ANY_CALL]] },
    );
  });

  test.each([0, 1, 2, 3, 19, 20, 21])('statistics of %i calls in all', async (count) => {
    const few = await openDatabase(
      engine === 'sqlite'
        ? { engine, path: ':memory:' }
        : { engine: 'postgres', url: await (postgres as Postgres).freshUrl() },
    );
    try {
      await writeCalls(few, calls.slice(0, count));
      expect(await callStats(few, ANY_CALL)).toEqual(statsOf(calls.slice(0, count)));
    } finally {
      await few.destroy();
    }
  });

  test('what there is to choose from is every value, once', async () => {
    expect(await callFacets(db, null)).toEqual({
      agents: AGENTS.toSorted(),
      reasons: REASONS.toSorted(),
      dispositions: DISPOSITIONS.toSorted(),
    });
  });
});

/** The statistics of calls, told in plain words. */
function statsOf(own: typeof calls): Awaited<ReturnType<typeof callStats>> {
  const spread = (values: (number | null | undefined)[]) => {
    const sorted = values.filter((value) => typeof value === 'number').toSorted((a, b) => a - b);
    const at = (percent: number) => sorted[Math.max(0, Math.ceil((percent * sorted.length) / 100) - 1)] ?? null;
    return { p50: at(50), p95: at(95) };
  };
  return {
    calls: own.length,
    ended: own.filter(({ reason }) => reason !== null).length,
    successes: own.filter(({ result }) => result === 'success').length,
    failures: own.filter(({ result }) => result === 'failure').length,
    cost: {
      nanoUsd: own.reduce((sum, { cost_nano_usd: cost }) => sum + cost, 0),
      unpricedCalls: 0,
      ...spread(own.map(({ cost_nano_usd: cost }) => cost)),
    },
    latencyMs: {
      ...spread(own.map(({ latency_ms: ms }) => ms)),
      calls: own.filter(({ latency_ms: ms }) => ms !== null).length,
    },
    durationMs: spread(own.map(({ duration_ms: ms }) => ms)),
  };
}
