// What went over both sockets of a call and what was decided, a page at a time, from its tape. A page costs a bounded part of
// the file, whatever is asked for; frames of audio, of which there are a hundred a second, are gathered to one row.
import type { FileHandle } from 'node:fs/promises';
import type { eventsQuery, TapeEvents } from '../schemas/timeline.ts';
import type { z } from 'zod';
import { FRAME, namedLine, type NamedLine } from './event-names.ts';
import { countLines, type Line, lineFrom, lines } from './lines.ts';
import { beginningOf, type LineBeginning } from './tape-line.ts';
import { tapeTimes } from './tape-times.ts';

export type EventsQuery = z.infer<typeof eventsQuery>;
type Row = TapeEvents['events'][number];

/** Of the file, for one page. */
const MOST_READ_BYTES = 8 * 1024 * 1024;
/** Of all bodies of one page: it is printed in one go. */
const MOST_TOLD_CHARS = 128 * 1024;
const MOST_BODY_CHARS = 4_000;
/** Lines that are longer are told by their beginning, unread. */
const MOST_PARSED_BYTES = 16 * 1024;
/** Audio is gathered over no longer than this. */
const GATHERED_MS = 1_000;

/** Where lines begin, by their number: found out once for each page. */
export interface LinePlaces {
  get(at: number): number | undefined;
  keep(at: number, line: number): void;
}

/** @param size bytes of the file that count; @param places of this tape */
export async function tapeEvents(
  handle: FileHandle,
  size: number,
  query: EventsQuery,
  places: LinePlaces,
): Promise<TapeEvents> {
  const { startedT } = await tapeTimes(handle, size);
  const from = await lineFrom(handle, Math.min(query.after, size), size);
  const before = places.get(from) ?? (await countLines(handle, from));
  const page = new Page(query, startedT ?? 0, before);
  let next: number | null = null;
  for await (const some of lines(handle, { from, to: size })) {
    const last = some.find((line) => page.take(line) || line.next - from >= MOST_READ_BYTES);
    if (last === undefined) continue;
    next = last.next < size ? last.next : null;
    break;
  }
  if (next !== null) places.keep(next, page.lines);
  return { events: page.events, next, complete: await isComplete(handle, size) };
}

class Page {
  readonly #query: EventsQuery;
  readonly #needle: string;
  readonly #startedT: number;
  readonly events: Row[] = [];
  /** Lines of the file up to here. */
  lines: number;
  #chars = 0;
  /** Rows that still gather, by what they gather. */
  readonly #open = new Map<string, Row>();

  constructor(query: EventsQuery, startedT: number, linesBefore: number) {
    this.#query = query;
    this.#needle = query.text?.toLowerCase() ?? '';
    this.#startedT = startedT;
    this.lines = linesBefore;
  }

  /** True: the page is full. */
  take(line: Line): boolean {
    this.lines += 1;
    const beginning = beginningOf(line.bytes);
    if (beginning === null || this.#passesOver(beginning)) return false;
    const text = line.bytes.toString();
    if (this.#needle !== '' && !text.toLowerCase().includes(this.#needle)) return false;
    const whole = line.whole && text.length <= MOST_PARSED_BYTES;
    const named = beginning.kind === 'frame' ? FRAME : namedLine(beginning.kind, text, whole);
    if (this.#query.from !== undefined && named.from !== this.#query.from) return false;
    this.#add(named, beginning, text);
    return this.events.length >= this.#query.limit || this.#chars >= MOST_TOLD_CHARS;
  }

  /** Most lines of a side that was not asked for need no reading. */
  #passesOver({ kind }: LineBeginning): boolean {
    const { from } = this.#query;
    return from !== undefined && kind !== 'call' && from !== SIDES[kind];
  }

  #add(named: NamedLine, { t }: LineBeginning, text: string): void {
    const atMs = Math.round((t - this.#startedT) * 1_000) / 1_000;
    const key = named.audio ? `${named.from} ${named.name}` : null;
    const open = key === null ? undefined : this.#open.get(key);
    if (open !== undefined && atMs - open.atMs < GATHERED_MS) {
      open.count += 1;
      return;
    }
    const body = text.length > MOST_BODY_CHARS ? `${text.slice(0, MOST_BODY_CHARS - 1)}…` : text;
    const row: Row = { line: this.lines, atMs, from: named.from, name: named.name, count: 1, body };
    this.events.push(row);
    this.#chars += body.length;
    if (key === null) return;
    // There are a handful of kinds; a tape that somebody made may have others.
    if (this.#open.size >= MOST_KINDS) this.#open.clear();
    this.#open.set(key, row);
  }
}

const MOST_KINDS = 100;

const SIDES: Readonly<Record<Exclude<LineBeginning['kind'], 'call'>, Row['from']>> = {
  ...{ frame: 'carrier', session: 'model', effects: 'call', sent: 'to_model' },
  ...{ stopped: 'call', closed: 'call', header: 'call' },
};

const CLOSED = '"closed":true}\n';

async function isComplete(handle: FileHandle, size: number): Promise<boolean> {
  const end = Buffer.alloc(CLOSED.length);
  const { bytesRead } = await handle.read(end, 0, end.length, Math.max(0, size - end.length));
  return end.toString('latin1', 0, bytesRead) === CLOSED;
}
