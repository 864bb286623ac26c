// What must hold whatever happens in whatever order.
import { expect, test } from 'vitest';
import type { CallEffect } from '../../src/call/effect.ts';
import type { CallEvent, UnstampedEvent } from '../../src/call/event.ts';
import { step } from '../../src/call/machine.ts';
import { admittedCall, type CallState } from '../../src/call/state.ts';
import { seededRandom } from '../../src/phone/seeded-random.ts';
import { deepFreeze } from '../support/deep-freeze.ts';
import { NO_ERRANDS } from '../support/no-errands.ts';
import { testPolicy, VirtualLine } from '../support/virtual-line.ts';
import fc from '../support/fast-check.ts';

const on = { leg: 'l1', session: 's1', epoch: 1 };
const utterance = fc.constantFrom('u1', 'u2', 'u3');
const answer = fc.constantFrom('r1', 'r2');
const toolCall = fc.constantFrom('c1', 'c2');
const timer = fc.constantFrom(
  'media',
  'pace',
  'stall',
  'silence',
  'farewell',
  'duration',
  'keypad',
  'input',
  'barge_in',
);
const chunk = fc.integer({ min: 1, max: 40 }).map((frames) => ({ payload: '', bytes: frames * 100 }));

/** Any event, in any order: much of it nonsense, as a broken peer would send. */
const anyEvent = fc.oneof(
  fc.constant({ type: 'leg.started' }),
  fc.record({ type: fc.constant('leg.audio'), sequence: fc.nat(500), timestampMs: fc.nat(20_000), chunk }),
  fc.record({
    type: fc.constant('leg.mark_settled'),
    mark: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 9 })).map(([g, n]) => `g${g}.${n}`),
    outcome: fc.constantFrom('played', 'dropped'),
  }),
  fc.record({ type: fc.constant('leg.digit_pressed'), digit: fc.constantFrom('1', '#') }),
  fc.constant({ type: 'session.ready' }),
  fc.constant({ type: 'speech.started', audioMs: 0 }),
  fc.constant({ type: 'speech.stopped', audioMs: 0 }),
  fc.constant({ type: 'turn.committed', turn: 't' }),
  fc.record({ type: fc.constant('answer.started'), answer }),
  fc.record({ type: fc.constant('utterance.started'), utterance, answer }),
  fc.record({ type: fc.constant('utterance.audio'), utterance, chunk }),
  fc.record({ type: fc.constant('utterance.ended'), utterance }),
  fc.record({
    type: fc.constant('tool.called'),
    toolCall,
    name: fc.constantFrom('look', 'end_call'),
    arguments: fc.constant('{}'),
    answer,
  }),
  fc.record({ type: fc.constant('tool.settled'), toolCall, status: fc.constant('ok'), output: fc.constant('x') }),
  fc.record({
    type: fc.constant('answer.ended'),
    answer,
    status: fc.constantFrom('completed', 'cancelled', 'failed', 'incomplete'),
    detail: fc.constant(''),
  }),
  fc.record({ type: fc.constant('timer.fired'), timer }),
  fc.record({ type: fc.constantFrom('operator.whispered', 'operator.said'), text: fc.constantFrom('x', '"y" z', ' ') }),
  fc.record({ type: fc.constant('operator.transfers'), target: fc.constantFrom('desk', 'boss', '__proto__') }),
  fc.constant({
    type: 'usage.reported',
    usage: { source: 's', what: 'answer', model: 'm', unit: 'seconds', seconds: 1 },
  }),
);
const rareEvent = fc.oneof(
  fc.record({
    type: fc.constant('leg.closed'),
    cause: fc.constantFrom('caller_hung_up', 'socket_lost'),
    detail: fc.constant(''),
  }),
  fc.record({
    type: fc.constant('session.closed'),
    cause: fc.constantFrom('lost', 'refused'),
    detail: fc.constant(''),
  }),
  fc.constant({ type: 'call.asked_to_end', reason: 'drained' }),
  fc.constant({ type: 'call.asked_to_end', reason: 'operator_ended' }),
);
const script = fc.array(
  fc.tuple(fc.oneof({ weight: 60, arbitrary: anyEvent }, { weight: 1, arbitrary: rareEvent }), fc.nat(900)),
  { minLength: 1, maxLength: 120 },
) as fc.Arbitrary<[UnstampedEvent, number][]>;
const policies = fc.constantFrom(
  testPolicy(),
  testPolicy({ greeting: { by: 'model', say: 'Hello', protected: true }, interruptAfterMs: 300 }),
  testPolicy({ greeting: { by: 'clip', bytes: 3_333, text: 'Hello there', protected: false } }),
  testPolicy({
    errands: {
      ...NO_ERRANDS,
      targets: {
        desk: { to: '+15550100001', how: 'cold', ringSeconds: 5 },
        boss: { to: '+15550100002', how: 'warm', ringSeconds: 5 },
      },
    },
  }),
);
const capabilities = fc.record({ answersTurns: fc.boolean(), detectsTurns: fc.boolean() });

function runCore(
  policy: ReturnType<typeof testPolicy>,
  caps: CallState['capabilities'],
  events: [UnstampedEvent, number][],
  check: (before: CallState, event: CallEvent, after: CallState, effects: CallEffect[]) => void,
): void {
  let state: CallState = admittedCall({ callId: 'c', direction: 'inbound', on, policy, capabilities: caps, atMs: 0 });
  let atMs = 0;
  for (const [event, ms] of events) {
    atMs += ms;
    const stamped = deepFreeze({ ...event, atMs, on }) as CallEvent;
    const before = deepFreeze(state);
    const [after, effects] = step(before, stamped);
    check(before, stamped, after, effects);
    state = after;
  }
}

