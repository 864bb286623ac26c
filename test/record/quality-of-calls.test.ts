// The measures of a call against the call itself, in virtual time: the real shell, core and session, and what reached the
// caller's ear by the phone's own play buffer.
import { describe, expect, test } from 'vitest';
import type { CallPolicy } from '../../src/call/policy.ts';
import { CallTroubles } from '../../src/record/call-troubles.ts';
import type { QualityMeasures } from '../../src/record/quality.ts';
import { QualityTracker } from '../../src/record/quality-tracker.ts';
import { testPolicy, VirtualLine, type VirtualLineOptions } from '../support/virtual-line.ts';
import { callFacts } from './story.ts';

interface Measured {
  line: VirtualLine;
  measures: () => QualityMeasures;
  troubles: () => string[];
}

function measured({ policy, ...options }: VirtualLineOptions & { policy?: Partial<CallPolicy> } = {}): Measured {
  const tracker = new QualityTracker({ ...callFacts().opening, policy: testPolicy(policy) });
  const log = new CallTroubles(0);
  const line = new VirtualLine({
    policy: policy ?? {},
    ...options,
    onlookers: [
      {
        stepped(event, effects) {
          tracker.stepped(event, effects);
          log.stepped(event, effects);
        },
      },
    ],
  });
  line.startMedia();
  line.advance(50);
  return {
    line,
    measures: () => tracker.measures,
    troubles: () => log.troubles(0).troubles.map(({ what, why }) => `${what}: ${why}`),
  };
}

function callerTurn(line: VirtualLine): void {
  line.model.speechStarted();
  line.advance(500);
  line.model.speechStopped();
}

/** When the caller began to hear something new, after that time. */
const soundAfter = (line: VirtualLine, ms: number): number =>
  line.buffer.heard(line.clock.nowMs()).find(({ atMs }) => atMs >= ms)?.atMs ?? Number.NaN;

describe.each([0, 60, 250])('with %d ms to the carrier', (delayMs) => {
  test('a wait is as long as the caller hears it, but for the way of the sound', () => {
    const { line, measures } = measured({ delayMs });
    line.model.plans.push({ items: [{ ms: 1_000 }], thinkMs: 3_000 });
    callerTurn(line);
    const askedAtMs = line.clock.nowMs();
    line.advance(8_000);
    const waitedMs = soundAfter(line, askedAtMs) - askedAtMs - delayMs;
    const { deadAir, answers } = measures();
    expect(deadAir.count).toBe(1);
    expect(Math.abs(deadAir.longestMs - waitedMs)).toBeLessThanOrEqual(20);
    expect(deadAir.beyondMs).toBe(deadAir.longestMs - 2_000);
    expect(answers).toEqual({ count: 1, meanMs: deadAir.longestMs, slowestMs: deadAir.longestMs });
  });
});

test('a session that is lost in the middle of an answer is one lost session, and no second caller turn', () => {
  const { line, measures } = measured({ policy: { holdBytes: 8_000, recoverWithinMs: 8_000 } });
  line.model.plans.push({ items: [{ ms: 4_000 }], thinkMs: 100 });
  callerTurn(line);
  line.advance(1_500);
  line.model.lose();
  line.advance(10_000);
  expect(line.opened.length).toBeGreaterThan(1);
  expect(measures()).toMatchObject({
    sessions: { opened: line.opened.length, lost: line.opened.length - 1, rolledOver: 0 },
    talkOverMs: 0,
    answers: { count: 1 },
  });
});

test('"one moment" is counted as the core asks for it, and keeps the silence short', () => {
  const { line, measures } = measured({
    policy: { holdBytes: 8_000, recoverWithinMs: 8_000, modelStallMs: 60_000, holdAfterMs: 1_700 },
  });
  line.model.plans.push({ items: [{ ms: 1_000 }], thinkMs: 8_000 });
  callerTurn(line);
  line.advance(12_000);
  const { holds, deadAir, answers } = measures();
  expect(holds).toBe(line.done('note.held').length);
  expect(holds).toBeGreaterThan(0);
  // The answer waits behind the second "one moment", which has just begun when it comes.
  expect(answers.slowestMs).toBeGreaterThanOrEqual(8_000);
  expect(answers.slowestMs).toBeLessThanOrEqual(9_000);
  expect(deadAir.longestMs).toBeLessThan(5_100);
});

