// The growth measurement at tiny sizes: its figures are there, finite and of the right shape; and what is reckoned on paper.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { lookupNs, writeAgents, writeToolAgent } from '../../bench/growth-agents.ts';
import { benchAgent } from '../../bench/growth-call.ts';
import { factsOfOneCall, writesOf } from '../../bench/growth-database.ts';
import { historyRun, lastToFirst, lengthRun, together } from '../../bench/growth-length.ts';
import { glanceTable, sectionOf, withSections } from '../../bench/growth-page.ts';
import {
  ASSUMED,
  bandwidthOf,
  boundsOf,
  fleetOf,
  type Measured,
  modelUse,
  paperTables,
  type Prices,
} from '../../bench/growth-paper.ts';
import { growthPlots } from '../../bench/growth-plots.ts';
import { PartReport } from '../../bench/growth-report.ts';
import { longTape, readTape } from '../../bench/growth-tape.ts';
import { loadAgents } from '../../src/agent/load.ts';
import { readConfig } from '../../src/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'trunkline-growth-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a call of some minutes has a figure for each, and all its files', async () => {
  const run = await lengthRun(await benchAgent(), { minutes: 3, lookEvery: 1, record: true });
  expect(run.faults).toEqual([]);
  expect(run.cpuMs).toHaveLength(3);
  expect(run.heapKib).toHaveLength(3);
  for (const figure of [...run.cpuMs, ...run.heapKib]) expect(figure).toBeGreaterThan(0);
  expect(run.turns).toBe(15);
  // Stereo, 8,000 samples a second: three minutes, the greeting and a header.
  expect(run.wavBytes / (2 * 8_000)).toBeGreaterThan(180);
  expect(run.wavBytes / (2 * 8_000)).toBeLessThan(190);
  expect(run.tapeBytes).toBeGreaterThan(100_000);
  expect(run.recordBytes).toBeGreaterThan(5_000);
});

test('the last minutes are held against the first, the very first left out', () => {
  expect(lastToFirst([90, 10, 10, 12, 20, 20])).toEqual({ first: 10, last: 20, ratio: 2 });
  const long = Array.from({ length: 180 }, (_, minute) => (minute === 0 ? 500 : 10));
  expect(lastToFirst(long).ratio).toBe(1);
});

test('of equal calls the least of each minute counts, and every fault', () => {
  const run = { tapeBytes: 1, wavBytes: 1, recordBytes: 1, turns: 1 };
  const one = together([
    { ...run, cpuMs: [3, 1], heapKib: [10], faults: [] },
    { ...run, cpuMs: [2, 5], heapKib: [12], faults: ['broken'] },
  ]);
  expect(one).toMatchObject({ cpuMs: [2, 1], heapKib: [10], faults: ['broken'] });
});

test('turns of the core are timed by windows, and its history keeps to its bound', async () => {
  const sizes = { turns: 60, window: 20, passes: 1 };
  const { perTurn, remembered, isOver, eventsPerTurn } = await historyRun(await benchAgent(), sizes, () => {});
  expect(isOver).toBe(false);
  expect(perTurn.map(({ turns }) => turns)).toEqual([0, 20, 40]);
  for (const { us } of perTurn) expect(us).toBeGreaterThan(0);
  expect(remembered).toBe(48);
  expect(eventsPerTurn).toBeGreaterThan(5);
});

test('a tape folds to what it says, and is as long as its call', async () => {
  const agent = await benchAgent();
  const [one, two] = [await longTape(agent, 1), await longTape(agent, 2)];
  const figures = readTape(two, 2);
  expect(figures.identical).toBe(true);
  expect(figures.lines).toBe(two.trimEnd().split('\n').length);
  expect(two.length / one.length).toBeGreaterThan(1.6);
  expect(two.length / one.length).toBeLessThan(2.1);
});

