// The levels of a recording, measured piece by piece: of each stretch the loudest sample of either side. In mu-law a louder
// sample is a smaller one of its seven lower bits turned round, so that nothing is decoded to find it.
import type { FileHandle } from 'node:fs/promises';
import { BYTES_PER_MS, decodeSample } from '../../audio/mulaw.ts';
import type { Levels } from '../schemas/timeline.ts';
import { CHANNELS, HEADER_BYTES } from './audio-file.ts';
import { bucketsOf } from './buckets.ts';
import { pieces } from './pieces.ts';

const MAGNITUDE = 0x7f;
const LOUDEST = Math.abs(decodeSample(0x00));
/** 0 to 1 by magnitude. */
const LEVELS = Array.from({ length: MAGNITUDE + 1 }, (_, magnitude) => {
  const level = Math.abs(decodeSample(magnitude ^ 0xff)) / LOUDEST;
  return Math.round(level * 1_000) / 1_000;
});
/** Of a longer recording not every sample is looked at: this many of a side are enough for a picture. */
const MOST_SAMPLES = 16 * 1024 * 1024;

/** @param size bytes of the file that count */
export async function audioLevels(handle: FileHandle, size: number, wanted: number): Promise<Levels> {
  const samples = (size - HEADER_BYTES) / CHANNELS;
  const { buckets, bucketMs, durationMs } = bucketsOf(samples / BYTES_PER_MS, wanted);
  const caller = new Uint8Array(buckets);
  const agent = new Uint8Array(buckets);
  const step = CHANNELS * Math.max(1, Math.ceil(samples / MOST_SAMPLES));
  const perBucket = samples / buckets;
  for await (const { at, bytes } of pieces(handle, { from: HEADER_BYTES, to: size })) {
    const first = (at - HEADER_BYTES) / CHANNELS;
    const count = bytes.length / CHANNELS;
    for (let done = 0; done < count; ) {
      const bucket = Math.min(buckets - 1, Math.floor((first + done) / perBucket));
      const end = bucket === buckets - 1 ? count : Math.min(count, Math.ceil((bucket + 1) * perBucket - first));
      caller[bucket] = loudest(bytes, done * CHANNELS, end * CHANNELS, step, caller[bucket] as number);
      agent[bucket] = loudest(bytes, done * CHANNELS + 1, end * CHANNELS, step, agent[bucket] as number);
      done = Math.max(end, done + 1);
    }
  }
  return { from: 'audio', durationMs, bucketMs, caller: levelsOf(caller), agent: levelsOf(agent) };
}

function loudest(bytes: Buffer, from: number, to: number, step: number, soFar: number): number {
  let most = soFar;
  for (let i = from; i < to; i += step) {
    const magnitude = ~(bytes[i] as number) & MAGNITUDE;
    if (magnitude > most) most = magnitude;
  }
  return most;
}

const levelsOf = (magnitudes: Uint8Array): number[] =>
  Array.from(magnitudes, (magnitude) => LEVELS[magnitude] as number);
