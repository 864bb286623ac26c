// Places and rates: all of a call's limits or none, given back once, and no map that grows for ever.
import { expect, test } from 'vitest';
import { InProcessLeases, MAX_RATES } from '../../src/coordination/in-process/leases.ts';
import type { Lease, Limit } from '../../src/coordination/port.ts';
import { FakeClock } from '../support/fake-clock.ts';

const places = (key: string, atMost: number): Limit<string> => ({
  refusal: `no place: ${key}`,
  key,
  kind: 'places',
  atMost,
});
const rate = (key: string, perSecond: number, burst: number): Limit<string> => ({
  ...{ refusal: `too fast: ${key}`, key, kind: 'rate', perSecond, burst },
});

function desk() {
  const clock = new FakeClock();
  const leases = new InProcessLeases(clock);
  const granted = (...limits: Limit<string>[]): Lease => {
    const acquired = leases.acquire(limits);
    if (!acquired.granted) throw new Error(acquired.refusal);
    return acquired.lease;
  };
  const refusal = (...limits: Limit<string>[]): string | null => {
    const acquired = leases.acquire(limits);
    return acquired.granted ? null : acquired.refusal;
  };
  return { clock, leases, granted, refusal };
}

test('gives as many places as there are, and a released one again', () => {
  const { granted, refusal } = desk();
  const first = granted(places('all', 2));
  granted(places('all', 2));
  expect(refusal(places('all', 2))).toBe('no place: all');
  void first.release();
  expect(refusal(places('all', 2))).toBeNull();
});

test('releasing twice gives one place back', () => {
  const { leases, granted, refusal } = desk();
  const first = granted(places('all', 2));
  granted(places('all', 2));
  void first.release();
  void first.release();
  expect(leases.leases).toBe(1);
  expect(refusal(places('all', 2))).toBeNull();
  expect(refusal(places('all', 2))).toBe('no place: all');
});

test('answers at once, so that nothing can come between the question and the answer', () => {
  const { leases } = desk();
  const both = [leases.acquire([places('all', 1)]), leases.acquire([places('all', 1)])];
  expect(both.map(({ granted }) => granted)).toEqual([true, false]);
});

test('the first limit that is full names the refusal', () => {
  const { granted, refusal } = desk();
  granted(places('agent', 1), places('all', 1));
  expect(refusal(places('agent', 1), places('all', 1))).toBe('no place: agent');
  expect(refusal(places('all', 1), places('agent', 1))).toBe('no place: all');
});

test('a refused call uses up nothing of the limits that had room', () => {
  const { granted, refusal } = desk();
  granted(places('all', 1));
  for (let i = 0; i < 5; i++)
    expect(refusal(rate('caller', 1, 2), places('agent', 2), places('all', 1))).toBe('no place: all');
  expect(refusal(rate('caller', 1, 2), places('agent', 2))).toBeNull();
  expect(refusal(rate('caller', 1, 2), places('agent', 2))).toBeNull();
});

test('a rate gives its burst at once, then one token each interval, and never more than the burst', () => {
  const { clock, refusal } = desk();
  const twoASecond = rate('node', 2, 3);
  const ask = () => refusal(twoASecond) === null;
  expect([ask(), ask(), ask(), ask()]).toEqual([true, true, true, false]);
  clock.advance(499);
  expect(ask()).toBe(false);
  clock.advance(1);
  expect([ask(), ask()]).toEqual([true, false]);
  clock.advance(3_600_000);
  expect([ask(), ask(), ask(), ask()]).toEqual([true, true, true, false]);
});

test('one key has a rate and places of its own', () => {
  const { granted, refusal } = desk();
  granted(rate('node', 1, 5), places('node', 1));
  expect(refusal(rate('node', 1, 5))).toBeNull();
  expect(refusal(places('node', 1))).toBe('no place: node');
});

test('forgets rates that are full again, and remembers those that are not', () => {
  const { clock, leases, granted, refusal } = desk();
  for (let i = 0; i < 100; i++) granted(rate(`quick ${i}`, 10, 1));
  granted(rate('slow', 0.01, 1));
  clock.advance(1_000);
  granted(rate('another', 10, 1));
  expect(leases.rates).toBe(2);
  expect(refusal(rate('slow', 0.01, 1))).toBe('too fast: slow');
});

test('a flood of keys is bounded, and forgets the one used longest ago first', () => {
  const { leases, granted, refusal } = desk();
  granted(rate('first', 0.001, 2));
  for (let i = 0; i < MAX_RATES - 1; i++) granted(rate(`${i}`, 0.001, 2));
  // Used again: now the oldest is another.
  granted(rate('first', 0.001, 2));
  granted(rate('one more', 0.001, 2));
  expect(leases.rates).toBe(MAX_RATES);
  expect(refusal(rate('first', 0.001, 2))).toBe('too fast: first');
  granted(rate('0', 0.001, 2));
  expect(refusal(rate('0', 0.001, 2))).toBeNull();
});

test('nothing is left when every call is over and time has passed', () => {
  const { clock, leases, granted } = desk();
  const held = Array.from({ length: 50 }, (_, i) =>
    granted(rate(`c${i}`, 5, 5), places(`c${i}`, 1), places('all', 100)),
  );
  for (const lease of held) void lease.release();
  clock.advance(10_000);
  void granted(places('all', 1)).release();
  expect(leases).toMatchObject({ leases: 0, rates: 0 });
});
