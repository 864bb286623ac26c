// What is asked about calls and costs, on both engines, against sums that are added up here one by one.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { readBill } from '../../src/store/queries/calls-bill.ts';
import { ANY_CALL } from '../../src/store/queries/call-filter.ts';
import type { CallPlace } from '../../src/store/queries/call-order.ts';
import { countCalls, listCalls } from '../../src/store/queries/calls-list.ts';
import { type CallSummary, callsBeginning, readCall, whatIsKept } from '../../src/store/queries/calls.ts';
import { readCosts } from '../../src/store/queries/costs.ts';
import type { CostSums } from '../../src/store/queries/costs-sums.ts';
import type { LinesTable } from '../../src/store/schema.ts';
import { hasPostgres, type Postgres, startPostgres } from '../support/postgres.ts';
import { AGENTS, inMemory, seed, type SeededCall, write } from './seed.ts';

const seeded = seed({ calls: 300, days: 4, answers: 5, seed: 7 });
// The process died before it could say who called; its money is there all the same.
const orphan: LinesTable = { ...(seeded.lines[0] as LinesTable), call_id: 'orphan', day: '2026-11-02' };
const lines = [...seeded.lines, orphan];
const callOf = new Map(seeded.calls.map((call) => [call.call_id, call]));
const ANY = { ...ANY_CALL, sort: 'admitted', order: 'desc' } as const;
const ID = /^0000000[0-9a-f]-/;

let postgres: Postgres | null = null;
beforeAll(async () => {
  if (hasPostgres) postgres = await startPostgres();
});
afterAll(() => postgres?.close());

