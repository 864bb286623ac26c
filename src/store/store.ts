// The store as everybody else in the process sees it: facts go in by `append`, which never waits and never throws; questions
// are asked of the worker thread that has the database.
import type { StoreEvent } from './events.ts';
import type { Queries } from './queries.ts';

/** How the way into the database is doing. */
export interface StoreHealth {
  /**
   * `ok`. `behind`: the database cannot be written, or is slow; the journal keeps everything. `full`: the journal has
   * reached its bound, or its disk takes nothing; no new call should be let in.
   */
  state: 'ok' | 'behind' | 'full';
  /** Age of the oldest fact that is not in the database yet; 0 when there is none. */
  lagMs: number;
  /** What lies in the journal and is not in the database. */
  journalBytes: number;
  /** Facts that are in memory only. */
  unflushed: number;
  /** Facts that had to be given up: the journal's disk was full for too long. Must be 0. */
  lost: number;
  /** Records of journals that could not be read or stored: they lie in `DATA_DIR/journal/*.bad`. Must be 0. */
  aside: number;
  /** Why it is not `ok`, for an operator; empty when it is. */
  why: string;
}

export interface Store {
  /** Takes a fact as it is now. Never waits, never throws; on disk within a quarter of a second, in the database soon after. */
  append(event: StoreEvent): void;
  /** Asks the database. @throws TrunklineError TRK_STORE when it cannot answer, or not in time */
  ask<Name extends keyof Queries>(
    name: Name,
    question: Parameters<Queries[Name]>[1],
  ): Promise<Awaited<ReturnType<Queries[Name]>>>;
  readonly health: StoreHealth;
  /** Resolves when everything taken so far is on the local disk. */
  flushed(): Promise<void>;
  /**
   * Resolves when everything taken so far is in the database, and what dead processes had left at the start.
   * @throws TrunklineError TRK_STORE when that is not so within a minute, or the store is closed
   */
  settled(): Promise<void>;
  /** Flushes, gives the worker a moment to take the rest in, and ends it. Idempotent. */
  close(): Promise<void>;
}
