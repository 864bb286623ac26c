// The way of facts to the local disk, in the main thread: taken at once, written together a few times a second by one
// asynchronous write. Owns this process's journal: its folder, its segments while they are written, its socket. What the
// database has taken in is deleted by the worker thread, which says how far it is.
import type { Cancel, Clock } from '../clock.ts';
import { sayAlive } from './alive.ts';
import type { StoreEvent } from './events.ts';
import {
  isBefore,
  journalFolder,
  journalsFolder,
  makeFolder,
  type Position,
  segmentPath,
  syncFolder,
} from './journal-folder.ts';
import { printRecord } from './journal-record.ts';
import { Moments } from './moments.ts';
import { openFile, type SegmentFile } from './segment-file.ts';

export interface JournalOptions {
  dataDir: string;
  /** The process's name: twelve hex digits, never given twice. */
  journal: string;
  clock: Clock;
  log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
  /** Told when more is on the disk, or when a segment was closed. */
  flushed: (upTo: Position) => void;
  /** Default: the file system's. For faults of a disk. */
  openSegment?: (path: string) => Promise<SegmentFile>;
  /** Default: the constants below. */
  bounds?: Partial<JournalBounds>;
}

export interface JournalBounds {
  /** All segments that are not deleted yet, those of dead processes too. */
  journalBytes: number;
  /** Facts that the disk does not take. */
  memoryBytes: number;
  segmentBytes: number;
}

const FLUSH_EVERY_MS = 150;
const MAX_JOURNAL_BYTES = 512 * 1024 * 1024;
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
const SEGMENT_BYTES = 4 * 1024 * 1024;
const WRITE_BYTES = 1024 * 1024;
/** An idle server's journal holds nothing: once all is in the database and nothing came for so long, the segment goes. */
const QUIET_MS = 3_000;
/** Nor does that of a busy one keep a caller's number for much longer than the database needs to take it in. */
const SEGMENT_AGE_MS = 60_000;

