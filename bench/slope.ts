// Whether a row of measurements grows, told honestly: the slope by Theil and Sen, which single outliers do not move, and
// what that growth is worth beside the noise around it.

export interface Trend {
  /** Per hour: the median of the slopes between all pairs of points. */
  perHour: number;
  /** What the slope adds up to from the first to the last point. */
  growth: number;
  /** How far the points lie around that line: median distance times 1.4826, as a standard deviation would be. */
  noise: number;
  /** How probable so many rising pairs are where nothing grows (Mann-Kendall, one-sided, without ties corrected). */
  chance: number;
}

/** @param points times in ms and values, at least three of them */
export function trendOf(points: readonly { atMs: number; value: number }[]): Trend {
  const slopes: number[] = [];
  let rising = 0;
  for (const [i, a] of points.entries())
    for (const b of points.slice(i + 1)) {
      slopes.push((b.value - a.value) / (b.atMs - a.atMs));
      rising += Math.sign(b.value - a.value);
    }
  const slope = median(slopes);
  const first = points[0]?.atMs ?? 0;
  const rests = points.map(({ atMs, value }) => value - slope * (atMs - first));
  const level = median(rests);
  const n = points.length;
  const deviation = Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const z = rising === 0 ? 0 : (rising - Math.sign(rising)) / deviation;
  return {
    perHour: slope * 3_600_000,
    growth: slope * ((points.at(-1)?.atMs ?? 0) - first),
    noise: 1.4826 * median(rests.map((rest) => Math.abs(rest - level))),
    chance: upperTail(z),
  };
}

/** It grows: hardly by chance, and by more than the noise and what is allowed for. */
export const grows = ({ growth, noise, chance }: Trend, allowed = 0): boolean =>
  chance < 0.01 && growth > noise + allowed;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? upper) + upper) / 2 : upper;
}

/** The normal distribution's upper tail (Abramowitz and Stegun 26.2.17, good to 1e-7). */
function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const poly = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * poly;
}
