// The command line of `trunkline costs reconcile`.
import { parseArgs } from 'node:util';
import { TrunklineError } from '../errors.ts';
import { DAY_MS, dayAt, startOf } from './days.ts';

export interface ReconcileOptions {
  day: string;
  sellers: readonly SellerName[];
  json: boolean;
}

export const SELLERS = ['openai', 'twilio'] as const;
export type SellerName = (typeof SELLERS)[number];

/** Fits a terminal of 80 columns. */
export const USAGE = `usage: trunkline costs reconcile [--day YYYY-MM-DD]
  --day DAY           a day of UTC that is over (default: yesterday)
  --seller NAME       openai or twilio alone
  --json              the result as JSON
reads the sellers' reports of the day, bills every line with what its seller
says, and names what differs; may be run again at any time
keys: OPENAI_ADMIN_KEY; TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN
exit code: 0 explained, 2 more than 0.5 % of a report is unexplained, 1 failed`;

/** @throws TrunklineError saying how it is used */
export function readOptions(args: string[], nowMs: number): ReconcileOptions {
  const { day = dayAt(nowMs - DAY_MS), seller, json = false } = parsed(args);
  const from = startOf(day);
  if (Number.isNaN(from)) throw fault(`--day: expected a day such as 2026-11-20 (found ${JSON.stringify(day)})`);
  if (from + DAY_MS > nowMs) throw fault(`--day: ${day} is not over yet in UTC; sellers report whole days`);
  if (seller === undefined) return { day, sellers: SELLERS, json };
  const name = SELLERS.find((known) => known === seller);
  if (name === undefined) throw fault(`--seller: expected openai or twilio (found ${JSON.stringify(seller)})`);
  return { day, sellers: [name], json };
}

function parsed(args: string[]): { day?: string; seller?: string; json?: boolean } {
  try {
    const options = { day: { type: 'string' }, seller: { type: 'string' }, json: { type: 'boolean' } } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw fault((error as Error).message);
  }
}

const fault = (text: string): TrunklineError => new TrunklineError('TRK_CONFIG', `${text}\n${USAGE}`);
