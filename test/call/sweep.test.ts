// The sweep: what outlives its call is named, counted and closed; what is only on its way out is left alone.
import { expect, test } from 'vitest';
import { heldClock, Holdings, type Leftover } from '../../src/call/holdings.ts';
import { startSweep } from '../../src/call/sweep.ts';
import { FakeClock } from '../support/fake-clock.ts';

function sweeping(live: Set<string>, letGo: () => string[] = () => []) {
  const clock = new FakeClock();
  const holdings = new Holdings();
  const found: Leftover[] = [];
  const failures: unknown[] = [];
  const stop = startSweep({
    calls: { isLive: (callId) => live.has(callId), letGo },
    holdings,
    clock,
    found: (leftover) => found.push(leftover),
    failed: (_callId, error) => failures.push(error),
  });
  return { clock, holdings, found, failures, stop };
}

test('a session, a socket, a timer and a token without their call are closed and named, each once', () => {
  const live = new Set(['gone', 'here']);
  const { clock, holdings, found } = sweeping(live);
  const closed: string[] = [];
  const kinds = ['model_session', 'media_socket', 'media_token'] as const;
  for (const kind of kinds)
    for (const callId of ['gone', 'here']) holdings.hold(kind, callId, () => closed.push(`${kind} of ${callId}`));
  let fired = false;
  heldClock(clock, holdings, 'gone').at(clock.nowMs() + 600_000, () => (fired = true));
  live.delete('gone');
  clock.advance(120_000);
  expect(found).toEqual([...kinds.map((kind) => ({ kind, callId: 'gone' })), { kind: 'timer', callId: 'gone' }]);
  expect(closed).toEqual(kinds.map((kind) => `${kind} of gone`));
  expect(holdings.count()).toBe(3);
  clock.advance(1_200_000);
  expect(found).toHaveLength(4);
  expect(fired).toBe(false);
});

test('what is gone ten seconds after it was seen was only on its way out', () => {
  const { clock, holdings, found } = sweeping(new Set());
  const release = holdings.hold('media_socket', 'c1', () => expect.unreachable());
  clock.advance(60_000);
  expect(holdings.suspects).toBe(1);
  release();
  clock.advance(10_000);
  expect(found).toEqual([]);
  // And one that stays is found at that look, not a minute later.
  holdings.hold('media_socket', 'c2', () => {});
  clock.advance(60_000);
  expect(found).toEqual([]);
  clock.advance(10_000);
  expect(found).toEqual([{ kind: 'media_socket', callId: 'c2' }]);
});

test('a call that ended and is still listed is let go of', () => {
  const stuck = ['c1'];
  const { clock, found } = sweeping(new Set(), () => stuck.splice(0));
  clock.advance(60_000);
  expect(found).toEqual([{ kind: 'call', callId: 'c1' }]);
});

test('a leftover that cannot be closed is told, and does not keep the others', () => {
  const { clock, holdings, found, failures } = sweeping(new Set());
  holdings.hold('media_socket', 'c1', () => {
    throw new Error('no');
  });
  holdings.hold('model_session', 'c1', () => {});
  clock.advance(70_000);
  expect(found.map(({ kind }) => kind)).toEqual(['media_socket', 'model_session']);
  expect(failures).toEqual([new Error('no')]);
});

test('a timer of a call counts until it fires or is cancelled', () => {
  const clock = new FakeClock();
  const holdings = new Holdings();
  const own = heldClock(clock, holdings, 'c1');
  const cancel = own.at(clock.nowMs() + 10, () => {});
  own.at(clock.nowMs() + 20, () => {});
  expect(holdings.count('timer')).toBe(2);
  cancel();
  expect(holdings.count('timer')).toBe(1);
  clock.advance(20);
  expect(holdings.count('timer')).toBe(0);
});

test('a sweep that was stopped leaves no timer', () => {
  const { clock, stop } = sweeping(new Set());
  stop();
  expect(clock.pending).toBe(0);
});
