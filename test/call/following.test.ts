// Closed calls whose carrier has still to ask what follows: who is waited for, and who is told instead.
import { expect, test } from 'vitest';
import type { CarrierControl, ControlOutcome, NextStep } from '../../src/carrier/carrier.ts';
import { Following } from '../../src/call/following.ts';
import type { StoredCall } from '../../src/call/call-store.ts';
import { FakeClock } from '../support/fake-clock.ts';

const KEY = 'twilio/CA1';
const CALL = { callId: 'c1', carrier: 'twilio', carrierCallId: 'CA1', callerGone: false };
const settled = () => new Promise(setImmediate);

/** A control whose orders the test answers; `next` is what the store says follows. */
function waiting(next: NextStep = { do: 'hang_up' }, part: { control?: null; brokenStore?: boolean } = {}) {
  const clock = new FakeClock();
  const orders: {
    order: string;
    next?: NextStep;
    unwanted: AbortSignal | undefined;
    answer(o: ControlOutcome): void;
  }[] = [];
  const ordered: string[] = [];
  const faults: unknown[] = [];
  let idle = 0;
  const take = (order: string, unwanted?: AbortSignal, to?: NextStep): Promise<ControlOutcome> =>
    new Promise((answer) => void orders.push({ order, ...(to ? { next: to } : {}), unwanted, answer }));
  const control: CarrierControl = {
    redirect: (_id, to, unwanted) => take('redirect', unwanted, to),
    hangUp: (_id, unwanted) => take('hang_up', unwanted),
    call: () => Promise.reject(new Error('nobody is called here')),
    message: () => Promise.reject(new Error('nothing is sent here')),
  };
  const following = new Following({
    clock,
    controls: () => (part.control === null ? null : control),
    store: {
      put: async () => {},
      update: async () => {},
      get: async () => {
        if (part.brokenStore) throw new Error('disk');
        return { next } as StoredCall;
      },
    },
    watch: {
      ordered: (_callId, order, outcome) => void ordered.push(`${order} ${outcome}`),
      fault: (_callId, error) => void faults.push(error),
    },
    idle: () => void idle++,
  });
  return { clock, following, orders, ordered, faults, idleTimes: () => idle };
}

test('a carrier that asks in time is told nothing, and is waited for until it has said that the call is over', async () => {
  const { clock, following, orders, idleTimes } = waiting();
  following.wait(KEY, CALL);
  following.asked(KEY, false);
  clock.advance(2_000);
  expect([following.size, idleTimes()]).toEqual([1, 0]);
  following.over(KEY);
  expect([following.size, idleTimes(), clock.pending]).toEqual([0, 1, 0]);
  await settled();
  expect(orders).toEqual([]);
});

test('a carrier that asked before the call was closed counts as one that asked', async () => {
  const { clock, following, orders } = waiting();
  following.asked(KEY, true);
  following.wait(KEY, CALL);
  clock.advance(3_000);
  await settled();
  expect([orders.length, following.size]).toEqual([0, 0]);
});

test('but not when media began again after that', async () => {
  const { clock, following, orders } = waiting();
  following.asked(KEY, true);
  following.mediaBegan(KEY);
  following.wait(KEY, CALL);
  clock.advance(3_000);
  await settled();
  expect(orders).toHaveLength(1);
});

test.each<[NextStep, string]>([
  [{ do: 'hang_up' }, 'hang_up'],
  [{ do: 'forward', to: '+15005550009' }, 'redirect'],
  [{ do: 'voicemail', say: 'Please speak.', maxSeconds: 60 }, 'redirect'],
])('a carrier that does not ask within three seconds is told: %j', async (next, order) => {
  const { clock, following, orders, ordered, idleTimes } = waiting(next);
  following.wait(KEY, CALL);
  clock.advance(2_999);
  await settled();
  expect(orders).toEqual([]);
  clock.advance(1);
  await settled();
  expect(orders).toMatchObject([order === 'redirect' ? { order, next } : { order }]);
  // A drain waits for the order to come to its end.
  expect(following.size).toBe(1);
  orders[0]?.answer('failed');
  await settled();
  expect([ordered, following.size, idleTimes()]).toEqual([[`${order} failed`], 0, 1]);
});

test('an order is void as soon as the carrier asks by itself', async () => {
  const { clock, following, orders, ordered } = waiting();
  following.wait(KEY, CALL);
  clock.advance(3_000);
  await settled();
  expect(orders[0]?.unwanted?.aborted).toBe(false);
  following.asked(KEY, false);
  expect(orders[0]?.unwanted?.aborted).toBe(true);
  orders[0]?.answer('failed');
  await settled();
  expect([ordered, following.size]).toEqual([[], 0]);
});

test.each([
  ['a caller who has hung up', { callerGone: true }, {}],
  ['a carrier that cannot be told', {}, { control: null }],
])('%s is only waited for', async (_what, call, part) => {
  const { clock, following, orders, idleTimes } = waiting({ do: 'hang_up' }, part);
  following.wait(KEY, { ...CALL, ...call });
  clock.advance(3_000);
  await settled();
  expect([orders.length, following.size, idleTimes()]).toEqual([0, 0, 1]);
});

test('a call whose record cannot be read is ended', async () => {
  const { clock, following, orders, faults } = waiting({ do: 'forward', to: '+15005550009' }, { brokenStore: true });
  following.wait(KEY, CALL);
  clock.advance(3_000);
  await settled();
  expect(orders).toMatchObject([{ order: 'hang_up' }]);
  expect(faults).toHaveLength(1);
});

test('questions about calls of nobody leave nothing behind', async () => {
  const { clock, following, orders } = waiting();
  following.asked(KEY, false);
  following.wait(KEY, CALL);
  clock.advance(3_000);
  await settled();
  expect(orders).toHaveLength(1);
});
