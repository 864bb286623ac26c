// Facts become rows: whatever comes twice, out of order, or of a call that nobody knows.
import { describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import type { LineCharged, StoreEvent } from '../../src/store/events.ts';
import { readAgentFile, readAudit } from '../../src/store/queries/agents-audit.ts';
import { applyEvents } from '../../src/store/queries/apply.ts';
import { billLines } from '../../src/store/queries/reconcile.ts';
import { useEngines, ENGINES } from './engines.ts';
import { agentSaid, AT_MS, audited, callerSaid, charged, ended, started, toolRan } from './facts.ts';
import fc from '../support/fast-check.ts';

const engines = useEngines();

/** Everything that facts can change. */
async function rows(db: Database) {
  return {
    calls: await db.selectFrom('calls').selectAll().orderBy('call_id').execute(),
    lines: await db.selectFrom('lines').selectAll().orderBy('call_id').orderBy('what').orderBy('source').execute(),
    turns: await db.selectFrom('turns').selectAll().orderBy('call_id').orderBy('turn').execute(),
    tools: await db.selectFrom('tools').selectAll().orderBy('call_id').orderBy('tool').execute(),
  };
}

describe.each(ENGINES)('%s', (engine) => {
  const open = async (): Promise<Database> => engines.open(await engines.place(engine));

  test('keeps a whole call', async () => {
    const db = await open();
    const said = agentSaid('c1', 1, 'Your order left', ' on Monday.');
    await applyEvents(db, [
      started('c1'),
      callerSaid('c1', 0, 'where is my order'),
      said,
      toolRan('c1', 0, 'ok', '{"ok":true}'),
      charged('c1', 'resp_1', 120),
      ended('c1'),
      audited('2026-11-20'),
    ]);
    const { calls, lines, turns, tools } = await rows(db);
    expect(calls).toEqual([
      {
        seq: 1,
        call_id: 'c1',
        carrier: 'twilio',
        carrier_call_id: 'CA-c1',
        direction: 'inbound',
        agent: 'clinic',
        agent_hash: 'a'.repeat(64),
        model: 'gpt-realtime-2.1',
        node: '0123456789ab',
        from_kind: 'pstn',
        from_value: '+14155550142',
        to_kind: 'pstn',
        to_value: '+14155550199',
        attestation: null,
        admitted_ms: AT_MS,
        day: '2026-11-20',
        media_started_ms: AT_MS + 200,
        ended_ms: AT_MS + 60_000,
        reason: 'caller_hung_up',
        ended_by: 'caller',
        result: 'success',
        detail: 'stop',
        quality: 97,
        audio_until_ms: AT_MS + 30 * 86_400_000,
        text_until_ms: null,
        metadata_until_ms: AT_MS + 365 * 86_400_000,
        duration_ms: 59_800,
        ...{ cost_nano_usd: 480, line_count: 1, unpriced_lines: 0 },
        ...{ latency_ms: 840, disposition: 'booked', turn_count: 2, barge_ins: 1 },
      },
    ]);
    expect(lines).toMatchObject([
      { call_id: 'c1', source: 'resp_1', text_fresh: 120, cost_nano_usd: 480, day: '2026-11-20' },
    ]);
    expect(turns).toMatchObject([
      { turn: 0, who: 'caller', at_ms: 800, said: 'where is my order', heard: null },
      { turn: 1, who: 'agent', at_ms: 2_020, said: 'Your order left on Monday.', heard: 'Your order left' },
    ]);
    expect(JSON.parse(turns[1]?.facts ?? '')).toEqual(said.said);
    expect(tools).toMatchObject([
      { tool: 0, name: 'book', status: 'ok', at_ms: 3_000, duration_ms: 40, output: '{"ok":true}' },
    ]);
    expect(await db.selectFrom('audit').select(['actor', 'action', 'subject']).execute()).toEqual([
      { actor: 'operator', action: 'prune', subject: '2026-11-20' },
    ]);
  });

  test('takes an end from a journal of a version that told less of it', async () => {
    const db = await open();
    const { latencyMs: _, disposition: __, turnCount: ___, bargeIns: ____, ...older } = ended('c1');
    await applyEvents(db, [started('c1'), older]);
    expect((await rows(db)).calls).toMatchObject([
      { reason: 'caller_hung_up', duration_ms: 59_800, latency_ms: null, disposition: null, turn_count: null },
    ]);
  });

  test('keeps an agent file once, as it was told first, and answers with it', async () => {
    const db = await open();
    const file = { hash: 'h1', name: 'clinic', file: 'clinic.yaml', text: 'name: clinic\0' };
    const known = { type: 'agent.known', ...file, atWallMs: AT_MS } as const;
    await applyEvents(db, [known, { ...known, atWallMs: AT_MS + 5 }]);
    await applyEvents(db, [{ ...known, atWallMs: AT_MS + 9 }]);
    const kept = { ...file, text: 'name: clinic\u{fffd}', firstWallMs: AT_MS };
    expect(await readAgentFile(db, { hash: 'h1' })).toEqual(kept);
    expect(await readAgentFile(db, { hash: 'h2' })).toBeNull();
  });

  test('gives the audit page by page, the newest first', async () => {
    const db = await open();
    await applyEvents(db, ['a', 'b', 'c'].map(audited));
    const first = await readAudit(db, { limit: 2, before: null });
    expect([first.entries.map(({ subject }) => subject), first.more]).toEqual([['c', 'b'], true]);
    const second = await readAudit(db, { limit: 2, before: first.entries.at(-1)?.id ?? null });
    expect(second).toMatchObject({ entries: [{ subject: 'a', atWallMs: AT_MS, actor: 'operator' }], more: false });
  });

  test("a call's sums are those of its lines, whatever comes first, is raised, billed or removed", async () => {
    const db = await open();
    const sums = async () => {
      const { calls } = await rows(db);
      return calls.map(({ cost_nano_usd, line_count, unpriced_lines }) => [cost_nano_usd, line_count, unpriced_lines]);
    };
    // Lines of a call that nobody knows yet.
    await applyEvents(db, [
      charged('c1', 'a', 10),
      charged('c1', 'b', 5, { costNanoUsd: null }),
      charged('c2', 'x', 1),
    ]);
    await applyEvents(db, [started('c1')]);
    expect(await sums()).toEqual([[40, 2, 1]]);
    await applyEvents(db, [started('c1'), charged('c1', 'a', 30), charged('c1', 'b', 6), charged('c1', 'c', 1)]);
    expect(await sums()).toEqual([[120 + 24 + 4, 3, 0]]);
    await billLines(db, { lines: [{ callId: 'c1', what: 'answer', source: 'a', nanoUsd: 99_999 }] });
    expect(await sums()).toEqual([[148, 3, 0]]);
    await db.deleteFrom('lines').where('source', '=', 'a').execute();
    expect(await sums()).toEqual([[28, 2, 0]]);
  });

  test('keeps a turn and a tool as they were told last, in the order they came', async () => {
    const db = await open();
    await applyEvents(db, [
      callerSaid('c1', 0, null),
      toolRan('c1', 0, 'unsettled', null),
      callerSaid('c1', 0, 'hello'),
      toolRan('c1', 0, 'ok', 'booked'),
    ]);
    const { turns, tools } = await rows(db);
    expect(turns).toMatchObject([{ said: 'hello' }]);
    expect(tools).toMatchObject([{ status: 'ok', output: 'booked' }]);
  });

  test('raises a line that comes again larger, and leaves it where it comes smaller', async () => {
    const db = await open();
    await applyEvents(db, [charged('c1', 'r', 10), charged('c1', 'r', 30), charged('c1', 'r', 20)]);
    expect((await rows(db)).lines).toMatchObject([{ text_fresh: 30, cost_nano_usd: 120 }]);
    await applyEvents(db, [charged('c1', 'r', 40)]);
    await applyEvents(db, [charged('c1', 'r', 35)]);
    expect((await rows(db)).lines).toMatchObject([{ text_fresh: 40, cost_nano_usd: 160 }]);
  });

  test('replaces what we estimated by what the seller counted, also where that is less, and never the other way', async () => {
    const db = await open();
    await applyEvents(db, [charged('c1', 'r', 100, { state: 'estimated' }), charged('c1', 'r', 60)]);
    await applyEvents(db, [charged('c1', 'r', 500, { state: 'estimated' })]);
    expect((await rows(db)).lines).toMatchObject([{ text_fresh: 60, state: 'metered' }]);
  });

  test('undoes nothing that the seller billed', async () => {
    const db = await open();
    await applyEvents(db, [charged('c1', 'r', 100)]);
    await db.updateTable('lines').set({ state: 'billed', billed_nano_usd: 401 }).execute();
    await applyEvents(db, [charged('c1', 'r', 900), charged('c1', 'r', 100, { state: 'estimated' })]);
    expect((await rows(db)).lines).toMatchObject([{ text_fresh: 100, state: 'billed', billed_nano_usd: 401 }]);
  });

  test('keeps lines of one source apart by call and by what is billed', async () => {
    const db = await open();
    await applyEvents(db, [
      charged('c1', 'x', 1),
      charged('c2', 'x', 2),
      charged('c1', 'x', 3, { what: 'transcription' }),
    ]);
    expect((await rows(db)).lines.map(({ text_fresh }) => text_fresh)).toEqual([1, 3, 2]);
  });

  test('keeps every unit, and the line of a call that nobody knows', async () => {
    const db = await open();
    await applyEvents(db, [
      charged('lost', 'a', 0, { what: 'transcription', quantities: { unit: 'seconds', seconds: 12.345 } }),
      charged('lost', 'b', 0, { what: 'leg', quantities: { unit: 'minutes', seconds: 61.5, minutes: 2 } }),
      charged('lost', 'c', 0, {
        what: 'tool',
        quantities: { unit: 'count', count: 3 },
        costNanoUsd: null,
        doubt: 'odd',
      }),
    ]);
    const { calls, lines } = await rows(db);
    expect(calls).toEqual([]);
    expect(
      lines.map(({ unit, duration_ms, pieces, cost_nano_usd, doubt }) => [
        unit,
        duration_ms,
        pieces,
        cost_nano_usd,
        doubt,
      ]),
    ).toEqual([
      ['minutes', 61_500, 2, 0, null],
      ['count', 0, 3, null, 'odd'],
      ['seconds', 12_345, 0, 0, null],
    ]);
  });

  test('says how many ends have no beginning', async () => {
    const db = await open();
    expect(await applyEvents(db, [ended('nobody'), started('c1'), ended('c1')])).toBe(1);
  });

  test('stores words that no database text can hold', async () => {
    const db = await open();
    await applyEvents(db, [callerSaid('c1', 0, 'a\0b'), toolRan('c1', 0, 'ok', '\0')]);
    const { turns, tools } = await rows(db);
    expect(turns[0]?.said).toBe('a\u{fffd}b');
    expect(tools[0]?.output).toBe('\u{fffd}');
  });

  test('takes more rows at once than a statement has room for', async () => {
    const db = await open();
    await applyEvents(
      db,
      Array.from({ length: 1_201 }, (_, i) => charged('c1', `r${i}`, i)),
    );
    expect((await rows(db)).lines.length).toBe(1_201);
  });
});

test('the same facts, in however many parts and however often, leave the same rows', async () => {
  const fact = fc.oneof(
    fc.constant(started('c1')),
    fc.constant(ended('c1')),
    fc
      .record({
        source: fc.constantFrom('r1', 'r2'),
        tokens: fc.nat(50),
        state: fc.constantFrom('estimated', 'metered'),
      })
      .map(({ source, tokens, state }): LineCharged => charged('c1', source, tokens, { state })),
    fc.constantFrom<StoreEvent>(
      callerSaid('c1', 0, 'hello'),
      agentSaid('c1', 1, 'Hi', ''),
      toolRan('c1', 0, 'ok', 'x'),
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fact, { maxLength: 12 }), fc.nat(12), fc.nat(12), async (facts, cut, from) => {
      const once = await engines.open({ engine: 'sqlite', path: ':memory:' });
      await applyEvents(once, [started('c1'), ...facts]);
      const often = await engines.open({ engine: 'sqlite', path: ':memory:' });
      await applyEvents(often, [started('c1'), ...facts.slice(0, cut)]);
      await applyEvents(often, facts.slice(Math.min(from, cut)));
      await applyEvents(often, facts);
      expect(await rows(often)).toEqual(await rows(once));
    }),
    { numRuns: 60 },
  );
});
