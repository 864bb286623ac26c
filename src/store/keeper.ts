// What the worker thread does: opens the database, takes journals into it, answers questions. A database that is away is tried
// again with growing pauses, for as long as it takes; meanwhile the journal keeps everything.
import { rmdir } from 'node:fs/promises';
import { TrunklineError } from '../errors.ts';
import { type Database, openDatabase } from './database.ts';
import { faultOf } from './database-faults.ts';
import { Intake, type IntakeLog } from './intake.ts';
import { absent, isBefore, journalFolder, type Position } from './journal-folder.ts';
import { shownPlace } from './place.ts';
import { QUERIES } from './queries.ts';
import { Recovery } from './recovery.ts';
import { toldOf } from './told.ts';
import type { FromWorker, Told, ToWorker, WorkerSetup } from './worker-messages.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
/** How often it looks for journals of processes that died. */
const LOOK_ROUND_EVERY_MS = 15_000;

type Order<What extends ToWorker['do']> = Extract<ToWorker, { do: What }>;

export class Keeper {
  readonly #setup: WorkerSetup;
  readonly #tell: (message: FromWorker) => void;
  readonly #intake: Intake;
  readonly #recovery: Recovery;
  #db: Database | null = null;
  /** Settled when the first try to open it is over. */
  readonly #tried = Promise.withResolvers<void>();
  #upTo: Position | null = null;
  #taken: Position | null = null;
  #lookRoundAtMs = 0;
  #recovered = false;
  /** Why it cannot be used; null while it can. */
  #down: string | null = null;
  #closing = false;
  #wake: () => void = () => {};

  constructor(setup: WorkerSetup, tell: (message: FromWorker) => void) {
    const { dataDir, journal, prices } = setup;
    this.#setup = setup;
    this.#tell = tell;
    const say =
      (level: 'warn' | 'error') =>
      (fields: object, message: string): void =>
        tell({ tell: 'log', level, fields, message });
    const log: IntakeLog = { warn: say('warn'), error: say('error'), aside: () => tell({ tell: 'aside' }) };
    this.#intake = new Intake({ dataDir, journal, log });
    this.#recovery = new Recovery({ dataDir, own: journal, prices, log });
  }

  order(order: Exclude<ToWorker, { do: 'begin' }>): void {
    if (order.do === 'ask') return void this.#answer(order);
    if (order.do === 'close') this.#closing = true;
    else this.#upTo = order.upTo;
    // What comes while the database is away waits for the next try.
    if (this.#closing || this.#down === null) this.#wake();
  }

  /** Works until it was told to close, and nothing is left to do. */
  async run(): Promise<void> {
    let failures = 0;
    for (;;) {
      try {
        await this.#work(await this.#open());
        failures = 0;
        this.#well();
        if (this.#closing && !this.#hasWork()) break;
        if (!this.#hasWork()) await this.#pause(this.#untilLookRoundMs());
      } catch (error) {
        failures += 1;
        await this.#failed(error);
        // Who closes waits for the rest only as long as there is hope.
        if (this.#closing) break;
        await this.#pause(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1)));
      }
    }
    await this.#db?.destroy();
  }

  #untilLookRoundMs(): number {
    return this.#setup.recovers ? Math.max(0, this.#lookRoundAtMs - performance.now()) : LOOK_ROUND_EVERY_MS;
  }

  async #open(): Promise<Database> {
    if (this.#db !== null) return this.#db;
    this.#db = await openDatabase(this.#setup.place);
    // A worker that died before may have left another word.
    if (this.#down === null) this.#tell({ tell: 'down', why: null });
    this.#triedWith(null);
    return this.#db;
  }

  #hasWork(): boolean {
    return this.#upTo !== null && (this.#taken === null || isBefore(this.#taken, this.#upTo));
  }

  async #work(db: Database): Promise<void> {
    const { dataDir, journal } = this.#setup;
    if (this.#upTo !== null && this.#hasWork())
      await this.#intake.take(db, this.#upTo, (upTo) => {
        this.#taken = upTo;
        this.#well();
        this.#tell({ tell: 'taken', upTo });
      });
    // What was flushed meanwhile comes first.
    if (this.#hasWork()) return;
    if (this.#closing) {
      // Nothing lies in it: the last segment was closed before.
      await rmdir(journalFolder(dataDir, journal)).catch(absent);
      if (this.#upTo !== null) await db.deleteFrom('journals').where('journal', '=', journal).execute();
    } else if (this.#setup.recovers && performance.now() >= this.#lookRoundAtMs) await this.#lookRound(db);
  }

  /** One dead journal at a time: what this process writes does not wait for all of them. */
  async #lookRound(db: Database): Promise<void> {
    const { journals, bytes } = await this.#recovery.left();
    this.#tell({ tell: 'left', bytes, done: this.#recovered && journals.length === 0 });
    const [first] = journals;
    if (first !== undefined) return this.#recovery.recover(db, first);
    this.#lookRoundAtMs = performance.now() + LOOK_ROUND_EVERY_MS;
    this.#recovered = true;
    this.#tell({ tell: 'left', bytes: 0, done: true });
  }

  async #answer({ id, name, question }: Order<'ask'>): Promise<void> {
    await this.#tried.promise;
    try {
      if (this.#db === null) throw new TrunklineError('TRK_STORE', this.#down ?? 'the database is closed');
      const query = QUERIES[name as keyof typeof QUERIES] as (db: Database, question: unknown) => Promise<unknown>;
      this.#tell({ tell: 'answered', id, answer: await query(this.#db, question) });
    } catch (error) {
      this.#tell({ tell: 'refused', id, error: this.#toldOf(error, name) });
    }
  }

  #toldOf(error: unknown, name: string): Told {
    const { kind, why } = faultOf(error);
    if (!(error instanceof TrunklineError) && (kind === 'fact' || why.includes('no answer')))
      this.#tell({
        tell: 'log',
        level: 'error',
        fields: { err: error, name },
        message: 'a question to the database failed',
      });
    return toldOf(error, name, this.#setup.place);
  }

  #well(): void {
    if (this.#down === null) return;
    this.#down = null;
    this.#tell({ tell: 'down', why: null });
    this.#tell({ tell: 'log', level: 'info', fields: {}, message: 'the database is back' });
  }

  async #failed(error: unknown): Promise<void> {
    const { kind, why } = faultOf(error);
    const told: Told =
      error instanceof TrunklineError
        ? { code: error.code, message: error.message }
        : { code: 'TRK_DATABASE', message: `${shownPlace(this.#setup.place)} cannot be used: ${why}` };
    const first = this.#down === null;
    this.#down = told.message;
    this.#tell({ tell: 'down', why: told.message });
    if (first)
      this.#tell({
        ...{ tell: 'log', level: 'error', fields: { why: told.message } },
        message: 'the database cannot be used: the journal keeps everything',
      });
    this.#triedWith(kind === 'wrong' ? told : null);
    // The next try makes new connections; one that somebody else holds up is good.
    if (kind === 'busy') return;
    const db = this.#db;
    this.#db = null;
    await db?.destroy().catch(() => {});
  }

  /** Counts once. */
  #triedWith(refused: Told | null): void {
    this.#tell({ tell: 'tried', refused });
    this.#tried.resolve();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
