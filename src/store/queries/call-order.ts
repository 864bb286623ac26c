// What a list of calls is sorted by, and places in it. No database is needed to say it. Pure.
import type { CallFilter } from './call-filter.ts';
import type { CallSummary } from './calls.ts';

export type CallSort = 'admitted' | 'duration' | 'cost' | 'latency' | 'quality';

/** A place in the list: behind this call, which had this value of what the list is sorted by. */
export interface CallPlace {
  value: number | null;
  callId: string;
}

export interface CallListQuestion extends CallFilter {
  sort: CallSort;
  order: 'asc' | 'desc';
  limit: number;
  /** Null: from the first. */
  after: CallPlace | null;
}

/** What the list is sorted by, of one call: the `value` of the place behind it. */
export function sortedValue(call: CallSummary, sort: CallSort): number | null {
  switch (sort) {
    case 'admitted':
      return call.admittedWallMs;
    case 'duration':
      return call.durationMs;
    case 'cost':
      return call.cost.nanoUsd;
    case 'latency':
      return call.latencyMs;
    case 'quality':
      return call.quality;
  }
}
