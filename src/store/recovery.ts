// Journals that dead processes left in the data folder: takes them in, ends their calls, removes their folders. Any process of
// the folder does it, at its start and now and then; several at once do no harm.
import { rmdir } from 'node:fs/promises';
import type { PriceBook } from '../ledger/prices.ts';
import { clearAway, isAlive } from './alive.ts';
import type { Database } from './database.ts';
import { isOfFile } from './database-faults.ts';
import { endCalls } from './dead-calls.ts';
import { Intake, type IntakeLog } from './intake.ts';
import { absent, journalFolder, journalsIn } from './journal-folder.ts';

/** In the place of a journal's name: the folder of all of them. */
const ALL = '';

export interface RecoveryOptions {
  dataDir: string;
  own: string;
  prices: PriceBook | null;
  log: IntakeLog;
}

export class Recovery {
  readonly #dataDir: string;
  /** This process's own journal. */
  readonly #own: string;
  /** For what dead calls cost; null: their lines have no cost. */
  readonly #prices: PriceBook | null;
  readonly #log: IntakeLog;
  readonly #intakes = new Map<string, Intake>();
  /** Journals that are left alone until the next start. */
  readonly #unreadable = new Set<string>();

  constructor({ dataDir, own, prices, log }: RecoveryOptions) {
    this.#dataDir = dataDir;
    this.#own = own;
    this.#prices = prices;
    this.#log = log;
  }

  /** What dead processes left, and how many bytes of it. */
  async left(): Promise<{ journals: string[]; bytes: number }> {
    const left = { journals: [] as string[], bytes: 0 };
    let all: string[] = [];
    if (!this.#unreadable.has(ALL))
      await this.#unlessUnreadable(ALL, async () => void (all = await journalsIn(this.#dataDir)));
    for (const journal of all) {
      if (journal === this.#own || this.#unreadable.has(journal)) continue;
      await this.#unlessUnreadable(journal, async () => {
        if (await isAlive(this.#dataDir, journal)) return;
        left.bytes += await this.#intake(journal).bytes();
        left.journals.push(journal);
      });
    }
    return left;
  }

  async recover(db: Database, journal: string): Promise<void> {
    await this.#unlessUnreadable(journal, async () => {
      const intake = this.#intake(journal);
      const bytes = await intake.bytes();
      await intake.take(db, null);
      const calls = await endCalls(db, journal, this.#prices);
      await rmdir(journalFolder(this.#dataDir, journal)).catch(absent);
      await clearAway(this.#dataDir, journal);
      this.#intakes.delete(journal);
      this.#log.warn(
        { journal, bytes, calls },
        'journal of a process that is gone was taken in, its open calls are ended',
      );
    });
  }

  /** Files of another user, or a disk that fails: told once, and what this process writes itself goes on. */
  async #unlessUnreadable(journal: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isOfFile(error)) throw error;
      const { code } = error as NodeJS.ErrnoException;
      this.#unreadable.add(journal);
      this.#log.error({ journal, code }, 'a journal that a dead process left cannot be read');
    }
  }

  #intake(journal: string): Intake {
    let intake = this.#intakes.get(journal);
    if (intake === undefined) {
      intake = new Intake({ dataDir: this.#dataDir, journal, log: this.#log });
      this.#intakes.set(journal, intake);
    }
    return intake;
  }
}
