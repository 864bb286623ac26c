// Makes the store of a process: the journal in this thread, the database in a worker thread. The server and the commands that
// ask the database all start it here.
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { TrunklineError } from '../errors.ts';
import type { PriceBook } from '../ledger/prices.ts';
import { DatabaseThread, type PreparedThread, type ThreadLog } from './database-thread.ts';
import { isBefore, type Position } from './journal-folder.ts';
import { Journal, type JournalBounds } from './journal.ts';
import { placeOf } from './place.ts';
import { ReadingThreads } from './reading-threads.ts';
import type { SegmentFile } from './segment-file.ts';
import type { Store, StoreHealth } from './store.ts';

export interface StoreOptions {
  dataDir: string;
  /** Null: SQLite in the data folder. */
  databaseUrl: string | null;
  /** Twelve hex digits, never given twice: the name of this process, and of its journal. */
  nodeId: string;
  clock: Clock;
  log: ThreadLog;
  /** Whether it takes in what dead processes left in the data folder; default true. A command that only asks does not. */
  recovers?: boolean;
  /** For what calls cost that died with their process; default: their lines have no cost. */
  prices?: PriceBook;
  /** Default: the file system's. For faults of a disk. */
  openSegment?: (path: string) => Promise<SegmentFile>;
  /** The thread of the database, where it was prepared; default: it is started now. */
  thread?: PreparedThread | undefined;
  bounds?: Partial<JournalBounds>;
}

/** Facts that are not in the database after so long: it is slow. */
const SLOW_MS = 5_000;
/** How long `settled` waits. */
const SETTLE_WITHIN_MS = 60_000;
/** How long `close` waits for the disk. */
const LAST_FLUSH_WITHIN_MS = 5_000;

/**
 * A database that is only away does not keep the store from starting.
 * @throws TrunklineError TRK_DATABASE or TRK_DATABASE_NEWER where an operator has to change something
 */
export async function startStore(options: StoreOptions): Promise<Store> {
  const store = new JournalledStore(options);
  const refused = await store.tried();
  if (refused === null) return store;
  await store.close();
  throw new TrunklineError(refused.code, refused.message);
}

class JournalledStore implements Store {
  readonly #clock: Clock;
  readonly #log: ThreadLog;
  readonly #journal: Journal;
  readonly #thread: DatabaseThread;
  readonly #readers: ReadingThreads;
  /** Who waits until the database has everything before a position. */
  readonly #waiting = new Set<{ upTo: Position; resolve: () => void }>();
  /** Rejected, for whoever still waits. */
  readonly #closed = Promise.withResolvers<never>();
  #taken: Position | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: StoreOptions) {
    const { dataDir, databaseUrl, nodeId, clock, log, recovers = true, prices, thread, ...journal } = options;
    this.#clock = clock;
    this.#log = log;
    this.#closed.promise.catch(() => {});
    this.#journal = new Journal({
      ...{ dataDir, journal: nodeId, clock, log, ...journal },
      flushed: (upTo) => this.#thread.take(upTo),
    });
    const place = placeOf(databaseUrl, join(dataDir, 'trunkline.sqlite'));
    this.#readers = new ReadingThreads(place, clock);
    this.#thread = new DatabaseThread({
      setup: {
        ...{ place, dataDir, journal: nodeId, recovers, prices: prices ?? null },
      },
      ...{ clock, log, prepared: thread },
      taken: (upTo) => this.#tookIn(upTo),
      left: (bytes) => this.#journal.left(bytes),
    });
  }

  tried(): DatabaseThread['tried'] {
    return this.#thread.tried;
  }

  append(event: Parameters<Store['append']>[0]): void {
    this.#journal.append(event);
  }

  ask: Store['ask'] = async (name, question) => {
    const reader = this.#readers.threadFor(name, question);
    if (reader === null) return (await this.#thread.ask(name, question)) as never;
    // Its tables are made by then.
    await this.#thread.tried;
    return (await reader.ask(name, question)) as never;
  };

  get health(): StoreHealth {
    const { lagMs, bytes, unflushed, lost, full } = this.#journal;
    const { down, aside } = this.#thread;
    const slow = lagMs > SLOW_MS ? `the database is ${Math.round(lagMs / 1_000)} s behind` : null;
    const why = full ?? down ?? slow;
    const state = full !== null ? 'full' : why !== null ? 'behind' : 'ok';
    return { state, lagMs, journalBytes: bytes, unflushed, lost, aside, why: why ?? '' };
  }

  async flushed(): Promise<void> {
    await this.#journal.flushed();
  }

  async settled(): Promise<void> {
    const late = Promise.withResolvers<never>();
    const cancel = this.#clock.at(this.#clock.nowMs() + SETTLE_WITHIN_MS, () => {
      const { why } = this.health;
      late.reject(new TrunklineError('TRK_STORE', `not everything is in the database yet: ${why || 'it is slow'}`));
    });
    try {
      await Promise.race([this.#allTaken(), late.promise, this.#closed.promise]);
    } finally {
      cancel();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #allTaken(): Promise<void> {
    await this.#thread.recovered;
    const upTo = await this.#journal.flushed();
    if (upTo.offset === 0 || (this.#taken !== null && !isBefore(this.#taken, upTo))) return;
    await new Promise<void>((resolve) => this.#waiting.add({ upTo, resolve }));
  }

  #tookIn(upTo: Position): void {
    this.#taken = upTo;
    this.#journal.taken(upTo);
    for (const waiting of this.#waiting) {
      if (isBefore(upTo, waiting.upTo)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
  }

  async #close(): Promise<void> {
    this.#closed.reject(new TrunklineError('TRK_STORE', 'the store is closed'));
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.at(this.#clock.nowMs() + LAST_FLUSH_WITHIN_MS, resolve);
    await Promise.race([this.#journal.close(), late]);
    cancel();
    const { unflushed } = this.#journal;
    if (unflushed > 0) this.#log.error({ unflushed }, 'the journal was not written to its end: its disk hangs');
    // The last one that has it open tidies up behind itself: that is the one that writes.
    await this.#readers.close();
    await this.#thread.close();
    await this.#journal.release();
  }
}
