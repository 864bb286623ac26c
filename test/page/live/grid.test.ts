// The order of the grid: the reader's, stable while calls come, change and go.
import { describe, expect, test } from 'vitest';
import { CallGrid, compareCalls, GONE_STAYS_MS, SORTS } from '../../../src/page/live/grid.ts';
import { liveCall } from './facts.ts';
import fc from '../../support/fast-check.ts';

const ids = (grid: CallGrid): string[] => grid.rows().map(({ call }) => call.callId);
const call = (n: number, changes = {}) => liveCall(n, { callId: `call-${n}`, admittedWallMs: 1_000 + n, ...changes });

function gridOf(...numbers: number[]): CallGrid {
  const grid = new CallGrid();
  grid.snapshot(
    numbers.map((n) => call(n)),
    0,
    'age',
  );
  return grid;
}

describe('order', () => {
  test('the first snapshot is sorted, whatever order it came in', () => {
    expect(ids(gridOf(3, 1, 2))).toEqual(['call-1', 'call-2', 'call-3']);
  });

  test('calls that change stay where they are', () => {
    const grid = gridOf(1, 2, 3);
    grid.sort('cost');
    const before = ids(grid);
    grid.change([call(before.length, { costNanoUsd: 1e12 })], [], 1);
    expect(ids(grid)).toEqual(before);
    expect(grid.isSorted('cost')).toBe(before[0] === 'call-3');
    grid.sort('cost');
    expect(ids(grid)[0]).toBe('call-3');
    expect(grid.isSorted('cost')).toBe(true);
  });

  test('new calls come at the end', () => {
    const grid = gridOf(5, 6);
    grid.change([call(1)], [], 1);
    expect(ids(grid)).toEqual(['call-5', 'call-6', 'call-1']);
  });

  test('a snapshot after a break keeps the order, and what it lacks is over', () => {
    const grid = gridOf(1, 2, 3);
    grid.snapshot([call(4), call(3), call(1)], 50, 'age');
    expect(ids(grid)).toEqual(['call-1', 'call-2', 'call-3', 'call-4']);
    expect(grid.get('call-2')?.goneAtMs).toBe(50);
    expect(grid.live()).toBe(3);
  });

  test('any two calls stand in one order, in every sort', () => {
    const some = fc.record({
      callId: fc.string({ minLength: 1, maxLength: 3 }),
      admittedWallMs: fc.integer({ min: 0, max: 3 }),
      costNanoUsd: fc.integer({ min: 0, max: 2 }),
      latencyMs: fc.option(fc.integer({ min: 0, max: 2 })),
      state: fc.constantFrom('thinking' as const, 'speaking' as const, 'ending' as const),
      stateSinceWallMs: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(fc.constantFrom(...SORTS), some, some, some, (sort, a, b, c) => {
        const [x, y, z] = [liveCall(1, a), liveCall(1, b), liveCall(1, c)];
        if (x.callId !== y.callId)
          expect(Math.sign(compareCalls(sort, x, y))).toBe(-Math.sign(compareCalls(sort, y, x)));
        if (compareCalls(sort, x, y) < 0 && compareCalls(sort, y, z) < 0 && x.callId !== z.callId)
          expect(compareCalls(sort, x, z)).toBeLessThan(0);
      }),
    );
  });
});

describe('calls that are over', () => {
  test('stay for five seconds, then go', () => {
    const grid = gridOf(1, 2);
    grid.change([], ['call-1', 'nobody'], 100);
    expect(grid.sweep(100 + GONE_STAYS_MS - 1, false)).toBe(false);
    expect(ids(grid)).toEqual(['call-1', 'call-2']);
    expect(grid.sweep(100 + GONE_STAYS_MS, false)).toBe(true);
    expect(ids(grid)).toEqual(['call-2']);
  });

  test('stay as long as the reader is in the grid', () => {
    const grid = gridOf(1, 2);
    grid.change([], ['call-1'], 0);
    expect(grid.sweep(60_000, true)).toBe(false);
    expect(grid.sweep(60_000, false)).toBe(true);
  });

  test('are bounded even then: the oldest go', () => {
    const grid = gridOf(...Array.from({ length: 150 }, (_, n) => n));
    for (let n = 0; n < 150; n += 1) grid.change([], [`call-${149 - n}`], n);
    expect(grid.sweep(1_000, true)).toBe(true);
    expect(grid.rows()).toHaveLength(100);
    expect(grid.get('call-149')).toBeUndefined();
    expect(grid.get('call-0')).toBeDefined();
  });

  test('live again under the same name when another process took them over', () => {
    const grid = gridOf(1, 2);
    grid.change([], ['call-1'], 0);
    grid.change([call(1)], [], 10);
    expect(grid.sweep(60_000, false)).toBe(false);
    expect(grid.live()).toBe(2);
    expect(ids(grid)).toEqual(['call-1', 'call-2']);
  });
});

test('a row is the same object until its call changes', () => {
  const grid = gridOf(1, 2);
  const [one, two] = grid.rows();
  grid.change([call(1)], [], 1);
  expect(grid.rows()[1]).toBe(two);
  expect(grid.rows()[0]).not.toBe(one);
});
