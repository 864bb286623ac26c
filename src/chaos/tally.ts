// The result of a run of chaos: one row per fault, the controls, and everything that must not be. Pure.
import { FAULT_NAMES, type FaultName, faultKind } from './fault-kinds.ts';
import { type Outcome, OUTCOMES, type Verdict } from './judge.ts';

/** One row of the table. */
export interface FaultRow {
  fault: FaultName;
  family: string;
  what: string;
  struck: number;
  /** Of calls that no other fault struck and whose sound was judged. */
  outcomes: Partial<Record<Outcome, number>>;
  /** Of the same calls; null where there are none. */
  longestUnexplainedMs: number | null;
  allowedMs: number;
  overlong: number;
  unnamed: number;
  stuck: number;
  hurt: number;
}

export interface Violation {
  call: number;
  faults: FaultName[];
  what: string;
  /** Has this call again. */
  again: string;
}

export interface ChaosReport {
  seed: number;
  calls: number;
  controls: number;
  /** Strikes that found their moment. */
  struck: number;
  planned: number;
  seconds: number;
  rows: FaultRow[];
  /** Calls, whatever struck them. */
  overlong: number;
  unnamed: number;
  stuck: number;
  /** Calls whose sound was not judged. */
  unjudged: number;
  reasons: Record<string, number>;
  violations: Violation[];
  /** Of the whole process, after the last call. */
  leftovers: string[];
  unhandled: string[];
  controlsHurt: number;
  /** The longest time for which this process itself stood still. */
  longestStallMs: number;
  controlsLongestMs: number;
}

export interface TallyOptions {
  seed: number;
  seconds: number;
  leftovers: string[];
  unhandled: string[];
  longestStallMs: number;
  /** The command that has one call again. */
  again: (call: number) => string;
}

export function tally(verdicts: readonly Verdict[], options: TallyOptions): ChaosReport {
  const controls = verdicts.filter(({ control }) => control);
  const struck = verdicts.reduce((sum, { faults }) => sum + faults.length, 0);
  const reasons: Record<string, number> = {};
  for (const { reason, unnamed } of verdicts) {
    // Without a reason and yet in order: the caller was handed on at the door.
    const name = reason ?? (unnamed ? 'none' : 'not let in');
    reasons[name] = (reasons[name] ?? 0) + 1;
  }
  return {
    seed: options.seed,
    calls: verdicts.length,
    controls: controls.length,
    struck,
    planned: verdicts.reduce((sum, { planned }) => sum + planned.length, 0),
    seconds: options.seconds,
    rows: FAULT_NAMES.flatMap((fault) => rowOf(fault, verdicts) ?? []),
    reasons,
    overlong: verdicts.filter((one) => one.overlong).length,
    unnamed: verdicts.filter((one) => one.unnamed).length,
    stuck: verdicts.filter((one) => one.stuck).length,
    unjudged: verdicts.filter((one) => !one.soundJudged).length,
    violations: verdicts.flatMap(({ number, faults, violations }) =>
      violations.map((what) => ({ call: number, faults, what, again: options.again(number) })),
    ),
    leftovers: options.leftovers,
    unhandled: options.unhandled,
    longestStallMs: options.longestStallMs,
    controlsHurt: controls.filter(({ hurt }) => hurt).length,
    controlsLongestMs: Math.max(0, ...controls.map(({ longestUnexplainedMs }) => longestUnexplainedMs)),
  };
}

/** A run in which every zero is zero. */
export const isGood = ({ violations, leftovers, unhandled }: ChaosReport): boolean =>
  violations.length + leftovers.length + unhandled.length === 0;

function rowOf(fault: FaultName, verdicts: readonly Verdict[]): FaultRow | null {
  const all = verdicts.filter(({ faults }) => faults.includes(fault));
  if (all.length === 0) return null;
  const alone = all.filter(({ faults, soundJudged }) => faults.length === 1 && soundJudged);
  const outcomes: FaultRow['outcomes'] = {};
  for (const outcome of OUTCOMES) {
    const count = alone.filter((one) => one.outcome === outcome).length;
    if (count > 0) outcomes[outcome] = count;
  }
  const { family, what, silentMs } = faultKind(fault);
  return {
    ...{ fault, family, what, outcomes, struck: all.length, allowedMs: silentMs },
    longestUnexplainedMs: alone.length === 0 ? null : Math.max(...alone.map((one) => one.longestUnexplainedMs)),
    overlong: all.filter(({ overlong }) => overlong).length,
    unnamed: all.filter(({ unnamed }) => unnamed).length,
    stuck: all.filter(({ stuck }) => stuck).length,
    hurt: hurtBy(fault, all, verdicts),
  };
}

/** Hurt controls during whose life the fault struck some other call. */
const hurtBy = (fault: FaultName, struck: readonly Verdict[], verdicts: readonly Verdict[]): number =>
  verdicts.filter(
    ({ hurt, fromMs, toMs }) =>
      hurt &&
      struck.some(({ strikes }) =>
        strikes.some((one) => one.fault === fault && one.atMs >= fromMs && one.atMs <= toMs),
      ),
  ).length;
