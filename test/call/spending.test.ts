// What one call sets aside, spends and reports, against the budgets of this process.
import { expect, test } from 'vitest';
import { type BudgetChange, Spending, type SpendingOptions } from '../../src/call/spending.ts';
import { InProcess } from '../../src/coordination/in-process.ts';
import type { LedgerLine } from '../../src/ledger/line.ts';
import { FakeClock } from '../support/fake-clock.ts';

const answer = (source: string, costNanoUsd: number, what: LedgerLine['what'] = 'answer'): LedgerLine => ({
  ...{
    source,
    what,
    seller: 's',
    product: 'm',
    atWallMs: 0,
    costNanoUsd,
    state: 'metered',
    priceBook: 'b',
    doubt: null,
  },
  quantities: { unit: 'count', count: 1 },
  unitPrice: { per: 'piece', nanoUsd: costNanoUsd },
});
const words = (source: string, cost: number): LedgerLine => answer(source, cost, 'transcription');

/** The next answer costs at most 10. */
function spender(part: Partial<SpendingOptions<string>> = {}, clock = new FakeClock()) {
  const { budgets } = part.budgets ? { budgets: part.budgets } : new InProcess({ clock, nodeId: 'n1' });
  const changes: BudgetChange[] = [];
  const spending = new Spending<string>({
    clock,
    budgets,
    meter: {
      read() {},
      nextAnswerNanoUsd: () => 10,
      carriedNanoUsd: () => 0,
    },
    call: null,
    days: [],
    ...part,
  });
  spending.attach((change) => changes.push(change));
  return { clock, budgets, changes, spending };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));
const day = (limitNanoUsd: number, key = 'agent') => ({ refusal: `${key}_budget`, key, limitNanoUsd });

test('sets the worst case aside before the call is let in, and renews it with each answer', async () => {
  const { budgets, changes, spending } = spender({ days: [day(100), day(50, 'caller')] });
  expect(await spending.open()).toBeNull();
  expect(budgets.read('caller')).toMatchObject({ spentNanoUsd: 0, reservedNanoUsd: 10 });
  spending.charged(answer('r1', 4));
  spending.charged(words('i1', 2));
  await settled();
  expect(budgets.read('agent')).toMatchObject({ spentNanoUsd: 6, reservedNanoUsd: 10 });
  expect(budgets.read('caller')).toMatchObject({ spentNanoUsd: 6, reservedNanoUsd: 10 });
  expect(changes).toEqual([]);
  await spending.close();
  expect(budgets.read('agent')).toMatchObject({ spentNanoUsd: 6, reservedNanoUsd: 0 });
});

test('what is reported twice is spent once', async () => {
  const { budgets, spending } = spender({ days: [day(100)] });
  await spending.open();
  for (const usage of [answer('r1', 4), answer('r1', 4), words('r1', 1), words('r1', 1)]) spending.charged(usage);
  await settled();
  expect(budgets.read('agent')).toMatchObject({ spentNanoUsd: 5, reservedNanoUsd: 10 });
});

test('an estimate that is metered later, and tools, count by what they really cost; minutes go by the clock', async () => {
  const { budgets, spending } = spender({ days: [day(100)] });
  await spending.open();
  spending.charged({ ...answer('r1', 4), state: 'estimated' });
  spending.charged(answer('r1', 7));
  spending.charged(answer('t1', 5, 'tool'));
  for (const what of ['leg', 'media_stream'] as const) spending.charged(answer('l1', 50, what));
  await settled();
  expect(budgets.read('agent')).toMatchObject({ spentNanoUsd: 12, reservedNanoUsd: 10 });
  spending.charged(answer('r1', 6));
  await settled();
  expect(budgets.read('agent')).toMatchObject({ spentNanoUsd: 11 });
});

test('a budget that has not got it refuses by its own name, and nothing stays set aside', async () => {
  const { budgets, spending } = spender({ days: [day(100), day(9, 'total')] });
  expect(await spending.open()).toBe('total_budget');
  expect(await budgets.read('agent')).toMatchObject({ reservedNanoUsd: 0 });
  expect(await spender({ call: { refusal: 'call_budget', limitNanoUsd: 9 } }).spending.open()).toBe('call_budget');
});

test('reports once: nothing can be set aside; little is left; all is spent', async () => {
  const { changes, spending } = spender({ call: { refusal: 'call_budget', limitNanoUsd: 30 } });
  await spending.open();
  for (const [n, cost] of [15, 3, 3, 5, 5, 1].entries()) {
    spending.charged(answer(`r${n}`, cost));
    await settled();
  }
  expect(changes).toEqual([
    { type: 'budget.changed', reserved: false, share: 'low' },
    { type: 'budget.changed', reserved: false, share: 'near' },
    { type: 'budget.changed', reserved: false, share: 'spent' },
  ]);
});

test('asked for, it tries again and tells what came of it in any case', async () => {
  const { budgets, changes, spending } = spender({ days: [day(30)] });
  await spending.open();
  await budgets.spend('agent', 15);
  spending.charged(answer('r1', 6));
  await settled();
  spending.reserve();
  await settled();
  expect(changes.map(({ reserved }) => reserved)).toEqual([false, false]);
  const other = spender({ budgets, days: [day(1_000)] });
  await other.spending.open();
  await other.spending.close();
  spending.reserve();
  await settled();
  expect(changes).toHaveLength(3);
});

test('the minutes of the carrier count while nobody speaks', async () => {
  const { clock, changes, spending, budgets } = spender({
    days: [day(100)],
    meter: { read() {}, nextAnswerNanoUsd: () => 10, carriedNanoUsd: (ms) => Math.ceil(ms / 60_000) * 40 },
  });
  await spending.open();
  for (const ms of [59_000, 60_000, 60_000]) {
    clock.advance(ms);
    await settled();
  }
  expect(await budgets.read('agent')).toMatchObject({ spentNanoUsd: 120 });
  expect(changes.map(({ share }) => share)).toEqual(['near', 'spent']);
  await spending.close();
  expect(clock.pending).toBe(0);
});

test('a port that fails costs the caller nothing', async () => {
  const { budgets } = new InProcess({ clock: new FakeClock(), nodeId: 'n1' });
  budgets.spend = () => {
    throw new Error('away');
  };
  const { spending, changes } = spender({ budgets, days: [day(100)] });
  await spending.open();
  spending.charged(words('i1', 3));
  await settled();
  expect(changes).toEqual([]);
  await spending.close();
});

test('counts what comes after the end, and sets nothing aside any more', async () => {
  const { budgets, spending } = spender({ days: [day(100)] });
  await spending.open();
  spending.charged(answer('r1', 3));
  await spending.close();
  spending.charged(answer('r2', 2));
  await settled();
  expect(budgets.read('agent')).toMatchObject({ spentNanoUsd: 5, reservedNanoUsd: 0 });
});
