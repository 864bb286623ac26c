// What is kept of a call outside its process: enough to tell the carrier what follows the media, and to know a replayed
// webhook. Any process of the same data folder reads it; the socket owner's memory is never asked.
import type { CallStatus, NextStep, VoicemailMessage } from '../carrier/carrier.ts';
import type { Termination } from './termination.ts';

export interface StoredCall {
  callId: string;
  carrier: string;
  carrierCallId: string;
  /** The process that let the call in and has its sockets; empty in entries of version 0.1. */
  node: string;
  /** Unix milliseconds of the admission. */
  admittedWallMs: number;
  /** What the carrier is to do when it asks after the media. */
  next: NextStep;
  termination: Termination | null;
  /** Status callbacks as they came. */
  statuses: CallStatus[];
  /** The message that the caller left, or null. */
  voicemail: VoicemailMessage | null;
}

/** Implemented by `record/`; embedded files now, a database later. */
export interface CallStore {
  /** Writes a whole entry; resolves when a reader in any process sees it. */
  put(call: StoredCall): Promise<void>;
  /** Changes an entry under its key, in order with other changes of this process; nothing happens when there is none. */
  update(carrier: string, carrierCallId: string, change: (call: StoredCall) => StoredCall): Promise<void>;
  get(carrier: string, carrierCallId: string): Promise<StoredCall | null>;
}
