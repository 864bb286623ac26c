// One fact as a line of the journal: checksum of its JSON (CRC-32, eight hex digits), a space, the JSON.
import { crc32 } from 'node:zlib';
import type { StoreEvent } from './events.ts';

const CHECKSUM_LENGTH = 8;
const SPACE = 0x20;
const NEWLINE = 0x0a;

/** With its newline. JSON has none of its own. */
export function printRecord(event: StoreEvent): string {
  const json = JSON.stringify(event);
  return `${crc32(json).toString(16).padStart(CHECKSUM_LENGTH, '0')} ${json}\n`;
}

/** What a line without its newline says; null where it is not what was written. */
export function parseRecord(line: Buffer): StoreEvent | null {
  if (line[CHECKSUM_LENGTH] !== SPACE) return null;
  const json = line.subarray(CHECKSUM_LENGTH + 1);
  if (Number.parseInt(line.toString('latin1', 0, CHECKSUM_LENGTH), 16) !== crc32(json)) return null;
  try {
    const event = JSON.parse(json.toString('utf8')) as StoreEvent | null;
    return event !== null && typeof event === 'object' && Object.hasOwn(KNOWN, event.type) ? event : null;
  } catch {
    return null;
  }
}

/** A later version may write others: what this one cannot apply is put aside, not dropped. */
const KNOWN: Record<StoreEvent['type'], true> = {
  'call.started': true,
  'line.charged': true,
  'turn.kept': true,
  'tool.kept': true,
  'call.ended': true,
  'agent.known': true,
  audited: true,
};

/** A line of a journal, and where it ends. */
export interface JournalLine {
  /** Null: not what was written. */
  event: StoreEvent | null;
  bytes: Buffer;
  /** Offset behind its newline, in the part that was read. */
  end: number;
  /** Its newline is there. */
  whole: boolean;
}

/** The lines of a part of a journal; the last may lack its newline. */
export function* linesOf(part: Buffer): Generator<JournalLine> {
  let from = 0;
  while (from < part.length) {
    const at = part.indexOf(NEWLINE, from);
    const bytes = part.subarray(from, at < 0 ? part.length : at);
    from = at < 0 ? part.length : at + 1;
    yield { event: at < 0 ? null : parseRecord(bytes), bytes, end: from, whole: at >= 0 };
  }
}
