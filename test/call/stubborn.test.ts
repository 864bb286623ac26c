// What goes wrong again and again, in virtual time: a model that fails after each sound, only calls tools or drops every session,
// a carrier that breaks every stream. Each is tried for a while and then ends by name; the caller always hears of us. And the
// farewells that fall into a moment in which nobody can hear them.
import { describe, expect, test } from 'vitest';
import type { CallEffect } from '../../src/call/effect.ts';
import type { UnstampedEvent } from '../../src/call/event.ts';
import { step } from '../../src/call/machine.ts';
import { admittedCall, type CallState } from '../../src/call/state.ts';
import type { Plan } from '../support/scripted-model.ts';
import {
  answered,
  callerTurn,
  creates,
  expectGone,
  GREETING,
  holds,
  longestSilenceMs,
  opened,
  played,
  RECOVERS,
} from '../support/recovering-line.ts';
import { testPolicy, VirtualLine } from '../support/virtual-line.ts';

const RESUMES = { resumeWithinMs: 9_000 } as const;
const APOLOGY = { do: 'say_and_hang_up', text: 'I am sorry.' };
const lose = (line: VirtualLine, cause: 'socket_lost' | 'stopped_reading' = 'socket_lost') =>
  line.report({ type: 'leg.closed', cause, detail: 'gone' });

let calls = 0;
const look = () => ({ callId: `c${calls++}`, name: 'look', arguments: '{}' });

/** A call whose tool takes so long. */
function withTool(ms: number): VirtualLine {
  const line: VirtualLine = answered({
    runTool: (_name, settle) =>
      void line.clock.at(line.clock.nowMs() + ms, () => settle({ status: 'ok', output: 'nothing yet' } as never)),
  });
  return line;
}

/** Virtual time in which promises settle too. */
async function advance(line: VirtualLine, ms: number): Promise<void> {
  for (let t = 0; t < ms; t += 10) {
    line.advance(10);
    await Promise.resolve();
    await Promise.resolve();
  }
}

describe('a model that', () => {
  test('fails after a sound is asked once more, replaced, and given up', () => {
    const failing: Plan = { items: [{ ms: 200 }], thinkMs: 20, status: 'failed' };
    const line = answered({ model: { answer: failing }, laterModels: [{ answer: failing }] });
    callerTurn(line);
    line.until(() => line.termination !== null, 60_000);
    expect(line.termination).toMatchObject({ reason: 'model_failed' });
    const asked = line.models.reduce(
      (sum, { received }) => sum + received.filter(({ type }) => type === 'response.create').length,
      0,
    );
    expect(asked).toBeLessThan(20);
    expect(played(line).some(({ utterance }) => utterance === 'clip:apology')).toBe(true);
  });

  test('only calls tools is given up, and the caller is asked for a moment meanwhile', async () => {
    const line = withTool(500);
    const looping = (): Plan => ({ items: [], tools: [look()], thinkMs: 200 });
    const refill = (): void => {
      for (const model of line.models) while (model.plans.length < 4) model.plans.push(looping());
    };
    refill();
    callerTurn(line);
    const from = line.clock.nowMs();
    for (let ms = 0; ms < 120_000 && line.termination === null; ms += 50) {
      refill();
      await advance(line, 50);
    }
    expect(line.termination).toMatchObject({ reason: 'model_failed', detail: 'answers without a word' });
    expect(holds(line).length).toBeGreaterThan(1);
    expect(longestSilenceMs(line, from)).toBeLessThanOrEqual(5_000);
    expect((played(line)[0]?.atMs ?? Infinity) - from).toBeLessThan(2_000);
  });

  test('speaks between its tools may call as many as it likes', async () => {
    const line = withTool(50);
    for (let n = 0; n < 14; n++) line.model.plans.push({ items: [{ ms: 100 }], tools: [look()], thinkMs: 20 });
    callerTurn(line);
    await advance(line, 20_000);
    expect({ opened: opened(line), left: line.model.plans.length }).toEqual({ opened: ['s1/0'], left: 0 });
    expect(line.termination).toBeNull();
  });

  test('drops each session as soon as it is ready is tried for some seconds, not for six sessions at once', () => {
    const line = answered();
    const from = line.clock.nowMs();
    line.until(() => {
      if (line.call.state.phase === 'talking' && line.call.state.session === 'ready') line.model.lose();
      return line.termination !== null;
    }, 60_000);
    expect(line.clock.nowMs() - from).toBeGreaterThan(7_000);
    expect(line.termination).toMatchObject({ reason: 'model_lost' });
  });

  test('is cut off by itself in the middle of a sentence is asked to go on, once', () => {
    const line = answered();
    line.model.plans.push(
      { items: [{ ms: 400 }], thinkMs: 50, status: 'incomplete' },
      { items: [{ ms: 400 }], thinkMs: 50, status: 'incomplete' },
    );
    callerTurn(line);
    line.advance(4_000);
    expect(creates(line)).toHaveLength(1);
    expect(line.model.items).toHaveLength(2);
    // A whole one makes it good.
    callerTurn(line);
    line.advance(3_000);
    line.model.plans.push({ items: [{ ms: 400 }], thinkMs: 50, status: 'incomplete' });
    callerTurn(line);
    line.advance(4_000);
    expect(creates(line)).toHaveLength(2);
  });

  test('wants to end the call before the caller is there is told to speak', () => {
    const line = new VirtualLine({ policy: { ...RECOVERS, greeting: GREETING } });
    line.model.plans.push({ items: [], tools: [{ callId: 'c1', name: 'end_call', arguments: '{}' }], thinkMs: 20 });
    line.advance(500);
    line.startMedia();
    line.until(() => played(line).length > 0, 1_000);
    expect(line.call.state.phase).toBe('talking');
  });
});

