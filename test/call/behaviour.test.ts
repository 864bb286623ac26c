// What a caller experiences, in virtual time: the real shell, core and session between a scripted model and a carrier.
import { describe, expect, test } from 'vitest';
import type { CallEffect } from '../../src/call/effect.ts';
import { step } from '../../src/call/machine.ts';
import type { ToolOutcome } from '../../src/tools/tool.ts';
import { VirtualLine, type VirtualLineOptions } from '../support/virtual-line.ts';

const modelGreeting = { by: 'model', say: 'Say exactly this: "Hello."', protected: false } as const;
const clipGreeting = {
  by: 'clip',
  bytes: 16_000,
  text: 'Thank you for calling our small office',
  protected: false,
} as const;

function answered(options: VirtualLineOptions = {}): VirtualLine {
  const line = new VirtualLine(options);
  line.startMedia();
  line.advance(50);
  return line;
}

/** The caller says something that lasts 500 ms. */
function callerTurn(line: VirtualLine): void {
  line.model.speechStarted();
  line.advance(500);
  line.model.speechStopped();
}

const requests = (line: VirtualLine, type: string): Record<string, unknown>[] =>
  line.model.received.filter((e) => e.type === type);
const outputs = (line: VirtualLine): { call_id: string; output: string }[] =>
  requests(line, 'conversation.item.create')
    .map((e) => e.item as { type: string; call_id: string; output: string })
    .filter((i) => i.type === 'function_call_output');
const played = (line: VirtualLine): Extract<CallEffect, { do: 'leg.play' }>[] => line.done('leg.play') as never;

/** After an end nothing may be left: sockets closed, timers gone. */
function expectGone(line: VirtualLine): void {
  line.advance(5_000);
  expect(line.call.state.phase).toBe('ended');
  expect(line.model.closed).toBe(true);
  expect(line.clock.pending).toBe(0);
  expect(line.faults).toEqual([]);
}

describe('answering', () => {
  test('the first byte of a greeting that is ready leaves in the step that starts the media', () => {
    const line = new VirtualLine({ policy: { greeting: modelGreeting } });
    line.model.plans.push({ items: [{ ms: 2000 }] });
    line.advance(1_500);
    expect(played(line)).toEqual([]);
    line.startMedia();
    expect(played(line)[0]).toMatchObject({ fromByte: 0, startsAtMs: 1_500 });
  });

  test('a recorded greeting starts at once while the model still connects, and its words are put into the conversation', () => {
    const line = new VirtualLine({ policy: { greeting: clipGreeting }, model: { readyAfterMs: 600 } });
    line.startMedia();
    expect(played(line)[0]).toMatchObject({ utterance: 'clip:greeting', fromByte: 0 });
    line.advance(2_500);
    const [told] = requests(line, 'conversation.item.create');
    expect(told?.item).toMatchObject({
      role: 'assistant',
      content: [{ type: 'output_text', text: clipGreeting.text }],
    });
  });

  test('of an interrupted recorded greeting only the heard words are put into the conversation', () => {
    const line = answered({ policy: { greeting: clipGreeting } });
    line.advance(950);
    line.model.speechStarted();
    line.advance(100);
    expect(requests(line, 'conversation.item.create')[0]?.item).toMatchObject({
      content: [{ text: 'Thank you for' }],
    });
  });

  test('600 ms of model handshake cost the caller no frame', () => {
    const line = new VirtualLine({ model: { readyAfterMs: 600 } });
    line.startMedia();
    for (let i = 0; i < 100; i++) {
      line.frame(100 + i * 20);
      line.advance(20);
    }
    expect(line.model.firstAppendAtMs).toBeGreaterThanOrEqual(line.model.readyAtMs as number);
    expect(line.model.appendedBytes).toBe(100 * 160);
  });

  test('media that never starts ends the call after 10 s and closes the session', () => {
    const line = new VirtualLine();
    line.advance(10_001);
    expect(line.termination).toMatchObject({ reason: 'media_never_started', by: 'carrier' });
    expectGone(line);
  });

  test('a hang-up during the handshake leaves nothing behind', () => {
    const line = new VirtualLine({ model: { readyAfterMs: 3_000 } });
    line.startMedia();
    line.advance(300);
    line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: 'stop' });
    expect(line.termination?.reason).toBe('caller_hung_up');
    expectGone(line);
  });
});

