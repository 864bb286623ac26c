// G.711 mu-law facts: bytes <-> milliseconds, silence, level. The only user of `alawmulaw`, whose tables are read once
// at start and masked to bytes (its encodeSample returns -1 for 0, and 0x7f decodes to -0).
import alawmulaw from 'alawmulaw';

const { mulaw } = alawmulaw;

/** PCMU is 8,000 one-byte samples a second. */
export const BYTES_PER_MS = 8;
/** One carrier frame is 20 ms (ptime 20). */
export const FRAME_MS = 20;
/** 160 bytes: one 20 ms frame. */
export const FRAME_BYTES = FRAME_MS * BYTES_PER_MS;
/** The mu-law byte that decodes to 0. (0x00 would decode to -32124, full scale.) */
export const SILENCE_BYTE = 0xff;

const DECODED = Int16Array.from({ length: 256 }, (_, byte) => mulaw.decodeSample(byte) | 0);
const ENCODED = Uint8Array.from({ length: 65_536 }, (_, i) => mulaw.encodeSample(i - 32_768) & 0xff);
const SQUARED = Float64Array.from(DECODED, (sample) => sample * sample);

/** Milliseconds that `bytes` of PCMU last; may be fractional. */
export const bytesToMs = (bytes: number): number => bytes / BYTES_PER_MS;

/** Bytes of PCMU in `ms`, rounded down to a whole sample. */
export const msToBytes = (ms: number): number => Math.floor(ms * BYTES_PER_MS);

/** 16-bit linear sample of one mu-law byte. */
export const decodeSample = (byte: number): number => DECODED[byte & 0xff] as number;

/** mu-law byte of one 16-bit linear sample. */
export const encodeSample = (sample: number): number => ENCODED[sample + 32_768] as number;

/** PCMU bytes to 16-bit linear samples. */
export function decode(bytes: Uint8Array): Int16Array {
  const samples = new Int16Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) samples[i] = DECODED[bytes[i] as number] as number;
  return samples;
}

/** `bytes` of digital silence. */
export const silence = (bytes: number): Buffer => Buffer.alloc(bytes, SILENCE_BYTE);

/** Root-mean-square level in dBFS (0 = full scale, -100 floor), read from the mu-law table without decoding to PCM. */
export function levelDbfs(bytes: Uint8Array): number {
  if (bytes.length === 0) return -100;
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum += SQUARED[bytes[i] as number] as number;
  const rms = Math.sqrt(sum / bytes.length) / 32_768;
  return rms > 0.00001 ? 20 * Math.log10(rms) : -100;
}
