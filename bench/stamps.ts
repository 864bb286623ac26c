// Audio whose every millisecond says whose it is and which one: eight bytes with the number of the line and of the
// millisecond. A reader at the other end knows of each one whether it came, once, in order, on the right line.
import { BYTES_PER_MS } from '../src/audio/mulaw.ts';

// MARK, line (2 x 7 bits), millisecond (4 x 7 bits), check. Only MARK has its top bit set and 0xff never occurs, so a
// reader finds its way back after a cut at any byte, and takes no silence for a stamp.
const MARK = 0xaa;
export const MAX_LINE = 0x3fff;

/** Makes the stamped audio of one line, millisecond after millisecond. */
export class StampWriter {
  readonly line: number;
  /** The next millisecond's number; also how many were written. */
  next = 0;

  constructor(line: number) {
    if (!Number.isInteger(line) || line < 0 || line > MAX_LINE) throw new RangeError(`line ${line}`);
    this.line = line;
  }

  take(ms: number): Buffer {
    const bytes = Buffer.allocUnsafe(ms * BYTES_PER_MS);
    for (let at = 0; at < bytes.length; at += BYTES_PER_MS) {
      const n = this.next++;
      bytes[at] = MARK;
      bytes[at + 1] = this.line >> 7;
      bytes[at + 2] = this.line & 0x7f;
      bytes[at + 3] = (n >> 21) & 0x7f;
      bytes[at + 4] = (n >> 14) & 0x7f;
      bytes[at + 5] = (n >> 7) & 0x7f;
      bytes[at + 6] = n & 0x7f;
      bytes[at + 7] = checkOf(bytes, at);
    }
    return bytes;
  }
}

/** Milliseconds of one line, `to` excluded. */
export interface Range {
  from: number;
  to: number;
}

/** Reads one stream of stamped audio and keeps account of every millisecond. */
export class StampReader {
  /** The line that the first stamp named; null before it. */
  line: number | null = null;
  /** One more than the highest millisecond that came. */
  next = 0;
  /** Milliseconds that came a second time. */
  repeated = 0;
  /** Milliseconds that came after a later one. */
  disordered = 0;
  /** Milliseconds of another line. */
  strays = 0;
  /** Bytes that are no stamp: silence filled in, or damage. */
  foreignBytes = 0;
  /** Milliseconds that were passed over and have not come, as rising ranges. */
  readonly missingRanges: Range[] = [];
  #rest: Buffer = Buffer.alloc(0);

  /** How many milliseconds are missing. */
  get missing(): number {
    return this.missingRanges.reduce((sum, { from, to }) => sum + to - from, 0);
  }

  /** The line of the newest stamp, whatever line this stream belongs to. */
  newestLine: number | null = null;

  read(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (at + BYTES_PER_MS <= all.length) {
      if (all[at] !== MARK || all[at + 7] !== checkOf(all, at)) {
        this.foreignBytes++;
        at++;
        continue;
      }
      this.#take(((all[at + 1] as number) << 7) | (all[at + 2] as number), millisecondAt(all, at));
      at += BYTES_PER_MS;
    }
    this.#rest = at === all.length ? EMPTY : all.subarray(at);
  }

  #take(line: number, n: number): void {
    this.newestLine = line;
    this.line ??= line;
    if (line !== this.line) this.strays++;
    else if (n >= this.next) {
      if (n > this.next) this.missingRanges.push({ from: this.next, to: n });
      this.next = n + 1;
    } else if (this.#found(n)) this.disordered++;
    else this.repeated++;
  }

  /** Takes a millisecond out of the missing ones; false when it was not among them. */
  #found(n: number): boolean {
    const at = this.missingRanges.findLastIndex(({ from, to }) => from <= n && n < to);
    const range = this.missingRanges[at];
    if (!range) return false;
    const left = [
      { from: range.from, to: n },
      { from: n + 1, to: range.to },
    ].filter(({ from, to }) => from < to);
    this.missingRanges.splice(at, 1, ...left);
    return true;
  }
}

const EMPTY = Buffer.alloc(0);

const millisecondAt = (bytes: Buffer, at: number): number =>
  ((bytes[at + 3] as number) << 21) |
  ((bytes[at + 4] as number) << 14) |
  ((bytes[at + 5] as number) << 7) |
  (bytes[at + 6] as number);

function checkOf(bytes: Buffer, at: number): number {
  let sum = 0x2b;
  for (let i = 1; i < 7; i++) sum = (sum * 3 + (bytes[at + i] as number)) & 0x7f;
  return sum;
}
