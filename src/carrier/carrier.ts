// What a carrier is to the rest: a leg that a call may ask things of, the events it reports, and the intake where new
// legs go. A carrier adapter is one folder beside this file; nothing here names a vendor.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { AudioChunk } from '../audio/chunk.ts';

/** Why a leg's media ended. */
export type LegCloseCause =
  /** The carrier says that the call is over: the caller hung up. */
  | 'caller_hung_up'
  /** The carrier said `stop`: the caller hung up, or the call was sent elsewhere, by us or by somebody else. */
  | 'carrier_stopped'
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
  /** `silentMs`: how long nothing had come from the carrier by then; what was sent in that time may not have been heard. */
  | { type: 'leg.closed'; cause: LegCloseCause; detail: string; silentMs?: number };

/** What differs between carriers and matters to the call core. */
export interface LegCapabilities {
  /** How far ahead of playback audio may be sent, in milliseconds. */
  maxAheadMs: number;
}

/** One side of a call as the carrier sees it. Owned by its adapter; the call asks, the adapter owns the socket. */
export interface CarrierLeg {
  readonly capabilities: LegCapabilities;
  /** How long nothing has come from the carrier, in milliseconds; absent where it is silent by habit. */
  readonly silentMs?: number;
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

/** The carrier of calls from the product's own page: nobody, so nobody bills for them. */
export const BROWSER = 'browser';

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

/** Why a call was not let in, in the order in which it is looked at. */
export type RefusalReason =
  /** No agent answers the number. */
  | 'no_agent'
  /** The process was asked to stop. */
  | 'draining'
  /** The agent file denies the caller by name. */
  | 'caller_denied'
  /** The agent file names who may call, and this caller is not among them. */
  | 'caller_not_allowed'
  /** The caller's number is attested less well than the agent file asks for. */
  | 'attestation_low'
  /** The event loop runs late: the calls that are live would suffer. */
  | 'overloaded'
  /** What happens in calls can no longer be kept: the disk takes nothing, or the database was away for too long. */
  | 'journal_full'
  /** The model failed several times in a row, and so did every other one of the agent. */
  | 'model_circuit_open'
  /** The model's rate limits are nearly used up. */
  | 'model_throttled'
  /** Too many new calls in this second. */
  | 'calls_per_second'
  /** This caller calls too often. */
  | 'caller_rate'
  /** This caller has enough calls already. */
  | 'caller_at_once'
  /** The agent has enough calls. */
  | 'agent_full'
  /** This process has enough calls. */
  | 'full'
  /** What one call may cost does not pay for its first answer. */
  | 'call_budget'
  /** This caller has used up what the agent may spend on one caller today. */
  | 'caller_budget'
  /** The agent has used up, or set aside for its live calls, what it may spend today. */
  | 'agent_budget'
  /** The server has. */
  | 'total_budget';

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
  /** Connect to somebody else; where nobody answers, what comes `otherwise`, or the end. */
  | { do: 'forward'; to: string; otherwise?: Voicemail }
  | Voicemail
  /**
   * Connect to a person. Whatever becomes of it, the carrier asks what follows and says so (`CallIntake.dialled`); `otherwise`
   * is for a caller whose process died meanwhile.
   */
  | { do: 'transfer'; to: string; ringSeconds: number; otherwise: NextStep }
  /** Into a room where a person is, or will be; music until then. When the person leaves, the carrier asks what follows. */
  | { do: 'conference'; room: string }
  /** To a person whom we called: a sentence, and a key to take the call (1) or not (2); each is asked at `CallIntake.person`. */
  | { do: 'ask_to_take'; say: string }
  /** A person who took the call: into the room, which ends when this person leaves it. */
  | { do: 'join'; room: string }
  /** The call goes on: open a media stream again, under this token. */
  | { do: 'reconnect'; token: string; facts: Record<string, string> };

/** Say a sentence, then take a message of at most so many seconds. */
export interface Voicemail {
  do: 'voicemail';
  say: string;
  maxSeconds: number;
}

/** A call status callback, reduced to what records need. */
export interface CallStatus {
  carrierCallId: string;
  status: string;
  /** True for the states a call never leaves. */
  final: boolean;
  /** Of a call that the carrier placed on behalf of this one (a Dial): whose it is. */
  parentCallId?: string;
  /** A person has answered, and is connected or hears what we say. */
  answered?: boolean;
  durationSeconds: number | null;
  sequence: number | null;
}

/** What the carrier says about one media stream, beside the socket itself. */
export interface StreamStatus {
  carrierCallId: string;
  /** The carrier's id of the stream: it may be one that the call has left behind. */
  streamId: string;
  event: 'started' | 'stopped' | 'failed';
  /** The carrier's error number of a failed one, or `unknown`; else null. */
  error: string | null;
}

/** A message that a caller left with the carrier. */
export interface VoicemailMessage {
  /** Where it lies. Whoever has it may be able to listen: never logged. */
  url: string;
  seconds: number;
}

/**
 * What became of an order to the carrier. `gone`: the carrier says that the call is over. `failed`: it could not be
 * reached or refused; the order may have been carried out all the same.
 */
export type ControlOutcome = 'done' | 'gone' | 'failed';

/** Orders about a call beside its media: the second way when the first is broken. Never throws; every try is bounded. */
export interface CarrierControl {
  /** Takes the call out of whatever it is doing and on to `next`. Not tried again once `unwanted` is aborted. */
  redirect(carrierCallId: string, next: NextStep, unwanted?: AbortSignal): Promise<ControlOutcome>;
  /** Ends the call, also one that still rings. */
  hangUp(carrierCallId: string, unwanted?: AbortSignal): Promise<ControlOutcome>;
  /**
   * Calls a person on behalf of the call `parentCallId`. What they hear is asked for at `CallIntake.person`, what becomes of the call is told by
   * `CallIntake.status`. Not repeated unless the carrier says that it did nothing.
   */
  call(person: { from: string; to: string; ringSeconds: number; parentCallId: string }): Promise<PlacedCall>;
  /** Sends a text message of at most 1,600 characters. Not repeated unless the carrier says that it did nothing. */
  message(message: { from: string; to: string; text: string }): Promise<SentMessage>;
}

/** The orders that a carrier's calls can be given, by its name; null: nothing may be ordered there. */
export type Controls = (carrier: string) => CarrierControl | null;

/** What became of dialling a person. `answered`: they talked, and it is over. */
export type DialOutcome = 'answered' | 'busy' | 'no_answer' | 'failed' | 'canceled';

/** A call to a person that we placed, or why there is none. `unknown`: it may have been placed all the same. */
export type PlacedCall = { outcome: 'placed'; carrierCallId: string } | { outcome: 'refused' | 'unknown'; why: string };

/** A text message that was taken, or why not; `unknown`: it may have been sent all the same. */
export type SentMessage = { outcome: 'sent' } | { outcome: 'refused' | 'unknown'; why: string };

/** A webhook that may be passed on: a new call, what follows its media, its status. */
export type PassedWebhook = 'voice' | 'next' | 'status';

/** A webhook as it came, its form printed anew. */
export interface PassedRequest {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** What another of our processes answered to it. */
export interface PassedAnswer {
  status: number;
  contentType: string;
  body: string;
}

/** Our other processes that serve the same calls. Implemented by `peers/passing.ts`. */
export interface Peers {
  /** Whether a connection comes from one of them: what it brings is answered here, whoever's it is. */
  isPeer(connection: object): boolean;
  /** The answer of the process that has to give it; null: this one has. Never rejects. */
  passOn(
    what: PassedWebhook,
    carrier: string,
    carrierCallId: string,
    request: PassedRequest,
  ): Promise<PassedAnswer | null>;
  /** Joins a media connection to the process that made its token; false: none of the others did. Never rejects. */
  handOver(token: string, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<boolean>;
}

/** Where a carrier adapter takes its calls. Implemented by `call/calls.ts`. */
export interface CallIntake {
  /** Decides before a model session costs anything. The same call asked again before its token is used gets the same answer. */
  admit(call: IncomingCall): Promise<Admission>;
  /** Settles who owns the call, before the socket is accepted. */
  claim(token: string): MediaClaim | TokenRefusal | Promise<MediaClaim | TokenRefusal>;
  /** Joins a started leg to its call; returns where its events go, or null when the call is gone. */
  attach(claim: MediaClaim, leg: CarrierLeg): ((event: LegEvent) => void) | null;
  /** A claimed token whose socket never started: the call ends by that name. */
  abandon(claim: MediaClaim, cause: LegCloseCause, detail: string): void;
  /**
   * What follows the media: of a call that goes on here, a new stream; else from the stored record, as any process can
   * answer. `over`: the carrier says that the call has ended.
   */
  next(carrier: string, carrierCallId: string, over: boolean): Promise<NextStep>;
  /** What follows a forward or a transfer, once it is known what became of it. */
  dialled(carrier: string, carrierCallId: string, outcome: DialOutcome): Promise<NextStep>;
  /**
   * What a person hears whom we called for the call `parentCallId`: asked when they answer (`key` null), and with each key.
   * Null: no such call of ours.
   */
  person(carrier: string, carrierCallId: string, key: string | null, parentCallId: string): Promise<NextStep | null>;
  /** Keeps a status callback in the stored record; a final one ends a call that is still live here. */
  status(carrier: string, status: CallStatus): Promise<void>;
  /** What the carrier says about a call's media stream; it may come before or after the socket shows it, or never. */
  streamStatus(carrier: string, status: StreamStatus): void;
  /** Keeps where a caller's message lies. */
  voicemail(carrier: string, carrierCallId: string, message: VoicemailMessage): Promise<void>;
}
