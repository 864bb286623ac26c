// Where somebody can be heard on a line, by loudness alone. The rule is that of the recordings' own manifest (an energy
// detector over 20 ms windows with a threshold between noise floor and peak), so that its truth can be compared with ours.
import { BYTES_PER_MS, bytesToMs, decodeSample } from '../audio/mulaw.ts';
import type { Span } from './call-result.ts';

const WINDOW_MS = 20;
/** Windows overlap by half: an edge is found to about 10 ms. */
const STEP_MS = 10;
/** An idle line flickers between the four quietest codes (-75 dBFS); nothing below this is anybody. */
const IDLE_DBFS = -70;
/** A quieter floor says nothing more about what can be heard. */
const LOWEST_FLOOR_DBFS = -65;
/** Steady sound (a tone, talk without a pause) has no floor of its own: it is taken to lie this far below the peak. */
const LEAST_RANGE_DB = 25;
const ON = { leastDb: 8, share: 0.4 };
const OFF = { leastDb: 5, share: 0.25 };
/** Butterworth of second order, 200 Hz at 8,000 samples a second: below it lies hum, not speech. */
const HIGH_PASS = { b: 0.894_859, a1: -1.778_632, a2: 0.800_803 };
/** Pauses up to this do not end a stretch: words have such gaps inside. */
const BRIDGED_MS = 300;
/** Shorter stretches are clicks. */
const SHORTEST_MS = 100;
/** Breath, and others' talk leaking into the line, lie further below the speech of the line than its own quiet words. */
const BACKGROUND_DB = 25;

/**
 * Stretches of sound in PCMU, edges good to about 20 ms on clean audio. Each stretch of line that is not idle is judged
 * by a noise floor of its own, because a caller's clips come with their rooms and the line between them with none.
 */
export function soundSpans(line: Uint8Array): Span[] {
  const levels = levelsOf(line);
  const found = islands(levels).flatMap(([from, to]) => spansInside(levels, from, to));
  const lengthMs = Math.round(bytesToMs(line.length));
  const stretches = bridged(found).filter(({ fromMs, toMs }) => toMs - fromMs >= SHORTEST_MS);
  return withoutBackground(stretches, levels).map(({ fromMs, toMs }) => ({
    fromMs,
    toMs: Math.min(toMs, lengthMs),
  }));
}

/** Leaves out what is far quieter than half of the stretches. */
function withoutBackground(stretches: readonly Span[], levels: Float64Array): Span[] {
  const peaks = stretches.map(({ fromMs, toMs }) =>
    Math.max(...levels.subarray(Math.floor(fromMs / STEP_MS), Math.ceil(toMs / STEP_MS))),
  );
  const usual = peaks.toSorted((a, b) => a - b)[Math.floor(peaks.length / 2)] ?? 0;
  return stretches.filter((_, i) => (peaks[i] as number) >= usual - BACKGROUND_DB);
}

/** Level in dBFS of the window that begins at each step, without the hum of mains and engines. */
function levelsOf(line: Uint8Array): Float64Array {
  const step = STEP_MS * BYTES_PER_MS;
  const energies = new Float64Array(Math.ceil(line.length / step) + 1);
  let [x1, x2, y1, y2] = [0, 0, 0, 0];
  for (let i = 0; i < line.length; i++) {
    const x = decodeSample(line[i] as number);
    const y = HIGH_PASS.b * (x - 2 * x1 + x2) - HIGH_PASS.a1 * y1 - HIGH_PASS.a2 * y2;
    [x1, x2, y1, y2] = [x, x1, y, y1];
    const at = Math.floor(i / step);
    energies[at] = (energies[at] as number) + y * y;
  }
  const samples = WINDOW_MS * BYTES_PER_MS;
  return Float64Array.from({ length: energies.length - 1 }, (_, i) => {
    const rms = Math.sqrt(((energies[i] as number) + (energies[i + 1] as number)) / samples) / 32_768;
    return 20 * Math.log10(Math.max(rms, 0.00001));
  });
}

/** Runs of steps that are not idle, as [from, to); idle gaps that would be bridged anyway are part of a run. */
function islands(levels: Float64Array): [number, number][] {
  const runs: [number, number][] = [];
  for (const [i, level] of levels.entries()) {
    if (level <= IDLE_DBFS) continue;
    const last = runs.at(-1);
    if (last && (i - last[1]) * STEP_MS <= BRIDGED_MS) last[1] = i + 1;
    else runs.push([i, i + 1]);
  }
  return runs;
}

/** On above one threshold, off below a lower one: a voice that trails away is followed down. */
function spansInside(levels: Float64Array, from: number, to: number): Span[] {
  const inside = levels.slice(from, to);
  const peak = percentile(inside, 0.97);
  // Near the quietest: talk may fill its stretch but for the gaps between words.
  const quiet = percentile(inside, 0.03);
  const floor = Math.min(Math.max(quiet, LOWEST_FLOOR_DBFS), peak - LEAST_RANGE_DB);
  const threshold = ({ leastDb, share }: typeof ON) =>
    Math.max(IDLE_DBFS, floor + Math.max(leastDb, share * (peak - floor)));
  const on = threshold(ON);
  const off = threshold(OFF);
  const spans: Span[] = [];
  for (let i = from; i < to; i++) {
    if ((levels[i] as number) < on) continue;
    let first = i;
    while (first > from && (levels[first - 1] as number) >= off) first--;
    while (i + 1 < to && (levels[i + 1] as number) >= off) i++;
    spans.push({ fromMs: middle(first), toMs: middle(i) + STEP_MS });
  }
  return spans;
}

const percentile = (levels: Float64Array, share: number): number =>
  levels.toSorted()[Math.floor(share * (levels.length - 1))] as number;

/** A window speaks for its middle; what it says of its edges its neighbours say better. */
const middle = (index: number): number => index * STEP_MS + (WINDOW_MS - STEP_MS) / 2;

function bridged(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of spans) {
    const last = joined.at(-1);
    if (last && span.fromMs - last.toMs <= BRIDGED_MS) last.toMs = span.toMs;
    else joined.push({ ...span });
  }
  return joined;
}