test('agents and tools as they are written can be loaded, and each number finds its own', async () => {
  writeAgents(join(folder, 'agents'), 12);
  const agents = await loadAgents(join(folder, 'agents'), readConfig({}));
  expect(agents).toHaveLength(12);
  expect(lookupNs(agents, 100)).toBeGreaterThan(0);
  expect(() => lookupNs(agents.slice(1).concat(agents[0]!).slice(0, 11), 100)).toThrow('no agent');
  writeToolAgent(join(folder, 'tools'), 7);
  const [equipped] = await loadAgents(join(folder, 'tools'), readConfig({}));
  expect(equipped?.tools.map(({ name }) => name)).toContain('trace_order_6');
  expect(equipped?.tools).toHaveLength(7);
});

test('what one call writes is counted by fact and by row', async () => {
  const facts = await factsOfOneCall();
  const written = writesOf(facts);
  expect(facts[0]?.type).toBe('call.started');
  expect(facts.at(-1)?.type).toBe('call.ended');
  expect(written.turn_rows).toBeGreaterThanOrEqual(30);
  expect(written.tool_rows).toBe(5);
  expect(written.rows).toBe(1 + written.turn_rows + written.tool_rows + written.line_rows);
  expect(written.facts).toBeGreaterThan(written.rows);
  expect(written.journal_bytes).toBeGreaterThan(100 * written.facts);
});

const MEASURED: Measured = {
  ...{ cpuMsPerCallSecond: 2, kibPerCall: 1_024, idleMib: 100, ratedCalls: 200 },
  ...{ tapeBytesPerMinute: 200_000, wavBytesPerMinute: 960_000, recordBytesPerTurn: 2_000 },
  ...{ factsPerCall: 100, rowsPerCall: 75, journalBytesPerCall: 45_000, databaseBytesPerCall: 30_000, insertCpuMs: 5 },
};
const PRICES: Prices = {
  model: 'some-model',
  tokens: { text: { fresh: 4, cached: 0.4, out: 24 }, audio: { fresh: 32, cached: 0.4, out: 64 } },
  usdPerCarrierMinute: 0.0129,
};

test('a fleet is what its calls come to', () => {
  const fleet = fleetOf(12_000, MEASURED, PRICES);
  // 60 % of the 200 that were held; by CPU alone it would be 300.
  expect(fleet).toMatchObject({ callsPerProcess: 120, processes: 100, nodes: 13, cores: 104, busyCores: 24 });
  expect(fleet.memoryGib).toBeCloseTo(12_000 / 1_024 + 10_000 / 1_024, 6);
  expect(fleet.newCallsPerSecond).toBe(40);
  expect(fleet.rowWritesPerSecond).toBe(4_000);
  expect(fleet.transactionsPerSecond).toBeCloseTo(100 / 0.15, 6);
  expect(fleet.insertCores).toBeCloseTo(0.2, 9);
  expect(fleet.callsPerDay).toBe(40 * 3_600 * 10);
  // 1.44 million calls of 5 minutes: tape, record and database; then the recording too.
  expect(fleet.tbPerDay).toBeCloseTo(1.44 * (5 * 0.206 + 0.03), 6);
  expect(fleet.recordedTbPerDay - fleet.tbPerDay).toBeCloseTo(1.44 * 5 * 0.96, 6);
  expect(fleet.usdPerMonth.cores).toBeCloseTo(104 * 0.04 * 720, 6);
  expect(fleet.usdPerMonth.carrier).toBeCloseTo(1.44e6 * 30 * 5 * 0.0129, 3);
});

test('processor time bounds a process where it is the dearer', () => {
  expect(fleetOf(1_000, { ...MEASURED, cpuMsPerCallSecond: 10 }, PRICES).callsPerProcess).toBe(60);
  expect(fleetOf(1, { ...MEASURED, ratedCalls: 1 }, PRICES)).toMatchObject({ callsPerProcess: 1, processes: 1 });
});

test('bandwidth is more than the audio and less than three times it', () => {
  const { fromCarrier, toCarrier, toModel, fromModel } = bandwidthOf({ agentSpeaks: 1 });
  for (const bytes of [fromCarrier, toCarrier, toModel, fromModel]) {
    expect(bytes).toBeGreaterThan(8_000 * (4 / 3));
    expect(bytes).toBeLessThan(8_000 * 3);
  }
  expect(toModel).toBe(50 * (263 + 8 + 22 + 52));
  expect(bandwidthOf({ agentSpeaks: 0.5 }).fromModel).toBeLessThan(fromModel * 0.6);
});

