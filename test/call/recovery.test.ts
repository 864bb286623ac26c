// A session that is lost under a call, in virtual time: what the caller hears meanwhile, and what the next one is told.
import { describe, expect, test } from 'vitest';
import {
  answered,
  callerTurn,
  creates,
  expectGone,
  failAnswer,
  GREETING,
  HANGS,
  holds,
  items,
  longestSilenceMs,
  MUTE,
  opened,
  played,
  told,
} from '../support/recovering-line.ts';

describe('a session that is lost', () => {
  test('between two turns is replaced without a word, and the new one knows what was said', () => {
    const line = answered({ policy: { greeting: GREETING } });
    line.model.plans.push({ items: [{ ms: 1_000 }] });
    line.advance(3_000);
    callerTurn(line, 'Do you have an appointment on Tuesday?');
    line.advance(4_000);
    line.models[0]?.lose();
    line.advance(100);
    expect(opened(line)).toEqual(['s1/0', 's2/0']);
    expect(items(line)).toEqual([
      'user: Do you have an appointment on Tuesday?',
      'system: The call goes on after a short disturbance of the line. Do not greet again.',
    ]);
    expect(creates(line)).toEqual([]);
    line.advance(1_000);
    expect(holds(line)).toEqual([]);
    // The call goes on as ever.
    callerTurn(line);
    line.until(() => played(line).some(({ utterance }) => utterance === 's2.u1'));
    line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: '' });
    expectGone(line);
    expect(line.termination?.reason).toBe('caller_hung_up');
  });

  test('while it owes an answer: the next one answers', () => {
    const line = answered();
    line.model.plans.push({ items: [{ ms: 1_000 }], thinkMs: 60_000 });
    callerTurn(line, 'What time is it?');
    line.advance(300);
    line.models[0]?.lose();
    line.until(() => creates(line).length === 1, 1_000);
    expect(items(line)).toEqual([
      'user: What time is it?',
      'system: The call goes on after a short disturbance of the line. Do not greet again. Answer what the caller said last.',
    ]);
    line.until(() => played(line).some(({ utterance }) => utterance === 's2.u1'));
    expect(line.call.state).toMatchObject({ phase: 'talking', trouble: null });
  });

  test('in the middle of an answer: what is here is heard, and the thought is taken up', () => {
    const line = answered();
    line.model.plans.push({ items: [{ ms: 8_000 }] });
    callerTurn(line, 'Tell me everything.');
    line.until(() => played(line).length > 0);
    line.model.send({
      type: 'response.output_audio_transcript.delta',
      response_id: (line.events.find(({ type }) => type === 'answer.started') as { answer: string } | undefined)
        ?.answer,
      item_id: line.model.items[0]?.id,
      delta: 'First you take the left road',
    });
    line.advance(200);
    const received = line.model.items[0]?.producedMs ?? 0;
    line.models[0]?.lose();
    line.until(() => creates(line).length === 1, 1_000);
    expect(items(line).slice(1)).toEqual([
      'assistant: First you take the left road',
      expect.stringContaining('Your last answer was cut off: go on where it ends.'),
    ]);
    line.until(() => played(line).some(({ utterance }) => utterance === 's2.u1'));
    expect(longestSilenceMs(line, 2_000)).toBeLessThan(2_000);
    line.advance(6_000);
    // Nothing that had arrived was thrown away.
    expect(line.heardMs(1)).toBe(received);
  });

  test('words that were not understood yet are asked for again', () => {
    const line = answered();
    line.model.plans.push({ items: [], thinkMs: 60_000 });
    callerTurn(line);
    line.models[0]?.lose();
    line.until(() => creates(line).length === 1, 1_000);
    expect(items(line)).toEqual([
      expect.stringContaining('The last words of the caller were lost: ask to hear them again.'),
    ]);
  });

  test('interrupted speech of the old session is told to the new one', () => {
    const line = answered();
    line.model.plans.push({ items: [{ ms: 6_000 }], thinkMs: 50 });
    callerTurn(line, 'Go on.');
    line.until(() => (line.model.items[0]?.producedMs ?? 0) >= 6_000);
    line.model.send({
      type: 'response.output_audio_transcript.delta',
      response_id: 'resp_1',
      item_id: line.model.items[0]?.id,
      delta: 'one two three four five six',
    });
    line.models[0]?.lose();
    line.advance(500);
    line.model.speechStarted();
    line.advance(100);
    expect(items(line).at(-1)).toMatch(/^system: You were interrupted. Of your last words the caller heard /);
    expect(line.model.received.some(({ type }) => type === 'conversation.item.truncate')).toBe(false);
    expect(line.model.errors).toEqual([]);
  });

  test('a tool that runs meanwhile is settled in the new session, as a pair', () => {
    let settle: (outcome: { status: 'ok'; output: string }) => void = () => {};
    const line = answered({ runTool: (_name, done) => (settle = done as never) });
    line.model.plans.push({ items: [], tools: [{ callId: 'call_1', name: 'lookup', arguments: '{"a":1}' }] });
    callerTurn(line, 'Look it up.');
    line.until(() => line.done('tool.run').length === 1);
    line.models[0]?.lose();
    line.advance(100);
    expect(items(line)).toEqual(['user: Look it up.', 'function_call call_1', expect.stringContaining('system: ')]);
    settle({ status: 'ok', output: '{"found":true}' });
    return Promise.resolve().then(() => {
      line.until(() => creates(line).length === 1, 1_000);
      expect(items(line).at(-1)).toBe('function_call_output call_1');
    });
  });
});

test('an answer owed when media and model were both lost is owed when both are back', () => {
  const line = answered({ policy: { resumeWithinMs: 9_000 }, laterModels: [{ readyAfterMs: 500 }] });
  line.model.plans.push(MUTE);
  callerTurn(line, 'What time is it?');
  line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '1006' });
  line.models[0]?.lose();
  line.advance(200);
  line.startMedia();
  line.call.receive({ type: 'leg.started' }, { ...line.call.state.on, leg: 'l2' });
  line.advance(1_500);
  expect(told(line, 1)).toContain('response.create');
});

test('a recorded greeting that was heard whole is not called a cut-off answer', () => {
  const line = answered({
    policy: { greeting: { by: 'clip', bytes: 8_000, text: 'Hello there.', protected: false } },
    model: HANGS,
  });
  line.advance(3_000);
  line.models[0]?.lose();
  line.advance(500);
  const [note] = line.effects.filter((e) => e.do === 'session.recall').map((e) => (e as { note: string }).note);
  expect(note).toEqual(expect.any(String));
  expect(note).not.toContain('cut off');
});

test('answers that fail are asked for again, then by another session', () => {
  const line = answered();
  const fail = () => {
    failAnswer(line, 'server_error');
    line.advance(1);
  };
  line.model.speechStarted();
  line.advance(300);
  line.model.send({ type: 'input_audio_buffer.committed', item_id: 'item_u', previous_item_id: null });
  fail();
  fail();
  expect(opened(line)).toEqual(['s1/0', 's2/0']);
  line.until(() => played(line).some(({ utterance }) => utterance === 's2.u1'), 3_000);
});

test('the end of a call whose model is away leaves nothing behind', () => {
  const line = answered({ laterModels: [HANGS] });
  callerTurn(line);
  line.models[0]?.lose();
  line.advance(500);
  line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: '' });
  expectGone(line);
});