describe.each(['sqlite', 'postgres'] as const)('%s', (engine) => {
  const skipped = engine === 'postgres' && !hasPostgres;
  let db: Database;
  let empty: Database;

  beforeAll(async () => {
    if (skipped) return;
    const open = async () =>
      engine === 'sqlite'
        ? inMemory()
        : openDatabase({ engine: 'postgres', url: await (postgres as Postgres).freshUrl() });
    db = await open();
    empty = await open();
    await write(db, { ...seeded, lines });
    await db
      .insertInto('residues')
      .values([
        {
          day: '2026-11-01',
          seller: 'openai',
          product: 'gpt-realtime-2.1',
          cause: 'tax',
          nano_usd: 5,
          beside_nano_usd: 5,
          note: 'a',
        },
        {
          day: '2026-11-02',
          seller: 'openai',
          product: 'gpt-realtime-2.1',
          cause: 'tax',
          nano_usd: 7,
          beside_nano_usd: 2,
          note: 'b',
        },
        {
          day: '2026-11-02',
          seller: 'twilio',
          product: 'twilio/leg',
          cause: 'free_tier',
          nano_usd: -3,
          beside_nano_usd: -3,
          note: 'c',
        },
        {
          day: '2026-11-09',
          seller: 'twilio',
          product: 'twilio/leg',
          cause: 'unknown',
          nano_usd: 99,
          beside_nano_usd: 99,
          note: 'd',
        },
      ])
      .execute();
  });
  afterAll(async () => {
    await db?.destroy();
    await empty?.destroy();
  });

  test.skipIf(skipped).each(['day', 'agent', 'model'] as const)(
    'costs by %s are the sums of their lines',
    async (by) => {
      const [from, to] = ['2026-11-02', '2026-11-03'];
      const costs = await readCosts(db, { from, to, by });
      const inside = ({ day }: { day: string }) => day >= from && day <= to;
      const keyOf = (line: LinesTable) => (by === 'day' ? line.day : (callOf.get(line.call_id)?.[by] ?? null));
      const counted = seeded.calls.filter(inside);
      const charged = lines.filter(inside);
      const keys = new Set([...counted.map((call) => call[by] as string | null), ...charged.map(keyOf)]);
      expect(new Set(costs.rows.map(({ key }) => key))).toEqual(keys);
      expect(costs.rows).toHaveLength(keys.size);
      if (by !== 'day') expect(keys).toContain(null);
      for (const { key, ...row } of costs.rows)
        expect(row, String(key)).toEqual(
          plainly(
            counted.filter((call) => call[by] === key),
            charged.filter((line) => keyOf(line) === key),
          ),
        );
      expect(costs.total).toEqual(plainly(counted, charged));
      const unknown = charged.filter(({ cost_nano_usd }) => cost_nano_usd === null).length;
      expect(unknown).toBeGreaterThan(0);
      expect(costs.unpriced).toEqual([{ product: 'gpt-of-tomorrow', lines: unknown }]);
    },
  );

  test.skipIf(skipped)('days come in their order, agents and models with the most expensive first', async () => {
    const [days, agents] = await Promise.all(
      (['day', 'agent'] as const).map((by) => readCosts(db, { from: '2026-11-01', to: '2026-11-04', by })),
    );
    expect(days?.rows.map(({ key }) => key)).toEqual(['2026-11-01', '2026-11-02', '2026-11-03', '2026-11-04']);
    const sums = agents?.rows.map(({ total }) => total.nanoUsd) ?? [];
    expect(sums).toHaveLength(4);
    expect(sums).toEqual(sums.toSorted((a, b) => b - a));
  });

  test.skipIf(skipped)('residues are summed by what caused them, inside the days', async () => {
    const { residues } = await readCosts(db, { from: '2026-11-01', to: '2026-11-02', by: 'day' });
    expect(residues).toEqual([
      { seller: 'openai', product: 'gpt-realtime-2.1', cause: 'tax', nanoUsd: 12, besideNanoUsd: 7 },
      { seller: 'twilio', product: 'twilio/leg', cause: 'free_tier', nanoUsd: -3, besideNanoUsd: -3 },
    ]);
  });

  test.skipIf(skipped)('the pages of the list hold every call once, the newest first', async () => {
    const ids: string[] = [];
    let after: CallPlace | null = null;
    for (;;) {
      const { calls, more } = await listCalls(db, { ...ANY, limit: 37, after });
      ids.push(...calls.map(({ callId }) => callId));
      after = placeBehind(calls.at(-1));
      if (!more) break;
    }
    expect(ids).toEqual(newestFirst(seeded.calls).map(({ call_id }) => call_id));
  });

  test.skipIf(skipped)('calls of one moment are told apart by their ids, across pages too', async () => {
    const [call] = seeded.calls as [SeededCall];
    const twins = ['t-1', 't-2', 't-3'].map((call_id) => ({ ...call, call_id, agent: 'Twins' }));
    await db.insertInto('calls').values(twins).execute();
    try {
      const first = await listCalls(db, { ...ANY, agent: 'Twins', limit: 2, after: null });
      const second = await listCalls(db, { ...ANY, agent: 'Twins', limit: 2, after: placeBehind(first.calls.at(-1)) });
      expect([first.more, second.more]).toEqual([true, false]);
      expect([...first.calls, ...second.calls].map(({ callId }) => callId)).toEqual(['t-3', 't-2', 't-1']);
    } finally {
      await db.deleteFrom('calls').where('agent', '=', 'Twins').execute();
    }
  });

  test.skipIf(skipped).each([
    ['day', { day: '2026-11-02' }, (call: SeededCall) => call.day === '2026-11-02'],
    ['agent', { agent: AGENTS[2] as string }, (call: SeededCall) => call.agent === AGENTS[2]],
    ['caller', { from: '+15550000007' }, (call: SeededCall) => call.from_value === '+15550000007'],
    ['reason', { reasons: ['model_lost'] }, (call: SeededCall) => call.reason === 'model_lost'],
  ])('the list and its count can be narrowed by %s', async (_name, narrowed, fits) => {
    const filter = { ...ANY, ...narrowed };
    const expected = newestFirst(seeded.calls.filter(fits)).map(({ call_id }) => call_id);
    const { calls } = await listCalls(db, { ...filter, limit: 1000, after: null });
    expect(expected.length).toBeGreaterThan(0);
    expect(calls.map(({ callId }) => callId)).toEqual(expected);
    expect(await countCalls(db, filter)).toBe(expected.length);
  });

  test.skipIf(skipped)('each call of the list has the sum of its own lines', async () => {
    const { calls } = await listCalls(db, { ...ANY, limit: 1000, after: null });
    for (const { callId, cost } of calls) {
      const own = lines.filter(({ call_id }) => call_id === callId);
      expect(cost).toEqual({
        nanoUsd: own.reduce((sum, { cost_nano_usd }) => sum + (cost_nano_usd ?? 0), 0),
        lines: own.length,
        unpricedLines: own.filter(({ cost_nano_usd }) => cost_nano_usd === null).length,
      });
    }
    expect(calls).toHaveLength(300);
  });

  test.skipIf(skipped)(
    'a call comes with its words: heard ones, unheard ones, and none out of stored facts',
    async () => {
      const [call] = seeded.calls as [SeededCall];
      const read = await readCall(db, { callId: call.call_id });
      expect(read?.turns.map(({ who, said, heard, unheard }) => [who, said, heard, unheard])).toEqual([
        ['agent', 'Harbor Clinic, hello.', 'Harbor Clinic, hello.', ''],
        ['caller', 'I need a slot on Friday.', null, null],
        ['agent', 'Friday at nine, or at ten?', 'Friday at nine,', 'or at ten?'],
      ]);
      expect(read?.turns.map(({ outcome, voiceToVoiceMs }) => outcome ?? voiceToVoiceMs)).toEqual([
        'heard',
        812,
        'interrupted',
      ]);
      expect(read?.tools).toHaveLength(1);
      expect(JSON.stringify(read)).not.toContain('SECRET FACT');
      expect(await readCall(db, { callId: 'nobody' })).toBeNull();
    },
  );

  test.skipIf(skipped)('a bill has the lines in their order, and their sums by state', async () => {
    const { call_id: callId } = seeded.calls[3] as SeededCall;
    const own = lines.filter(({ call_id }) => call_id === callId);
    const bill = await readBill(db, { callId });
    expect(bill?.lines.map(({ source }) => source).toSorted()).toEqual(own.map(({ source }) => source).toSorted());
    const times = bill?.lines.map(({ atWallMs }) => atWallMs) ?? [];
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    for (const state of ['estimated', 'metered', 'billed'] as const) {
      const ofState = own.filter((line) => line.state === state);
      expect(bill?.byState[state]).toEqual({
        lines: ofState.length,
        nanoUsd: ofState.reduce((sum, { cost_nano_usd }) => sum + (cost_nano_usd ?? 0), 0),
        unpricedLines: ofState.filter(({ cost_nano_usd }) => cost_nano_usd === null).length,
        billedNanoUsd: ofState.reduce((sum, { billed_nano_usd }) => sum + (billed_nano_usd ?? 0), 0),
      });
    }
    const leg = bill?.lines.find(({ what }) => what === 'leg');
    const minutes = own.find(({ what }) => what === 'leg')?.pieces as number;
    expect(leg).toMatchObject({
      quantities: { unit: 'minutes', seconds: minutes * 60 - 0.5, minutes },
      unitPrice: { per: 'minute', nanoUsd: 8_500_000 },
      costNanoUsd: minutes * 8_500_000,
    });
  });

  test.skipIf(skipped)('a bill of lines whose call is not known is there, one of nothing is not', async () => {
    expect((await readBill(db, { callId: 'orphan' }))?.total.lines).toBe(1);
    expect(await readBill(db, { callId: 'nobody' })).toBeNull();
  });

  test.skipIf(skipped)('ids are found by how they begin, and nothing in a beginning is a pattern', async () => {
    const found = await callsBeginning(db, { beginning: '0000000' });
    expect(found).toHaveLength(3);
    for (const id of found) expect(id).toMatch(ID);
    expect(await callsBeginning(db, { beginning: '0000000_' })).toEqual([]);
    expect(await callsBeginning(db, { beginning: seeded.calls[1]?.call_id as string })).toHaveLength(1);
  });

  test.skipIf(skipped)('tells what is kept, also where that is nothing', async () => {
    expect(await whatIsKept(db, null)).toEqual({
      ...{ calls: 300, lastCallDay: '2026-11-04', lastDay: '2026-11-04' },
      agents: AGENTS.toSorted(),
    });
    expect(await whatIsKept(empty, null)).toEqual({ calls: 0, lastCallDay: null, lastDay: null, agents: [] });
    const nothing = await readCosts(empty, { from: '2026-11-01', to: '2026-11-30', by: 'day' });
    expect(nothing).toEqual({ rows: [], total: plainly([], []), unpriced: [], residues: [] });
  });
});

