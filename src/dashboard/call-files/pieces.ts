// Reads a file in pieces: what is computed of one takes less than a millisecond, and between two of them the process does
// everything else that waits, calls above all.
import type { FileHandle } from 'node:fs/promises';
import type { ByteRange } from './range.ts';

const PIECE_BYTES = 64 * 1024;

/** A piece, and where it begins; it is void when the next one is asked for. */
export interface Piece {
  at: number;
  bytes: Buffer;
}

/** From `from` to `to`, or to where the file ends; of `pieceBytes` each, which are even. */
export async function* pieces(
  handle: FileHandle,
  { from, to }: ByteRange,
  pieceBytes = PIECE_BYTES,
): AsyncGenerator<Piece> {
  const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, Math.max(0, to - from)));
  for (let at = from; at < to; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, to - at), at);
    if (bytesRead === 0) return;
    yield { at, bytes: buffer.subarray(0, bytesRead) };
    at += bytesRead;
  }
}
