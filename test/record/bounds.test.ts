// What a record does at its bounds: it says how much is missing.
import { expect, test } from 'vitest';
import type { UnaddressedEffect } from '../../src/call/effect.ts';
import type { UnstampedEvent } from '../../src/call/event.ts';
import { RecordBuilder } from '../../src/record/record-builder.ts';
import { ADMITTED_MS, callFacts } from './story.ts';

const ON = { leg: 'l1', session: 's1', epoch: 1 };

function feed() {
  const builder = new RecordBuilder(callFacts());
  const shown = (event: UnstampedEvent, ...effects: UnaddressedEffect[]): void =>
    builder.stepped(
      { ...event, atMs: ADMITTED_MS, on: ON },
      effects.map((effect) => ({ ...effect, on: ON })),
    );
  shown({ type: 'leg.started' });
  return { shown, record: () => builder.build(ADMITTED_MS + 1_000) };
}

test('tools beyond a thousand are counted', () => {
  const { shown, record } = feed();
  for (let i = 0; i < 1_003; i++)
    shown({ type: 'tool.called', toolCall: `c${i}`, name: 'look', arguments: '{}', answer: 'a1' });
  expect(record().tools).toHaveLength(1_000);
  expect(record().toolsDropped).toBe(3);
});

test('stops beyond five thousand are counted', () => {
  const { shown, record } = feed();
  const stopped: UnaddressedEffect = { do: 'note.stopped', because: 'caller_spoke', unheardMs: 20 };
  for (let i = 0; i < 5_002; i++) shown({ type: 'speech.started', audioMs: null }, stopped);
  expect(record().stops).toHaveLength(5_000);
  expect(record().stopsDropped).toBe(2);
});

test('a text that is too long ends with an ellipsis, and a text at the bound does not', () => {
  const { shown, record } = feed();
  shown({ type: 'turn.committed', turn: 't1' });
  shown({ type: 'turn.transcribed', turn: 't1', text: 'x'.repeat(20_001) });
  shown({ type: 'utterance.started', utterance: 'u1', answer: 'a1' });
  for (let i = 0; i < 30; i++) shown({ type: 'utterance.text', utterance: 'u1', text: 'y'.repeat(1_000) });
  shown({ type: 'tool.called', toolCall: 'c1', name: 'look', arguments: 'z'.repeat(20_000), answer: 'a1' });
  shown({ type: 'tool.settled', toolCall: 'c1', status: 'ok', output: 'z'.repeat(50_000) });
  const { turns, tools } = record();
  const [caller, agent] = turns;
  expect(caller).toMatchObject({ transcript: `${'x'.repeat(19_999)}…` });
  expect(agent).toMatchObject({ text: 'y'.repeat(20_000) });
  expect(tools[0]).toMatchObject({ arguments: 'z'.repeat(20_000), output: `${'z'.repeat(19_999)}…` });
});

test('names beyond 64 are one name', () => {
  const { shown, record } = feed();
  for (let i = 0; i < 100; i++) shown({ type: 'session.noticed', code: `code_${i}`, benign: true });
  const { notices } = record();
  expect(Object.keys(notices)).toHaveLength(65);
  expect(notices['other']).toBe(36);
});

test('what comes from a leg or session that the call has left behind is counted and nothing else', () => {
  const { shown, record } = feed();
  const stale: UnaddressedEffect = { do: 'note.ignored', what: 'stale_origin' };
  shown({ type: 'speech.started', audioMs: null }, stale);
  shown({ type: 'tool.called', toolCall: 'c1', name: 'look', arguments: '{}', answer: 'a1' }, stale);
  shown({ type: 'leg.audio', sequence: 1, timestampMs: 0, chunk: { payload: '', bytes: 160 } }, stale);
  expect(record()).toMatchObject({
    turns: [],
    tools: [],
    ignored: { stale_origin: 3 },
    quality: { frames: { received: 0 } },
  });
});
