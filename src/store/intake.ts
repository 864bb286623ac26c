// Takes one journal into the database, batch by batch: each is one transaction that applies its facts and moves the journal's
// row to where they end. The row is moved only from where it was read, so that of two workers over one journal only one can
// apply a batch; recovery after a crash is the same code as every day's work.
import { appendFile, open, rm } from 'node:fs/promises';
import { sql } from 'kysely';
import type { Database } from './database.ts';
import { faultOf } from './database-faults.ts';
import type { StoreEvent } from './events.ts';
import { absent, badPath, isBefore, type Position, segmentPath, segmentsOf } from './journal-folder.ts';
import { type JournalLine, linesOf } from './journal-record.ts';
import { applyEvents } from './queries/apply.ts';

export interface IntakeLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A record was put aside; for counters. */
  aside(): void;
}

/** Facts of one transaction. */
const FACTS_AT_ONCE = 500;
const OWNER_ONLY = 0o600;
/** Before the first of all segments. */
const START: Position = { segment: 0, offset: 0 };

export class Intake {
  readonly #dataDir: string;
  readonly #journal: string;
  readonly #log: IntakeLog;
  /** Faulty lines that were told of. */
  readonly #seen = new Set<string>();
  /** Where the database refused a batch for a reason that nobody knows. */
  #oddAt: Position | null = null;

  constructor({ dataDir, journal, log }: { dataDir: string; journal: string; log: IntakeLog }) {
    this.#dataDir = dataDir;
    this.#journal = journal;
    this.#log = log;
  }

