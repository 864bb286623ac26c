// Questions that look through all calls are asked of threads that only read: they hold up nothing that is written, and nothing
// of them is left when the store is closed.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realClock } from '../../src/clock.ts';
import { ANY_CALL } from '../../src/store/queries/call-filter.ts';
import { ReadingThread } from '../../src/store/reading-thread.ts';
import { ReadingThreads } from '../../src/store/reading-threads.ts';
import { startStore } from '../../src/store/start.ts';
import type { Store } from '../../src/store/store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { useEngines } from './engines.ts';
import { callerSaid, ended, started } from './facts.ts';
import { manyCalls, writeCalls } from './many-calls.ts';

const engines = useEngines();
const log = { info() {}, warn() {}, error() {} };

describe('of a store', () => {
  let store: Store;
  beforeEach(async () => {
    const dataDir = await engines.folder();
    store = await startStore({ dataDir, databaseUrl: null, nodeId: '0123456789ab', clock: realClock, log });
  });
  afterEach(() => store.close());

  test('they see what is settled', async () => {
    expect(await store.ask('countCalls', ANY_CALL)).toBe(0);
    for (const fact of [started('c1'), callerSaid('c1', 0, 'hello'), ended('c1')]) store.append(fact);
    await store.settled();
    const filter = { ...ANY_CALL, words: 'hello' };
    expect(await store.ask('countCalls', ANY_CALL)).toBe(1);
    expect(await store.ask('callStats', filter)).toMatchObject({ calls: 1, latencyMs: { p50: 840, calls: 1 } });
    const page = await store.ask('listCalls', { ...filter, sort: 'cost', order: 'asc', limit: 5, after: null });
    expect(page).toMatchObject({ calls: [{ callId: 'c1', disposition: 'booked', durationMs: 59_800 }], more: false });
  });

  test('they do not keep the file from being built anew and its log from being emptied', async () => {
    store.append(started('c1'));
    await store.settled();
    await Promise.all([store.ask('countCalls', ANY_CALL), store.ask('callStats', ANY_CALL)]);
    expect(await store.ask('scrub', null)).toEqual({ engine: 'sqlite', why: '' });
    expect(await store.ask('countCalls', ANY_CALL)).toBe(1);
  });

  test('an error of ours keeps its code', async () => {
    const after = { value: 1, callId: 'nobody' };
    const list = { ...ANY_CALL, words: 'x', sort: 'admitted', order: 'desc', limit: 5, after } as const;
    await expect(store.ask('listCalls', list)).rejects.toMatchObject({ code: 'TRK_BAD_REQUEST' });
  });

  test('after the end there is no answer', async () => {
    const asked = store.ask('callStats', ANY_CALL);
    const closed = store.close();
    await expect(asked).rejects.toMatchObject({ code: 'TRK_STORE' });
    await closed;
    await expect(store.ask('countCalls', ANY_CALL)).rejects.toMatchObject({ code: 'TRK_STORE' });
  });
});

describe('alone', () => {
  const made = async () => {
    const place = await engines.place('sqlite');
    const db = await engines.open(place);
    return { place, db };
  };

  test('answers in the order of the questions, and again after its thread was ended for want of them', async () => {
    const { place, db } = await made();
    await writeCalls(db, manyCalls(20));
    const clock = new FakeClock();
    const thread = new ReadingThread(place, clock);
    const counts = await Promise.all([1, 2, 3].map(() => thread.ask('countCalls', ANY_CALL)));
    expect(counts).toEqual([20, 20, 20]);
    clock.advance(60_000);
    expect(await thread.ask('countCalls', ANY_CALL)).toBe(20);
    await thread.close();
  });

  test('what is late is given up, what waits behind it is answered', async () => {
    const { place } = await made();
    const clock = new FakeClock();
    const thread = new ReadingThread(place, clock);
    const late = thread.ask('countCalls', ANY_CALL);
    clock.advance(5_000);
    const next = thread.ask('countCalls', ANY_CALL);
    clock.advance(5_000);
    await expect(late).rejects.toMatchObject({ message: expect.stringContaining('within 10 s') });
    expect(await next).toBe(0);
    await thread.close();
  });

  test('more than some that wait are refused at once', async () => {
    const { place } = await made();
    const thread = new ReadingThread(place, new FakeClock());
    const asked = Array.from({ length: 40 }, () => thread.ask('countCalls', ANY_CALL));
    const outcomes = await Promise.allSettled(asked);
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    // One is worked on, 32 wait.
    expect(refused).toHaveLength(7);
    await thread.close();
  });

  test('a question that cannot be copied, and a file that is not there, are told', async () => {
    const { place } = await made();
    const thread = new ReadingThread(place, new FakeClock());
    await expect(thread.ask('countCalls', { ...ANY_CALL, words: () => 'x' })).rejects.toMatchObject({
      code: 'TRK_STORE',
      message: expect.stringContaining('cannot be asked like that'),
    });
    expect(await thread.ask('countCalls', ANY_CALL)).toBe(0);
    await thread.close();
    const nowhere = new ReadingThread({ engine: 'sqlite', path: '/nonexistent/x.sqlite' }, new FakeClock());
    await expect(nowhere.ask('countCalls', ANY_CALL)).rejects.toMatchObject({
      code: 'TRK_STORE',
      message: expect.stringContaining('unable to open'),
    });
    await nowhere.close();
  });

  test('nothing can be written there', async () => {
    const { place } = await made();
    const thread = new ReadingThread(place, new FakeClock());
    await expect(thread.ask('applyEvents', [started('c1')])).rejects.toMatchObject({ code: 'TRK_STORE' });
    await thread.close();
  });
});

test('PostgreSQL is asked by its own thread', () => {
  const threads = new ReadingThreads({ engine: 'postgres', url: 'postgres://x' }, new FakeClock());
  expect(threads.threadFor('callStats', ANY_CALL)).toBeNull();
});
