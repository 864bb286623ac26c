// The database with more and more calls in it: what it costs to take one more in, by the way that a server's facts go
// (journal, worker thread, transaction), and how long an operator waits for what is asked most.
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { realClock } from '../src/clock.ts';
import { printRecord } from '../src/store/journal-record.ts';
import type { StoreEvent } from '../src/store/events.ts';
import { ANY_CALL } from '../src/store/queries/call-filter.ts';
import { startStore } from '../src/store/start.ts';
import type { Store } from '../src/store/store.ts';
import { benchAgent, CallClock, factsOf, LongCall } from './growth-call.ts';
import { standingOnlookers } from './growth-onlookers.ts';
import { brief, type PartOptions, PartReport, whole } from './growth-report.ts';
import { type Spread, spreadOf } from './percentiles.ts';

const LIMIT = 50;
const TEN_MILLION = 10_000_000;
/** What a measured call is known by in a database that stays. */
const MARK = 'growth bench';
const CALLS_TOGETHER = 20;

export const databaseSizes = (short: boolean): number[] => (short ? [200, 1_000] : [1_000, 10_000, 100_000]);

export interface DatabaseFigures {
  calls: number;
  /** One call by itself: from its facts taken to all of them in the database. */
  aloneMs: Spread;
  /** Of the whole process, per call, where several came together. */
  insertCpuMs: number;
  insertMs: number;
  /** How many were. */
  inserted: number;
  firstPage: Spread;
  deepPage: Spread;
  one: Spread;
  count: Spread;
  /** By cost, the dearest first. */
  byCost: Spread;
  /** Null: no answer within the store's patience. */
  statistics: Spread | null;
}

