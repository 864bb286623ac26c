// The command line of `trunkline chaos`.
import { parseArgs } from 'node:util';
import { TrunklineError } from '../errors.ts';
import { FAULT_NAMES, type FaultName, faultKind } from './fault-kinds.ts';

export interface ChaosOptions {
  seed: number;
  /** So many strikes, unless `minutes` are over before. */
  faults: number;
  minutes: number;
  parallel: number;
  only: readonly FaultName[];
  /** As it was given, for the command that has a call again. */
  onlyText: string | null;
  /** Calls of one turn. */
  brief: boolean;
  /** Only these calls of the plan. */
  calls: readonly number[] | null;
  outDir: string | null;
  page: string | null;
  json: boolean;
}

export const USAGE = `usage: trunkline chaos
  --seed N        another row of chances (default 1)
  --faults N      how many faults strike (default 100)
  --minutes N     no new call after so long (default 15)
  --parallel N    calls at once (default 40)
  --only KIND     only these faults: names or families, separated by commas
  --brief         calls of one turn: quicker, but with fewer states to strike
  --call N        only these calls of the plan, separated by commas
  --out DIR       keeps of every call stereo.wav, record.json, log and verdict
  --page FILE     writes the tables as Markdown, between the markers of the page where there is one
  --json          prints the result as JSON
kinds of faults: ${FAULT_NAMES.join(' ')}
families: model carrier rest tool disk process`;

const FLAGS = {
  seed: { type: 'string' },
  faults: { type: 'string' },
  minutes: { type: 'string' },
  parallel: { type: 'string' },
  only: { type: 'string' },
  brief: { type: 'boolean', default: false },
  call: { type: 'string' },
  out: { type: 'string' },
  page: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

/** @throws TrunklineError saying how it is used */
export function readChaosOptions(args: string[]): ChaosOptions {
  const { values } = parsed(args);
  const number = (name: string, text: string | undefined, byDefault: number, min: number, max: number): number => {
    if (text === undefined) return byDefault;
    const value = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw fault(`--${name}: expected a number from ${min} to ${max} (found ${text})`);
  };
  const only = values.only?.split(',').flatMap((name) => kindsOf(name.trim())) ?? FAULT_NAMES;
  return {
    seed: Math.floor(number('seed', values.seed, 1, 0, 2 ** 31)),
    faults: Math.floor(number('faults', values.faults, 100, 1, 100_000)),
    minutes: number('minutes', values.minutes, 15, 0.1, 600),
    parallel: Math.floor(number('parallel', values.parallel, 40, 1, 500)),
    only,
    onlyText: values.only ?? null,
    brief: values.brief,
    calls: values.call?.split(',').map((text) => Math.floor(number('call', text, 1, 1, 1_000_000))) ?? null,
    outDir: values.out ?? null,
    page: values.page ?? null,
    json: values.json,
  };
}

function kindsOf(name: string): FaultName[] {
  const found = FAULT_NAMES.filter((fault) => fault === name || faultKind(fault).family === name);
  if (found.length > 0) return found;
  throw fault(`--only: expected the name of a fault or of a family (found ${name})`);
}

function parsed(args: string[]) {
  try {
    return parseArgs({ args, options: FLAGS });
  } catch (cause) {
    throw new TrunklineError('TRK_CONFIG', `${(cause as Error).message}\n${USAGE}`, { cause });
  }
}

const fault = (text: string): TrunklineError => new TrunklineError('TRK_CONFIG', `${text}\n${USAGE}`);
