// What a carrier is to the rest: a leg that a call may ask things of, the events it reports, and the intake where new
// legs go. A carrier adapter is one folder beside this file; nothing here names a vendor.
import type { AudioChunk } from '../audio/chunk.ts';

/** Why a leg's media ended. */
export type LegCloseCause =
  /** The carrier said `stop`, or its status callback said the call is over: the caller hung up. */
  | 'caller_hung_up'
  /** The socket went away without a word (close 1006, network). */
  | 'socket_lost'
  /** The carrier broke its own protocol beyond what we forgive (garbage, flood, oversize). */
  | 'protocol_violation'
  /** The socket opened but never sent `start`. */
  | 'never_started'
  /** The carrier stopped reading: our send buffer reached its bound. */
  | 'stopped_reading'
  /** The call asked for it: reported when the socket is gone, after the end. */
  | 'closed_by_us'
  /** A fault in the adapter. */
  | 'our_fault';

/** What a leg reports. Times are stamped by the call's shell, not here. */
export type LegEvent =
  | { type: 'leg.started' }
  /** `timestampMs` is the carrier's presentation clock; `sequence` counts media messages from 1. */
  | { type: 'leg.audio'; sequence: number; timestampMs: number; chunk: AudioChunk }
  /** Reported once per mark: `dropped` when a clear overtook it (the leg settles marks that its carrier never returns). */
  | { type: 'leg.mark_settled'; mark: string; outcome: 'played' | 'dropped' }
  | { type: 'leg.digit_pressed'; digit: string }
  | { type: 'leg.closed'; cause: LegCloseCause; detail: string };

/** What differs between carriers and matters to the call core. */
export interface LegCapabilities {
  /** How far ahead of playback audio may be sent, in milliseconds. */
  maxAheadMs: number;
}

/** One side of a call as the carrier sees it. Owned by its adapter; the call asks, the adapter owns the socket. */
export interface CarrierLeg {
  readonly capabilities: LegCapabilities;
  /** Queues audio at the carrier, after all that was queued before. */
  play(chunk: AudioChunk): void;
  /** Asks to be told when everything queued so far has been played. */
  mark(name: string): void;
  /** Drops what is queued at the carrier; outstanding marks settle as dropped. */
  clear(): void;
  /** Ends the media. The carrier then asks `CallIntake.next` what follows. Idempotent. */
  close(): void;
}

/** A party's address as the carrier gave it. `value` is E.164 for `pstn`, the URI for `sip`, empty for `withheld`. */
export interface Party {
  kind: 'pstn' | 'sip' | 'client' | 'withheld';
  value: string;
}

/** A call that asks to be let in. */
export interface IncomingCall {
  carrier: string;
  /** The carrier's own id of the call (Twilio: CallSid). */
  carrierCallId: string;
  direction: 'inbound' | 'outbound';
  from: Party;
  to: Party;
  /** Signed caller attestation where the carrier gives one (STIR verdict), else null. */
  attestation: string | null;
  /** Custom SIP headers of a call through a SIP domain, name without the carrier's prefix. */
  sipHeaders: Record<string, string>;
  /** Equal across the carrier's own retries of one webhook, where it sends such a key. */
  idempotencyKey: string | null;
}

/** What the intake says to a new call. */
export type Admission =
  /** Let in: open the media stream under `token`; `facts` may be shown to the other side as stream parameters. */
  | { outcome: 'accepted'; callId: string; token: string; facts: Record<string, string> }
  /** Not let in: say a sentence, or forward, or give a busy signal. */
  | { outcome: 'refused'; reason: RefusalReason; answer: NextStep }
  /** The same webhook again after its token was used: a replay. Opens nothing. */
  | { outcome: 'replayed' };

/** Why a call was not let in. */
export type RefusalReason = 'draining' | 'full' | 'no_agent';

/** Why a media token was not accepted. */
export type TokenRefusal = 'unknown' | 'foreign' | 'expired' | 'used';

/** A media token settled: this process owns the call and the token can never be used again. */
export interface MediaClaim {
  callId: string;
  carrierCallId: string;
}

/** What the carrier is to do with a call once its media ended. */
export type NextStep =
  | { do: 'hang_up' }
  | { do: 'reject_busy' }
  | { do: 'say_and_hang_up'; text: string }
  | { do: 'forward'; to: string };

/** A call status callback, reduced to what records need. */
export interface CallStatus {
  carrierCallId: string;
  status: string;
  /** True for the states a call never leaves. */
  final: boolean;
  durationSeconds: number | null;
  sequence: number | null;
}

/** Where a carrier adapter takes its calls. Implemented by `call/calls.ts`. */
export interface CallIntake {
  /** Decides before a model session costs anything. The same call asked again before its token is used gets the same answer. */
  admit(call: IncomingCall): Promise<Admission>;
  /** Settles who owns the call, before the socket is accepted. */
  claim(token: string): MediaClaim | TokenRefusal;
  /** Joins a started leg to its call; returns where its events go, or null when the call is gone. */
  attach(claim: MediaClaim, leg: CarrierLeg): ((event: LegEvent) => void) | null;
  /** A claimed token whose socket never started: the call ends by that name. */
  abandon(claim: MediaClaim, cause: LegCloseCause, detail: string): void;
  /** What follows the media, from the stored record: any process can answer. */
  next(carrier: string, carrierCallId: string): Promise<NextStep>;
  /** Keeps a status callback in the stored record; a final one ends a call that is still live here. */
  status(carrier: string, status: CallStatus): Promise<void>;
}