describe('hearing', () => {
  test('gaps in the timestamps are filled with silence, so that the model hears the true clock', () => {
    const line = answered();
    line.frame(155);
    line.frame(175);
    line.frame(295); // 100 ms missing
    line.advance(0);
    expect(line.model.appendedBytes).toBe((3 * 20 + 100) * 8);
  });

  test('timestamps that are no exact multiples of 20 ms are not gaps', () => {
    const line = answered();
    for (let i = 0; i < 500; i++) line.frame(155 + Math.round(i * 19.97));
    for (let i = 500; i < 1000; i++) line.frame(155 + Math.round(500 * 19.97 + (i - 500) * 20.02));
    expect(Math.abs(line.model.appendedBytes / 8 - 20_000)).toBeLessThanOrEqual(40);
  });

  test('a repeated frame is dropped', () => {
    const line = answered();
    const frame = {
      type: 'leg.audio',
      sequence: 7,
      timestampMs: 100,
      chunk: { payload: Buffer.alloc(160).toString('base64'), bytes: 160 },
    } as const;
    line.report({ ...frame });
    line.report({ ...frame });
    expect(line.model.appendedBytes).toBe(160);
  });

  test('a stream that stalls while the caller speaks gets one second of silence, once', () => {
    const line = answered();
    line.frame(100);
    line.model.speechStarted();
    line.advance(3_000);
    expect(line.done('session.append_silence')).toMatchObject([{ ms: 1_000 }]);
    line.frame(120);
    line.advance(800);
    expect(line.done('session.append_silence')).toHaveLength(2);
  });
});

describe('speaking', () => {
  test('a long answer goes out at most four seconds ahead of playback, in whole frames', () => {
    const line = answered();
    line.model.plans.push({ items: [{ ms: 20_000 }] });
    callerTurn(line);
    let worst = 0;
    for (let t = 0; t < 24_000; t += 50) {
      line.advance(50);
      worst = Math.max(worst, line.buffer.queuedBytes(line.clock.nowMs()) / 8);
    }
    expect(worst).toBeGreaterThan(3_000);
    expect(worst).toBeLessThanOrEqual(4_000);
    expect(line.heardMs(1)).toBe(20_000);
    for (const play of played(line)) expect((play.toByte - play.fromByte + play.padBytes) % 160).toBe(0);
    expect(line.buffer.underruns).toEqual([]);
  });

  test('audio is held until it is sent or dropped, then it is gone', () => {
    const line = answered();
    line.model.plans.push({ items: [{ ms: 12_000 }] }, { items: [{ ms: 20_000 }] });
    callerTurn(line);
    line.until(() => line.heardMs(1) > 1_000);
    expect(line.shelf.heldBytes).toBeGreaterThan(0);
    line.until(() => line.heardMs(1) > 11_000);
    expect(line.shelf.heldBytes).toBe(0);
    line.advance(4_000);
    callerTurn(line);
    line.until(() => line.heardMs(2) > 1_000);
    expect(line.shelf.heldBytes).toBeGreaterThan(0);
    line.model.speechStarted();
    expect(line.shelf.heldBytes).toBe(0);
  });

  test('a protected greeting is heard to its end, then the caller has the floor', () => {
    const line = new VirtualLine({ policy: { greeting: { ...modelGreeting, protected: true } }, interrupts: false });
    line.model.plans.push({ items: [{ ms: 3_000 }] }, { items: [{ ms: 1_000 }] });
    line.startMedia();
    line.until(() => line.heardMs(1) > 1_000);
    callerTurn(line);
    line.advance(8_000);
    expect(line.heardMs(1)).toBe(3_000);
    expect(line.done('leg.clear')).toEqual([]);
  });

  test('with interrupt_after_ms a short "mhm" does not stop the agent, longer speech does', () => {
    const line = answered({ policy: { interruptAfterMs: 400 }, interrupts: false, answers: false });
    line.model.plans.push({ items: [{ ms: 8_000 }] });
    callerTurn(line);
    line.until(() => line.heardMs(1) > 1_000);
    line.model.speechStarted();
    line.advance(300);
    line.model.speechStopped();
    line.advance(1_000);
    expect(line.done('leg.clear')).toEqual([]);
    line.model.speechStarted();
    line.advance(500);
    expect(line.done('leg.clear')).toHaveLength(1);
    expect(line.model.errors).toEqual([]);
  });
});

