// Skipping silence: from where in it to where. Pure.
import { firstFrom } from './bands.ts';

/** So much silence stays in front of what follows, so that its beginning is not cut. */
const LEAD_MS = 300;
/** Shorter skips are heard as a stumble. */
const LEAST_MS = 400;
/** So much stays behind what was said. */
const TAIL_MS = 200;

/** @returns where to go on; null: something is to be heard here. `silences` in their order, apart from each other. */
export function quietUntil(silences: readonly { fromMs: number; toMs: number }[], atMs: number): number | null {
  const silence = silences[firstFrom(silences, atMs) - 1];
  if (silence === undefined || atMs < silence.fromMs + TAIL_MS) return null;
  const until = silence.toMs - LEAD_MS;
  return until - atMs >= LEAST_MS ? until : null;
}
