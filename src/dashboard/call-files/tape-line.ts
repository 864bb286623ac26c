// Reads single lines of a tape as far as a picture of the call needs them. Lines come from a file that may be cut off, or of
// another version: what cannot be read is passed over. Pure.

type Json = Record<string, unknown>;

/** What a line is, by the first key behind its time. */
export type LineKind = 'frame' | 'call' | 'session' | 'effects' | 'sent' | 'stopped' | 'closed' | 'header';

/** Behind `{"t":…` (and `"at":…`, `"of":…`). Almost all lines are told apart by it, unread. */
const KIND =
  /^\{"t":(-?[\d.e+-]+)(?:,"at":[\d.e+-]+)?(?:,"of":"[^"]*")?,"(frame|call|session|after|sent|stopped|closed)":/;
/** The beginning of a line that shows its kind. */
const ENOUGH = 200;

/** Milliseconds since the admission; the header has none. */
export interface LineBeginning {
  kind: LineKind;
  t: number;
}

export function beginningOf(bytes: Buffer): LineBeginning | null {
  return frameOf(bytes) ?? otherOf(bytes);
}

const TIME_AT = '{"t":'.length;
const MOST_TIME = 24;
const COMMA = 0x2c;
const QUOTE = 0x22;
const F = 0x66;

/** Three lines of four are frames: no text is made of them but their time. */
function frameOf(bytes: Buffer): LineBeginning | null {
  let end = TIME_AT;
  while (end < TIME_AT + MOST_TIME && bytes[end] !== COMMA) end += 1;
  if (bytes[end] !== COMMA || bytes[end + 1] !== QUOTE || bytes[end + 2] !== F) return null;
  const t = Number(bytes.toString('latin1', TIME_AT, end));
  return Number.isFinite(t) ? { kind: 'frame', t } : null;
}

function otherOf(bytes: Buffer): LineBeginning | null {
  const [, t, key] = KIND.exec(bytes.toString('latin1', 0, ENOUGH)) ?? [];
  if (t === undefined || key === undefined)
    return bytes.toString('latin1', 0, 5) === '{"v":' ? { kind: 'header', t: 0 } : null;
  const ms = Number(t);
  if (!Number.isFinite(ms)) return null;
  return { kind: key === 'after' ? 'effects' : (key as LineKind), t: ms };
}

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function parsedLine(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
export const timeOf = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;
