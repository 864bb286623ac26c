// Who spoke when, as levels: what is drawn of a call that nobody recorded. Pure.
import type { Levels } from '../schemas/timeline.ts';
import { bucketsOf } from './buckets.ts';

/** A stretch of speech, in milliseconds since the media started. */
export interface Span {
  fromMs: number;
  toMs: number;
}

export interface Spans {
  caller: Span[];
  agent: Span[];
  durationMs: number;
}

/** How loud speech is drawn of which only the times are known. */
const DRAWN = 0.5;

export function spanLevels(from: 'tape' | 'turns', spans: Spans, wanted: number): Levels {
  const { buckets, bucketMs, durationMs } = bucketsOf(spans.durationMs, wanted);
  const drawn = (side: readonly Span[]): number[] => {
    const levels = Array.from({ length: buckets }, () => 0);
    for (const { fromMs, toMs } of side) {
      if (toMs <= fromMs || toMs <= 0 || fromMs >= durationMs) continue;
      const last = Math.min(buckets, Math.ceil(toMs / bucketMs));
      levels.fill(DRAWN, Math.max(0, Math.floor(fromMs / bucketMs)), last);
    }
    return levels;
  };
  return { from, durationMs, bucketMs, caller: drawn(spans.caller), agent: drawn(spans.agent) };
}