describe('a carrier that breaks every stream', () => {
  test.each(['socket_lost', 'stopped_reading'] as const)(
    '%s: brought back four times in a minute, then the apology',
    (cause) => {
      const line = answered({ policy: RESUMES });
      for (let n = 0; n < 4; n++) {
        lose(line, cause);
        line.advance(300);
        line.startMedia();
        line.advance(300);
        expect(line.termination).toBeNull();
      }
      lose(line, cause);
      line.advance(10);
      expect(line.termination?.reason).toBe(cause === 'socket_lost' ? 'media_lost' : 'carrier_stopped_reading');
      expect(line.nexts).toEqual([APOLOGY]);
    },
  );

  test('now and then: each time the caller is brought back', () => {
    const line = answered({ policy: { ...RESUMES, silenceMs: 600_000 } });
    for (let n = 0; n < 8; n++) {
      lose(line);
      line.advance(300);
      line.startMedia();
      line.advance(20_000);
    }
    expect(line.termination).toBeNull();
  });
});

describe('a farewell while the caller is away', () => {
  test('the longest duration: the wrap-up waits, and is heard by who comes back', () => {
    const line = answered({ policy: { ...RESUMES, maxCallMs: 5_000 } });
    line.advance(4_700);
    lose(line);
    line.advance(1_500);
    expect(line.call.away).toBe(true);
    line.startMedia();
    line.until(() => line.termination !== null, 5_000);
    expect(line.heardMs(1)).toBe(1_000);
    expect(line.termination?.reason).toBe('max_duration');
  });

  test('nobody comes back: the call ends by the name that was decided, and the carrier says what was not heard', () => {
    const line = answered({ policy: { ...RESUMES, maxCallMs: 5_000 } });
    line.model.plans.push({ items: [{ ms: 1_000, words: ['Our time is over.'] }], thinkMs: 50 });
    line.advance(4_700);
    lose(line);
    line.until(() => line.termination !== null, 20_000);
    expect(line.termination?.reason).toBe('max_duration');
    expect(line.nexts).toEqual([{ do: 'say_and_hang_up', text: 'Our time is over.' }]);
    line.advance(3_000);
    expectGone(line);
  });

  test('end_call: the goodbye is heard by who comes back', () => {
    const line = answered({ policy: RESUMES });
    line.model.plans.push({
      items: [{ ms: 800 }],
      tools: [{ callId: 'c1', name: 'end_call', arguments: '{}' }],
      thinkMs: 300,
    });
    line.model.speechStarted();
    lose(line);
    line.model.speechStopped();
    line.advance(2_000);
    line.startMedia();
    line.until(() => line.termination !== null, 5_000);
    expect(line.heardMs(1)).toBe(800);
    expect(line.termination?.reason).toBe('agent_goodbye');
  });

  test('no model left: the apology is heard by who comes back', () => {
    const line = answered({ policy: { ...RESUMES, recoverWithinMs: 0 } });
    lose(line);
    line.model.lose();
    line.advance(1_000);
    line.startMedia();
    line.advance(100);
    expect(played(line).at(-1)?.utterance).toBe('clip:apology');
    line.until(() => line.termination !== null, 5_000);
    expect(line.termination?.reason).toBe('model_lost');
  });
});

