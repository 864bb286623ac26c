// A part of an open file as a stream that reads when it is asked to, and closes the file in any case.
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ByteRange } from './range.ts';

const PIECE_BYTES = 64 * 1024;

/**
 * Takes over `handle`: it is closed when the stream has ended or was destroyed, read or not.
 * @param head stands in for the first bytes of the file
 */
export function fileStream(handle: FileHandle, { from, to }: ByteRange, head: Buffer = Buffer.alloc(0)): Readable {
  let at = from;
  const next = async (): Promise<Buffer | null> => {
    if (at >= to) return null;
    if (at < head.length) return head.subarray(at, Math.min(to, head.length));
    const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, to - at));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    // Nothing takes bytes away from a file of a call but its removal, which leaves an open one whole.
    if (bytesRead === 0) throw new Error('a file of a call became shorter while it was read');
    return buffer.subarray(0, bytesRead);
  };
  return new Readable({
    highWaterMark: PIECE_BYTES,
    read() {
      next().then(
        (bytes) => {
          at += bytes?.length ?? 0;
          this.push(bytes);
        },
        (error: Error) => this.destroy(error),
      );
    },
    destroy(error, done) {
      handle.close().then(
        () => done(error),
        (failed: Error) => done(error ?? failed),
      );
    },
  });
}
