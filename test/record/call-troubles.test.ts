// What went wrong under a call, in words, as the record keeps it.
import { expect, test } from 'vitest';
import type { CallEffect, UnaddressedEffect } from '../../src/call/effect.ts';
import type { UnstampedEvent } from '../../src/call/event.ts';
import { CallTroubles } from '../../src/record/call-troubles.ts';

const ON = { leg: 'l1', session: 's1', epoch: 1 };
const CLOSE: UnaddressedEffect = { do: 'session.close' };
const open = (session: string, target = 0): UnaddressedEffect => ({
  do: 'session.open',
  session,
  agent: 'clinic',
  target,
  afterMs: 0,
});
const closed = (detail: string): UnstampedEvent => ({
  type: 'session.closed',
  cause: 'lost',
  detail,
  fatal: false,
  deafMs: 0,
});

function log(target = 0) {
  const troubles = new CallTroubles(target);
  return {
    troubles,
    told: () => troubles.troubles(0).troubles.map(({ what, why }) => `${what}: ${why}`),
    at: (atMs: number, event: UnstampedEvent, ...effects: UnaddressedEffect[]): void => {
      troubles.stepped(
        { ...event, atMs, on: ON },
        effects.map((effect): CallEffect => ({ ...effect, on: ON })),
      );
    },
  };
}

test('sessions and media, in order, each with its reason', () => {
  const { told, troubles, at } = log();
  at(1_000, { type: 'session.delayed', cause: 'refused', detail: 'HTTP 503: overloaded' });
  at(2_000, closed('1011: a fault of its own'), CLOSE, open('s2'));
  at(3_000, { type: 'timer.fired', timer: 'stall' }, CLOSE, open('s3'));
  at(4_000, { type: 'timer.fired', timer: 'recovery' }, CLOSE, open('s4', 1));
  at(5_000, { type: 'answer.ended', answer: 'a1', status: 'failed', detail: 'server_error' }, CLOSE, open('s5', 1));
  at(6_000, { type: 'answer.ended', answer: 'a2', status: 'completed', detail: '' }, CLOSE, open('s6', 1));
  at(7_000, { type: 'leg.closed', cause: 'socket_lost', detail: 'closed with 1006: without a word' });
  at(8_000, { type: 'leg.started' }, { do: 'note.resumed', awayMs: 1_000 });
  const expected = [
    'session_delayed: HTTP 503: overloaded',
    'session_lost: 1011: a fault of its own',
    'session_lost: no sound in time',
    'session_lost: not ready in time',
    'fallback_opened: ',
    'session_lost: server_error',
    'session_lost: empty answers',
    'media_lost: closed with 1006: without a word',
    'media_back: after 1000 ms',
  ];
  expect(told()).toEqual(expected);
  const kept = troubles.troubles(500);
  expect(kept.troubles.map(({ atMs }) => atMs)).toEqual([500, 1_500, 2_500, 3_500, 3_500, 4_500, 5_500, 6_500, 7_500]);
  expect(kept.troublesDropped).toBe(0);
});

test('no trouble: a session prepared beside the present one, a hang-up, a call that began with the second model', () => {
  const { told, at } = log(1);
  const termination = { reason: 'caller_hung_up', by: 'caller', result: 'success', detail: '' } as const;
  at(1_000, { type: 'timer.fired', timer: 'rollover' }, open('s2', 1));
  at(2_000, { type: 'timer.fired', timer: 'rollover' }, CLOSE, { do: 'session.append_recent', ms: 300 });
  at(3_000, { type: 'leg.closed', cause: 'caller_hung_up', detail: 'stop' }, { do: 'call.end', termination });
  // The socket goes after the end.
  at(3_100, { type: 'leg.closed', cause: 'closed_by_us', detail: 'closed by the call' });
  expect(told()).toEqual([]);
});

test('two hundred are kept, the rest is counted', () => {
  const { troubles, at } = log();
  for (let i = 0; i < 250; i++) at(i, { type: 'session.delayed', cause: 'unreachable', detail: 'ECONNREFUSED' });
  expect(troubles.troubles(0)).toMatchObject({ troublesDropped: 50, troubles: { length: 200 } });
});
