// What the main thread and the worker thread that has the database say to each other. Plain data.
import type { ErrorCode } from '../errors.ts';
import type { PriceBook } from '../ledger/prices.ts';
import type { Position } from './journal-folder.ts';
import type { Place } from './place.ts';

/** What a worker begins with. */
export interface WorkerSetup {
  place: Place;
  dataDir: string;
  /** This process's journal. */
  journal: string;
  /** Whether it takes in what dead processes left. */
  recovers: boolean;
  /** For what calls cost that died with their process; null: their lines have no cost. */
  prices: PriceBook | null;
}

export type ToWorker =
  /** Open the database, and take in what comes; the first order of all. */
  | { do: 'begin'; setup: WorkerSetup }
  /** The journal is on the disk up to there: take it in. */
  | { do: 'take'; upTo: Position }
  | { do: 'ask'; id: number; name: string; question: unknown }
  /** Take in what is left, remove what is empty, and end. */
  | { do: 'close' };

/** An error that crosses the threads. */
export interface Told {
  code: ErrorCode;
  message: string;
}

export type FromWorker =
  /** The first try to open the database is over; `refused`: an operator has to change something before it can be used. */
  | { tell: 'tried'; refused: Told | null }
  /** Everything before it is in the database. */
  | { tell: 'taken'; upTo: Position }
  /** What dead processes left; `done`: the first look round is over, and all of it was taken in. */
  | { tell: 'left'; bytes: number; done: boolean }
  /** Why the database cannot be written; null: it can. */
  | { tell: 'down'; why: string | null }
  /** A record of a journal was put aside. */
  | { tell: 'aside' }
  | { tell: 'answered'; id: number; answer: unknown }
  | { tell: 'refused'; id: number; error: Told }
  | { tell: 'log'; level: 'info' | 'warn' | 'error'; fields: object; message: string };
