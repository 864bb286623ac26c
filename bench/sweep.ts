// More and more calls until a subject is late or loses something: its rated capacity on this machine. Each size is decided
// by two windows that agree, because a shared machine stumbles now and then.
import { lossesOf } from './summary.ts';
import type { RunResult } from './run.ts';
import type { SubjectSpec } from './subject-spec.ts';

/** One size of one subject. */
export interface SweepPoint {
  subject: string;
  calls: number;
  held: boolean;
  runs: RunResult[];
}

export interface Rating {
  subject: string;
  /** The largest size that held; 0 when none did. */
  calls: number;
  /** Whether more may be possible: nothing larger was tried, or the generator or the machine gave way first. */
  atLeast: boolean;
  /** Why it ended there. */
  because: string;
}

const LATE_P99_MS = 10;

/** Whether a window held: nothing lost, nothing later than the limit at p99. */
export const held = (run: RunResult): boolean =>
  lossesOf(run).length === 0 && Math.max(run.toModelMs.p99, run.toCarrierMs.p99) <= LATE_P99_MS;

/** Two windows that agree decide; until then one more is measured. */
export function verdictOf(windows: readonly boolean[]): 'held' | 'failed' | 'again' {
  const good = windows.filter(Boolean).length;
  if (good >= 2) return 'held';
  return windows.length - good >= 2 ? 'failed' : 'again';
}

/** Subjects alternate within a size; one that failed takes part no more. */
export async function sweep(
  subjects: readonly SubjectSpec[],
  sizes: readonly number[],
  measure: (spec: SubjectSpec, calls: number) => Promise<RunResult>,
): Promise<SweepPoint[]> {
  const points: SweepPoint[] = [];
  let left = subjects;
  for (const calls of sizes) {
    const size = left.map((spec) => ({ spec, runs: [] as RunResult[] }));
    const verdict = ({ runs }: { runs: RunResult[] }): string => verdictOf(runs.map(held));
    for (let open = size; open.length > 0; open = open.filter((one) => verdict(one) === 'again'))
      for (const { spec, runs } of open) runs.push(await measure(spec, calls));
    for (const one of size)
      points.push({ subject: one.spec.name, calls, held: verdict(one) === 'held', runs: one.runs });
    left = size.filter((one) => verdict(one) === 'held').map(({ spec }) => spec);
  }
  return points;
}

export function ratingOf(subject: string, points: readonly SweepPoint[]): Rating {
  const own = points.filter((point) => point.subject === subject);
  const calls = Math.max(0, ...own.filter((point) => point.held).map((point) => point.calls));
  const failed = own.find((point) => !point.held);
  if (!failed) return { subject, calls, atLeast: true, because: 'more was not tried' };
  const causes = failed.runs.find((run) => run.bottlenecks.length > 0)?.bottlenecks ?? [];
  const losses = failed.runs.flatMap(lossesOf);
  const p99 = Math.max(...failed.runs.map((run) => Math.max(run.toModelMs.p99, run.toCarrierMs.p99)));
  const what = losses[0] ?? `p99 was ${p99.toFixed(1)} ms at ${failed.calls} calls`;
  const because =
    causes.length === 0 ? what : `${what}, where the generator or the machine gave way (${causes.join('; ')})`;
  return { subject, calls, atLeast: causes.length > 0, because };
}