describe('the wrap-up', () => {
  test('comes also while the caller speaks; of a model that does not say it the caller hears the apology', () => {
    const line = answered({ policy: { maxCallMs: 3_000 } });
    line.advance(2_000);
    line.model.speechStarted();
    line.model.plans.push({ items: [{ ms: 1_000 }], thinkMs: 1e9 });
    line.until(() => played(line).some(({ utterance }) => utterance === 'clip:apology'), 6_000);
    line.until(() => line.termination !== null, 5_000);
    expect(line.termination?.reason).toBe('max_duration');
  });

  test('without a model the carrier says it', () => {
    const line = answered({ laterModels: [{ readyAfterMs: 1e9 }] });
    line.model.lose();
    line.advance(500);
    line.call.receive({ type: 'call.asked_to_end', reason: 'drained' });
    line.until(() => line.termination !== null, 4_000);
    expect(line.termination?.reason).toBe('drained');
    expect(line.nexts).toEqual([{ do: 'say_and_hang_up', text: 'We have to stop here. Goodbye.' }]);
  });
});

describe("the caller's audio", () => {
  const given = (line: VirtualLine) => line.done('session.append').length;
  const filledMs = (line: VirtualLine) =>
    line.effects.reduce((sum, effect) => sum + (effect.do === 'session.append_silence' ? effect.ms : 0), 0);

  test('goes on where the carrier counts its frames anew', () => {
    const line = answered();
    const frame = (sequence: number) =>
      line.report({ type: 'leg.audio', sequence, timestampMs: sequence * 20, chunk: { payload: 'AA==', bytes: 160 } });
    for (const sequence of [1, 2, 3, 1_000_000, 4, 5, 6, 6, 5]) frame(sequence);
    expect(given(line)).toBe(7);
  });

  test('is filled by no more than the time that went by and ten seconds, whatever timestamps say', () => {
    const line = answered();
    for (let n = 0; n < 300; n++) {
      line.frame(n * 9_000);
      line.advance(20);
    }
    expect(filledMs(line)).toBeLessThanOrEqual(10_000 + 300 * 20);
    expect(given(line)).toBe(300);
  });
});

test('what still comes of a model that was given up does not begin the apology anew', () => {
  const on = { leg: 'l1', session: 's1', epoch: 1 };
  let state: CallState = admittedCall({
    ...{ callId: 'c', direction: 'inbound', on, atMs: 0 },
    policy: testPolicy({ recoverWithinMs: 0, models: 1 }),
    capabilities: { answersTurns: true, detectsTurns: true },
  });
  const effects: CallEffect[] = [];
  const happens = (event: UnstampedEvent): void => {
    const [next, caused] = step(state, { ...event, atMs: 10, on });
    state = next;
    effects.push(...caused);
  };
  happens({ type: 'leg.started' });
  happens({ type: 'session.ready' });
  happens({ type: 'answer.started', answer: 'r1' });
  const failed = { type: 'answer.ended', answer: 'r1', status: 'failed', detail: 'server_error' } as const;
  for (let i = 0; i < 6; i++) happens(failed);
  expect(state.phase).toBe('leaving');
  const apology = effects.filter((e) => e.do === 'leg.play' && e.utterance === 'clip:apology');
  expect(apology.filter((e) => e.do === 'leg.play' && e.fromByte === 0)).toHaveLength(1);
});
