// The command line of `trunkline calls` and `trunkline calls show`.
import { parseArgs } from 'node:util';
import { END_REASONS } from '../call/termination.ts';
import { edits } from '../spelling.ts';
import { ANY_CALL, type CallFilter } from '../store/queries/call-filter.ts';
import { dayFlag } from './costs-options.ts';
import { misuse } from './desk.ts';

export interface CallsOptions extends CallFilter {
  limit: number;
  /** Callers by their whole number. */
  numbers: boolean;
  json: boolean;
}

export interface ShowOptions {
  /** A call's id, or how it begins. */
  id: string;
  numbers: boolean;
  json: boolean;
}

const STANDARD_CALLS = 20;
const MOST_CALLS = 1_000;

export const CALLS_USAGE = `usage: trunkline calls
  --day D          let in on that day, as 2026-11-21 (UTC)
  --agent A        answered by that agent
  --from-number N  from that number, as +15551234567, or that SIP address
  --reason R       ended for that reason (docs/end-reasons.md)
  --limit N        the newest so many, 1 to ${MOST_CALLS} (default ${STANDARD_CALLS})
  --numbers        callers' whole numbers, not only how they end
  --json           as JSON
usage: trunkline calls show ID
  ID               a call's id, or its first characters
  --numbers, --json  as above`;

const text = { type: 'string' } as const;
const no = { type: 'boolean', default: false } as const;
const SHOW_FLAGS = { numbers: no, json: no } as const;
const LIST_FLAGS = { ...SHOW_FLAGS, day: text, agent: text, 'from-number': text, reason: text, limit: text } as const;

/** @throws TrunklineError saying how it is used */
export function readCallsOptions(args: string[]): CallsOptions {
  const { values, positionals } = understood(() => parseArgs({ args, options: LIST_FLAGS, allowPositionals: true }));
  if (positionals.length > 0) throw misuse(`There is no "trunkline calls ${positionals.join(' ')}".`, CALLS_USAGE);
  return {
    ...ANY_CALL,
    day: dayFlag('--day', values.day, CALLS_USAGE),
    agent: values.agent ?? null,
    from: values['from-number'] === undefined ? null : callerOf(values['from-number']),
    reasons: values.reason === undefined ? null : [reasonOf(values.reason)],
    limit: values.limit === undefined ? STANDARD_CALLS : limitOf(values.limit),
    numbers: values.numbers,
    json: values.json,
  };
}

/** @throws TrunklineError saying how it is used */
export function readShowOptions(args: string[]): ShowOptions {
  const { values, positionals } = understood(() => parseArgs({ args, options: SHOW_FLAGS, allowPositionals: true }));
  const [id, ...more] = positionals;
  if (id === undefined || more.length > 0) throw misuse('calls show: expected the id of one call', CALLS_USAGE);
  // It becomes a pattern of the database.
  if (!/^[\w-]{1,100}$/.test(id)) throw misuse(`calls show: expected the id of a call (found ${id})`, CALLS_USAGE);
  return { id, ...values };
}

function understood<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw misuse((cause as Error).message, CALLS_USAGE);
  }
}

function limitOf(given: string): number {
  const limit = /^\d{1,9}$/.test(given) ? Number(given) : 0;
  if (limit >= 1 && limit <= MOST_CALLS) return limit;
  throw misuse(`--limit: expected a whole number from 1 to ${MOST_CALLS} (found ${given})`, CALLS_USAGE);
}

/** Numbers are kept in E.164; as people write them they hold spaces, dashes and brackets. */
function callerOf(given: string): string {
  const bare = given.replace(/[\s().-]/g, '');
  if (/^\+[1-9]\d{6,14}$/.test(bare)) return bare;
  if (given.trim() !== '' && !/^\+?\d+$/.test(bare)) return given.trim();
  throw misuse(`--from-number: expected a number with its plus, as +15551234567 (found ${given})`, CALLS_USAGE);
}

function reasonOf(given: string): string {
  if (END_REASONS.some((reason) => reason === given)) return given;
  const near = END_REASONS.find((reason) => edits(given, reason) <= 2);
  const hint = near === undefined ? `one of ${END_REASONS.join(', ')}` : `an end reason; did you mean ${near}?`;
  throw misuse(`--reason: expected ${hint} (found ${given})`, CALLS_USAGE);
}
