// The command line of `npm run bench`.
import { parseArgs } from 'node:util';

export interface BenchOptions {
  short: boolean;
  calls: number;
  seconds: number;
  /** The calls go on for so long before each window: V8 compiles most of what they need meanwhile. */
  warmUpSeconds: number;
  rounds: number;
  /** Names, or null for all that the form measures. */
  subjects: string[] | null;
  tls: 'on' | 'off' | 'both';
  sweep: boolean;
  /** Where the results are written; null: the documentation, or nowhere when the bench is not whole. */
  out: string | null;
  json: boolean;
  /** Nothing is measured: the page is made anew from bench.json. */
  page: boolean;
  /** Nothing was left out: its results may stand in the documentation. */
  whole: boolean;
}

export const USAGE = `npm run bench -- [options]
  --short            under a minute: relay and Trunkline, fails on a ratio or on lost frames
  --calls N          calls at once (100; short 20)
  --seconds N        length of each measured window (20; short 4)
  --warm-up N        seconds that the calls go on before it (20; short 0)
  --rounds N         rounds, of which the median is told (3)
  --subjects a,b     only these: relay, trunkline, trunkline-bare, trunkline-without-books, trunkline-watched,
                     openai-agents, twilio-realtime-agents
  --tls on|off|both  TLS to the model (both; short on)
  --no-sweep         without the search for the rated capacity
  --out DIR          write bench.json, plots and performance.md there
  --json             print the results as JSON instead of tables
  --page             measure nothing, write page and plots anew from docs/measurements/bench.json`;

/** @throws Error that says what was expected */
export function readOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      short: { type: 'boolean', default: false },
      calls: { type: 'string' },
      seconds: { type: 'string' },
      'warm-up': { type: 'string' },
      rounds: { type: 'string' },
      subjects: { type: 'string' },
      tls: { type: 'string' },
      sweep: { type: 'boolean' },
      out: { type: 'string' },
      json: { type: 'boolean', default: false },
      page: { type: 'boolean', default: false },
    },
    allowNegative: true,
  });
  const { short } = values;
  const whole = (
    name: 'calls' | 'seconds' | 'warm-up' | 'rounds',
    standard: number,
    most: number,
    least = 1,
  ): number => {
    const given = values[name];
    if (given === undefined) return standard;
    const value = Number(given);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new Error(`--${name}: expected a whole number from ${least} to ${most}, found ${given}`);
    return value;
  };
  const tls = values.tls ?? (short ? 'on' : 'both');
  if (tls !== 'on' && tls !== 'off' && tls !== 'both') throw new Error(`--tls: expected on, off or both, found ${tls}`);
  const { calls, subjects, sweep, out } = values;
  return {
    short,
    calls: whole('calls', short ? 20 : 100, 2_000),
    seconds: whole('seconds', short ? 4 : 20, 3_600),
    warmUpSeconds: whole('warm-up', short ? 0 : 20, 600, 0),
    rounds: whole('rounds', 3, 99),
    subjects: subjects === undefined ? null : subjects.split(',').map((name) => name.trim()),
    tls,
    sweep: sweep ?? !short,
    out: out ?? null,
    json: values.json,
    page: values.page,
    whole: !short && calls === undefined && subjects === undefined && tls === 'both' && sweep !== false,
  };
}
