// The lines of a large text file, some at a time. A line's end may be missing from what is given of it, never its beginning:
// nothing here grows with a line that somebody made endless.
import type { FileHandle } from 'node:fs/promises';
import { pieces } from './pieces.ts';
import type { ByteRange } from './range.ts';

const NEWLINE = 0x0a;
/** Of a longer line only so much is given. */
export const MOST_LINE_BYTES = 64 * 1024;

/** What is read at a time: lines are looked at one by one, which takes longer than to count or to copy them. */
const PIECE_BYTES = 16 * 1024;

export interface Line {
  /** Where it begins in the file, and where the next one does. */
  at: number;
  next: number;
  /** Its bytes; void when more lines are asked for. */
  bytes: Buffer;
  /** All of it is in `bytes`. */
  whole: boolean;
}

/** Whole lines from a line's beginning on, those that one piece ends together. What has no newline yet is left out. */
export async function* lines(handle: FileHandle, range: ByteRange): AsyncGenerator<Line[]> {
  let at = range.from;
  let carried: Buffer = Buffer.alloc(0);
  let length = 0;
  for await (const piece of pieces(handle, range, PIECE_BYTES)) {
    const found: Line[] = [];
    let begin = 0;
    for (let end = piece.bytes.indexOf(NEWLINE); end >= 0; end = piece.bytes.indexOf(NEWLINE, begin)) {
      const rest = piece.bytes.subarray(begin, Math.min(end, begin + MOST_LINE_BYTES));
      const bytes = length === 0 ? rest : Buffer.concat([carried, rest.subarray(0, MOST_LINE_BYTES - carried.length)]);
      length += end - begin;
      const next = piece.at + end + 1;
      found.push({ at, next, bytes, whole: length === bytes.length });
      at = next;
      begin = end + 1;
      length = 0;
    }
    if (found.length > 0) {
      yield found;
      carried = Buffer.alloc(0);
    }
    const rest = piece.bytes.subarray(begin);
    length += rest.length;
    carried = Buffer.concat([carried, rest.subarray(0, MOST_LINE_BYTES - carried.length)]);
  }
}

/** How many lines end before byte `before`. */
export async function countLines(handle: FileHandle, before: number): Promise<number> {
  let count = 0;
  for await (const { bytes } of pieces(handle, { from: 0, to: before }))
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

/** The beginning of the first line that does not begin before `at`; `size` where there is none. */
export async function lineFrom(handle: FileHandle, at: number, size: number): Promise<number> {
  if (at === 0) return 0;
  for await (const piece of pieces(handle, { from: at - 1, to: size })) {
    const end = piece.bytes.indexOf(NEWLINE);
    if (end >= 0) return piece.at + end + 1;
  }
  return size;
}
