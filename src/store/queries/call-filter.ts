// Which calls are meant: what an operator may narrow a list of calls by. No database is needed to say it. Pure.

/** Null: any. Bounds are meant with their ends. */
export interface CallFilter {
  /** Day of the admission, UTC, as 2026-11-21. */
  day: string | null;
  /** Let in at that moment or later, and before that one; Unix milliseconds. */
  sinceMs: number | null;
  untilMs: number | null;
  agent: string | null;
  /** `inbound` or `outbound`. */
  direction: string | null;
  /** The caller, as kept. */
  from: string | null;
  /** Either party: beginning with a plus, how the number begins (a whole one is only itself); else what it contains. */
  number: string | null;
  /** Why it ended: one of these. */
  reasons: readonly string[] | null;
  /** `success` or `failure`. */
  result: string | null;
  /** From the start of the media to the end. */
  minDurationMs: number | null;
  maxDurationMs: number | null;
  /** By the price book. */
  minNanoUsd: number | null;
  maxNanoUsd: number | null;
  /** Median of the answered turns, voice to voice. */
  minLatencyMs: number | null;
  maxLatencyMs: number | null;
  disposition: string | null;
  /** All of them were said in the call, in whatever turns; the last may be the beginning of a word. */
  words: string | null;
}

/** Every call. */
export const ANY_CALL: CallFilter = {
  ...{ day: null, sinceMs: null, untilMs: null, agent: null, direction: null, from: null, number: null },
  ...{ reasons: null, result: null, minDurationMs: null, maxDurationMs: null, minNanoUsd: null, maxNanoUsd: null },
  ...{ minLatencyMs: null, maxLatencyMs: null, disposition: null, words: null },
};
