// What a bill comes to, in the ways that a reader asks: how it grew, what the cache served, what sellers say against what we
// said. Whole nano-dollars. Pure.
import type { Bill, BillLine } from './types.ts';

/** A point of the running total. Seconds since the first line. */
export interface Running {
  seconds: number[];
  nanoUsd: number[];
}

/** How the total grew, line after line; a line without a price adds nothing. */
export function runningTotal(lines: readonly BillLine[], zeroWallMs: number): Running {
  const running: Running = { seconds: [], nanoUsd: [] };
  let total = 0;
  for (const { atWallMs, costNanoUsd } of lines.toSorted((a, b) => a.atWallMs - b.atWallMs)) {
    total += costNanoUsd ?? 0;
    const seconds = Math.max(0, (atWallMs - zeroWallMs) / 1_000);
    // Lines of one moment are one point.
    if (running.seconds.at(-1) === seconds) running.nanoUsd[running.nanoUsd.length - 1] = total;
    else {
      running.seconds.push(seconds);
      running.nanoUsd.push(total);
    }
  }
  return running;
}

/** Which share of what went into answers the model had in its cache; null: nothing went in. */
export function cacheShare(lines: readonly BillLine[]): { share: number; cached: number; input: number } | null {
  let [cached, input] = [0, 0];
  for (const { quantities: q } of lines) {
    if (q.unit !== 'tokens') continue;
    const fromCache = q.text.cached + q.audio.cached + q.image.cached;
    cached += fromCache;
    input += fromCache + q.text.fresh + q.audio.fresh + q.image.fresh;
  }
  return input === 0 ? null : { share: cached / input, cached, input };
}

/** What the seller says less what we said; null: not asked, or no price is known. */
export const difference = ({ billedNanoUsd, costNanoUsd }: BillLine): number | null =>
  billedNanoUsd === null || costNanoUsd === null ? null : billedNanoUsd - costNanoUsd;

/** The differences together, of lines that have both sums. */
export function differences(bill: Bill): { lines: number; nanoUsd: number } {
  const sum = { lines: 0, nanoUsd: 0 };
  for (const line of bill.lines) {
    const one = difference(line);
    if (one === null) continue;
    sum.lines += 1;
    sum.nanoUsd += one;
  }
  return sum;
}

/** By what was bought, the dearest first. */
export function byWhat(
  lines: readonly BillLine[],
): { what: string; nanoUsd: number; unpriced: number; lines: number }[] {
  const sums = new Map<string, { what: string; nanoUsd: number; unpriced: number; lines: number }>();
  for (const { what, costNanoUsd } of lines) {
    const sum = sums.get(what) ?? { what, nanoUsd: 0, unpriced: 0, lines: 0 };
    sum.nanoUsd += costNanoUsd ?? 0;
    sum.unpriced += costNanoUsd === null ? 1 : 0;
    sum.lines += 1;
    sums.set(what, sum);
  }
  return [...sums.values()].toSorted((a, b) => b.nanoUsd - a.nanoUsd || (a.what < b.what ? -1 : 1));
}
