// From a call's feed to the tables: what the record tells while the call is under way is, in the end, the record.
import { describe, expect, test } from 'vitest';
import type { UnstampedEvent } from '../../src/call/event.ts';
import type { CallRecord } from '../../src/record/call-record.ts';
import { RecordBuilder } from '../../src/record/record-builder.ts';
import { openDatabase } from '../../src/store/database.ts';
import type { StoreEvent } from '../../src/store/events.ts';
import { applyEvents } from '../../src/store/queries/apply.ts';
import { ADMITTED_MS, ADMITTED_WALL_MS, answer, answerEnds, answerUsage, callFacts, Story } from '../record/story.ts';
import { NODE } from './facts.ts';

function told() {
  const kept: StoreEvent[] = [];
  const facts = callFacts();
  const builder = new RecordBuilder(facts, {}, { node: NODE, keep: (fact) => kept.push(fact) });
  const story: Story = new Story(facts, {
    stepped: (event, effects) => builder.stepped(event, effects),
    played: (startsAtMs) => builder.played(startsAtMs, story.clock.nowMs()),
  });
  const of = <T extends StoreEvent['type']>(type: T) =>
    kept.filter((fact): fact is Extract<StoreEvent, { type: T }> => fact.type === type);
  return { story, kept, of, recordAt: (ms: number): CallRecord => builder.build(ADMITTED_MS + ms) };
}

const spoke: [number, UnstampedEvent][] = [
  [1_000, { type: 'speech.started', audioMs: 500 }],
  [2_000, { type: 'speech.stopped', audioMs: null }],
  [2_010, { type: 'turn.committed', turn: 't1' }],
];
const hangUp: UnstampedEvent = { type: 'leg.closed', cause: 'caller_hung_up', detail: 'stop' };
const lookup = (toolCall: string, name: string): UnstampedEvent => ({
  type: 'tool.called',
  toolCall,
  name,
  arguments: '{"n":"A17"}',
  answer: 'a1',
});

/** A call that begins before its media, has a tool and an interrupted answer, and leaves another tool open. */
function wholeCall(story: Story): void {
  story.at(0, { type: 'call.admitted' }).at(100, { type: 'session.ready' });
  story.at(150, ...answer('a0', 'u0', 'Hello.', 500)).at(200, { type: 'leg.started' });
  for (const [ms, event] of spoke) story.at(ms, event);
  story.at(2_200, lookup('c1', 'lookup'), lookup('c2', 'slow'));
  story.at(2_300, { type: 'tool.settled', toolCall: 'c1', status: 'ok', output: 'shipped' });
  story.at(2_500, ...answer('a1', 'u1', 'Your order left on Monday.', 4_000)).at(2_600, ...answerEnds('a1', 'u1'));
  story.at(2_600, answerUsage('a1'));
  story.at(2_700, { type: 'turn.transcribed', turn: 't1', text: 'where is my order' });
  story.at(3_500, { type: 'speech.started', audioMs: 3_000 });
  story.at(4_000, hangUp);
}

describe('the facts of a call', () => {
  test('are told as soon as they stand, not at its end', () => {
    const { story, kept, of } = told();
    expect(kept).toMatchObject([
      { type: 'call.started', callId: 'call-1', atWallMs: ADMITTED_WALL_MS, node: NODE, model: 'gpt-realtime-2.1' },
    ]);
    wholeCall(story);
    expect(of('line.charged').map(({ line }) => [line.what, line.source])).toContainEqual(['answer', 'a1']);
    expect(of('turn.kept').map(({ said }) => (said.who === 'caller' ? said.transcript : said.heardText))).toContain(
      'where is my order',
    );
    expect(of('turn.kept').some(({ said }) => said.who === 'agent' && said.outcome === 'interrupted')).toBe(true);
    expect(of('tool.kept')).toMatchObject([
      { tool: 0, run: { name: 'lookup', status: 'ok' } },
      { tool: 1, run: { name: 'slow', status: 'aborted' } },
    ]);
    expect(of('call.ended')).toEqual([]);
  });

  test('at its end the call tells what lists are sorted by', () => {
    const { story, of, recordAt } = told();
    wholeCall(story);
    const { turns } = recordAt(4_600);
    const [latency] = turns.flatMap((turn) => (turn.who === 'caller' && turn.latency ? [turn.latency] : []));
    expect(latency?.voiceToVoiceMs).toBeGreaterThan(0);
    expect(of('call.ended')).toMatchObject([
      { latencyMs: latency?.voiceToVoiceMs, disposition: null, turnCount: 4, bargeIns: 1 },
    ]);
  });

  test('are not told again where nothing has changed', () => {
    const { story, kept, recordAt } = told();
    wholeCall(story);
    recordAt(4_600);
    const last = new Map<string, string>();
    const repeated = kept.filter((fact) => {
      const before = last.get(keyOf(fact));
      last.set(keyOf(fact), JSON.stringify(fact));
      return before === JSON.stringify(fact);
    });
    expect(kept.length).toBeGreaterThan(10);
    expect(repeated).toEqual([]);
  });

  test('leave in the tables what the record says', async () => {
    const { story, kept, recordAt } = told();
    wholeCall(story);
    const record = recordAt(4_600);
    const db = await openDatabase({ engine: 'sqlite', path: ':memory:' });
    await applyEvents(db, kept);
    const turns = await db.selectFrom('turns').selectAll().orderBy('turn').execute();
    expect(turns.map(({ facts }) => JSON.parse(facts) as unknown)).toEqual(record.turns);
    expect(turns.map(({ turn }) => turn)).toEqual(record.turns.map((_, i) => i));
    expect(record.turns.length).toBe(4);
    const tools = await db.selectFrom('tools').selectAll().orderBy('tool').execute();
    expect(tools.map(({ tool_call, status, at_ms, output }) => [tool_call, status, at_ms, output])).toEqual(
      record.tools.map(({ toolCall, status, atMs, output }) => [toolCall, status, atMs, output]),
    );
    expect(record.tools.length).toBe(2);
    const lines = await db.selectFrom('lines').select(['what', 'source', 'cost_nano_usd', 'state']).execute();
    const order = (a: unknown[], b: unknown[]): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
    expect(lines.map((l) => [l.what, l.source, l.cost_nano_usd, l.state]).toSorted(order)).toEqual(
      record.cost.lines.map((l) => [l.what, l.source, l.costNanoUsd, l.state]).toSorted(order),
    );
    expect(lines.length).toBeGreaterThan(2);
    expect(await db.selectFrom('calls').selectAll().execute()).toMatchObject([
      {
        call_id: 'call-1',
        media_started_ms: record.when.mediaStartedWallMs,
        ended_ms: record.when.endedWallMs,
        reason: 'caller_hung_up',
        ended_by: 'caller',
        quality: record.quality.score,
      },
    ]);
    await db.destroy();
  });
});

/** What a fact is about. */
function keyOf(fact: StoreEvent): string {
  if (fact.type === 'turn.kept') return `turn ${fact.turn}`;
  if (fact.type === 'tool.kept') return `tool ${fact.tool}`;
  return fact.type === 'line.charged' ? `${fact.line.what} ${fact.line.source}` : fact.type;
}