describe('tools', () => {
  const withTool = (options: VirtualLineOptions = {}) => {
    let settle: (outcome: ToolOutcome) => void = () => {};
    let signal: AbortSignal | undefined;
    const line = answered({
      ...options,
      runTool: (_name, done, abort) => {
        settle = done;
        signal = abort;
      },
    });
    const tool = (callId: string) => ({ callId, name: 'lookup', arguments: '{}' });
    return { line, tool, settle: (o: ToolOutcome) => settle(o), signal: () => signal };
  };

  test('a tool runs beside the conversation: its output is sent and one answer asked for', async () => {
    const { line, tool, settle } = withTool();
    line.model.plans.push({ items: [{ ms: 500 }], tools: [tool('call_1')] }, { items: [{ ms: 1_000 }] });
    callerTurn(line);
    line.until(() => line.done('tool.run').length === 1);
    line.advance(500);
    settle({ status: 'ok', output: '{"n":1}' });
    await Promise.resolve();
    line.advance(3_000);
    expect(outputs(line)).toMatchObject([{ call_id: 'call_1', output: '{"n":1}' }]);
    expect(requests(line, 'response.create')).toHaveLength(1);
    expect(line.heardMs(2)).toBe(1_000);
  });

  test('the caller can interrupt while a tool runs', async () => {
    const { line, tool, settle } = withTool();
    line.model.plans.push({ items: [{ ms: 5_000 }], tools: [tool('call_1')] }, { items: [{ ms: 1_000 }] });
    callerTurn(line);
    line.until(() => line.done('tool.run').length === 1);
    line.model.speechStarted();
    line.advance(10);
    expect(line.done('leg.clear')).toHaveLength(1);
    settle({ status: 'ok', output: 'late' });
    await Promise.resolve();
    line.advance(500);
    line.model.speechStopped();
    line.advance(4_000);
    expect(outputs(line)).toHaveLength(1);
    // The server's own answer to the turn speaks about the output: none of ours is asked for.
    expect(requests(line, 'response.create')).toHaveLength(0);
    expect(line.model.errors).toEqual([]);
  });

  test('a hang-up aborts the tool; its late result goes nowhere', async () => {
    const { line, tool, settle, signal } = withTool();
    line.model.plans.push({ items: [], tools: [tool('call_1')] });
    callerTurn(line);
    line.until(() => line.done('tool.run').length === 1);
    line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: 'stop' });
    expect(signal()?.aborted).toBe(true);
    settle({ status: 'ok', output: 'too late' });
    await Promise.resolve();
    expect(outputs(line)).toEqual([]);
    expectGone(line);
  });
});

