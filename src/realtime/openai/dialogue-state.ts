// The dialogue's state, plain JSON, and the few verbs with which its rules change it and speak.
import type { RealtimeEvent, RealtimeRequest, SessionLossCause } from '../session.ts';
import type { ClientMessage, ServerMessage } from './messages.ts';

export interface DialogueConfig {
  /** The body of `session.update`. */
  session: Record<string, unknown>;
  model: string;
  transcriptionModel: string;
  /** `interrupt_response`: the server cancels a running response when the caller speaks. */
  serverInterrupts: boolean;
  /** `create_response`: the server answers a finished caller turn. */
  serverAnswers: boolean;
}

/** A response we want: steered, or a plain answer; `outputs` are tool outputs it is to speak about. */
export interface Wanted {
  say: string | null;
  outputs: string[];
  /** May begin although answers are held. */
  allowed?: true;
}

/** One assistant audio item, from its first byte until it is out of reach of an interruption. */
export interface Item {
  itemId: string;
  responseId: string;
  /** Null until its first audio: nothing to interrupt, nothing to truncate. */
  utterance: string | null;
  bytes: number;
  done: boolean;
}

export interface Dialogue {
  v: 1;
  phase: 'connecting' | 'configuring' | 'ready' | 'closed';
  /** The call is over and the socket is kept for usage that is still to come. */
  finishing: boolean;
  config: DialogueConfig;
  nextId: number;
  utterancePrefix: string;
  nextUtterance: number;
  /** Asked before the session was ready. */
  early: readonly RealtimeRequest[];
  /** The default conversation's running response. `stopped`: its audio is no longer wanted. */
  active: { responseId: string; stopped: boolean } | null;
  /** Our response.create that was neither answered nor refused. */
  requested: { eventId: string; wanted: Wanted; stopped: boolean } | null;
  /**
   * Whose move it is between responses. `caller`: speaking, from speech_started to the committed turn; `server`: about to
   * answer that turn by itself. Ours wait for `open`.
   */
  floor: 'open' | 'caller' | 'server';
  /** The server repeats our metadata: a response without it is not ours. */
  echoes: boolean;
  /** The caller's turn ended over a running answer that nobody stopped: the server's own answer to it fails, with or without a word. */
  backchannel: boolean;
  /** Only our last words are still wanted: whatever else begins is cancelled. */
  lastWords: boolean;
  /** The summary that was asked for, by event id; null: none. */
  summary: string | null;
  /** Plain answers wait: nobody pays for them now. */
  answersHeld: boolean;
  queue: readonly Wanted[];
  items: readonly Item[];
  /** Items that were truncated or deleted: what still arrives for them is void. */
  cutItems: readonly string[];
  /** Function calls by call id; `open` = its output is owed. */
  calls: Readonly<Record<string, { responseId: string; open: boolean; outputId: string | null }>>;
  /** Tool outputs that the server has confirmed as part of the conversation. */
  confirmed: readonly string[];
  /** Responses that are over or out of band: what still arrives for them is not played. */
  closedResponses: readonly string[];
  outOfBand: readonly string[];
  /** Responses whose usage was reported. */
  billed: readonly string[];
  /** Caller turns whose transcription, which is billed, has not come. */
  untranscribed: readonly string[];
  recentEventIds: readonly string[];
  /** What our recent client events were, by event id, so that errors find their cause. */
  sent: readonly { eventId: string; type: ClientMessage['type'] }[];
}

export type DialogueInput =
  | { kind: 'message'; message: ServerMessage; eventId: string | null }
  | { kind: 'request'; request: RealtimeRequest }
  | { kind: 'noticed'; code: string }
  /** The call is over: stop what runs, and go when its usage is known. */
  | { kind: 'finish' }
  /** An attempt to connect failed; another follows. */
  | { kind: 'delayed'; cause: SessionLossCause; detail: string }
  | { kind: 'closed'; cause: SessionLossCause; detail: string; fatal: boolean; deafMs?: number };

export type DialogueOutput = { send: ClientMessage } | { emit: RealtimeEvent } | { close: { detail: string } };

/** How many settled things are remembered, of each kind. */
export const KEEP_ITEMS = 64;
export const KEEP_IDS = 32;

/** @param session its name in the call; utterances of all but the first carry it */
export const newDialogue = (config: DialogueConfig, session = 's1'): Dialogue => ({
  v: 1,
  phase: 'connecting',
  finishing: false,
  config,
  nextId: 1,
  utterancePrefix: session === 's1' ? '' : `${session}.`,
  nextUtterance: 1,
  early: [],
  active: null,
  requested: null,
  floor: 'open',
  echoes: false,
  backchannel: false,
  lastWords: false,
  summary: null,
  answersHeld: false,
  queue: [],
  items: [],
  cutItems: [],
  calls: {},
  confirmed: [],
  closedResponses: [],
  outOfBand: [],
  billed: [],
  untranscribed: [],
  recentEventIds: [],
  sent: [],
});

/** One step in the making: the dialogue as it becomes, and the outputs so far. Lives only inside `stepDialogue`. */
export interface Draft {
  s: Dialogue;
  readonly out: DialogueOutput[];
}

/** True for responses whose audio is not, or no longer, to be heard. */
export const isStopped = (d: Draft, responseId: string): boolean =>
  d.s.closedResponses.includes(responseId) ||
  d.s.outOfBand.includes(responseId) ||
  (d.s.active?.responseId === responseId && d.s.active.stopped);

/** A short memory: the newest `most` ids. */
export const keep = (list: readonly string[], id: string, most: number): string[] => [...list.slice(1 - most), id];

/** Replaces part of the state; the old one stays as it was. */
export function set(d: Draft, part: Partial<Dialogue>): void {
  d.s = { ...d.s, ...part };
}

export const changeItem = (d: Draft, itemId: string, part: Partial<Item>): void =>
  set(d, { items: d.s.items.map((i) => (i.itemId === itemId ? { ...i, ...part } : i)) });

export function nextEventId(d: Draft): string {
  const id = `tl_${d.s.nextId}`;
  set(d, { nextId: d.s.nextId + 1 });
  return id;
}

/** Sends a message, remembered so that an error finds its cause. */
export function send(d: Draft, message: ClientMessage): void {
  set(d, { sent: [...d.s.sent.slice(1 - KEEP_IDS), { eventId: message.event_id, type: message.type }] });
  d.out.push({ send: message });
}

export const emit = (d: Draft, event: RealtimeEvent): void => void d.out.push({ emit: event });
export const notice = (d: Draft, code: string): void => emit(d, { type: 'session.noticed', code, benign: true });
