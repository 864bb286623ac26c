// "One moment", in virtual time: a caller who waits for the model hears something within 2 s and each 5 s from then on,
// whatever becomes of the sessions meanwhile.
import { describe, expect, test } from 'vitest';
import {
  answered,
  began,
  callerTurn,
  GREETING,
  HANGS,
  holds,
  longestSilenceMs,
  MUTE,
  played,
} from '../support/recovering-line.ts';
import type { VirtualLine } from '../support/virtual-line.ts';

test('a model that stalls gets another session, and the caller a moment', () => {
  const line = answered();
  line.model.plans.push(MUTE);
  callerTurn(line, 'Hello?');
  line.advance(1_750);
  expect(holds(line)).toHaveLength(1);
  line.until(() => line.opened.length === 2, 4_000);
  line.until(() => played(line).some(({ utterance }) => utterance === 's2.u1'), 2_000);
  expect(longestSilenceMs(line, 600)).toBeLessThan(2_500);
  expect(line.call.state.phase).toBe('talking');
});

describe('a model that never says a word, in any session', () => {
  function muteFromTheStart(): VirtualLine {
    const line = answered({ policy: { greeting: GREETING }, model: { answer: MUTE }, laterModels: [{ answer: MUTE }] });
    line.advance(14_000);
    return line;
  }

  test('the apology comes 3.5 s + 8 s after the start, not after four stalls', () => {
    expect(began(muteFromTheStart(), 'clip:apology') ?? Infinity).toBeLessThanOrEqual(11_700);
  });

  test('the moments asked for come each 5 s, whatever sessions come and go', () => {
    expect(longestSilenceMs(muteFromTheStart(), 0)).toBeLessThanOrEqual(5_100);
  });
});

test('a moment asked for in an idle loss does not delay the next one', () => {
  const line = answered({ laterModels: [{ readyAfterMs: 3_000 }] });
  callerTurn(line, 'Hello.');
  line.advance(5_000);
  // Idle; three seconds without a model: one "one moment".
  line.models[0]?.lose();
  line.advance(4_000);
  expect(line.call.state).toMatchObject({ session: 'ready', trouble: null });
  expect(holds(line)).toHaveLength(1);
  line.model.plans.push(MUTE);
  callerTurn(line, 'Are you there?');
  const fromMs = line.clock.nowMs();
  line.advance(3_000);
  expect(longestSilenceMs(line, fromMs)).toBeLessThanOrEqual(2_000);
});

test("the moment counts from the caller's wait, whatever sessions come and go in it", () => {
  const line = answered();
  line.model.plans.push(MUTE);
  callerTurn(line, 'What time is it?');
  const askedAtMs = line.clock.nowMs();
  line.advance(1_500);
  line.models[0]?.lose();
  line.model.plans.push(MUTE);
  line.advance(3_000);
  expect(line.opened).toHaveLength(2);
  expect(began(line, 'clip:hold')).toEqual(expect.any(Number));
  expect((began(line, 'clip:hold') as number) - askedAtMs).toBeLessThanOrEqual(2_000);
});

test('a tool that runs for long without a word of the model is not waited for in silence', () => {
  const line = answered({ runTool: () => {} });
  line.model.plans.push({ items: [], tools: [{ callId: 'call_1', name: 'lookup', arguments: '{}' }] });
  callerTurn(line, 'Look it up.');
  const fromMs = line.clock.nowMs();
  line.advance(6_000);
  expect(began(line, 'clip:hold')).toEqual(expect.any(Number));
  expect(longestSilenceMs(line, fromMs)).toBeLessThanOrEqual(5_000);
});

test('a caller who speaks again after "one moment" is asked for another one after 1.7 s, not after 5', () => {
  const line = answered({ policy: { modelStallMs: 20_000 } });
  line.model.plans.push(MUTE);
  callerTurn(line, 'What time is it?');
  line.advance(2_800);
  expect(holds(line)).toHaveLength(1);
  line.model.plans.push(MUTE);
  callerTurn(line, 'Hello?');
  const fromMs = line.clock.nowMs();
  line.advance(4_000);
  expect(holds(line)).toHaveLength(2);
  expect(longestSilenceMs(line, fromMs)).toBeLessThanOrEqual(2_300);
});

test('a drain that meets a model just lost does not leave the caller in silence', () => {
  const line = answered({ laterModels: [HANGS] });
  callerTurn(line, 'Hello.');
  line.advance(5_000);
  line.models[0]?.lose();
  line.advance(500);
  const fromMs = line.clock.nowMs();
  line.call.receive({ type: 'call.asked_to_end', reason: 'drained' });
  line.until(() => line.termination !== null, 30_000);
  expect(longestSilenceMs(line, fromMs)).toBeLessThanOrEqual(2_000);
});