describe('ending', () => {
  const goodbye = { items: [{ ms: 1_500 }], tools: [{ callId: 'call_end', name: 'end_call', arguments: '{}' }] };

  test('the call ends only when the goodbye was heard', () => {
    const line = answered({ delayMs: 60 });
    line.model.plans.push(goodbye);
    callerTurn(line);
    line.until(() => line.legClosed);
    expect(line.heardMs(1)).toBe(1_500);
    expect(line.termination).toMatchObject({ reason: 'agent_goodbye', by: 'agent', result: 'success' });
    expect(line.nexts).toEqual([{ do: 'hang_up' }]);
    expectGone(line);
  });

  test('end_call without words asks for a goodbye first', () => {
    const line = answered();
    line.model.plans.push({ ...goodbye, items: [] }, { items: [{ ms: 1_000 }] });
    callerTurn(line);
    line.until(() => line.legClosed);
    expect(requests(line, 'response.create')[0]?.response).toMatchObject({
      instructions: 'Say goodbye.',
      tool_choice: 'none',
    });
    expect(line.heardMs(1)).toBe(1_000);
    expect(line.termination?.reason).toBe('agent_goodbye');
  });

  test('a caller who speaks during the goodbye keeps the call', () => {
    const line = answered();
    line.model.plans.push(goodbye, { items: [{ ms: 1_000 }] });
    callerTurn(line);
    line.until(() => line.call.state.phase === 'leaving' && line.heardMs(1) > 500);
    callerTurn(line);
    line.advance(6_000);
    expect(line.termination).toBeNull();
    expect(line.heardMs(2)).toBe(1_000);
    expect(JSON.stringify(line.model.received)).toContain('The call goes on');
  });

  test('a silent caller is asked once, then told goodbye', () => {
    const line = answered({ policy: { silenceMs: 5_000 } });
    line.model.plans.push({ items: [{ ms: 1_000 }] }, { items: [{ ms: 2_000 }] });
    line.until(() => line.legClosed, 30_000);
    const asked = requests(line, 'response.create').map((e) => (e.response as { instructions: string }).instructions);
    expect(asked).toEqual(['Are you still there?', 'Goodbye.']);
    expect(line.termination?.reason).toBe('caller_silent');
    expect(line.heardMs(2)).toBe(2_000);
    expectGone(line);
  });

  test('a caller who answers the question starts the silence anew', () => {
    const line = answered({ policy: { silenceMs: 5_000 } });
    line.until(() => line.model.items.length === 1, 30_000);
    line.advance(3_000);
    callerTurn(line);
    line.advance(6_000);
    expect(line.termination).toBeNull();
    expect(line.call.state).toMatchObject({ phase: 'talking' });
  });

  test('the longest duration ends with a spoken wrap-up', () => {
    const line = answered({ policy: { maxCallMs: 4_000 } });
    line.model.plans.push({ items: [{ ms: 10_000 }] }, { items: [{ ms: 1_200 }] });
    callerTurn(line);
    line.until(() => line.legClosed, 20_000);
    expect(line.termination?.reason).toBe('max_duration');
    expect(line.heardMs(2)).toBe(1_200);
    expect(line.model.errors).toEqual([]);
    expectGone(line);
  });

  test('late usage after the end is still billed, everything else is ignored', () => {
    const line = answered();
    line.model.plans.push({ items: [{ ms: 10_000 }] });
    callerTurn(line);
    line.until(() => line.heardMs(1) > 300);
    line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: 'stop' });
    const at = line.effects.length;
    line.advance(2_000);
    expect(line.effects.slice(at).map((e) => e.do)).toEqual(['ledger.charge']);
    expectGone(line);
  });

  test('lost media ends the call by that name', () => {
    const line = answered();
    line.report({ type: 'leg.closed', cause: 'socket_lost', detail: 'close 1006' });
    expect(line.termination).toMatchObject({ reason: 'media_lost', by: 'carrier', result: 'failure' });
    expectGone(line);
  });
});

