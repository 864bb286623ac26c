// What was spent on one day, by agent and caller: a process that starts counts its budgets from there.
import type { Database } from '../database.ts';

export interface SpendQuestion {
  /** UTC. */
  day: string;
  /** Calls of this process are left out: it counts them itself. */
  exceptNode: string;
}

/** Money of one agent's calls with one caller; `caller` is null where no number was shown, or it was forgotten. */
export interface Spent {
  agent: string;
  callerKind: string;
  caller: string | null;
  nanoUsd: number;
}

/** By the seller's own figure where it is known, else by the price book. Lines of calls that are not known count for nobody. */
export async function readSpend(db: Database, { day, exceptNode }: SpendQuestion): Promise<Spent[]> {
  const rows = await db
    .selectFrom('lines')
    .innerJoin('calls', 'calls.call_id', 'lines.call_id')
    .select(({ fn }) => [
      'calls.agent',
      'calls.from_kind',
      'calls.from_value',
      fn.sum<number>(fn.coalesce('lines.billed_nano_usd', 'lines.cost_nano_usd')).as('nano_usd'),
    ])
    .where('lines.day', '=', day)
    .where('calls.node', '!=', exceptNode)
    .groupBy(['calls.agent', 'calls.from_kind', 'calls.from_value'])
    .execute();
  return rows.map(({ agent, from_kind: callerKind, from_value: caller, nano_usd: nanoUsd }) => ({
    ...{ agent, callerKind, caller },
    nanoUsd: Number(nanoUsd ?? 0),
  }));
}

/** What was spent on a day, all calls together; a line that its seller has billed by that figure. */
export async function spentOn(db: Database, { day }: { day: string }): Promise<number> {
  const row = await db
    .selectFrom('lines')
    .select(({ fn }) => fn.sum<number | null>(fn.coalesce('billed_nano_usd', 'cost_nano_usd')).as('nano_usd'))
    .where('day', '=', day)
    .executeTakeFirst();
  return Number(row?.nano_usd ?? 0);
}
