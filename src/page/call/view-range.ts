// Which stretch of a call the timeline shows, and how that changes by zooming and moving. Pure.

export interface ViewRange {
  fromMs: number;
  toMs: number;
}

/** Closer than this there is nothing more to see. */
export const CLOSEST_MS = 2_000;

export const whole = (durationMs: number): ViewRange => ({ fromMs: 0, toMs: Math.max(1, durationMs) });

/** Zooms by a factor (2: closer), keeping what lies at `atMs` where it is. */
export function zoomed(range: ViewRange, durationMs: number, factor: number, atMs: number): ViewRange {
  const width = range.toMs - range.fromMs;
  const narrower = Math.min(Math.max(width / factor, Math.min(CLOSEST_MS, durationMs)), durationMs);
  const share = width === 0 ? 0.5 : (atMs - range.fromMs) / width;
  return kept(atMs - share * narrower, narrower, durationMs);
}

export const moved = ({ fromMs, toMs }: ViewRange, durationMs: number, byMs: number): ViewRange =>
  kept(fromMs + byMs, toMs - fromMs, durationMs);

/** The same range when `atMs` is in it, otherwise one that has it near its beginning. */
export function holding(range: ViewRange, durationMs: number, atMs: number): ViewRange {
  if (atMs >= range.fromMs && atMs <= range.toMs) return range;
  const width = range.toMs - range.fromMs;
  return kept(atMs - width / 8, width, durationMs);
}

function kept(fromMs: number, width: number, durationMs: number): ViewRange {
  const from = Math.max(0, Math.min(fromMs, durationMs - width));
  return { fromMs: from, toMs: from + width };
}

const STEPS = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600].map((s) => s * 1_000);

/** Round moments for a ruler, at least `leastShare` of the range apart. */
export function ticks({ fromMs, toMs }: ViewRange, leastShare: number): number[] {
  const least = (toMs - fromMs) * leastShare;
  const step = STEPS.find((ms) => ms >= least) ?? Math.ceil(least / 3_600_000) * 3_600_000;
  const found: number[] = [];
  for (let at = Math.ceil(fromMs / step) * step; at <= toMs; at += step) found.push(at);
  return found;
}
