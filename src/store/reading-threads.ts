// Which questions are asked of threads that only read: those that look through all calls. Counts have a thread of their own,
// because a page of the list waits for them; what may take a second or more has another. PostgreSQL does such things by itself.
import type { Clock } from '../clock.ts';
import type { Place } from './place.ts';
import { ReadingThread } from './reading-thread.ts';

export class ReadingThreads {
  readonly #quick: ReadingThread;
  readonly #slow: ReadingThread;
  readonly #isSqlite: boolean;

  constructor(place: Place, clock: Clock) {
    this.#quick = new ReadingThread(place, clock);
    this.#slow = new ReadingThread(place, clock);
    this.#isSqlite = place.engine === 'sqlite';
  }

  /** The thread for a question; null: the one that writes. */
  threadFor(name: string, question: unknown): ReadingThread | null {
    if (!this.#isSqlite) return null;
    if (name === 'callStats') return this.#slow;
    if (name === 'countCalls') return this.#quick;
    // To look for words takes as long as they are many: the page beside its count.
    return name === 'listCalls' && (question as { words: string | null }).words !== null ? this.#slow : null;
  }

  async close(): Promise<void> {
    await Promise.all([this.#quick.close(), this.#slow.close()]);
  }
}
