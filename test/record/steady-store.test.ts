// A store that fails or hangs, as the calls see it: never for long, and never without an answer.
import { expect, test } from 'vitest';
import type { CallStore, StoredCall } from '../../src/call/call-store.ts';
import { SteadyStore } from '../../src/record/steady-store.ts';
import { FakeClock } from '../support/fake-clock.ts';

const entry = (id: string): StoredCall => ({
  callId: `call-${id}`,
  carrier: 'twilio',
  carrierCallId: id,
  node: 'aaaaaaaaaaaa',
  admittedWallMs: 0,
  next: { do: 'forward', to: '+15005550009' },
  termination: null,
  statuses: [],
  voicemail: null,
});

const never = <T>(): Promise<T> => new Promise(() => {});
/** Lets everything happen that waits for nothing but a promise. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const broken = (): Promise<never> => Promise.reject(new Error('EIO'));

function steady(store: Partial<CallStore>) {
  const clock = new FakeClock();
  const failures: unknown[] = [];
  const good: CallStore = { put: async () => {}, update: async () => {}, get: async () => null };
  const failed = (error: unknown): void => void failures.push(error);
  return { clock, failures, store: new SteadyStore({ store: { ...good, ...store }, clock, failed }) };
}

test('passes on what the store says', async () => {
  const { store, failures, clock } = steady({ get: async () => entry('CA1') });
  expect(await store.get('twilio', 'CA1')).toEqual(entry('CA1'));
  expect(failures).toEqual([]);
  expect(clock.pending).toBe(0);
});

test.each([
  ['fails', broken],
  ['hangs', never],
])('a store that %s: a read answers from memory what this process wrote last, changes included', async (_how, way) => {
  const { store, clock, failures } = steady({ get: way });
  await store.put(entry('CA1'));
  await store.update('twilio', 'CA1', (call) => ({ ...call, next: { do: 'hang_up' } }));
  const read = store.get('twilio', 'CA1');
  const stranger = store.get('twilio', 'CA2');
  await settled();
  clock.advance(5_000);
  expect(await read).toMatchObject({ callId: 'call-CA1', next: { do: 'hang_up' } });
  expect(await stranger).toBeNull();
  const told = expect.objectContaining({ code: 'TRK_STORE' });
  expect(failures).toEqual([told, told]);
  expect(clock.pending).toBe(0);
});

test('a store that fails: who writes hears of it, and what was to be written is known all the same', async () => {
  const { store, failures } = steady({ put: broken, update: broken, get: broken });
  await expect(store.put(entry('CA1'))).rejects.toMatchObject({ code: 'TRK_STORE' });
  const change = (call: StoredCall): StoredCall => ({ ...call, next: { do: 'hang_up' } });
  await expect(store.update('twilio', 'CA1', change)).rejects.toMatchObject({ code: 'TRK_STORE' });
  expect(failures).toEqual([]);
  expect(await store.get('twilio', 'CA1')).toMatchObject({ callId: 'call-CA1', next: { do: 'hang_up' } });
});

test('a store that hangs: nobody waits for a write longer than five seconds, and it is told', async () => {
  const { store, clock, failures } = steady({ put: never, get: never });
  const written = store.put(entry('CA1'));
  clock.advance(5_000);
  await written;
  const read = store.get('twilio', 'CA1');
  clock.advance(5_000);
  expect(await read).toEqual(entry('CA1'));
  expect(failures).toHaveLength(2);
});

test('a store that fails late disturbs nobody', async () => {
  let fail = (): void => {};
  const late = new Promise<void>((_resolve, reject) => (fail = () => reject(new Error('EIO'))));
  const { store, clock, failures } = steady({ put: () => late });
  const written = store.put(entry('CA1'));
  clock.advance(5_000);
  await written;
  fail();
  await settled();
  expect(failures).toHaveLength(1);
});
