// What the list becomes when it is asked for again behind the reader's back. Pure.
import type { CallList } from './types.ts';

/** The same rows in the same places, each as it is by now; those that another page has by now stay as they were. */
export function grown(shown: CallList, later: CallList): CallList {
  const now = new Map(later.calls.map((call) => [call.callId, call]));
  return { ...shown, calls: shown.calls.map((call) => now.get(call.callId) ?? call) };
}

/** Calls that fit and have come since. */
export const arrivedSince = (shown: CallList, later: CallList): number => Math.max(0, later.count - shown.count);
