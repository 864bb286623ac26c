// What the machine needs to know of an agent and the configuration: plain numbers and sentences, part of a call's state
// and so of every tape.
import type { NextStep } from '../carrier/carrier.ts';

/** Utterance ids of recorded clips; the shelf knows their audio. */
export const GREETING_CLIP = 'clip:greeting';
export const APOLOGY_CLIP = 'clip:apology';
/** Played more than once: an utterance of it is `clip:hold#1`, `clip:hold#2`, … */
export const HOLD_CLIP = 'clip:hold';
/** Hold sound; played over and over as `clip:music#1`, … */
export const MUSIC_CLIP = 'clip:music';
/** Tones of keys that we press, `clip:keys#1`, … */
export const KEYS_CLIP = 'clip:keys';

/** Where the agent may send the caller. */
export interface TransferTarget {
  /** E.164 or a SIP URI. Never from the model. */
  to: string;
  /** `cold`: the caller is connected to whoever answers. `warm`: the person hears a summary and accepts first. */
  how: 'cold' | 'warm';
  ringSeconds: number;
}

/** What the caller may be asked to key in. */
export interface KeypadField {
  /** Fewest and most digits. */
  min: number;
  max: number;
  /** Ends the input before `max`: `#`, `*`, or empty for none. */
  endKey: string;
  /** Without a key for this long it is over. */
  timeoutMs: number;
  /** Neither digits nor tones reach anybody but the tool that needs them. */
  sensitive: boolean;
}

/** Watches what the agent says, or what tools are asked for. */
export interface Guardrail {
  name: string;
  watch: 'speech' | 'arguments';
  /** A regular expression, case-insensitive. */
  pattern: string;
  /** What the agent is told to do instead. */
  instead: string;
}

/** What the agent may do beside talking. */
export interface ErrandPolicy {
  targets: Readonly<Record<string, TransferTarget>>;
  fields: Readonly<Record<string, KeypadField>>;
  /** Who counts as agreeing to what cannot be undone: words (lower case) in a transcript, or only a key. */
  consent: { by: 'voice_or_key' | 'key'; yes: readonly string[]; no: readonly string[]; transcribes: boolean };
  /** What a call may have been about; null: no notes are taken. */
  dispositions: readonly string[] | null;
  pressesKeys: boolean;
  /** Agents that may take the call over, by name. */
  handOffs: readonly string[];
  guardrails: readonly Guardrail[];
  /** While a tool runs: what the model is told to say (null: the "one moment" clip), and the bytes of a hold sound. */
  filler: { afterMs: number; say: string | null; musicBytes: number; musicAfterMs: number };
}

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
  /** Its words, for a carrier to say where no model can. */
  wrapUpText: string;
  /** What the agent is told when the money is nearly used; what the carrier says when it is, or what follows instead. */
  budget: { nearly: string; goodbye: string; next: NextStep };
  /** An answer owed for this long without a sound is a stalled model. */
  modelStallMs: number;
  /** Whether the built-in `end_call` exists, and how a missing goodbye is asked for. */
  endCall: { goodbye: string } | null;
  errands: ErrandPolicy;
  /** The model reports the end of the caller's speech so much later. */
  endOfTurnMs: number;
  /** Bytes of the recorded "one moment", played when the caller has waited in silence for `holdAfterMs`, and then each `holdEveryMs`. 0 = never. */
  holdBytes: number;
  holdAfterMs: number;
  holdEveryMs: number;
  /** How many models the agent has: 1, or 2 with a fallback. */
  models: number;
  /** A lost session must be replaced within this; then the next model is tried, then the call is given up. 0 = given up at once. */
  recoverWithinMs: number;
  /** A caller whose media went away is asked back from the carrier after `resumeAskMs`, and given up after `resumeWithinMs`. 0 = at once. */
  resumeAskMs: number;
  resumeWithinMs: number;
  /** A session this old is replaced in a pause. */
  rolloverAfterMs: number;
  /** Bytes of the recorded apology, and what follows it. */
  apologyBytes: number;
  /** Its words, for a carrier to say where the recording could not be heard. */
  apologyText: string;
  afterFailure: NextStep;
  /** How long the carrier may take from the admitted webhook to a started media stream. */
  mediaWaitMs: number;
  /** How far ahead of playback audio is sent. */
  maxAheadMs: number;
  /** Most bytes of model audio kept for one call (shelf). */
  shelfBytes: number;
}
