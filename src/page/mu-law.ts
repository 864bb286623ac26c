// G.711 mu-law on the page: bytes to floating-point samples and back, by tables made once. Pure; most of it runs in audio
// worklets, where nothing of the page is.

/** Samples, and bytes, a second. */
export const MULAW_RATE = 8_000;
export const BYTES_PER_MS = 8;
/** The byte that decodes to 0. */
export const SILENCE = 0xff;

const BIAS = 0x84;
const CLIP = 32_635;

/** mu-law byte of a 16-bit sample. */
export function encodeSample(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const size = Math.min(CLIP, Math.abs(sample)) + BIAS;
  const exponent = 31 - Math.clz32(size >> 7);
  return ~(sign | (exponent << 4) | ((size >> (exponent + 3)) & 0x0f)) & 0xff;
}

/** 16-bit sample of a mu-law byte. */
export function decodeSample(byte: number): number {
  const bits = ~byte & 0xff;
  const exponent = (bits >> 4) & 0x07;
  const size = ((((bits & 0x0f) << 3) + BIAS) << exponent) - BIAS;
  // Not -0, which 0x7f would be.
  return bits & 0x80 ? 0 - size : size;
}

const TO_FLOAT = /* @__PURE__ */ Float32Array.from({ length: 256 }, (_, byte) => decodeSample(byte) / 32_768);
const TO_BYTE = /* @__PURE__ */ Uint8Array.from({ length: 65_536 }, (_, i) => encodeSample(i - 32_768));

/** mu-law byte of a sample from -1 to 1; what is beyond is clipped. */
export const toByte = (sample: number): number => {
  // A microphone that gives no number gives silence.
  const linear = Math.round(sample * 32_768) || 0;
  return TO_BYTE[Math.max(-32_768, Math.min(32_767, linear)) + 32_768] as number;
};

/** Sample from -1 to 1. */
export const toFloat = (byte: number): number => TO_FLOAT[byte & 0xff] as number;