test('media that is lost and comes back is told with the time it was away', () => {
  const { line, measures } = measured({ policy: { holdBytes: 8_000, recoverWithinMs: 8_000, resumeWithinMs: 9_000 } });
  line.model.plans.push({ items: [{ ms: 6_000 }], thinkMs: 50 }, { items: [{ ms: 1_000 }] });
  callerTurn(line);
  line.advance(2_000);
  line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '1006' });
  line.advance(1_000);
  line.startMedia();
  line.advance(4_000);
  expect(measures()).toMatchObject({
    media: { started: true, lost: 1, awayMs: 1_000 },
    sessions: { opened: 1, lost: 0 },
    deadAir: { count: 0 },
  });
});

test('a session that takes over in a pause was not lost', () => {
  const { line, measures } = measured({
    policy: { holdBytes: 8_000, recoverWithinMs: 8_000, rolloverAfterMs: 20_000, silenceMs: 600_000 },
  });
  for (let t = 0; t < 30_000; t += 20) {
    line.frame(line.clock.nowMs());
    line.advance(20);
  }
  expect(measures()).toMatchObject({ sessions: { opened: 2, lost: 0, rolledOver: 1 }, deadAir: { count: 0 } });
  expect(measures().frames).toMatchObject({ received: 1_500, late: 0 });
});

test.each([
  ['ready', 0],
  ['not yet ready', 3_000],
])('a session that is lost beside a prepared one that is %s was lost, and did not roll over', (_how, readyAfterMs) => {
  const { line, measures, troubles } = measured({
    policy: { holdBytes: 8_000, recoverWithinMs: 8_000, rolloverAfterMs: 20_000, silenceMs: 600_000 },
    laterModels: [{ readyAfterMs }],
  });
  // No pause in which the prepared one could take over.
  line.until(() => line.clock.nowMs() > 19_000, 20_000);
  line.model.speechStarted();
  line.until(() => line.opened.length === 2, 5_000);
  line.advance(1_000);
  line.models[0]?.lose();
  line.advance(5_000);
  expect(line.call.state).toMatchObject({ on: { session: 's2' }, session: 'ready' });
  expect(measures().sessions).toEqual({ opened: 2, fallback: 0, lost: 1, rolledOver: 0 });
  expect(troubles()).toEqual([expect.stringMatching(/^session_lost: /)]);
});

test('a prepared session that is lost, and the end of a call that has one, are no loss of the session', () => {
  const { line, measures, troubles } = measured({
    policy: { holdBytes: 8_000, recoverWithinMs: 8_000, rolloverAfterMs: 20_000, silenceMs: 600_000 },
  });
  line.until(() => line.clock.nowMs() > 19_000, 20_000);
  line.model.speechStarted();
  line.until(() => line.opened.length === 2, 5_000);
  line.models[1]?.lose();
  line.until(() => line.opened.length === 3, 20_000);
  line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: 'stop' });
  line.advance(1_000);
  expect(line.termination).toMatchObject({ reason: 'caller_hung_up' });
  expect(measures().sessions).toEqual({ opened: 3, fallback: 0, lost: 0, rolledOver: 0 });
  expect(troubles()).toEqual([]);
});

test('the time in which both are heard is what the play buffer says', () => {
  const { line, measures } = measured({ policy: { interruptAfterMs: 900 }, interrupts: false, delayMs: 40 });
  line.model.plans.push({ items: [{ ms: 5_000 }], thinkMs: 50 });
  callerTurn(line);
  line.advance(1_500);
  const beganAtMs = line.clock.nowMs();
  line.model.speechStarted();
  line.advance(3_000);
  const [stop] = line.clears;
  const bothMs = (stop?.atMs ?? Number.NaN) - 40 - beganAtMs;
  expect(Math.abs(measures().talkOverMs - bothMs)).toBeLessThanOrEqual(40);
  expect(measures().bargeIns).toEqual({ count: 1, meanMs: 900, slowestMs: 900 });
});