  /**
   * Takes in everything before `upTo`, or, of a process that is gone (null), all there is. Segments that lie wholly before
   * it are deleted.
   * @param told how far it is, now and then
   */
  async take(db: Database, upTo: Position | null, told: (taken: Position) => void = () => {}): Promise<void> {
    for (;;) {
      // Nothing of a dead process needs no row.
      if (upTo === null && (await this.bytes()) === 0) return this.#removeEmpty();
      const row = await this.#position(db);
      if (upTo !== null && !isBefore(row, upTo)) return told(row);
      const segment = await this.#segmentFrom(row, upTo);
      if (segment === null) return upTo === null ? undefined : this.#skip(db, row, upTo, told);
      const start = { segment, offset: segment === row.segment ? row.offset : 0 };
      const open = upTo?.segment === segment;
      const part = await this.#read(start, open ? upTo.offset : null);
      if (part === null) continue;
      const end = await this.#takePart(db, row, start, part, { isLast: await this.#isLast(segment, upTo), told });
      if (end === null) continue;
      if (!open && (await this.#move(db, end, { segment: segment + 1, offset: 0 }))) {
        await this.#remove(segment);
        told({ segment: segment + 1, offset: 0 });
      } else if (open && start.offset + part.length < upTo.offset) return this.#skip(db, end, upTo, told);
    }
  }

  /** Bytes that lie in the segments and are not in the database, as far as their sizes tell. */
  async bytes(): Promise<number> {
    const segments = await segmentsOf(this.#dataDir, this.#journal);
    return segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Where the row stands afterwards; null: another worker has moved it meanwhile, and nothing of the rest was applied here. */
  async #takePart(
    db: Database,
    row: Position,
    start: Position,
    part: Buffer,
    { isLast, told }: { isLast: boolean; told: (taken: Position) => void },
  ): Promise<Position | null> {
    let from = row;
    let batch: JournalLine[] = [];
    for (const line of linesOf(part)) {
      const last = line.end === part.length;
      if (line.event === null)
        await (isLast && last ? this.#ignoreTorn(line, start) : this.#putAside(line, start, 'unreadable'));
      batch.push(line);
      if (batch.length < FACTS_AT_ONCE && !last) continue;
      const to = { segment: start.segment, offset: start.offset + line.end };
      if (!(await this.#takeBatch(db, from, to, batch, start))) return null;
      batch = [];
      from = to;
      told(to);
    }
    return from;
  }

  /** One transaction, or, where the database refuses a fact for good, one for each line. */
  async #takeBatch(
    db: Database,
    from: Position,
    to: Position,
    lines: readonly JournalLine[],
    start: Position,
  ): Promise<boolean> {
    try {
      return await this.#applied(db, from, to, eventsOf(lines));
    } catch (error) {
      if (lines.length === 0 || !(await this.#isOfFacts(db, from, error))) throw error;
      if (lines.length > 1) return this.#takeEach(db, from, lines, start);
      await this.#putAside(lines[0] as JournalLine, start, faultOf(error).why);
      return this.#applied(db, from, to, []);
    }
  }

  /**
   * Whether it is the facts that the database refuses. Where nobody knows the reason, another try, with another connection,
   * is to tell: it has to be refused there again while the database answers.
   */
  async #isOfFacts(db: Database, from: Position, error: unknown): Promise<boolean> {
    const { kind } = faultOf(error);
    if (kind !== 'odd') return kind === 'fact';
    const again = this.#oddAt?.segment === from.segment && this.#oddAt.offset === from.offset;
    this.#oddAt = from;
    if (again) await sql`select 1`.execute(db);
    return again;
  }

  async #takeEach(db: Database, row: Position, lines: readonly JournalLine[], start: Position): Promise<boolean> {
    let from = row;
    for (const line of lines) {
      const to = { segment: start.segment, offset: start.offset + line.end };
      if (!(await this.#takeBatch(db, from, to, [line], start))) return false;
      from = to;
    }
    return true;
  }

  async #applied(db: Database, from: Position, to: Position, events: readonly StoreEvent[]): Promise<boolean> {
    const moved = await db.transaction().execute(async (transaction) => {
      // First: it takes the lock that others wait for.
      if (!(await this.#move(transaction, from, to))) return null;
      return applyEvents(transaction, events);
    });
    if (moved !== null && moved > 0)
      this.#log.warn({ count: moved }, 'calls ended of which no beginning is known: they are not kept');
    return moved !== null;
  }

  async #move(db: Database, from: Position, to: Position): Promise<boolean> {
    const { numUpdatedRows } = await db
      .updateTable('journals')
      .set(to)
      .where('journal', '=', this.#journal)
      .where('segment', '=', from.segment)
      .where('offset', '=', from.offset)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  /** Where the journal's row stands; makes it. */
  async #position(db: Database): Promise<Position> {
    const read = () =>
      db.selectFrom('journals').select(['segment', 'offset']).where('journal', '=', this.#journal).executeTakeFirst();
    const known = await read();
    if (known !== undefined) return known;
    await db
      .insertInto('journals')
      .values({ journal: this.#journal, ...START })
      .onConflict((on) => on.column('journal').doNothing())
      .execute();
    return (await read()) ?? START;
  }

  /** The first segment that is not wholly taken in; null: there is none. What lies before it is deleted. */
  async #segmentFrom(from: Position, upTo: Position | null): Promise<number | null> {
    if (from.offset > 0 && from.segment === upTo?.segment) return from.segment;
    const segments = (await segmentsOf(this.#dataDir, this.#journal)).map(({ segment }) => segment);
    for (const segment of segments) {
      if (segment < from.segment) await this.#remove(segment);
      else return upTo !== null && segment > upTo.segment ? null : segment;
    }
    return null;
  }

  /** Whether a process died while it wrote this segment. */
  async #isLast(segment: number, upTo: Position | null): Promise<boolean> {
    return upTo === null && (await segmentsOf(this.#dataDir, this.#journal)).at(-1)?.segment === segment;
  }

  /** What lies there is gone before it was taken in: nothing can bring it back, and what comes behind it must not wait. */
  async #skip(db: Database, from: Position, upTo: Position, told: (taken: Position) => void): Promise<void> {
    if (upTo.offset > 0)
      this.#log.error({ file: this.#file(upTo.segment) }, 'a journal was removed or cut before it was read');
    if (await this.#move(db, from, upTo)) told(upTo);
  }

  /** To the end of the segment, or up to an offset; null: somebody else has deleted it. */
  async #read({ segment, offset }: Position, upTo: number | null): Promise<Buffer | null> {
    const file = await open(segmentPath(this.#dataDir, this.#journal, segment), 'r').catch(absent);
    if (file === null) return null;
    try {
      const end = upTo ?? (await file.stat()).size;
      const bytes = Buffer.alloc(Math.max(0, end - offset));
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await file.read(bytes, done, bytes.length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    } finally {
      await file.close();
    }
  }

  async #removeEmpty(): Promise<void> {
    for (const { segment } of await segmentsOf(this.#dataDir, this.#journal)) await this.#remove(segment);
  }

  #remove(segment: number): Promise<void> {
    return rm(segmentPath(this.#dataDir, this.#journal, segment), { force: true });
  }

  async #ignoreTorn(line: JournalLine, start: Position): Promise<void> {
    const offset = this.#firstSeen(line, start);
    if (offset === null) return;
    this.#log.warn({ file: this.#file(start.segment), offset }, 'last record of a journal is torn and ignored');
  }

  async #putAside(line: JournalLine, start: Position, why: string): Promise<void> {
    const offset = this.#firstSeen(line, start);
    if (offset === null) return;
    await appendFile(badPath(this.#dataDir, this.#journal), Buffer.concat([line.bytes, Buffer.from('\n')]), {
      mode: OWNER_ONLY,
    });
    this.#log.aside();
    const aside = `${this.#journal}.bad`;
    this.#log.error({ file: this.#file(start.segment), offset, why, aside }, 'record of a journal is put aside');
  }

  /** Where a line begins in its segment; null where that was told before: a batch may be tried many times. */
  #firstSeen({ bytes, end, whole }: JournalLine, { segment, offset }: Position): number | null {
    const at = offset + end - bytes.length - (whole ? 1 : 0);
    const key = `${segment} ${at}`;
    if (this.#seen.has(key)) return null;
    this.#seen.add(key);
    return at;
  }

  #file(segment: number): string {
    return `${this.#journal}/${segment}.jsonl`;
  }
}

const eventsOf = (lines: readonly JournalLine[]): StoreEvent[] =>
  lines.flatMap(({ event }) => (event === null ? [] : [event]));
