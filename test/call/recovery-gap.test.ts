// What comes from the caller's side while there is no session, in virtual time: words, keys and outcomes of tools reach the
// session that takes over, each once, and what is owed is answered.
import { describe, expect, test } from 'vitest';
import { answered, began, callerTurn, frames, MUTE, RECOVERS, told } from '../support/recovering-line.ts';
import { VirtualLine } from '../support/virtual-line.ts';

describe('what the caller says', () => {
  test('is kept, the newest 2 s of it, and delivered after the history', () => {
    const line = answered({ laterModels: [{ readyAfterMs: 3_000 }] });
    callerTurn(line, 'One.');
    line.advance(3_000);
    line.models[0]?.lose();
    frames(line, 2_800);
    line.advance(500);
    expect(line.model.appendedBytes).toBe(2_000 * 8);
    const first = line.model.received.findIndex(({ type }) => type === 'conversation.item.create');
    expect(first).toBeGreaterThan(0);
  });

  test('into a socket that was dead already is heard by the next session', () => {
    const line = answered();
    callerTurn(line, 'Hello.');
    line.advance(4_000);
    // The network is gone; it takes the ping four seconds to see it. The caller asks something meanwhile.
    frames(line, 4_000);
    line.models[0]?.lose(4_000);
    line.advance(500);
    expect(line.model.appendedBytes).toBe(2_000 * 8);
  });

  test('while one session failed to open is heard by the one that does', () => {
    const line = answered({
      laterModels: [{ readyAfterMs: 1e9 }, {}],
      refuse: ({ session }) => (session === 's2' ? { cause: 'lost', detail: '1013', retry: true } : null),
    });
    callerTurn(line, 'Hello.');
    line.advance(4_000);
    line.models[0]?.lose();
    frames(line, 1_000);
    expect(line.call.state.on.session).toBe('s3');
    expect(line.model.appendedBytes).toBeGreaterThanOrEqual(980 * 8);
  });

  test('while "one moment" sounded is no backchannel', () => {
    const line = new VirtualLine({
      policy: { ...RECOVERS, interruptAfterMs: 300 },
      model: { readyAfterMs: 2_000 },
      interrupts: false,
      answers: false,
    });
    line.startMedia();
    line.advance(2_010);
    expect(began(line, 'clip:hold')).toBe(1_700);
    // What was said before the model was there arrives in one piece: begin and end in the same moment.
    line.model.speechStarted();
    line.model.speechStopped();
    line.advance(3_000);
    expect(told(line, 0)).toContain('response.create');
  });
});

describe('keys pressed while the next session opens', () => {
  function pressed(): VirtualLine {
    const line = answered({ laterModels: [{ readyAfterMs: 500, answer: MUTE }] });
    callerTurn(line, 'My number is');
    line.advance(4_000);
    line.models[0]?.lose();
    line.advance(50);
    for (const digit of '42#') line.report({ type: 'leg.digit_pressed', digit });
    line.advance(1_000);
    return line;
  }

  test('are told once, after what was said before, and answered once', () => {
    expect(told(pressed(), 1)).toEqual([
      'user: My number is',
      'user: [The caller pressed keys: 4 2 #]',
      expect.stringMatching(/^system: /),
      'response.create',
    ]);
  });

  test('are owed an answer: a model that stalls over it is replaced', () => {
    const line = pressed();
    // Whatever was asked for, it is still owed as long as nothing sounded.
    expect(line.call.state).toMatchObject({ turn: { owedSinceMs: expect.any(Number) } });
    line.until(() => line.opened.length === 3, 5_000);
  });
});

test('a tool that is done while the next session opens is answered for', async () => {
  let settle: (outcome: { status: 'ok'; output: string }) => void = () => {};
  const line = answered({
    runTool: (_name, done) => (settle = done as never),
    laterModels: [{ readyAfterMs: 500 }],
  });
  line.model.plans.push({ items: [], tools: [{ callId: 'call_1', name: 'lookup', arguments: '{}' }] });
  callerTurn(line, 'Look it up.');
  line.until(() => line.done('tool.run').length === 1);
  line.models[0]?.lose();
  line.advance(100);
  settle({ status: 'ok', output: '{"found":true}' });
  await Promise.resolve();
  line.advance(2_000);
  expect(told(line, 1)).toEqual([
    'user: Look it up.',
    'function_call call_1',
    'function_call_output call_1',
    expect.stringMatching(/^system: /),
    'response.create',
  ]);
});
