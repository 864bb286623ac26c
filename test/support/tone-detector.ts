// Finds touch tones in PCMU, as a receiver of the network would: Goertzel filters at the eight frequencies, and rules that
// keep speech from passing for a key. A judge: it shares nothing with what makes the tones but the table of keys.
import { decode } from '../../src/audio/mulaw.ts';

export interface FoundTone {
  digit: string;
  atMs: number;
  durationMs: number;
}

export interface ToneSearch {
  /** Shorter ones are none. Default 40 ms, the shortest that a receiver must take (ITU-T Q.24). */
  minMs?: number;
  /** Quieter ones are none; dBm0 of each of the two waves. Default -36. */
  minDbm0?: number;
}

const HZ = [697, 770, 852, 941, 1209, 1336, 1477, 1633];
const KEYS = ['123A', '456B', '789C', '*0#D'];
const FULL_SCALE_DBM0 = 3.17;
const FULL_SCALE = 32_124;
/** 25.6 ms: long enough to tell neighbours apart, short enough to fit a tone of 40 ms. */
const WINDOW = 205;
const HOP = 40;
const HOP_MS = HOP / 8;
/** Each wave must be so much stronger than the next of its group, one wave than the other at most, as ratios of power. */
const STANDS_OUT = 10 ** 0.6;
const TWIST = 10 ** 0.9;
/** Share of all sound that the two waves are: speech has more beside them. */
const SHARE = 0.62;
/** A voice has harmonics, a tone has none: the second of either wave is so much weaker. */
const HARMONIC = 10 ** -0.8;
/** A hole of one or two looks does not end a key. */
const HOLE = 2;

/** Every key that can be heard, in order. */
export function findTones(pcmu: Uint8Array, { minMs = 40, minDbm0 = -36 }: ToneSearch = {}): FoundTone[] {
  const samples = decode(pcmu);
  const leastPeak = FULL_SCALE * 10 ** ((minDbm0 - FULL_SCALE_DBM0) / 20);
  const leastPower = (leastPeak * WINDOW) ** 2 / 4;
  // Looks at the edges of a tone hold less than half of it: what is seen is shorter than what sounds by about a window.
  const leastLooks = Math.max(3, Math.floor((minMs - WINDOW / 8) / HOP_MS) + 1);
  const found: FoundTone[] = [];
  let run: { digit: string; from: number; to: number; looks: number } | undefined;
  const close = () => {
    if (run && run.looks >= leastLooks)
      found.push({
        digit: run.digit,
        atMs: run.from * HOP_MS,
        durationMs: (run.to - run.from) * HOP_MS + WINDOW / 8,
      });
    run = undefined;
  };
  for (let look = 0; look * HOP + WINDOW <= samples.length; look++) {
    const digit = keyIn(samples, look * HOP, leastPower);
    if (run && (digit === run.digit || (digit === null && look - run.to <= HOLE))) {
      if (digit !== null) {
        run.to = look;
        run.looks++;
      }
      continue;
    }
    close();
    if (digit !== null) run = { digit, from: look, to: look, looks: 1 };
  }
  close();
  return found;
}

function keyIn(samples: Int16Array, from: number, leastPower: number): string | null {
  const energy = energyOf(samples, from);
  // Cheap way out: a window of two such waves has at least this much.
  if (energy * WINDOW < 2 * leastPower) return null;
  const powers = HZ.map((hz) => powerAt(samples, from, hz));
  const row = strongest(powers, 0);
  const column = strongest(powers, 4);
  const rowPower = powers[row] as number;
  const columnPower = powers[column] as number;
  if (Math.min(rowPower, columnPower) < leastPower) return null;
  if (Math.max(rowPower, columnPower) > TWIST * Math.min(rowPower, columnPower)) return null;
  for (const [i, power] of powers.entries()) {
    const winner = i < 4 ? row : column;
    if (i !== winner && power * STANDS_OUT > (powers[winner] as number)) return null;
  }
  // A sine of power P in `powerAt` has the energy 2 P / N.
  if ((2 * (rowPower + columnPower)) / WINDOW < SHARE * energy) return null;
  for (const i of [row, column])
    if (powerAt(samples, from, 2 * (HZ[i] as number)) > HARMONIC * (powers[i] as number)) return null;
  return KEYS[row]?.[column - 4] ?? null;
}

const strongest = (powers: readonly number[], from: number): number =>
  [0, 1, 2, 3].map((i) => from + i).reduce((best, i) => ((powers[i] as number) > (powers[best] as number) ? i : best));

function energyOf(samples: Int16Array, from: number): number {
  let sum = 0;
  for (let i = from; i < from + WINDOW; i++) sum += (samples[i] as number) ** 2;
  return sum;
}

/** Squared length of the window's component at a frequency. */
function powerAt(samples: Int16Array, from: number, hz: number): number {
  const twice = 2 * Math.cos((2 * Math.PI * hz) / 8_000);
  let last = 0;
  let before = 0;
  for (let i = from; i < from + WINDOW; i++) {
    const now = (samples[i] as number) + twice * last - before;
    before = last;
    last = now;
  }
  return last * last + before * before - twice * last * before;
}
