// Touch tones as a telephone makes them: two sine waves at once, one for the row of the key and one for its column
// (ITU-T Q.23), in PCMU.
import { encodeSample, msToBytes, silence } from './mulaw.ts';

export interface ToneOptions {
  /** How long each tone lasts. Default 100 ms; receivers need 40 and networks ask for 80. */
  toneMs?: number;
  /** Silence after each tone, and between two. Default 100 ms. */
  gapMs?: number;
  /** Level of the two waves together, dBm0. Default -7, as handsets send. */
  levelDbm0?: number;
}

/** Frequencies in Hz, and the key at each crossing. */
export const DTMF_ROWS_HZ = [697, 770, 852, 941] as const;
export const DTMF_COLUMNS_HZ = [1209, 1336, 1477, 1633] as const;
export const DTMF_KEYS = '123A456B789C*0#D';

const DEFAULT_TONE_MS = 100;
const DEFAULT_GAP_MS = 100;
const DEFAULT_LEVEL_DBM0 = -7;
/** The higher wave is sent louder, because lines lose more of it (ETSI ES 201 235-2: at most 2.5 dB). */
const TWIST_DB = 2;
/** A sine of full scale in mu-law (G.711: 8,159 of 8,192 is 3.17 dBm0). */
const FULL_SCALE = 32_124;
const FULL_SCALE_DBM0 = 3.17;
const SAMPLES_A_SECOND = 8_000;
/** Without it a tone begins and ends with a click that can be heard on every key of the pad. */
const RAMP_MS = 2;
/** Pauses, as dial strings have them. */
const PAUSES_MS: Record<string, number> = { w: 500, W: 1_000 };

/**
 * The keys one after the other, each followed by a gap: 0-9, `*`, `#`, A-D; `w` waits half a second, `W` a whole one.
 * @throws RangeError for anything else
 */
export function dtmfTones(digits: string, options: ToneOptions = {}): Uint8Array {
  const { toneMs = DEFAULT_TONE_MS, gapMs = DEFAULT_GAP_MS, levelDbm0 = DEFAULT_LEVEL_DBM0 } = options;
  const parts = digits.split('').map((digit) => {
    const pauseMs = PAUSES_MS[digit];
    if (pauseMs !== undefined) return silence(msToBytes(pauseMs));
    return Buffer.concat([toneOf(digit, toneMs, levelDbm0), silence(msToBytes(gapMs))]);
  });
  return Buffer.concat(parts);
}

function toneOf(digit: string, toneMs: number, levelDbm0: number): Uint8Array {
  const key = DTMF_KEYS.indexOf(digit.toUpperCase());
  if (key < 0) throw new RangeError(`${JSON.stringify(digit)} is not a key: expected 0-9, *, #, A-D, w or W`);
  const row = radiansOf(DTMF_ROWS_HZ[key >> 2] as number);
  const column = radiansOf(DTMF_COLUMNS_HZ[key & 3] as number);
  // Powers add up: with the twist the row has this share of the whole.
  const rowShare = 1 / (1 + 10 ** (TWIST_DB / 10));
  const whole = FULL_SCALE * 10 ** ((levelDbm0 - FULL_SCALE_DBM0) / 20);
  const rowPeak = whole * Math.sqrt(rowShare);
  const columnPeak = whole * Math.sqrt(1 - rowShare);
  const bytes = new Uint8Array(msToBytes(toneMs));
  const ramp = msToBytes(RAMP_MS);
  for (let i = 0; i < bytes.length; i++) {
    const envelope = Math.min(1, (i + 1) / ramp, (bytes.length - i) / ramp);
    const sample = envelope * (rowPeak * Math.sin(row * i) + columnPeak * Math.sin(column * i));
    bytes[i] = encodeSample(Math.round(Math.max(-FULL_SCALE, Math.min(FULL_SCALE, sample))));
  }
  return bytes;
}

const radiansOf = (hz: number): number => (2 * Math.PI * hz) / SAMPLES_A_SECOND;
