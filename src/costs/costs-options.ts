// The command line of `trunkline costs`.
import { parseArgs } from 'node:util';
import type { CostsBy } from '../store/queries/costs.ts';
import { dayAfter, isDay } from './days.ts';
import { misuse } from './desk.ts';

export interface CostsOptions {
  from: string;
  to: string;
  by: CostsBy;
  as: 'tables' | 'csv' | 'json';
}

const DEFAULT_DAYS = 7;
const BY: readonly CostsBy[] = ['day', 'agent', 'model'];

export const COSTS_USAGE = `usage: trunkline costs
  --from D       first day, as 2026-11-21 (UTC); default six days before the last
  --to D         last day; default today
  --by WHAT      day, agent or model (default day)
  --csv          comma-separated, dollars to the nano-dollar
  --json         as JSON, whole nano-dollars
trunkline costs reconcile --help tells how sellers' reports are read`;

const FLAGS = {
  from: { type: 'string' },
  to: { type: 'string' },
  by: { type: 'string', default: 'day' },
  csv: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

/** @throws TrunklineError saying how it is used */
export function readCostsOptions(args: string[], today: string): CostsOptions {
  const { values, positionals } = parsed(args);
  if (positionals.length > 0) throw misuse(`There is no "trunkline costs ${positionals.join(' ')}".`, COSTS_USAGE);
  const by = BY.find((one) => one === values.by);
  if (by === undefined) throw misuse(`--by: expected day, agent or model (found ${values.by})`, COSTS_USAGE);
  if (values.csv && values.json) throw misuse('--csv and --json cannot both be had', COSTS_USAGE);
  const to = dayFlag('--to', values.to, COSTS_USAGE) ?? today;
  const from = dayFlag('--from', values.from, COSTS_USAGE) ?? dayAfter(to, 1 - DEFAULT_DAYS);
  if (from > to) throw misuse(`--from: expected a day that is not after ${to} (found ${from})`, COSTS_USAGE);
  return { from, to, by, as: values.csv ? 'csv' : values.json ? 'json' : 'tables' };
}

function parsed(args: string[]) {
  try {
    return parseArgs({ args, options: FLAGS, allowPositionals: true });
  } catch (cause) {
    throw misuse((cause as Error).message, COSTS_USAGE);
  }
}

/** A day, or null where none was given. @throws TrunklineError for what is none */
export function dayFlag(flag: string, text: string | undefined, usage: string): string | null {
  if (text === undefined) return null;
  if (isDay(text)) return text;
  throw misuse(`${flag}: expected a day as 2026-11-21 (found ${text})`, usage);
}
