// Counts the quality of ended calls, as their records have it.
import type { Instruments } from './instruments.ts';

/** What is counted of a call's quality; milliseconds. */
export interface QualityFigures {
  /** Null: there was nothing to hear. */
  score: number | null;
  deductions: readonly { part: string; points: number }[];
  frames: { late: number };
  underruns: { ms: number };
  deadAir: { beyondMs: number };
  talkOverMs: number;
  firstWordMs: number | null;
}

/** One call is over. */
export function observeQuality(call: QualityFigures, { quality, frames }: Instruments): void {
  if (call.score !== null) quality.score.observe(call.score);
  for (const { part, points } of call.deductions) {
    quality.markedDown.add(part);
    quality.points.of(part).total += points;
  }
  if (call.firstWordMs !== null) quality.firstWord.observe(call.firstWordMs / 1_000);
  frames.late.total += call.frames.late;
  quality.underrun.total += call.underruns.ms / 1_000;
  quality.deadAir.total += call.deadAir.beyondMs / 1_000;
  quality.talkOver.total += call.talkOverMs / 1_000;
}