const placeBehind = (call: CallSummary | undefined): CallPlace | null =>
  call === undefined ? null : { value: call.admittedWallMs, callId: call.callId };

const newestFirst = (calls: readonly SeededCall[]): SeededCall[] =>
  calls.toSorted((a, b) => b.admitted_ms - a.admitted_ms || (a.call_id < b.call_id ? 1 : -1));

/** The sums, line by line, with the prices of `seed.ts` written down once more. */
function plainly(calls: readonly SeededCall[], of: readonly LinesTable[]): CostSums {
  const total = (some: readonly LinesTable[], cost: (line: LinesTable) => number | null = (l) => l.cost_nano_usd) =>
    Number(some.reduce((sum, line) => sum + BigInt(cost(line) ?? 0), 0n));
  const sum = (some: readonly LinesTable[]) => ({
    nanoUsd: total(some),
    unpricedLines: some.filter(({ cost_nano_usd }) => cost_nano_usd === null).length,
  });
  const what = (...names: string[]) => of.filter((line) => names.includes(line.what));
  const answers = what('answer');
  const tokens = (column: 'text_fresh' | 'audio_fresh' | 'image_fresh' | 'text_cached' | 'audio_cached') =>
    answers.reduce((all, line) => all + line[column], 0);
  const kind = (full: number, mini: number, column: keyof LinesTable) => ({
    nanoUsd: total(answers, (line) => (line[column] as number) * (line.product.endsWith('mini') ? mini : full)),
    unpricedLines: 0,
  });
  const state = (name: string) => {
    const some = of.filter((line) => line.state === name);
    return { ...sum(some), lines: some.length };
  };
  const reconciled = of.filter(({ billed_nano_usd }) => billed_nano_usd !== null);
  const cachedTokens = tokens('text_cached') + tokens('audio_cached');
  return {
    calls: calls.length,
    talkMs: calls.reduce(
      (ms, { ended_ms, media_started_ms }) =>
        ms + (ended_ms === null || media_started_ms === null ? 0 : ended_ms - media_started_ms),
      0,
    ),
    kinds: {
      textIn: kind(4_000, 600, 'text_fresh'),
      textCached: kind(400, 60, 'text_cached'),
      textOut: kind(24_000, 2_400, 'text_out'),
      audioIn: kind(32_000, 10_000, 'audio_fresh'),
      audioCached: kind(400, 300, 'audio_cached'),
      audioOut: kind(64_000, 20_000, 'audio_out'),
      modelOther: kind(5_000, 800, 'image_fresh'),
      transcription: sum(what('transcription')),
      carrier: sum(what('leg', 'media_stream')),
      tools: sum(what('tool')),
    },
    model: sum(answers),
    total: sum(of),
    states: { estimated: state('estimated'), metered: state('metered'), billed: state('billed') },
    reconciled: {
      lines: reconciled.length,
      nanoUsd: total(reconciled),
      billedNanoUsd: total(reconciled, (line) => line.billed_nano_usd),
    },
    inputTokens: cachedTokens + tokens('text_fresh') + tokens('audio_fresh') + tokens('image_fresh'),
    cachedTokens,
  };
}