describe('never silent', () => {
  /** The apology is half a second of 0x55 here... two seconds, recognisable in what was heard. */
  const apologyHeardAt = (line: VirtualLine): number | undefined =>
    line.buffer.heard(line.clock.nowMs()).find((s) => s.bytes.includes(Buffer.alloc(160, 0x55)))?.atMs;

  test.each([{ fault: 'lost', strike: (line: VirtualLine) => line.model.lose(), reason: 'model_lost' }])(
    'a model that is $fault in mid-call: apology at once, then the next step of the agent file',
    ({ strike, reason }) => {
      const line = answered({ policy: { afterFailure: { do: 'forward', to: '+15550100' } } });
      const at = line.clock.nowMs();
      strike(line);
      line.until(() => line.legClosed, 10_000);
      expect((apologyHeardAt(line) as number) - at).toBeLessThan(50);
      expect(line.termination?.reason).toBe(reason);
      expect(line.nexts).toEqual([{ do: 'forward', to: '+15550100' }]);
      expectGone(line);
    },
  );

  test('lost while it speaks: what is queued plays out and the apology follows without a gap', () => {
    const line = answered();
    line.model.plans.push({ items: [{ ms: 20_000 }] });
    callerTurn(line);
    line.until(() => line.heardMs(1) > 2_000);
    line.model.lose();
    line.until(() => line.legClosed, 20_000);
    expect(line.buffer.underruns.filter((u) => u.gapMs > 20)).toEqual([]);
    expect(line.termination?.reason).toBe('model_lost');
  });

  test('a model that owes an answer and makes no sound is stalled: the caller hears an apology within 4 s', () => {
    const line = answered();
    line.model.plans.push({ items: [{ ms: 1_000 }], thinkMs: 60_000 });
    callerTurn(line);
    const at = line.clock.nowMs();
    line.until(() => line.legClosed, 20_000);
    expect((apologyHeardAt(line) as number) - at).toBeLessThan(4_000);
    expect(line.termination?.reason).toBe('model_stalled');
    expectGone(line);
  });

  test('a model that stops in the middle of an answer is stalled once the caller hears nothing', () => {
    const line = answered();
    line.model.plans.push({ items: [{ ms: 5_000, stallAfterMs: 1_000, stallMs: 60_000 }] });
    callerTurn(line);
    line.until(() => line.legClosed, 20_000);
    expect(line.buffer.underruns.every((u) => u.gapMs < 4_000)).toBe(true);
    expect(line.termination?.reason).toBe('model_stalled');
  });

  test('a session that is not ready in time is unreachable: apology within 4 s of the start', () => {
    const line = new VirtualLine({ model: { readyAfterMs: 60_000 } });
    line.startMedia();
    line.until(() => line.legClosed, 20_000);
    expect(apologyHeardAt(line) as number).toBeLessThan(4_000);
    expect(line.termination?.reason).toBe('model_unreachable');
    expectGone(line);
  });

  test('a session lost before the caller is there: the apology is played as soon as the media starts', () => {
    const line = new VirtualLine({ policy: { greeting: modelGreeting } });
    line.advance(100);
    line.model.lose();
    line.advance(500);
    line.startMedia();
    expect(played(line)[0]).toMatchObject({ utterance: 'clip:apology' });
    line.until(() => line.legClosed, 10_000);
    expect(line.termination?.reason).toBe('model_lost');
    expectGone(line);
  });
});

describe('a caller who keeps speaking', () => {
  const speaksOn = (line: VirtualLine, ms: number): void => {
    for (let t = 0; t < ms; t += 20) {
      line.frame(10_000 + t);
      line.advance(20);
    }
  };

  test('is not taken for a stalled model after a key', () => {
    const line = answered();
    line.model.speechStarted();
    line.report({ type: 'leg.digit_pressed', digit: '#' });
    speaksOn(line, 6_000);
    line.model.speechStopped();
    line.advance(5_000);
    expect(line.termination).toBeNull();
    expect(line.heardMs(1)).toBe(1_000);
  });

  test('hears the wrap-up whole when the longest duration is reached, and nothing after it', () => {
    const line = answered({ policy: { maxCallMs: 4_000 } });
    line.model.plans.push({ items: [{ ms: 2_500 }] });
    line.model.speechStarted();
    speaksOn(line, 4_500);
    line.model.speechStopped();
    line.model.speechStarted();
    line.until(() => line.legClosed, 20_000);
    expect(line.termination?.reason).toBe('max_duration');
    expect(line.heardMs(1)).toBe(2_500);
    expect(line.model.items).toHaveLength(1);
  });

  test('is given up on when the model never sees the end of the speech', () => {
    const line = answered();
    line.model.speechStarted();
    speaksOn(line, 89_000);
    expect(line.termination).toBeNull();
    speaksOn(line, 2_000);
    line.until(() => line.legClosed, 10_000);
    expect(line.termination?.reason).toBe('model_stalled');
  });

  test('cannot cut a long protected clip, however long it is', () => {
    const greeting = { by: 'clip', bytes: 12_000 * 8, text: 'A legal notice', protected: true } as const;
    const line = answered({ policy: { greeting }, interrupts: false });
    line.model.speechStarted();
    speaksOn(line, 12_500);
    const heard = Buffer.concat(line.buffer.heard(line.clock.nowMs()).map((s) => s.bytes));
    expect(heard.filter((byte) => byte === 0x66)).toHaveLength(12_000 * 8);
  });

  test('has a turn spoken inside a protected greeting answered after it', () => {
    const greeting = { by: 'model', say: 'Hello.', protected: true } as const;
    for (const answers of [true, false])
      for (const silentRefusal of [true, false]) {
        const line = new VirtualLine({
          policy: { greeting },
          interrupts: false,
          answers,
          model: { pace: 1, silentRefusal },
        });
        line.model.plans.push({ items: [{ ms: 4_000 }] }, { items: [{ ms: 700 }] });
        line.startMedia();
        line.until(() => line.heardMs(1) > 500);
        callerTurn(line);
        line.advance(7_000);
        expect(line.heardMs(1)).toBe(4_000);
        expect(line.heardMs(2)).toBe(700);
        expect(line.model.items).toHaveLength(2);
      }
  });

  test('who says "mhm" over an answer is not answered, and the next turn is, however the server refuses its own', () => {
    for (const silentRefusal of [true, false]) {
      const line = answered({
        policy: { interruptAfterMs: 600 },
        interrupts: false,
        model: { pace: 1, silentRefusal },
      });
      line.model.plans.push({ items: [{ ms: 5_000 }] }, { items: [{ ms: 900 }] });
      callerTurn(line);
      line.until(() => line.heardMs(1) > 1_000);
      callerTurn(line);
      line.advance(9_000);
      expect(line.heardMs(1)).toBe(5_000);
      expect(line.model.items).toHaveLength(1);
      callerTurn(line);
      line.advance(3_000);
      expect(line.heardMs(2)).toBe(900);
      expect(line.termination).toBeNull();
    }
  });

  test('who begins in the last moment of the goodbye keeps the call, also where interrupting takes a while', () => {
    const line = answered({ policy: { interruptAfterMs: 400 }, interrupts: false });
    line.model.plans.push({ items: [{ ms: 1_500 }], tools: [{ callId: 'c', name: 'end_call', arguments: '{}' }] });
    callerTurn(line);
    line.until(() => line.heardMs(1) > 1_300);
    line.model.speechStarted();
    line.advance(800);
    line.model.speechStopped();
    line.advance(3_000);
    expect(line.termination).toBeNull();
  });
});

