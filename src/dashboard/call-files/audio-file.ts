// The recording of a call as it lies there, also while it is being written: its header is brought up to date only now and
// then, so what is served says itself how long it is.
import { wavHeader } from '../../audio/wav.ts';
import type { OpenCallFile } from './open-file.ts';

/** Caller left, agent right, one byte each. */
export const CHANNELS = 2;
export const HEADER_BYTES = wavHeader(0, CHANNELS).length;

export interface AudioFile {
  /** The header of what is there. */
  head: Buffer;
  /** Bytes with the header. */
  size: number;
}

/** Null: it is no recording of ours, or does not hold any sound yet. */
export async function audioFile({ handle, size }: OpenCallFile): Promise<AudioFile | null> {
  const found = Buffer.alloc(HEADER_BYTES);
  const { bytesRead } = await handle.read(found, 0, HEADER_BYTES, 0);
  const dataBytes = Math.floor((size - HEADER_BYTES) / CHANNELS) * CHANNELS;
  if (bytesRead < HEADER_BYTES || dataBytes <= 0) return null;
  // Whatever its lengths say: the rest is always the same.
  const lengths = [4, 46, 54];
  const head = wavHeader(dataBytes, CHANNELS);
  const same = head.every((byte, i) => byte === found[i] || lengths.some((at) => i >= at && i < at + 4));
  return same ? { head, size: HEADER_BYTES + dataBytes } : null;
}
