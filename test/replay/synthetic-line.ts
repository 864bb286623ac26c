// Sound with known truth for the tests of measurements: an idle line, and a voice-like sound to lay on it.
import { encodeSample, msToBytes } from '../../src/audio/mulaw.ts';
import { seededRandom } from '../../src/phone/seeded-random.ts';

const QUIETEST = [0x7e, 0x7f, 0xfe, 0xff];

/** A line on which nobody speaks, as captured ones flicker. */
export function idleLine(ms: number): Buffer {
  const random = seededRandom(5);
  return Buffer.from(Array.from({ length: msToBytes(ms) }, () => QUIETEST[Math.floor(random() * 4)] as number));
}

/** Noise that swells like syllables, 8 a second, loud from its first byte to its last. */
export function voice(ms: number, amplitude = 8_000): Buffer {
  const random = seededRandom(9);
  return Buffer.from(
    Array.from({ length: msToBytes(ms) }, (_, i) => {
      const swell = 0.6 + 0.4 * Math.cos((2 * Math.PI * 8 * i) / 8_000);
      return encodeSample(Math.round((random() * 2 - 1) * amplitude * swell));
    }),
  );
}