test('a call of one turn costs what its tokens do', () => {
  const one = { ...ASSUMED, callMinutes: 1, turnsPerMinute: 1, promptTokens: 1_000, wordTokensPerTurn: 10 };
  const { tokens, usd } = modelUse(PRICES.tokens, { ...one, callerSpeaks: 0.5, agentSpeaks: 0.5, cachedShare: 0 });
  expect(tokens).toBe(1_000 + 300 + 600 + 10);
  expect(usd).toBeCloseTo((1_000 * 4 + 300 * 32 + 600 * 64 + 10 * 24) / 1e6, 12);
  const all = modelUse(PRICES.tokens);
  // Notes of the field have 0.08 to 0.12 dollars a minute for this model.
  expect(all.usd / ASSUMED.callMinutes).toBeGreaterThan(0.05);
  expect(all.usd / ASSUMED.callMinutes).toBeLessThan(0.15);
});

test('bounds stand in their order, and every cell of the tables says something', () => {
  const calls = boundsOf(MEASURED, PRICES).map((bound) => bound.calls);
  expect(calls).toEqual(calls.toSorted((a, b) => a - b));
  expect(calls.every(Number.isFinite)).toBe(true);
  for (const table of Object.values(paperTables(MEASURED, PRICES, [10_000, 100_000])))
    for (const row of table.rows) {
      expect(row).toHaveLength(table.columns.length);
      for (const cell of row) expect(cell).not.toMatch(/^$|NaN|undefined|Infinity/);
    }
});

test('a page gets its sections, and one whose marks are missing is refused', () => {
  const report = new PartReport();
  report.table('Title', ['a'], [['1']]);
  report.fault(true, 'something is wrong');
  const section = sectionOf(report.found, ['growth-tape.svg'], 'measurements/');
  expect(section).toContain('| 1 |');
  expect(section).toContain('](measurements/growth-tape.svg)');
  expect(section).toContain('something is wrong');
  const page = 'Before\n<!-- growth.ts writes: tape -->\nold\n<!-- end of tape -->\nAfter\n';
  const made = withSections(page, { tape: section });
  expect(made).toMatch(/^Before\n[^]*\nAfter\n$/);
  expect(made).not.toContain('old');
  expect(withSections(made, { tape: section })).toBe(made);
  expect(() => withSections(page, { agents: '' })).toThrow('growth.ts writes: agents');
});

test('only what was measured is drawn', () => {
  const curves = {
    tape_parse_ms_per_minute: [
      { x: 1, y: 4 },
      { x: 10, y: 5 },
    ],
  };
  const plots = growthPlots(curves, 'here');
  expect([...plots.keys()]).toEqual(['growth-tape.svg']);
  expect(plots.get('growth-tape.svg')).toContain('</svg>');
  expect(plots.get('growth-tape.svg')).not.toContain('NaN');
});

test('at a glance: what grew is told, and what was not measured is left out', () => {
  const figures = {
    ...{ history_ratio: 1.02, tape_ratio: 1.5, agents_10_load_ms: 1, agents_10_server_ms: 400 },
    ...{ agents_1000_load_ms: 9, agents_1000_server_ms: 1_700, agents_1000_lookup_ns: 8_000 },
    ...{ database_insert_cpu_ratio: 2, database_by_cost_ratio: 90, database_statistics_ratio: Number.NaN },
  };
  const { rows } = glanceTable(figures);
  const of = (what: string) => rows.find(([first]) => first?.includes(what));
  expect(of('a turn of the core')).toEqual([expect.any(String), '1.02 ×', 'flat', 'yes']);
  expect(of('longest tape')?.at(-1)).toBe('**no**');
  expect(of('start with 1000 agents')?.slice(1)).toEqual(['1,700 ms', '< 1 s', '**no**']);
  expect(of('taken into')?.at(-1)).toBe('yes');
  expect(of('(cost)')?.at(-1)).toBe('**no**');
  expect(of('statistics')?.slice(1)).toEqual(['no answer', 'flat', '**no**']);
  expect([of('first message'), of('count of all')]).toEqual([undefined, undefined]);
  for (const row of rows) expect(row.join(' ')).not.toMatch(/NaN|Infinity/);
});
