// How long a page of the list of calls, its count and its statistics take, asked as the server asks: through the store's worker
// threads. For a database as seed-calls.ts makes it.
//   node bench/calls-list.ts --data-dir /tmp/million [--database-url postgres://…] [--rounds 5]
import { parseArgs } from 'node:util';
import { realClock } from '../src/clock.ts';
import { startStore } from '../src/store/start.ts';
import type { Store } from '../src/store/store.ts';
import { ANY_CALL, type CallFilter } from '../src/store/queries/call-filter.ts';
import { type CallSort, sortedValue } from '../src/store/queries/call-order.ts';

interface Asked {
  title: string;
  filter: Partial<CallFilter>;
  sort?: CallSort;
  order?: 'asc' | 'desc';
  /** The page behind so many. */
  behind?: number;
}

const MONTH_MS = 30 * 86_400_000;
const NOW_MS = Date.UTC(2026, 10, 21);
const LIMIT = 50;

const ASKED: Asked[] = [
  { title: 'all calls', filter: {} },
  { title: 'all, by cost', filter: {}, sort: 'cost' },
  { title: 'all, by latency, the quickest first', filter: {}, sort: 'latency', order: 'asc' },
  { title: 'all, by quality, 20 pages on', filter: {}, sort: 'quality', order: 'asc', behind: 1_000 },
  { title: 'of 30 days', filter: { sinceMs: NOW_MS - MONTH_MS } },
  { title: 'of one day', filter: { day: '2026-08-01' }, sort: 'duration' },
  { title: 'agent', filter: { agent: 'Roadside' } },
  { title: 'agent, by duration', filter: { agent: 'Harbor Clinic' }, sort: 'duration' },
  {
    title: 'reasons, failures, by cost',
    filter: { reasons: ['model_lost', 'internal_error'], result: 'failure' },
    sort: 'cost',
  },
  { title: 'a part of a number', filter: { number: '21234' } },
  { title: 'a whole number', filter: { number: '+14152000042' }, sort: 'cost' },
  { title: 'a number that is not there', filter: { number: '999999' } },
  {
    title: 'agent, disposition, direction, slow',
    filter: { agent: 'Bank Cards', disposition: 'blocked', direction: 'inbound', minLatencyMs: 1_500 },
    sort: 'latency',
  },
  { title: 'long and cheap, by quality', filter: { minDurationMs: 600_000, maxNanoUsd: 150_000_000 }, sort: 'quality' },
  { title: 'short and dear: none', filter: { maxDurationMs: 10_000, minNanoUsd: 5_000_000_000 } },
  {
    title: 'everything at once',
    filter: {
      sinceMs: NOW_MS - 12 * MONTH_MS,
      agent: 'Parcel Tracing',
      direction: 'inbound',
      reasons: ['agent_goodbye', 'transferred'],
      result: 'success',
      minDurationMs: 30_000,
      maxLatencyMs: 900,
      minNanoUsd: 10_000_000,
      disposition: 'found',
      number: '415',
    },
    sort: 'cost',
  },
  { title: 'words that few say', filter: { words: '77777' } },
  { title: 'words that many say', filter: { words: 'appointment friday' } },
  { title: 'a word that nearly all say', filter: { words: 'number' }, sort: 'cost' },
  { title: 'how a word begins', filter: { words: 'appoint' } },
];

const { values } = parseArgs({
  options: {
    'data-dir': { type: 'string', default: 'data' },
    'database-url': { type: 'string' },
    rounds: { type: 'string', default: '5' },
  },
});
const log = { info() {}, warn: console.warn, error: console.error };
const store = await startStore({
  ...{ dataDir: values['data-dir'], databaseUrl: values['database-url'] ?? null, clock: realClock, log },
  ...{ nodeId: 'ca11571570ff', recovers: false },
});
try {
  await measure(store, Number(values.rounds));
} finally {
  await store.close();
}

async function measure(asking: Store, rounds: number): Promise<void> {
  console.log('Milliseconds: p50 (worst; processor time).\n');
  console.log('| list | calls | page ms | count ms | page + count ms | statistics ms |');
  console.log('|---|---:|---:|---:|---:|---:|');
  for (const asked of ASKED) {
    const filter = { ...ANY_CALL, ...asked.filter };
    const list = { ...filter, sort: asked.sort ?? 'admitted', order: asked.order ?? 'desc' } as const;
    let after = null;
    if (asked.behind !== undefined) {
      const before = (await asking.ask('listCalls', { ...list, limit: asked.behind, after: null })).calls.at(-1);
      if (before !== undefined) after = { value: sortedValue(before, list.sort), callId: before.callId };
    }
    const page = await timed(rounds, () => asking.ask('listCalls', { ...list, limit: LIMIT, after }));
    const count = await timed(rounds, () => asking.ask('countCalls', filter));
    const both = await timed(rounds, () =>
      Promise.all([asking.ask('listCalls', { ...list, limit: LIMIT, after }), asking.ask('countCalls', filter)]),
    );
    const stats = await timed(rounds, () => asking.ask('callStats', filter));
    const calls = await asking.ask('countCalls', filter);
    console.log(`| ${asked.title} | ${calls} | ${page} | ${count} | ${both} | ${stats} |`);
  }
  console.log(`\nfacets: ${await timed(rounds, () => asking.ask('callFacets', null))} ms`);
}

/**
 * p50 and the worst of some rounds, in milliseconds; then what they took of the processors, which other work on the machine
 * does not change (of PostgreSQL it is only our part).
 */
async function timed(rounds: number, ask: () => Promise<unknown>): Promise<string> {
  const took: number[] = [];
  const cpu = process.cpuUsage();
  for (let round = 0; round < rounds; round++) {
    const startMs = performance.now();
    await ask();
    took.push(performance.now() - startMs);
  }
  const { user, system } = process.cpuUsage(cpu);
  const sorted = took.toSorted((a, b) => a - b);
  const p50 = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  return `${p50.toFixed(0)} (${Math.max(...sorted).toFixed(0)}; ${((user + system) / 1_000 / rounds).toFixed(0)})`;
}
