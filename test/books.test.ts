// The books of a server at its start: budgets that cannot work are told, and what others have spent today is counted as soon
// as the database knows it.
import { describe, expect, test } from 'vitest';
import type { Agent } from '../src/agent/agent.ts';
import { openBooks } from '../src/books.ts';
import { agentBudgetKey, callerBudgetKey, TOTAL_BUDGET_KEY } from '../src/call/admission.ts';
import { readConfig } from '../src/config.ts';
import { InProcess } from '../src/coordination/in-process.ts';
import { createLogger } from '../src/log.ts';
import type { Store } from '../src/store/store.ts';
import { sampleAgent } from './support/e2e.ts';
import { FactStore } from './support/fact-store.ts';
import { FakeClock } from './support/fake-clock.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function open(
  budget: Partial<Agent['budget']>,
  store: Store = new FactStore(),
  env: Record<string, string> = {},
) {
  const sample = await sampleAgent();
  const agent = { ...sample, budget: { ...sample.budget, ...budget } };
  const clock = new FakeClock();
  const { budgets } = new InProcess({ clock, nodeId: 'n1' });
  const said: { msg: string; level: string }[] = [];
  const books = openBooks({
    ...{ config: readConfig(env), agents: [agent], clock, nodeId: 'n1', budgets },
    log: createLogger({ level: 'info', destination: { write: (line) => void said.push(JSON.parse(line)) } }),
    openStore: () => Promise.resolve(store),
  });
  return { books, clock, budgets, agent, said };
}

describe('a budget that cannot work stops the start', () => {
  test('because it pays for no answer', async () => {
    const { books } = await open({ perCallNanoUsd: 10_000_000 });
    await expect(books).rejects.toThrow(/budget of \$0\.0100, and one answer may cost \$0\.\d+: raise it/);
  });

  test('because no price is known', async () => {
    const sample = await sampleAgent();
    const { clock } = await open({});
    const opening = openBooks({
      config: readConfig({ MAX_USD_PER_DAY: '50' }),
      agents: [{ ...sample, model: { ...sample.model, name: 'model-nobody-sells' } }],
      ...{ clock, nodeId: 'n1', budgets: new InProcess({ clock, nodeId: 'n1' }).budgets },
      log: createLogger({ level: 'silent' }),
      openStore: () => Promise.resolve(new FactStore()),
    });
    await expect(opening).rejects.toThrow('no price is known for model-nobody-sells');
  });
});

describe('what others have spent today', () => {
  const spent = [
    { agent: 'Harbor Clinic', callerKind: 'pstn', caller: '+15550001111', nanoUsd: 700 },
    { agent: 'Harbor Clinic', callerKind: 'withheld', caller: null, nanoUsd: 300 },
  ];

  class Remembering extends FactStore {
    readonly ready = Promise.withResolvers<void>();
    override settled = (): Promise<void> => this.ready.promise;
    override ask: Store['ask'] = (name, question) => {
      expect([name, question]).toEqual(['readSpend', { day: '2026-01-01', exceptNode: 'n1' }]);
      return Promise.resolve(spent) as never;
    };
  }

  test('is counted before the first call, also what dead processes had in their journals', async () => {
    const store = new Remembering();
    const { books, budgets, agent } = await open({ perDayNanoUsd: 5e9 }, store);
    store.ready.resolve();
    await books;
    expect(budgets.read(agentBudgetKey(agent.name)).spentNanoUsd).toBe(1_000);
    expect(budgets.read(callerBudgetKey(agent.name, '+15550001111')).spentNanoUsd).toBe(700);
    expect(budgets.read(TOTAL_BUDGET_KEY).spentNanoUsd).toBe(1_000);
  });

  test('is counted later where the database is away; the start says so and does not wait', async () => {
    const store = new Remembering();
    const { books, clock, budgets, agent, said } = await open({ perDayNanoUsd: 5e9 }, store);
    await turn();
    clock.advance(3_000);
    await books;
    expect(said.find(({ msg }) => msg.includes('is not known yet'))?.level).toBe('error');
    expect(budgets.read(agentBudgetKey(agent.name)).spentNanoUsd).toBe(0);
    store.ready.resolve();
    await turn();
    expect(budgets.read(agentBudgetKey(agent.name)).spentNanoUsd).toBe(1_000);
    await (await books).close();
    expect(clock.pending).toBe(0);
  });

  test('nobody asks where there is no budget of a day', async () => {
    const { books, said } = await open({ perCallNanoUsd: 5e9 }, new Remembering());
    await books;
    expect(said.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
