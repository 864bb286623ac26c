// How long another session is tried for, in virtual time: a model that is back within its 8 s is waited for, one that is not
// leads to the next model of the agent, then to the apology.
import { describe, expect, test } from 'vitest';
import {
  answered,
  began,
  callerTurn,
  creates,
  expectGone,
  failAnswer,
  GREETING,
  HANGS,
  holds,
  longestSilenceMs,
  MUTE,
  opened,
  played,
  RECOVERS,
} from '../support/recovering-line.ts';
import { VirtualLine } from '../support/virtual-line.ts';

describe('a model that cannot be had', () => {
  const refused = { cause: 'refused', detail: 'HTTP 503', retry: true } as const;

  test('the caller is asked for a moment within 2 s, hears of us every few seconds, and gets the apology after 8 s', () => {
    const line = answered({ policy: { greeting: GREETING }, model: HANGS, laterModels: [HANGS] });
    line.advance(1_700);
    expect(holds(line)).toHaveLength(1);
    line.advance(6_200);
    expect(holds(line)).toHaveLength(2);
    expect(played(line).some(({ utterance }) => utterance === 'clip:apology')).toBe(false);
    line.advance(200);
    expect(played(line).some(({ utterance }) => utterance === 'clip:apology')).toBe(true);
    expect(longestSilenceMs(line, 0)).toBeLessThanOrEqual(5_000);
    line.advance(5_000);
    expect(line.termination).toMatchObject({ reason: 'model_unreachable', detail: 'not ready in time' });
    expectGone(line);
  });

  test('a refusal that would come again leads to the fallback at once', () => {
    const line = answered({
      policy: { greeting: GREETING, models: 2 },
      refuse: ({ target }) => (target === 0 ? { ...refused, detail: 'HTTP 401', retry: false } : null),
    });
    line.until(() => played(line).length > 0, 3_000);
    expect(opened(line)).toEqual(['s1/0', 's2/1']);
    expect(creates(line)[0]).toMatchObject({ response: { instructions: GREETING.say } });
    expect(holds(line)).toEqual([]);
  });

  test('before the caller is there, too', () => {
    const line = new VirtualLine({
      policy: { ...RECOVERS, greeting: GREETING, models: 2 },
      refuse: ({ target }) => (target === 0 ? { ...refused, retry: false } : null),
    });
    line.advance(400);
    line.startMedia();
    line.advance(10);
    expect(played(line)[0]).toMatchObject({ utterance: 's2.u1' });
  });

  test('without a fallback a final refusal ends the call with the apology, and says why', () => {
    const line = answered({
      refuse: () => ({ ...refused, detail: 'HTTP 401: the API key is not valid', retry: false }),
    });
    line.advance(10);
    expect(played(line)[0]).toMatchObject({ utterance: 'clip:apology' });
    line.advance(5_000);
    expect(line.termination).toMatchObject({ reason: 'model_refused', detail: 'HTTP 401: the API key is not valid' });
    expectGone(line);
  });

  test('one that drops every session is tried less and less often, and given up after 8 s', () => {
    const line = answered({ policy: { greeting: GREETING }, refuse: () => refused });
    line.advance(7_900);
    expect(opened(line)).toEqual(['s1/0', 's2/0', 's3/0', 's4/0', 's5/0', 's6/0']);
    expect(line.opened.map(({ afterMs }) => afterMs)).toEqual([0, 0, 500, 1_000, 2_000, 4_000]);
    line.advance(5_000);
    expect(line.termination).toMatchObject({ reason: 'model_refused' });
    expectGone(line);
  });
});

test('one that stops sounding in the middle of each answer is given up at the sixth, and silence stays short', () => {
  const stops = { items: [{ ms: 6_000, stallAfterMs: 1_000, stallMs: 1e9 }] };
  const line = answered({ policy: { greeting: GREETING }, model: { answer: stops }, laterModels: [{ answer: stops }] });
  line.until(() => began(line, 'clip:apology') !== undefined, 60_000);
  expect(line.opened).toHaveLength(6);
  expect(longestSilenceMs(line, 0)).toBeLessThanOrEqual(2_000);
  line.until(() => line.termination !== null, 10_000);
  expect(line.termination).toMatchObject({ reason: 'model_stalled', detail: 'no sound in time' });
  expectGone(line);
});

describe('a model that comes back after two seconds is waited for', () => {
  test('when it closes every session meanwhile (a restart: 1013, 1012)', () => {
    const line = answered({
      refuse: ({ session }) =>
        session !== 's1' && line.clock.nowMs() < 3_000
          ? { cause: 'lost', detail: '1013: the server asks to try again later', retry: true }
          : null,
    });
    callerTurn(line, 'Hello.');
    line.models[0]?.lose();
    line.advance(5_000);
    expect(began(line, 'clip:apology')).toBeUndefined();
    expect(line.call.state).toMatchObject({ session: 'ready' });
  });

  test('when every answer fails meanwhile (a rate limit)', () => {
    const line = answered();
    line.models[0]?.speechStarted();
    line.advance(300);
    line.models[0]?.send({ type: 'input_audio_buffer.committed', item_id: 'item_u', previous_item_id: null });
    let failed = 0;
    for (let t = 0; t < 1_000 && began(line, 'clip:apology') === undefined; t += 10) {
      const asked = line.models.flatMap(({ received }) => received).filter(({ type }) => type === 'response.create');
      if (failed <= asked.length) {
        failAnswer(line, 'rate_limit_exceeded');
        failed += 1;
      }
      line.advance(10);
    }
    // Within one second: a handful of tries at most, and the call is not given up.
    expect(failed).toBeGreaterThan(1);
    expect(began(line, 'clip:apology')).toBeUndefined();
  });
});

describe('a session that hangs is replaced while there is time', () => {
  test('while the first one opens', () => {
    // It takes its configuration and never confirms it; the next would be there in half a second.
    const line = new VirtualLine({
      policy: { ...RECOVERS, greeting: GREETING },
      model: HANGS,
      laterModels: [{ readyAfterMs: 500 }],
    });
    line.advance(20);
    line.startMedia();
    line.advance(8_500);
    expect(began(line, 'clip:apology')).toBeUndefined();
    expect(began(line, 's2.u1')).toEqual(expect.any(Number));
  });

  test('while it takes over', () => {
    const line = answered({ laterModels: [HANGS, { readyAfterMs: 500 }] });
    callerTurn(line, 'Hello.');
    line.advance(4_000);
    line.models[0]?.lose();
    line.advance(9_000);
    expect(began(line, 'clip:apology')).toBeUndefined();
    expect(line.call.state).toMatchObject({ on: { session: 's3' }, session: 'ready' });
  });
});

test('a caller who speaks on for long after a recovery is not told that nothing works', () => {
  const line = answered();
  line.model.plans.push(MUTE);
  callerTurn(line, 'Hello.');
  line.model.plans.push(MUTE);
  line.models[0]?.speechStarted();
  line.advance(500);
  line.models[0]?.lose();
  line.advance(100);
  expect(line.call.state.on.session).toBe('s2');
  // The model is fine: it hears that the caller speaks, for nine seconds.
  line.models[1]?.speechStarted();
  line.advance(9_000);
  expect(began(line, 'clip:apology')).toBeUndefined();
  expect(line.opened).toHaveLength(2);
});
