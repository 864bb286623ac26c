// What the machine needs to know of an agent and the configuration: plain numbers and sentences, part of a call's state
// and so of every tape.
import type { NextStep } from '../carrier/carrier.ts';

/** Utterance ids of recorded clips; the shelf knows their audio. */
export const GREETING_CLIP = 'clip:greeting';
export const APOLOGY_CLIP = 'clip:apology';

export interface CallPolicy {
  /** Spoken first: by the model (`say` steers that answer) or from a recorded clip of `bytes`. Null: wait for the caller. */
  greeting:
    | { by: 'model'; say: string; protected: boolean }
    | { by: 'clip'; bytes: number; text: string; protected: boolean }
    | null;
  /** The caller must speak this long before the agent stops; 0 = at once. */
  interruptAfterMs: number;
  /** With nobody speaking for this long the caller is asked once, then told goodbye. */
  silenceMs: number;
  silencePrompt: string;
  silenceGoodbye: string;
  /** The longest a call may last, and what is said then. */
  maxCallMs: number;
  wrapUp: string;
  /** An answer owed for this long without a sound is a stalled model. */
  modelStallMs: number;
  /** Whether the built-in `end_call` exists, and how a missing goodbye is asked for. */
  endCall: { goodbye: string } | null;
  /** Bytes of the recorded apology, and what follows it. */
  apologyBytes: number;
  afterFailure: NextStep;
  /** How long the carrier may take from the admitted webhook to a started media stream. */
  mediaWaitMs: number;
  /** How far ahead of playback audio is sent. */
  maxAheadMs: number;
  /** Most bytes of model audio kept for one call (shelf). */
  shelfBytes: number;
}
