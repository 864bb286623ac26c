// Proves each minute that nothing outlives its call. Every owner ends what is its own; what this finds is a fault of ours,
// told by name, counted, and ended here so that it does not add up.
import type { Cancel, Clock } from '../clock.ts';
import type { Holdings, Leftover } from './holdings.ts';

/** The calls as the sweep sees them. */
export interface SweptCalls {
  isLive(callId: string): boolean;
  /** Lets go of calls that ended and are still listed; returns their ids. */
  letGo(): string[];
}

export interface SweepOptions {
  calls: SweptCalls;
  holdings: Holdings;
  clock: Clock;
  found: (leftover: Leftover) => void;
  failed: (callId: string, error: unknown) => void;
}

const EVERY_MS = 60_000;
/** What is on its way out when it is seen is gone by then: the longest way takes some 5 s. */
const SECOND_LOOK_MS = 10_000;

/** Looks from now on; call the result to stop. */
export function startSweep({ calls, holdings, clock, found, failed }: SweepOptions): Cancel {
  let cancel: Cancel;
  const look = (): void => {
    // Lets go first: what belonged to such a call is suspect in the same look.
    for (const callId of calls.letGo()) found({ kind: 'call', callId });
    for (const leftover of holdings.look((callId) => calls.isLive(callId), failed)) found(leftover);
    again(holdings.suspects > 0 ? SECOND_LOOK_MS : EVERY_MS);
  };
  const again = (inMs: number): void => {
    cancel = clock.at(clock.nowMs() + inMs, look);
  };
  again(EVERY_MS);
  return () => cancel();
}
