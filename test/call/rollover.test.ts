// A session is replaced before its life ends, in virtual time: in a pause, with the history, and without a word lost.
import { describe, expect, test } from 'vitest';
import { answered, callerTurn, frames, items, ROLLS_OVER } from '../support/recovering-line.ts';
import type { VirtualLine } from '../support/virtual-line.ts';

/** The caller says something, is understood and answered. */
function turn(line: VirtualLine, text: string): void {
  line.model.speechStarted();
  frames(line, 500);
  line.model.speechStopped();
  const committed = line.events.findLast((event) => event.type === 'turn.committed');
  const turnId = committed?.type === 'turn.committed' ? committed.turn : '';
  line.model.send({
    type: 'conversation.item.input_audio_transcription.completed',
    item_id: turnId,
    transcript: text,
    usage: { type: 'duration', seconds: 1 },
  });
  frames(line, 2_000);
}

const session = (line: VirtualLine): string => line.call.state.on.session;

test('in the next pause after 55 of 60 minutes the prepared session takes over, told of everything', () => {
  const line = answered({ policy: ROLLS_OVER });
  turn(line, 'First question.');
  turn(line, 'Second question.');
  frames(line, 45_000);
  expect(line.opened).toHaveLength(1);
  frames(line, 6_000);
  expect(line.opened).toEqual([
    { session: 's1', target: 0, afterMs: 0 },
    { session: 's2', target: 0, afterMs: 0 },
  ]);
  expect(session(line)).toBe('s2');
  expect(line.models[0]?.closed).toBe(true);
  expect(items(line, 1)).toEqual([
    'user: First question.',
    'user: Second question.',
    'system: The call goes on. Do not greet again.',
  ]);
  // The caller's frames: none is missing, and only the last 300 ms went to both.
  const sent = line.models.reduce((sum, { appendedBytes }) => sum + appendedBytes, 0);
  expect(sent - line.done('session.append').length * 160).toBe(15 * 160);
  turn(line, 'Third question.');
  expect(line.done('leg.play').at(-1)).toMatchObject({ utterance: 's2.u1' });
  expect(line.call.state).toMatchObject({ phase: 'talking', trouble: null, spare: null });
  expect(line.done('call.end')).toEqual([]);
});

test('not while the agent speaks, the caller speaks or a tool runs', () => {
  let settle: (outcome: { status: 'ok'; output: string }) => void = () => {};
  const line = answered({
    policy: { ...ROLLS_OVER, rolloverAfterMs: 5_000 },
    runTool: (_name, done) => (settle = done as never),
  });
  line.advance(4_000);
  line.model.plans.push(
    { items: [{ ms: 6_000 }] },
    { items: [], tools: [{ callId: 'call_1', name: 'lookup', arguments: '{}' }] },
    { items: [{ ms: 1_000 }] },
  );
  line.models[0]?.speechStarted();
  frames(line, 2_000);
  expect(session(line)).toBe('s1');
  line.models[0]?.speechStopped();
  frames(line, 5_000);
  // It speaks.
  expect([session(line), line.opened.length]).toEqual(['s1', 2]);
  line.models[0]?.speechStarted();
  frames(line, 400);
  line.models[0]?.speechStopped();
  frames(line, 3_000);
  expect([session(line), line.done('tool.run').length]).toEqual(['s1', 1]);
  settle({ status: 'ok', output: 'yes' });
  return Promise.resolve().then(() => {
    line.until(() => line.call.state.on.session !== 's1', 10_000);
    expect(line.models[0]?.errors).toEqual([]);
  });
});

test('a spare that is lost is tried again, and the present session serves on', () => {
  let tries = 0;
  const line = answered({
    policy: ROLLS_OVER,
    refuse: ({ session: name }) =>
      name !== 's1' && ++tries === 1 ? { cause: 'refused', detail: 'HTTP 503', retry: false } : null,
  });
  line.advance(61_000);
  expect(line.opened).toHaveLength(2);
  expect(session(line)).toBe('s1');
  line.models[0]?.speechStarted();
  line.advance(500);
  line.models[0]?.speechStopped();
  line.advance(2_000);
  expect(line.done('leg.play').at(-1)).toMatchObject({ utterance: 'u1' });
  line.advance(15_000);
  expect(session(line)).toBe('s3');
});

test('where the session ends meanwhile, the one that is being prepared takes over', () => {
  const line = answered({ policy: ROLLS_OVER, laterModels: [{ readyAfterMs: 3_000 }] });
  line.advance(61_000);
  line.models[0]?.lose();
  line.advance(2_500);
  expect(line.call.state).toMatchObject({ on: { session: 's2' }, session: 'ready', spare: null, trouble: null });
  expect(line.models.map(({ closed }) => closed)).toEqual([true, false]);
});

test('usage and words that the old session reports late are not lost', () => {
  const line = answered({ policy: ROLLS_OVER, modelDelayMs: 40 });
  turn(line, 'First question.');
  const charged = line.done('ledger.charge').length;
  line.until(() => session(line) === 's2', 120_000);
  expect(line.done('ledger.charge').length).toBeGreaterThanOrEqual(charged);
  line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: '' });
  line.advance(5_000);
  expect(line.clock.pending).toBe(0);
  expect(line.faults).toEqual([]);
});

describe('a prepared session that waited long for its pause', () => {
  /** Nobody pauses for twenty seconds: the prepared session waits, and ages. */
  function waiting(line: VirtualLine): number {
    line.advance(54_000);
    line.model.plans.push({ items: [{ ms: 20_000 }] });
    callerTurn(line, 'Tell me everything.');
    line.until(() => line.opened.length === 2);
    line.advance(100);
    expect(line.call.state).toMatchObject({ spare: { session: 's2', ready: true } });
    return (line.done('session.open')[0] as { atMs: number }).atMs;
  }

  test('is replaced by its own age', () => {
    const line = answered({ policy: ROLLS_OVER });
    const openedAtMs = waiting(line);
    line.until(() => session(line) === 's2', 40_000);
    expect(line.clock.nowMs() - openedAtMs).toBeGreaterThan(15_000);
    line.until(() => line.opened.length === 3, 60_000);
    expect(line.clock.nowMs() - openedAtMs).toBeLessThanOrEqual(55_100);
  });

  test('takes over at once when the present one ends', () => {
    const line = answered({ policy: ROLLS_OVER, laterModels: [{}, { readyAfterMs: 1e9 }] });
    waiting(line);
    line.models[0]?.lose();
    line.advance(10);
    expect(line.call.state).toMatchObject({ on: { session: 's2' }, session: 'ready' });
  });

  test('keeps its own age when it takes over at a loss', () => {
    const line = answered({ policy: ROLLS_OVER });
    const openedAtMs = waiting(line);
    line.advance(14_000);
    line.models[0]?.lose();
    line.until(() => line.opened.length === 3, 70_000);
    expect(line.clock.nowMs() - openedAtMs).toBeLessThanOrEqual(55_100);
  });
});
