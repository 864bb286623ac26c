// Levels of a short stretch, measured on the recording itself: the picture of a whole call is too coarse once it is zoomed
// into. Only the bytes of that stretch are loaded.
import { decodeSample } from '../mu-law.ts';

export interface CloseUp {
  fromMs: number;
  toMs: number;
  bucketMs: number;
  caller: Float32Array;
  agent: Float32Array;
}

/** Longer stretches would be megabytes. */
export const LONGEST_MS = 45_000;
const BUCKET_MS = 10;
/** As the server writes a mu-law WAV: the header, then caller and agent by turns, 8 bytes a millisecond each. */
const HEADER_BYTES = 58;
const BYTES_PER_MS = 16;

/** Size of a mu-law byte's sample, 0 to 1. */
const SIZE = Float32Array.from({ length: 256 }, (_, byte) => Math.abs(decodeSample(byte)) / 32_124);

/** @throws when it cannot be loaded, or what comes is not the stretch that was asked for */
export async function loadCloseUp(url: string, fromMs: number, toMs: number, signal: AbortSignal): Promise<CloseUp> {
  const from = Math.max(0, Math.floor(fromMs / BUCKET_MS) * BUCKET_MS);
  const first = HEADER_BYTES + from * BYTES_PER_MS;
  const last = HEADER_BYTES + Math.ceil(toMs) * BYTES_PER_MS - 1;
  const response = await fetch(url, { headers: { range: `bytes=${first}-${last}` }, signal });
  // 200 would be the whole recording.
  if (response.status !== 206) {
    await response.body?.cancel();
    throw new Error(`a stretch was asked for, and ${response.status} came`);
  }
  return levelsOf(new Uint8Array(await response.arrayBuffer()), from);
}

/** @param bytes caller and agent by turns, from `fromMs` on */
export function levelsOf(bytes: Uint8Array, fromMs: number): CloseUp {
  const perBucket = BUCKET_MS * BYTES_PER_MS;
  const buckets = Math.ceil(bytes.length / perBucket);
  const [caller, agent] = [new Float32Array(buckets), new Float32Array(buckets)];
  for (let bucket = 0; bucket < buckets; bucket++) {
    let [left, right] = [0, 0];
    const end = Math.min(bytes.length - 1, (bucket + 1) * perBucket);
    for (let i = bucket * perBucket; i < end; i += 2) {
      left = Math.max(left, SIZE[bytes[i] as number] as number);
      right = Math.max(right, SIZE[bytes[i + 1] as number] as number);
    }
    caller[bucket] = left;
    agent[bucket] = right;
  }
  return { fromMs, toMs: fromMs + bytes.length / BYTES_PER_MS, bucketMs: BUCKET_MS, caller, agent };
}
