// G.711 mu-law as floating-point samples from -1 to 1. Pure; without a package, because it runs in the audio thread.

export const SAMPLES_A_MS = 8;

/** By the standard: sign, three bits of segment, four of step, all inverted; 0xff and 0x7f are zero. */
const LINEAR = Float32Array.from({ length: 256 }, (_, byte) => {
  const bits = ~byte & 0xff;
  const size = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
  return ((bits & 0x80) === 0 ? size : -size) / 32_768;
});

/** -1 to 1. */
export const muLawSample = (byte: number): number => LINEAR[byte] as number;
