// How one simulated session behaves: the script it follows, its pace, and the faults it commits on demand.
import type { Refusal } from './handshake.ts';
import type { Script } from './script.ts';
import { clinicScript } from './scripts/clinic.ts';

/** Something wrong on the wire, right after the first server events of type `at` (or instead of, for `out_of_order`). */
export interface Garbage {
  /** Server event type, e.g. `session.created` or `response.output_audio.delta`. */
  at: string;
  /**
   * `out_of_order` swaps the event with the one after it, `nulls` sets its optional fields to null, `huge` is a 16 MB
   * event of an unknown type.
   */
  kind:
    | 'malformed_json'
    | 'not_an_object'
    | 'unknown_event'
    | 'duplicate'
    | 'out_of_order'
    | 'huge'
    | 'binary'
    | 'bare'
    | 'nulls';
  /** How many times, default once. */
  times?: number;
}

/** Options of one session; all times in milliseconds, `Infinity` = never. */
export interface SessionOptions {
  /** What the model says; default the sample clinic. */
  script?: Script;
  /** Audio per delta, default 200; a list is sizes in bytes, used in turn. */
  deltaMs?: number | readonly number[];
  /** Audio produced per real time, default 5; `Infinity` sends a whole answer at once. */
  pace?: number;
  /** Time from `response.created` to its first item, default 100; an answer may set its own. */
  firstDelayMs?: number;
  /** Time from a committed turn to its transcription, default 120. */
  transcriptDelayMs?: number;
  /** Transcriptions fail. */
  failTranscription?: boolean;
  /** Time before the WebSocket upgrade is answered, default 0. */
  handshakeDelayMs?: number;
  /** The upgrade is never answered. */
  hangHandshake?: boolean;
  /** The upgrade is answered, and then nothing is ever said. */
  silent?: boolean;
  /** The upgrade is refused with this HTTP status. */
  refuse?: Refusal;
  /** Time from `session.update` to `session.updated`, default 0. */
  updateDelayMs?: number;
  /** Every `session.update` is refused with this. */
  refuseUpdate?: { code: string; message: string };
  /** No response is ever made; VAD goes on. */
  mute?: boolean;
  /** Responses are created and then say nothing until they are cancelled. */
  stall?: boolean;
  /** Audio deltas that still come after a cancellation, before the `.done` events; default 0. */
  lateDeltas?: number;
  /** The same, after `response.done`; default 0. */
  lateDeltasAfterDone?: number;
  /** The connection ends this long after it opened, with `dropCode` (default: no close frame, 1006 for the client). */
  dropAfterMs?: number;
  dropCode?: number;
  dropReason?: string;
  /** Life of the session, default 60 minutes; it ends with close 1001 and the documented reason. */
  expiresInMs?: number;
  /** Whether an `error` of code `session_expired` comes before that close; both have been seen. Default it does. */
  expiry?: 'error_then_close' | 'close';
  /** Broken frames. */
  garbage?: readonly Garbage[];
  /** Keeps the caller's audio for `heardAudio()`, five minutes at most; default true. */
  keepAudio?: boolean;
}

/** `SessionOptions` with the defaults filled in. */
export type EffectiveOptions = Required<Omit<SessionOptions, 'refuse' | 'refuseUpdate' | 'dropCode' | 'dropReason'>> &
  Pick<SessionOptions, 'refuse' | 'refuseUpdate' | 'dropCode' | 'dropReason'>;

/** Fills in the defaults. */
export const effectiveOptions = (options: SessionOptions): EffectiveOptions => ({ ...DEFAULTS, ...options });

const DEFAULTS: EffectiveOptions = {
  script: clinicScript,
  deltaMs: 200,
  pace: 5,
  firstDelayMs: 100,
  transcriptDelayMs: 120,
  failTranscription: false,
  handshakeDelayMs: 0,
  hangHandshake: false,
  silent: false,
  updateDelayMs: 0,
  mute: false,
  stall: false,
  lateDeltas: 0,
  lateDeltasAfterDone: 0,
  dropAfterMs: Number.POSITIVE_INFINITY,
  expiresInMs: 3_600_000,
  expiry: 'error_then_close',
  garbage: [],
  keepAudio: true,
};
