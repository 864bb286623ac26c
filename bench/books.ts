// What each end wrote down during a measurement, as it goes from its process to the one that compares. Times are the
// end's own `performance.now()`; `clockOriginMs` makes them comparable.
import type { Range, StampReader } from './stamps.ts';

/** The model says everything in deltas of this length, so that a delta is known by its number. */
export const DELTA_MS = 200;

/** One stream of stamped audio as its reader found it, ms but for the bytes. */
export interface ReaderBooks {
  line: number | null;
  next: number;
  missing: Range[];
  repeated: number;
  disordered: number;
  strays: number;
  foreignBytes: number;
}

export const readerBooks = (reader: StampReader): ReaderBooks => {
  const { line, next, missingRanges, repeated, disordered, strays, foreignBytes } = reader;
  return { line, next, missing: missingRanges, repeated, disordered, strays, foreignBytes };
};

/** The carrier's side of one call. */
export interface CallBooks {
  number: number;
  /** By frame: when it was handed to the socket. */
  sentAtMs: Float64Array;
  heard: ReaderBooks;
  /** By delta of the model: when its last millisecond had come. */
  arrivedAtMs: Float64Array;
  /** Each `clear`, and how far the agent's audio had come then. */
  clears: { atMs: number; next: number }[];
  /** Gaps under a second in what the caller heard. */
  underruns: number;
  /** What went wrong first, or null. */
  wrong: string | null;
}

export interface CarrierBooks {
  clockOriginMs: number;
  calls: CallBooks[];
  /** How late each frame of the window was against its plan. */
  lateMs: Float64Array;
}

/** One answer of the model, by the milliseconds of its session. */
export interface Answer extends Range {
  /** When the model was told to say that the caller interrupts; null when it was left to finish. */
  interruptedAtMs: number | null;
}

/** The model's side of one call. */
export interface SessionBooks {
  number: number;
  /** By delta: when it was handed to the socket. */
  sentAtMs: Float64Array;
  answers: Answer[];
  heard: ReaderBooks;
  /** By frame of the caller: when it had come. */
  arrivedAtMs: Float64Array;
  /** Codes of the error events that the server provoked. */
  errors: string[];
}

export interface ModelBooks {
  clockOriginMs: number;
  sessions: SessionBooks[];
  /** How late each delta of the window was against its plan. */
  lateMs: Float64Array;
}
