// The suites of a run's JUnit file: one per file that was named, whatever became of it.
import { verdictLine } from './expect.ts';
import type { FoldResult } from './fold.ts';
import type { JunitCase, JunitSuite } from './junit.ts';
import type { PlacedCall } from './replay-calls.ts';

/** The run itself: what stands in the file until it has ended, and when it broke off. */
export const unendedSuite = (why: string, startedWallMs: number): JunitSuite =>
  suiteOf('trunkline replay', startedWallMs, 0, [failedCase('the run ends', why)]);

/** A file that could not be used. */
export const faultySuite = (path: string, fault: string, startedWallMs: number): JunitSuite =>
  suiteOf(path, startedWallMs, 0, [failedCase('can be used', fault)]);

function failedCase(name: string, fault: string): JunitCase {
  const [failure = '', ...more] = fault.split('\n');
  return { name, tookMs: 0, failure, ...(more.length > 0 ? { detail: fault } : {}) };
}

/** A tape. */
export function tapeSuite(path: string, fold: FoldResult, startedWallMs: number, tookMs: number): JunitSuite {
  const [first = 'it differs', ...more] = (fold.report ?? '').split('\n');
  const failed = fold.identical ? {} : { failure: first, detail: [first, ...more].join('\n') };
  return suiteOf(path, startedWallMs, tookMs, [{ name: 'the same decisions', tookMs, ...failed }]);
}

/**
 * All calls of one file. Cases of the n-th of several callers are named after it.
 * @param startedWallMs of the run
 */
export function callSuite(path: string, calls: readonly PlacedCall[], startedWallMs: number): JunitSuite {
  if (calls.length === 0) {
    const skipped = 'the run was given up before this call';
    return suiteOf(path, startedWallMs, 0, [{ name: 'call', tookMs: 0, skipped }]);
  }
  const firstWallMs = Math.min(...calls.map((call) => call.startedWallMs));
  const endedWallMs = Math.max(...calls.map((call) => call.startedWallMs + call.tookMs));
  const named = (call: PlacedCall, name: string) => (calls.length === 1 ? name : `caller ${call.nth}: ${name}`);
  const cases = calls.flatMap((call): JunitCase[] => {
    if (call.interrupted)
      return [{ name: named(call, 'call'), tookMs: call.tookMs, skipped: 'the run was given up during this call' }];
    return call.verdicts.map((verdict, i) => ({
      name: named(call, verdict.what),
      // The call takes its time once, not once for each thing that is judged of it.
      tookMs: i === 0 ? call.tookMs : 0,
      ...(verdict.ok ? {} : { failure: verdictLine(verdict), ...detailOf(call) }),
    }));
  });
  return suiteOf(path, firstWallMs, endedWallMs - firstWallMs, cases);
}

/** Where to look further. */
function detailOf({ result, verdicts }: PlacedCall): { detail: string } {
  const failed = verdicts.filter(({ ok }) => !ok).map(verdictLine);
  const heard = result.turns.map(({ who, atMs, text }) => `${(atMs / 1000).toFixed(1)} s ${who}: ${text ?? '?'}`);
  return { detail: [...failed, '', `call ${result.callId ?? result.callSid}`, ...heard].join('\n') };
}

const suiteOf = (name: string, startedWallMs: number, tookMs: number, cases: JunitCase[]): JunitSuite => ({
  name,
  startedWallMs,
  tookMs,
  cases,
});
