// Budgets: what is reserved and spent together stays under the limit; each day begins anew.
import { expect, test } from 'vitest';
import { InProcessBudgets, MAX_BUDGETS } from '../../src/coordination/in-process/budgets.ts';
import { FakeClock } from '../support/fake-clock.ts';

const LIMIT = 10_000_000_000;
const DAY_MS = 86_400_000;

function desk(startWallMs?: number) {
  const clock = new FakeClock(startWallMs);
  return { clock, budgets: new InProcessBudgets(clock) };
}

test('reservations and spending share one limit', () => {
  const { budgets } = desk();
  budgets.spend('clinic', 4_000_000_000);
  expect(budgets.reserve('clinic', 6_000_000_001, LIMIT)).toBeNull();
  expect(budgets.reserve('clinic', 6_000_000_000, LIMIT)).not.toBeNull();
  expect(budgets.reserve('clinic', 1, LIMIT)).toBeNull();
  expect(budgets.read('clinic')).toEqual({
    day: '2026-01-01',
    spentNanoUsd: 4_000_000_000,
    reservedNanoUsd: 6_000_000_000,
  });
});

test('settling gives the reserved amount back and counts what it really was, once', () => {
  const { budgets } = desk();
  const reservation = budgets.reserve('clinic', 6_000_000_000, LIMIT);
  void reservation?.settle(250_000_000);
  void reservation?.settle(250_000_000);
  expect(budgets.read('clinic')).toMatchObject({ spentNanoUsd: 250_000_000, reservedNanoUsd: 0 });
});

test('a call may cost more than was set aside: it is counted, and nothing more is reserved', () => {
  const { budgets } = desk();
  void budgets.reserve('clinic', LIMIT, LIMIT)?.settle(LIMIT + 5);
  expect(budgets.read('clinic').spentNanoUsd).toBe(LIMIT + 5);
  expect(budgets.reserve('clinic', 0, LIMIT)).toBeNull();
});

test('keys have budgets of their own', () => {
  const { budgets } = desk();
  budgets.spend('clinic', LIMIT);
  expect(budgets.reserve('shop', LIMIT, LIMIT)).not.toBeNull();
  expect(budgets.read('nobody')).toMatchObject({ spentNanoUsd: 0, reservedNanoUsd: 0 });
});

test('a day begins at midnight UTC; what was reserved before it counts for the day before', () => {
  const { clock, budgets } = desk(Date.UTC(2026, 10, 20, 23, 59, 59));
  const late = budgets.reserve('clinic', LIMIT, LIMIT);
  clock.advance(1_000);
  expect(budgets.read('clinic')).toEqual({ day: '2026-11-21', spentNanoUsd: 0, reservedNanoUsd: 0 });
  void late?.settle(LIMIT);
  expect(budgets.read('clinic').spentNanoUsd).toBe(0);
  expect(budgets.reserve('clinic', LIMIT, LIMIT)).not.toBeNull();
});

test('a wall clock that is set back over midnight empties no budget, and that midnight comes once only', () => {
  const clock = new FakeClock(Date.UTC(2026, 10, 20, 23, 59, 59));
  let shiftMs = 0;
  const budgets = new InProcessBudgets({
    nowMs: () => clock.nowMs(),
    wallMs: () => clock.wallMs() + shiftMs,
    at: (atMs, fire) => clock.at(atMs, fire),
  });
  budgets.spend('clinic', 1);
  clock.advance(2_000);
  budgets.spend('clinic', LIMIT);
  shiftMs = -3_000;
  expect(budgets.read('clinic')).toEqual({ day: '2026-11-21', spentNanoUsd: LIMIT, reservedNanoUsd: 0 });
  expect(budgets.reserve('clinic', 1, LIMIT)).toBeNull();
  shiftMs = 0;
  expect(budgets.reserve('clinic', 1, LIMIT)).toBeNull();
  clock.advance(DAY_MS);
  expect(budgets.reserve('clinic', LIMIT, LIMIT)).not.toBeNull();
});

test('keys are bounded: the one used longest ago goes, never one that is used or has something reserved', () => {
  const { clock, budgets } = desk();
  budgets.reserve('live', 1, LIMIT);
  for (let i = 0; i < MAX_BUDGETS; i++) {
    budgets.spend(`${i}`, 1);
    budgets.spend('agent', 1);
  }
  expect(budgets.read('agent').spentNanoUsd).toBe(MAX_BUDGETS);
  expect(budgets.read('live').reservedNanoUsd).toBe(1);
  expect(budgets.read('0').spentNanoUsd).toBe(0);
  expect(budgets.read(`${MAX_BUDGETS - 1}`).spentNanoUsd).toBe(1);
  clock.advance(DAY_MS);
  expect(budgets.read('agent').spentNanoUsd).toBe(0);
});