describe('answers without sound', () => {
  test('are asked for again, and the third in a row is a failed model', () => {
    const line = answered();
    line.model.plans.push({ items: [] }, { items: [] }, { items: [] });
    callerTurn(line);
    line.until(() => line.legClosed, 20_000);
    expect(line.termination?.reason).toBe('model_failed');
  });

  test('a tool that finishes during the goodbye adds nothing to it', async () => {
    let settle: (outcome: ToolOutcome) => void = () => {};
    const line = answered({ runTool: (_name, done) => (settle = done) });
    const tools = [
      { callId: 'c1', name: 'lookup', arguments: '{}' },
      { callId: 'c2', name: 'end_call', arguments: '{}' },
    ];
    line.model.plans.push({ items: [{ ms: 1_500 }], tools });
    callerTurn(line);
    line.until(() => line.call.state.phase === 'leaving');
    settle({ status: 'ok', output: 'x' });
    await Promise.resolve();
    line.until(() => line.legClosed, 20_000);
    expect(line.model.items).toHaveLength(1);
    expect(line.termination?.reason).toBe('agent_goodbye');
  });
});

describe('origins', () => {
  test('what an older epoch or another leg reports changes nothing', () => {
    const line = answered();
    const on = { leg: 'l0', session: 's1', epoch: 1 };
    const [state, effects] = step(line.call.state, {
      type: 'leg.closed',
      cause: 'socket_lost',
      detail: '',
      atMs: 1,
      on,
    });
    expect(state).toBe(line.call.state);
    expect(effects).toMatchObject([{ do: 'note.ignored', what: 'stale_origin' }]);
  });
});

describe('keys', () => {
  test('keys are collected and told to the model as text, which answers', () => {
    const line = answered();
    for (const digit of ['1', '2', '#']) {
      line.report({ type: 'leg.digit_pressed', digit });
      line.advance(200);
    }
    const [told] = requests(line, 'conversation.item.create');
    expect(told?.item).toMatchObject({
      role: 'user',
      content: [{ type: 'input_text', text: '[The caller pressed keys: 1 2 #]' }],
    });
    expect(requests(line, 'response.create')).toHaveLength(1);
  });

  test('without # they are told when no further key comes', () => {
    const line = answered();
    line.report({ type: 'leg.digit_pressed', digit: '5' });
    line.advance(1_400);
    expect(requests(line, 'conversation.item.create')).toEqual([]);
    line.advance(200);
    expect(requests(line, 'conversation.item.create')).toHaveLength(1);
  });
});
