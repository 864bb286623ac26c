// The books of a server: the prices, the store of what happened and what it cost, and the budgets that go on from what was
// spent today before this process began.
import type { Agent } from './agent/agent.ts';
import { agentBudgetKey, callerBudgetKey, TOTAL_BUDGET_KEY } from './call/admission.ts';
import { callerKey } from './call/caller.ts';
import type { SpendMeter } from './call/spending.ts';
import type { IncomingCall, Party } from './carrier/carrier.ts';
import type { Cancel, Clock } from './clock.ts';
import type { Config } from './config.ts';
import { TrunklineError } from './errors.ts';
import type { Budgets } from './coordination/port.ts';
import { CallMeter } from './ledger/call-meter.ts';
import { legLine } from './ledger/cost.ts';
import { loadPrices } from './ledger/load-prices.ts';
import { formatUsd } from './ledger/ledger.ts';
import { modelsOf as modelsInUse, priceWarnings } from './ledger/price-warnings.ts';
import { modelPrice, type PriceBook } from './ledger/prices.ts';
import type { Logger } from './log.ts';
import type { StoreOptions } from './store/start.ts';
import type { Store } from './store/store.ts';

export interface BooksOptions {
  config: Config;
  agents: readonly Agent[];
  clock: Clock;
  log: Logger;
  nodeId: string;
  budgets: Budgets;
  openStore(options: StoreOptions): Promise<Store>;
}

export interface Books {
  prices: PriceBook;
  store: Store;
  /** What things cost a call of the agent with the tools that it has, for its budgets: every answer is sent all of them. */
  meter: (agent: Agent, incoming: IncomingCall) => SpendMeter;
  /** @throws TrunklineError where a budget of one of the agents, with the tools that they have by now, pays for no answer */
  check(agents: readonly Agent[]): void;
  /** Closes the store. */
  close(): Promise<void>;
}

/**
 * @throws TrunklineError for bad price files, a database of a later version or an address that cannot be one; one that is
 * only away is waited for while calls are answered
 */
export async function openBooks(options: BooksOptions): Promise<Books> {
  const { config, agents, clock, log, nodeId, budgets } = options;
  const prices = loadPrices(config.pricesDir);
  checkBudgets(prices, clock, config, agents);
  for (const { what, about, text } of priceWarnings(prices, modelsInUse(agents), clock.wallMs()))
    log.warn({ what, about, warning: text }, 'prices');
  const store = await options.openStore({
    ...{ dataDir: config.dataDir, databaseUrl: config.databaseUrl, nodeId, clock, log, prices },
  });
  const stopCounting =
    config.maxNanoUsdPerDay !== null || agents.some(hasDayBudget)
      ? await countToday({ store, budgets, clock, log, nodeId })
      : () => {};
  return {
    ...{ prices, store },
    meter: (agent, incoming) => meterOf(prices, clock, agent, incoming),
    check: (equipped) => checkBudgets(prices, clock, config, equipped),
    close() {
      stopCounting();
      return store.close();
    },
  };
}

/** A budget that cannot work is told at boot, not to the first caller. */
function checkBudgets(prices: PriceBook, clock: Clock, config: Config, agents: readonly Agent[]): void {
  const faults: string[] = [];
  for (const agent of agents) {
    const { budget, name } = agent;
    const least = Math.min(
      ...[budget.perCallNanoUsd, budget.perCallerDayNanoUsd, budget.perDayNanoUsd, config.maxNanoUsdPerDay].filter(
        (limit) => limit !== null,
      ),
    );
    if (least === Number.POSITIVE_INFINITY) continue;
    for (const model of modelsOf(agent))
      if (modelPrice(prices, model, clock.wallMs()) === null)
        faults.push(`agent "${name}" has a budget, and no price is known for ${model}: add it to a file in PRICES_DIR`);
    const answer = meterOf(prices, clock, agent, null).nextAnswerNanoUsd();
    if (answer > least)
      faults.push(
        `agent "${name}" has a budget of ${formatUsd(least)}, and one answer may cost ${formatUsd(answer)}: raise it, or lower model.max_output_tokens`,
      );
  }
  if (faults.length > 0) throw new TrunklineError('TRK_CONFIG', faults.join('\n'));
}

const hasDayBudget = ({ budget }: Agent): boolean =>
  budget.perDayNanoUsd !== null || budget.perCallerDayNanoUsd !== null;

interface Counting {
  store: Store;
  budgets: Budgets;
  clock: Clock;
  log: Logger;
  nodeId: string;
}

/** A boot waits for so long for what other processes have spent today. */
const COUNT_WITHIN_MS = 3_000;
const COUNT_AGAIN_MS = 5_000;

/**
 * Counts what other processes have spent today, what dead ones had in their journals too: the database has it once it has
 * taken those in. Where that takes longer, the server starts, says so, and counts as soon as it can.
 */
async function countToday({ store, budgets, clock, log, nodeId }: Counting): Promise<Cancel> {
  let stopped = false;
  let cancel: Cancel = () => {};
  const counted = Promise.withResolvers<void>();
  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      cancel = clock.at(clock.nowMs() + ms, resolve);
    });
  const count = async (): Promise<void> => {
    while (!stopped) {
      try {
        await store.settled();
        await spendOf(store, budgets, clock, nodeId);
        return counted.resolve();
      } catch {
        if (!stopped) await wait(COUNT_AGAIN_MS);
      }
    }
  };
  void count();
  const late = Symbol('late');
  const given = Promise.withResolvers<typeof late>();
  const stopWaiting = clock.at(clock.nowMs() + COUNT_WITHIN_MS, () => given.resolve(late));
  if ((await Promise.race([counted.promise, given.promise])) === late) {
    log.error({ why: store.health.why }, 'what was spent today is not known yet: budgets of today begin at nothing');
    void counted.promise.then(() => log.info('what was spent today is known'));
  }
  stopWaiting();
  return () => {
    stopped = true;
    cancel();
  };
}

async function spendOf(store: Store, budgets: Budgets, clock: Clock, nodeId: string): Promise<void> {
  const day = new Date(clock.wallMs()).toISOString().slice(0, 10);
  const spent = await store.ask('readSpend', { day, exceptNode: nodeId });
  for (const { agent, callerKind, caller, nanoUsd } of spent) {
    const key = caller === null ? null : callerKey({ kind: callerKind, value: caller } as Party);
    if (key !== null) await budgets.spend(callerBudgetKey(agent, key), nanoUsd);
    await budgets.spend(agentBudgetKey(agent), nanoUsd);
    await budgets.spend(TOTAL_BUDGET_KEY, nanoUsd);
  }
}

const modelsOf = ({ model, failure }: Agent): string[] => [
  model.name,
  ...(failure.fallback === null ? [] : [failure.fallback.name]),
];

/** What a call of the agent costs, its carrier's part by whoever calls whom; null = the model alone. */
function meterOf(book: PriceBook, clock: Clock, agent: Agent, incoming: IncomingCall | null): CallMeter {
  const { model, instructions, tools } = agent;
  return new CallMeter({
    ...{ book, models: modelsOf(agent), maxOutputTokens: model.maxOutputTokens },
    promptCharacters: instructions.length + JSON.stringify(tools).length,
    carrier: incoming?.carrier ?? '',
    leg: incoming && legLine(incoming.direction, incoming.from, incoming.to),
    wallMs: () => clock.wallMs(),
  });
}