/** What one call tells the store: five minutes with 15 turns of the caller and as many answers. */
export async function factsOfOneCall(): Promise<StoreEvent[]> {
  const dataDir = mkdtempSync(join(tmpdir(), 'trunkline-growth-'));
  try {
    const agent = { ...(await benchAgent()), name: MARK };
    const facts: StoreEvent[] = [];
    const call = factsOf(agent, randomUUID());
    const clock = new CallClock(call);
    const incomplete = (what: string): void => {
      throw new Error(`${what} was not written`);
    };
    const onlookers = standingOnlookers({ dataDir, clock, keep: (fact) => void facts.push(fact), incomplete });
    const long = new LongCall(call, onlookers, clock);
    await long.begin();
    for (let minute = 0; minute < 5; minute++) await long.minute(3);
    await long.end();
    // As they are now: what becomes of a turn later is another fact.
    return structuredClone(facts);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** The same facts, of another call. */
function renamed(facts: readonly StoreEvent[]): StoreEvent[] {
  const callId = randomUUID();
  const carrierCallId = `CA${randomBytes(16).toString('hex')}`;
  return facts.map((fact) => {
    if (!('callId' in fact)) return fact;
    return fact.type === 'call.started' ? { ...fact, callId, carrierCallId } : { ...fact, callId };
  });
}

export async function measureDatabase({ short, tenMillionDir, say }: PartOptions): Promise<PartReport> {
  const report = new PartReport();
  say('the facts of one call');
  const facts = await factsOfOneCall();
  const written = writesOf(facts);
  for (const [name, value] of Object.entries(written)) report.figure(`call_${name}`, value);
  const all: DatabaseFigures[] = [];
  for (const calls of databaseSizes(short)) {
    const dataDir = mkdtempSync(join(tmpdir(), 'trunkline-growth-'));
    try {
      say(`${whole(calls)} calls are seeded`);
      await promisify(execFile)(process.execPath, [
        ...[join(import.meta.dirname, 'seed-calls.ts'), '--calls', String(calls), '--data-dir', dataDir],
      ]);
      const bytesBefore = sqliteBytes(dataDir);
      const rounds = short ? 5 : 40;
      const figures = await askDatabase(dataDir, {
        facts,
        rounds,
        say: (text) => say(`${whole(calls)} calls: ${text}`),
      });
      // Of the smallest: its pages hold little else.
      if (all.length === 0) {
        report.figure('call_database_bytes', (sqliteBytes(dataDir) - bytesBefore) / figures.inserted);
        report.figure('call_insert_cpu_ms', figures.insertCpuMs);
      }
      all.push(figures);
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  }
  if (tenMillionDir !== null) {
    const figures = await askDatabase(tenMillionDir, { facts, rounds: 40, say: (text) => say(`the largest: ${text}`) });
    if (figures.calls < TEN_MILLION)
      report.remark(
        `The largest holds ${whole(figures.calls)} calls: ten million were not reached. Statistics are linear, so they would take ${figures.statistics === null ? 'longer than the 10 s that are waited' : `${brief(scaled(figures.statistics.p50, figures.calls))} ms`} at ten million: reckoned, not measured.`,
      );
    all.push(figures);
  }
  tell(report, all);
  report.remark(
    `One call of 5 minutes with 15 turns of the caller, as many answers and 5 tools is ${written.facts} facts in ${brief(written.journal_bytes / 1_024)} KiB of journal, and ${written.rows} rows in the end (${written.turn_rows} turns, ${written.tool_rows} tools, ${written.line_rows} lines of the bill, 1 call).`,
  );
  return report;
}

/** What is linear, at ten million. */
const scaled = (ms: number, calls: number): number => (ms * TEN_MILLION) / calls;

/** Closed: nothing of it lies beside it then. */
const sqliteBytes = (dataDir: string): number => statSync(join(dataDir, 'trunkline.sqlite')).size;

/** What a call writes. Rows are those that stay: a turn that comes again takes its row's place. */
export function writesOf(facts: readonly StoreEvent[]) {
  const keys = (type: StoreEvent['type'], key: (fact: StoreEvent) => unknown): number =>
    new Set(facts.filter((fact) => fact.type === type).map((fact) => String(key(fact)))).size;
  const turn_rows = keys('turn.kept', (fact) => fact.type === 'turn.kept' && fact.turn);
  const tool_rows = keys('tool.kept', (fact) => fact.type === 'tool.kept' && fact.tool);
  const line_rows = keys(
    'line.charged',
    (fact) => fact.type === 'line.charged' && `${fact.line.what} ${fact.line.source}`,
  );
  return {
    facts: facts.length,
    journal_bytes: facts.reduce((sum, fact) => sum + Buffer.byteLength(printRecord(fact)), 0),
    ...{ turn_rows, tool_rows, line_rows, rows: 1 + turn_rows + tool_rows + line_rows },
  };
}

interface Asked {
  facts: readonly StoreEvent[];
  rounds: number;
  say: (text: string) => void;
}

/** Everything of one database; leaves some marked calls in it. */
export async function askDatabase(dataDir: string, { facts, rounds, say }: Asked): Promise<DatabaseFigures> {
  const log = { info() {}, warn: console.warn, error: console.error };
  const nodeId = randomBytes(6).toString('hex');
  const store = await startStore({ dataDir, databaseUrl: null, clock: realClock, log, nodeId, recovers: false });
  try {
    say('asking');
    const list = { ...ANY_CALL, sort: 'admitted', order: 'desc', limit: LIMIT, after: null } as const;
    const newest = await store.ask('listCalls', { ...list, limit: 1 });
    const oldest = await store.ask('listCalls', { ...list, order: 'asc', limit: 1 });
    const ends = [newest, oldest].map((page) => page.calls[0]?.admittedWallMs ?? 0);
    const untilMs = Math.round(((ends[0] ?? 0) + (ends[1] ?? 0)) / 2);
    const known = (await store.ask('listCalls', { ...list, untilMs, limit: 500 })).calls;
    // Where the second half begins: a small database has a whole page behind it too.
    const [deep] = known;
    if (deep === undefined) throw new Error(`${dataDir} holds no calls`);
    const after = { value: deep.admittedWallMs, callId: deep.callId };
    const idOf = (round: number): string => known[(round * 37) % known.length]?.callId ?? deep.callId;
    const firstPage = await timed(rounds, () => store.ask('listCalls', list));
    const deepPage = await timed(rounds, () => store.ask('listCalls', { ...list, after }));
    const one = await timed(rounds, (round) => store.ask('readCall', { callId: idOf(round) }));
    say('counting');
    const count = await timed(Math.min(rounds, 10), () => store.ask('countCalls', ANY_CALL));
    const byCost = await timed(Math.min(rounds, 10), () => store.ask('listCalls', { ...list, sort: 'cost' }));
    const calls = await store.ask('countCalls', ANY_CALL);
    say('statistics');
    const statistics = await timed(3, () => store.ask('callStats', ANY_CALL)).catch(() => null);
    say('taking calls in');
    const taken = await takeIn(store, facts, rounds);
    return { calls, ...taken, firstPage, deepPage, one, count, byCost, statistics };
  } finally {
    await store.close();
  }
}

async function takeIn(
  store: Store,
  facts: readonly StoreEvent[],
  rounds: number,
): Promise<Pick<DatabaseFigures, 'aloneMs' | 'insertCpuMs' | 'insertMs' | 'inserted'>> {
  let inserted = 0;
  const put = async (calls: number): Promise<void> => {
    for (let call = 0; call < calls; call++) for (const fact of renamed(facts)) store.append(fact);
    inserted += calls;
    await store.settled();
  };
  const aloneMs = await timed(Math.min(rounds, 12), () => put(1));
  const times = Math.min(rounds, 5);
  // A new thread has its code to warm up too.
  for (let round = 0; round < times; round++) await put(CALLS_TOGETHER);
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  for (let round = 0; round < times; round++) await put(CALLS_TOGETHER);
  const { user, system } = process.cpuUsage(cpu);
  const calls = times * CALLS_TOGETHER;
  return {
    ...{ aloneMs, inserted },
    insertCpuMs: (user + system) / 1_000 / calls,
    insertMs: (performance.now() - startMs) / calls,
  };
}

/** The first is for warming up, and not told. */
async function timed(rounds: number, ask: (round: number) => Promise<unknown>): Promise<Spread> {
  const took: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const startMs = performance.now();
    await ask(round);
    if (round > 0) took.push(performance.now() - startMs);
  }
  return spreadOf(took);
}

function tell(report: PartReport, all: readonly DatabaseFigures[]): void {
  const spread = ({ p50, p95 }: Spread): string => `${brief(p50)} (${brief(p95)})`;
  for (const one of all) {
    const { calls } = one;
    report.point('database_insert_cpu_ms', calls, one.insertCpuMs);
    report.point('database_first_page_ms', calls, one.firstPage.p50);
    report.point('database_deep_page_ms', calls, one.deepPage.p50);
    report.point('database_one_ms', calls, one.one.p50);
    report.point('database_count_ms', calls, one.count.p50);
    report.point('database_by_cost_ms', calls, one.byCost.p50);
    if (one.statistics !== null) report.point('database_statistics_ms', calls, one.statistics.p50);
  }
  const ratios = ['insert_cpu', 'first_page', 'deep_page', 'one', 'count', 'by_cost', 'statistics'].map((name) => {
    const points = report.curve(`database_${name}_ms`);
    const [first, last] = [
      points[0]?.y ?? Number.NaN,
      points.length === all.length ? (points.at(-1)?.y ?? 0) : Number.NaN,
    ];
    report.figure(`database_${name}_ratio`, last / first);
    return `${brief(last / first)} ×`;
  });
  for (const one of all)
    for (const name of ['aloneMs', 'firstPage', 'deepPage', 'one', 'count', 'byCost'] as const)
      report.figure(`database_${one.calls}_${name}_p95`, one[name].p95);
  report.table(
    'SQLite with so many calls: ms, p50 (p95)',
    [
      ...['calls', 'a call taken in: CPU', 'wall', 'page 1', 'a page in the middle', 'one call by id'],
      ...['count of all', 'page 1 by cost', 'statistics of all'],
    ],
    [
      ...all.map((one) => [
        ...[whole(one.calls), brief(one.insertCpuMs), brief(one.insertMs), spread(one.firstPage), spread(one.deepPage)],
        ...[spread(one.one), spread(one.count), spread(one.byCost)],
        one.statistics === null ? 'no answer in 10 s' : spread(one.statistics),
      ]),
      ['largest to smallest', ratios[0] ?? '', '', ...ratios.slice(1)],
    ],
  );
  report.remark(
    `A call is taken in with all its facts, ${CALLS_TOGETHER} calls together; CPU is that of all threads. One by itself is in the database ${all.map(({ aloneMs }) => brief(aloneMs.p50)).join(', ')} ms after its facts (p50; asked to hurry, else they are gathered for 150 ms).`,
  );
}