export class Journal {
  readonly #options: JournalOptions;
  readonly #bounds: JournalBounds;
  /** Lines that are not on the disk, oldest first. */
  #waiting: string[] = [];
  #waitingBytes = 0;
  /** When the oldest of them came. */
  #waitingSinceMs = 0;
  /** Facts that were taken, ever. */
  #came = 0;
  #lost = 0;
  #timer: Cancel | null = null;
  #busy: Promise<void> | null = null;
  #file: SegmentFile | null = null;
  #openedMs = 0;
  #goodbye: (() => Promise<void>) | null = null;
  /** Everything before it is on the disk. */
  #end: Position;
  /** Everything before it is in the database. */
  #taken: Position;
  /** Bytes of the segments that are not deleted. */
  readonly #segments = new Map<number, number>();
  /** Of journals that others left and nobody has taken in yet. */
  #leftBytes = 0;
  readonly #moments = new Moments();
  #full: string | null = null;
  #toldLost = false;
  #quietTimer: Cancel | null = null;
  #closed = false;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#bounds = {
      ...{ journalBytes: MAX_JOURNAL_BYTES, memoryBytes: MAX_MEMORY_BYTES, segmentBytes: SEGMENT_BYTES },
      ...options.bounds,
    };
    // The time as a number is above that of every segment before, should a name be given twice after all.
    this.#end = this.#taken = { segment: Math.floor(options.clock.wallMs()), offset: 0 };
  }

  /** Takes a fact as it is now. Printed here and not when it is written: what becomes of it afterwards is another fact. */
  append(event: StoreEvent): void {
    const line = this.#printed(event);
    if (line === null || this.#closed || this.#waitingBytes + line.length > this.#bounds.memoryBytes)
      return this.#giveUp();
    if (this.#waiting.length === 0) this.#waitingSinceMs = this.#options.clock.nowMs();
    this.#came += 1;
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    this.#arm();
  }

  /** Everything before it is on the disk. */
  get end(): Position {
    return this.#end;
  }

  /** The place behind what has come so far, once it is on the disk; waits for the disk as long as that takes. */
  async flushed(): Promise<Position> {
    const wanted = this.#came;
    while (this.#came - this.#waiting.length < wanted && !this.#closed) {
      await this.#flush();
      if (this.full !== null) await this.#pause();
    }
    return this.#end;
  }

  get unflushed(): number {
    return this.#waiting.length;
  }

  get lost(): number {
    return this.#lost;
  }

  /** Why nothing can be written; null while it can. */
  get full(): string | null {
    return this.#waiting.length > 0 ? this.#full : null;
  }

  /** What is on the disk and not in the database. */
  get bytes(): number {
    return this.#bytesKept() - this.#takenOfOldest();
  }

  /** Age of the oldest fact that is not in the database; 0: all are. */
  get lagMs(): number {
    const sinceMs = this.#moments.oldestMs ?? (this.#waiting.length > 0 ? this.#waitingSinceMs : null);
    return sinceMs === null ? 0 : Math.max(0, this.#options.clock.nowMs() - sinceMs);
  }

  /** The worker says: everything before it is in the database, earlier segments are deleted. */
  taken(upTo: Position): void {
    if (!isBefore(this.#taken, upTo)) return;
    this.#taken = upTo;
    for (const segment of this.#segments.keys()) if (segment < upTo.segment) this.#segments.delete(segment);
    this.#moments.taken(upTo);
    this.#awaitQuiet();
  }

  /** The worker says: so much lies in journals of processes that are gone. */
  left(bytes: number): void {
    this.#leftBytes = bytes;
  }

  /** Writes what can be written and closes the last segment; facts that come later are lost. */
  async close(): Promise<void> {
    await this.#busy;
    await this.#flush();
    this.#closed = true;
    this.#timer?.();
    this.#quietTimer?.();
    if (this.#waiting.length > 0) this.#giveUp(this.#waiting.length);
    this.#waiting = [];
    await this.#closeSegment();
  }

  /** Last of all, when the worker has gone: others may take over what is left. */
  async release(): Promise<void> {
    await this.#goodbye?.();
    this.#goodbye = null;
  }

  #printed(event: StoreEvent): string | null {
    try {
      return printRecord(event);
    } catch (err) {
      this.#options.log.error({ err, type: event.type }, 'a fact cannot be printed');
      return null;
    }
  }

  #arm(): void {
    const { clock } = this.#options;
    this.#timer ??= clock.at(clock.nowMs() + FLUSH_EVERY_MS, () => {
      this.#timer = null;
      void this.#flush();
    });
  }

  #pause(): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => void clock.at(clock.nowMs() + FLUSH_EVERY_MS, resolve));
  }

  #flush(): Promise<void> {
    if (this.#waiting.length === 0) return this.#busy ?? Promise.resolve();
    return this.#inTurn(() => this.#write());
  }

  /** One thing at a time with the file; who comes meanwhile is part of what is under way, or of the next flush. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#busy ??= work()
      .catch((err: unknown) => this.#failed((err as NodeJS.ErrnoException).code ?? 'unknown error', err))
      .finally(() => {
        this.#busy = null;
        if (this.#waiting.length > 0 && !this.#closed) this.#arm();
      });
    return this.#busy;
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#bytesKept() >= this.#bounds.journalBytes) return this.#atBound();
      const count = this.#fitting();
      const bytes = Buffer.from(this.#waiting.slice(0, count).join(''));
      this.#file ??= await this.#openSegment();
      await this.#file.write(bytes, this.#end.offset);
      await this.#file.sync();
      this.#written(count, bytes.length);
      const old = this.#options.clock.nowMs() - this.#openedMs >= SEGMENT_AGE_MS;
      if (old || this.#end.offset >= this.#bounds.segmentBytes) await this.#closeSegment();
    }
  }

  /** How many of the lines go into one write. */
  #fitting(): number {
    let length = 0;
    let count = 0;
    for (const line of this.#waiting) {
      length += line.length;
      if (count > 0 && length > WRITE_BYTES) break;
      count += 1;
    }
    return count;
  }

  #written(count: number, bytes: number): void {
    for (const line of this.#waiting.splice(0, count)) this.#waitingBytes -= line.length;
    this.#end = { segment: this.#end.segment, offset: this.#end.offset + bytes };
    this.#segments.set(this.#end.segment, this.#end.offset);
    this.#moments.flushed(this.#waitingSinceMs, this.#end);
    // Those that are left came while this was being written.
    this.#waitingSinceMs = this.#options.clock.nowMs();
    if (this.#full !== null)
      this.#options.log.warn({ unflushed: this.#waiting.length }, 'the journal is written again');
    this.#full = null;
    this.#toldLost = false;
    this.#options.flushed(this.#end);
  }

  async #openSegment(): Promise<SegmentFile> {
    const { dataDir, journal, openSegment = openFile } = this.#options;
    if (this.#goodbye === null) {
      await makeFolder(journalsFolder(dataDir));
      // Before the folder is there: a journal without its socket is taken for a dead process's.
      this.#goodbye = await sayAlive(dataDir, journal);
    }
    await makeFolder(journalFolder(dataDir, journal));
    const file = await openSegment(segmentPath(dataDir, journal, this.#end.segment));
    await syncFolder(journalFolder(dataDir, journal));
    this.#openedMs = this.#options.clock.nowMs();
    return file;
  }

  /** The next write opens another segment. */
  async #closeSegment(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    this.#end = { segment: this.#end.segment + 1, offset: 0 };
    this.#options.flushed(this.#end);
    await file.close();
  }

  #failed(why: string, err: unknown): void {
    if (this.#full === null)
      this.#options.log.error({ err, code: why }, 'the journal cannot be written: facts wait in memory');
    this.#full = `the journal cannot be written (${why})`;
    // What was written in part is written over.
    const file = this.#file;
    this.#file = null;
    void file?.close().catch(() => {});
  }

  #atBound(): void {
    const bytes = this.#bounds.journalBytes;
    if (this.#full === null) this.#options.log.error({ bytes }, 'the journal is full: facts wait in memory');
    this.#full = `the journal has reached its bound of ${Math.round(bytes / 1024 / 1024)} MiB`;
  }

  #giveUp(count = 1): void {
    this.#lost += count;
    if (this.#toldLost) return;
    this.#toldLost = true;
    this.#options.log.error({ lost: this.#lost }, 'facts are lost: neither disk nor memory takes them');
  }

  #bytesKept(): number {
    let bytes = this.#leftBytes;
    for (const segment of this.#segments.values()) bytes += segment;
    return bytes;
  }

  #takenOfOldest(): number {
    return this.#segments.has(this.#taken.segment) ? this.#taken.offset : 0;
  }

  #awaitQuiet(): void {
    this.#quietTimer?.();
    if (this.#waiting.length > 0 || this.#file === null || isBefore(this.#taken, this.#end)) return;
    const { clock } = this.#options;
    const end = this.#end;
    this.#quietTimer = clock.at(clock.nowMs() + QUIET_MS, () => {
      if (this.#waiting.length > 0 || this.#end !== end) return;
      void this.#inTurn(() => this.#closeSegment());
    });
  }
}
