// The line of a frame that only went on to the model, written as bytes straight into what goes to the disk. Three lines of
// four on a tape are such lines: as text each would be five strings, and figures that no two frames share.

/** No line of a frame is longer. */
export const FRAME_LINE_BYTES = 128;

const TIME = Buffer.from('{"t":');
const FRAME = Buffer.from(',"frame":[');
const END = Buffer.from(']}\n');
const ZERO = 0x30;
const POINT = 0x2e;
const COMMA = 0x2c;
const NS_PER_MS = 1_000_000;

/**
 * Writes `{"t":…,"frame":[sequence,timestampMs,bytes]}` and a newline into `out` from `at`, where there must be room for
 * `FRAME_LINE_BYTES`; returns where it ends. `ns`: whole nanoseconds since the call's admission, below 2^53, not negative;
 * the other figures are whole and not negative as well.
 */
export function printFrameLine(
  out: Buffer,
  at: number,
  ns: number,
  sequence: number,
  timestampMs: number,
  bytes: number,
): number {
  let end = copy(TIME, out, at);
  const ms = Math.floor(ns / NS_PER_MS);
  end = printFraction(out, printWhole(out, end, ms), ns - ms * NS_PER_MS);
  end = copy(FRAME, out, end);
  end = printWhole(out, end, sequence);
  out[end++] = COMMA;
  end = printWhole(out, end, timestampMs);
  out[end++] = COMMA;
  end = printWhole(out, end, bytes);
  return copy(END, out, end);
}

function copy(text: Buffer, out: Buffer, at: number): number {
  for (let i = 0; i < text.length; i++) out[at + i] = text[i] as number;
  return at + text.length;
}

function printWhole(out: Buffer, at: number, value: number): number {
  let digits = 1;
  for (let bound = 10; bound <= value; bound *= 10) digits++;
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const next = Math.floor(rest / 10);
    out[i] = ZERO + (rest - next * 10);
    rest = next;
  }
  return at + digits;
}

/** Millionths behind the point, without the noughts at their end; nothing for none. */
function printFraction(out: Buffer, at: number, millionths: number): number {
  if (millionths === 0) return at;
  out[at] = POINT;
  let end = at;
  let rest = millionths;
  for (let i = at + 6; i > at; i--) {
    const next = Math.floor(rest / 10);
    const digit = rest - next * 10;
    out[i] = ZERO + digit;
    if (end === at && digit !== 0) end = i;
    rest = next;
  }
  return end + 1;
}