test('a state survives JSON at every step, is never mutated, and decides the same afterwards', () => {
  fc.assert(
    fc.property(policies, capabilities, script, (policy, caps, events) => {
      runCore(policy, caps, events, (before, event, after, effects) => {
        const copy = JSON.parse(JSON.stringify(before)) as CallState;
        expect(copy).toEqual(before);
        expect(step(copy, event)).toEqual([after, effects]);
      });
    }),
    { numRuns: 300 },
  );
});

test('heard never exceeds sent, sent never exceeds received, and nothing plays out of order or twice', () => {
  fc.assert(
    fc.property(policies, capabilities, script, (policy, caps, events) => {
      const sent = new Map<string, number>();
      runCore(policy, caps, events, (_before, _event, _after, effects) => {
        for (const e of effects) {
          if (e.do === 'leg.play') {
            expect(e.fromByte).toBe(sent.get(e.utterance) ?? 0);
            expect((e.toByte - e.fromByte + e.padBytes) % 160).toBe(0);
            sent.set(e.utterance, e.toByte);
          }
          if (e.do === 'note.settled') {
            expect(e.heardMs).toBeLessThanOrEqual(e.sentMs);
            expect(e.sentMs).toBeLessThanOrEqual(e.receivedMs);
            sent.delete(e.utterance);
          }
          if (e.do === 'session.interrupt')
            for (const h of e.heard) expect(Number.isInteger(h.heardMs) && h.heardMs >= 0).toBe(true);
        }
      });
    }),
    { numRuns: 300 },
  );
});

test('after the end only usage is billed, and every timer that was set was cleared or has fired', () => {
  fc.assert(
    fc.property(policies, capabilities, script, (policy, caps, events) => {
      const armed = new Set<string>();
      let ends = 0;
      runCore(policy, caps, events, (before, event, after, effects) => {
        if (event.type === 'timer.fired') armed.delete(event.timer);
        if (before.phase === 'ended') {
          expect(after).toBe(before);
          expect(effects.every((e) => e.do === 'ledger.charge')).toBe(true);
        }
        for (const e of effects) {
          if (e.do === 'timer.set') armed.add(e.timer);
          if (e.do === 'timer.clear') armed.delete(e.timer);
          if (e.do === 'call.end') ends += 1;
        }
        if (after.phase === 'ended') {
          expect(ends).toBe(1);
          expect([...armed]).toEqual([]);
        }
      });
    }),
    { numRuns: 300 },
  );
});

test('each tool call is run at most once and answered at most once; every one that was run is answered or aborted', () => {
  fc.assert(
    fc.property(policies, capabilities, script, (policy, caps, events) => {
      const run = new Map<string, number>();
      const settled = new Map<string, number>();
      runCore(policy, caps, events, (_before, _event, _after, effects) => {
        for (const e of effects) {
          if (e.do === 'tool.run') run.set(e.toolCall, (run.get(e.toolCall) ?? 0) + 1);
          if (e.do === 'session.settle_tool') settled.set(e.toolCall, (settled.get(e.toolCall) ?? 0) + 1);
        }
      });
      for (const n of [...run.values(), ...settled.values()]) expect(n).toBe(1);
    }),
    { numRuns: 300 },
  );
});

test('whole calls with random callers and a healthy model: no refused truncate, cuts within jitter of the truth, no end by the model', () => {
  const act = fc.constantFrom('speak', 'stop', 'wait', 'wait', 'digit', 'frame');
  const acts = fc.array(fc.tuple(act, fc.integer({ min: 1, max: 1_500 })), { minLength: 5, maxLength: 40 });
  const plan = fc.record({
    items: fc.array(fc.record({ ms: fc.integer({ min: 50, max: 4_000 }) }), { minLength: 1, maxLength: 3 }),
    thinkMs: fc.integer({ min: 0, max: 900 }),
  });
  fc.assert(
    fc.property(
      acts,
      fc.array(plan, { maxLength: 8 }),
      fc.boolean(),
      fc.boolean(),
      fc.nat(80),
      fc.constantFrom(0, 20, 60, 150),
      fc.nat(),
      (steps, plans, interrupts, answers, jitterMs, modelDelayMs, seed) => {
        const line = new VirtualLine({ interrupts, answers, jitterMs, modelDelayMs, random: seededRandom(seed) });
        line.model.plans.push(...plans);
        line.startMedia();
        let speaking = false;
        let timestamp = 0;
        for (const [what, ms] of steps) {
          if (what === 'speak' && !speaking) {
            speaking = true;
            line.model.speechStarted();
          } else if (what === 'stop' && speaking) {
            speaking = false;
            line.model.speechStopped();
          } else if (what === 'digit') line.report({ type: 'leg.digit_pressed', digit: '#' });
          else if (what === 'frame') line.frame((timestamp += 20));
          line.advance(ms);
        }
        if (speaking) line.model.speechStopped();
        line.advance(60_000);
        expect(line.faults).toEqual([]);
        // A create or a cancel may cross with what the server does at that moment; a truncate may never be refused.
        const crossings = ['conversation_already_has_active_response', 'response_cancel_not_active'];
        expect(line.model.errors.filter((code) => !crossings.includes(code))).toEqual([]);
        expect(line.termination?.by).not.toBe('model');
        for (const item of line.model.items) {
          const heard = line.heardMs(item.stamp);
          if (item.truncatedAtMs !== null)
            expect(Math.abs(item.truncatedAtMs - heard)).toBeLessThanOrEqual(jitterMs + 20);
          else if (item.deleted) expect(heard).toBeLessThanOrEqual(jitterMs + 20);
        }
      },
    ),
    { numRuns: 150 },
  );
});
