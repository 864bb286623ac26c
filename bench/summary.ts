// What is told of several runs: medians over the rounds, and ratios to the floor within each round, so that a machine that
// is slower for a while slows both sides of a ratio. Pure.
import type { Account } from './accounts.ts';
import type { Spread } from './percentiles.ts';
import type { RunResult } from './run.ts';
import { median as medianOf } from './slope.ts';

/** Times of a subject: the median over the rounds of each percentile. */
export type Times = Pick<Spread, 'p50' | 'p95' | 'p99' | 'max'>;

export interface Summary {
  subject: string;
  calls: number;
  tls: boolean;
  rounds: number;
  cpuMsPerCallSecond: number;
  /** To the floor's of the same round, median; and the smallest and the largest. */
  cpuRatio: { median: number; least: number; most: number };
  toModelMs: Times;
  toCarrierMs: Times;
  stopMs: Times & { count: number };
  unanswered: number;
  framesAfterClear: number;
  /** Both ways and all rounds together. */
  frames: Account;
  kibPerCall: number;
  memoryRatio: number;
  slopeKibPerMinute: number;
  loopDelayMs: { p50: number; p99: number; max: number };
  startUpMs: number;
  /** Why times may not be the server's alone, from any round. */
  bottlenecks: string[];
}

/** One step of a schedule in which subjects alternate. */
export interface Turn<Subject> {
  round: number;
  subject: Subject;
}

/** A B C A B C …: no subject has a quiet hour for itself. */
export function alternating<Subject>(subjects: readonly Subject[], rounds: number): Turn<Subject>[] {
  return Array.from({ length: rounds }, (_, i) => subjects.map((subject) => ({ round: i + 1, subject }))).flat();
}

/** Of two the mean; what was not measured (NaN, or null from a file) is left out. */
export const median = (values: readonly number[]): number => medianOf(values.filter(Number.isFinite));

/** Value by value, a run of the floor in the same round under each; NaN where there is none. */
export const ratios = (values: readonly number[], floor: readonly number[]): number[] =>
  values.map((value, round) => value / (floor[round] ?? Number.NaN));

/** One summary per subject, in the order in which they first ran. */
export function summaries(runs: readonly RunResult[], floorName: string): Summary[] {
  const floor = runs.filter(({ subject }) => subject === floorName);
  const names = [...new Set(runs.map(({ subject }) => subject))];
  return names.map((name) =>
    summaryOf(
      runs.filter(({ subject }) => subject === name),
      floor,
    ),
  );
}

function summaryOf(runs: readonly RunResult[], floor: readonly RunResult[]): Summary {
  const middle = (pick: (run: RunResult) => number): number => median(runs.map(pick));
  const times = (pick: (run: RunResult) => Spread): Times => ({
    p50: middle((run) => pick(run).p50),
    p95: middle((run) => pick(run).p95),
    p99: middle((run) => pick(run).p99),
    max: middle((run) => pick(run).max),
  });
  const ratio = (pick: (run: RunResult) => number): number[] => ratios(runs.map(pick), floor.map(pick));
  const total = (pick: (run: RunResult) => number): number => runs.reduce((sum, run) => sum + pick(run), 0);
  const cpu = ratio((run) => run.cpuMsPerCallSecond);
  const { subject, calls, tls } = runs[0] as RunResult;
  return {
    subject,
    calls,
    tls,
    rounds: runs.length,
    cpuMsPerCallSecond: middle((run) => run.cpuMsPerCallSecond),
    cpuRatio: { median: median(cpu), least: Math.min(...cpu), most: Math.max(...cpu) },
    toModelMs: times((run) => run.toModelMs),
    toCarrierMs: times((run) => run.toCarrierMs),
    stopMs: { ...times((run) => run.stopMs), count: total((run) => run.stopMs.count) },
    unanswered: total((run) => run.stops.unanswered),
    framesAfterClear: total((run) => run.stops.framesAfterClear),
    frames: added(runs.flatMap(({ toModel, toCarrier }) => [toModel, toCarrier])),
    kibPerCall: middle((run) => run.memory.perCallKib),
    memoryRatio: median(ratio((run) => run.memory.perCallKib)),
    slopeKibPerMinute: middle((run) => run.memory.slopeKibPerMinute),
    loopDelayMs: {
      p50: middle((run) => run.loopDelayMs.p50),
      p99: middle((run) => run.loopDelayMs.p99),
      max: middle((run) => run.loopDelayMs.max),
    },
    startUpMs: middle((run) => run.startUpMs),
    bottlenecks: [...new Set(runs.flatMap(({ bottlenecks }) => bottlenecks))],
  };
}

function added(accounts: readonly Account[]): Account {
  const sum = { ...(accounts[0] as Account) };
  for (const account of accounts.slice(1))
    for (const key of Object.keys(sum) as (keyof Account)[]) sum[key] += account[key];
  return sum;
}

/** What must hold of a run whatever the machine does, as sentences; empty when all holds. */
export function lossesOf({ subject, calls, toModel, toCarrier, wrong }: RunResult): string[] {
  const faults: string[] = [];
  for (const [way, { lost, repeated, disordered, strays }] of [
    ['caller to model', toModel],
    ['model to carrier', toCarrier],
  ] as const)
    for (const [what, frames] of Object.entries({
      lost,
      repeated,
      'out of order': disordered,
      'on a wrong call': strays,
    }))
      if (frames > 0) faults.push(`${subject} at ${calls} calls, ${way}: ${Math.ceil(frames)} frames ${what}`);
  if (wrong.length > 0) faults.push(`${subject} at ${calls} calls: ${wrong.length} went wrong, the first: ${wrong[0]}`);
  return faults;
}
