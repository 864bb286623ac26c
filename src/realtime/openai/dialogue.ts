// The model side's own machine: items, responses, and the races of response.create, cancel, truncate and delete. Pure:
// stepDialogue(dialogue, input) -> [dialogue, outputs], state is plain JSON.
//
// It is the one sequencer of responses: one active response in the default conversation, ours deferred until it is done,
// the server's own (after a caller turn) expected. Who interrupts and who answers turns is data (`config`).
import type { AnswerStatus, HeardUtterance, RealtimeEvent, RealtimeRequest } from '../session.ts';
import { bytesToMs } from '../../audio/mulaw.ts';
import type { ClientMessage, FunctionCall, ServerMessage } from './messages.ts';
import { conversationItem } from './items.ts';
import { isBenign, isSessionOver } from './error-codes.ts';

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
interface Wanted {
  say: string | null;
  outputs: string[];
}

/** One assistant audio item, from its first byte until it is out of reach of an interruption. */
interface Item {
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
  | { kind: 'closed'; cause: 'unreachable' | 'refused' | 'lost'; detail: string };

export type DialogueOutput = { send: ClientMessage } | { emit: RealtimeEvent } | { close: { detail: string } };

const KEEP_ITEMS = 64;
const KEEP_IDS = 32;
const MAX_EARLY = 64;

const PLAIN: Wanted = { say: null, outputs: [] };
/** The output of a call that is not carried out: the history stays well formed, and the model knows. */
const NOT_RUN = 'Not run: the answer ended before it was complete.';

export const newDialogue = (config: DialogueConfig): Dialogue => ({
  v: 1,
  phase: 'connecting',
  finishing: false,
  config,
  nextId: 1,
  nextUtterance: 1,
  early: [],
  active: null,
  requested: null,
  floor: 'open',
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

interface Draft {
  s: Dialogue;
  readonly out: DialogueOutput[];
}

/** What happens next. The given dialogue is not changed. */
export function stepDialogue(dialogue: Dialogue, input: DialogueInput): [Dialogue, DialogueOutput[]] {
  const d: Draft = { s: dialogue, out: [] };
  switch (input.kind) {
    case 'message':
      if (isRepeated(d, input.eventId)) notice(d, 'event_repeated');
      else receive(d, input.message);
      break;
    case 'request':
      ask(d, input.request);
      break;
    case 'noticed':
      notice(d, input.code);
      break;
    case 'finish':
      finish(d);
      break;
    case 'closed':
      lose(d, input.cause, input.detail);
      break;
    default:
      input satisfies never;
  }
  requestNext(d);
  return [d.s, d.out];
}

// --- what the server says

function receive(d: Draft, m: ServerMessage): void {
  if (d.s.phase === 'closed') return receiveLate(d, m);
  switch (m.type) {
    case 'session.created':
      if (d.s.phase !== 'connecting') return;
      set(d, { phase: 'configuring' });
      return send(d, { type: 'session.update', event_id: nextEventId(d), session: d.s.config.session });
    case 'session.updated':
      return configured(d, m);
    case 'speech_started':
      set(d, { floor: 'caller' });
      return emit(d, { type: 'speech.started', audioMs: m.audioMs });
    case 'speech_stopped':
      return emit(d, { type: 'speech.stopped', audioMs: m.audioMs });
    case 'committed':
      set(d, { floor: d.s.config.serverAnswers ? 'server' : 'open' });
      if (d.s.config.transcriptionModel !== '') set(d, { untranscribed: keep(d.s.untranscribed, m.itemId, KEEP_IDS) });
      return emit(d, { type: 'turn.committed', turn: m.itemId });
    case 'item_known':
      if (Object.values(d.s.calls).some((c) => c.outputId === m.itemId))
        set(d, { confirmed: keep(d.s.confirmed, m.itemId, KEEP_ITEMS) });
      return;
    case 'transcription_failed':
      return transcriptionOver(d, m.itemId);
    case 'transcribed':
      emit(d, { type: 'turn.transcribed', turn: m.itemId, text: m.text });
      return reportTranscription(d, m);
    case 'response.created':
      return responseCreated(d, m);
    case 'message_added':
      return messageAdded(d, m.responseId, m.itemId);
    case 'call_added':
      return callAdded(d, m.responseId, m.call);
    case 'audio':
      return audioArrived(d, m);
    case 'text': {
      const item = d.s.items.find((i) => i.itemId === m.itemId);
      if (isStopped(d, m.responseId) || !item) return;
      if (item.utterance === null) return openUtterance(d, item, m.text);
      return emit(d, { type: 'utterance.text', utterance: item.utterance, text: m.text });
    }
    case 'item_done':
      return finishItem(d, m.itemId);
    case 'response.done':
      return responseDone(d, m);
    case 'error':
      return errorArrived(d, m);
    default:
      m satisfies never;
  }
}

function configured(d: Draft, m: Extract<ServerMessage, { type: 'session.updated' }>): void {
  if (d.s.phase !== 'configuring') return;
  if (m.inputFormat !== 'audio/pcmu' || m.outputFormat !== 'audio/pcmu') {
    // Audio in another format would be noise in both directions; nothing of it must reach the caller.
    lose(d, 'refused', `session formats ${m.inputFormat} / ${m.outputFormat} instead of audio/pcmu`);
    d.out.push({ close: { detail: 'wrong audio format' } });
    return;
  }
  const { early } = d.s;
  set(d, { phase: 'ready', early: [] });
  emit(d, { type: 'session.ready' });
  for (const request of early) ask(d, request);
}

function responseCreated(d: Draft, m: Extract<ServerMessage, { type: 'response.created' }>): void {
  const { active, requested } = d.s;
  if (active?.responseId === m.responseId || d.s.closedResponses.includes(m.responseId)) {
    // It was taken as begun before; only now it says whose it is.
    if (requested !== null && m.tag === requested.eventId) set(d, { requested: null });
    return;
  }
  if (m.outOfBand) return set(d, { outOfBand: keep(d.s.outOfBand, m.responseId, KEEP_IDS) });
  if (active) closeResponse(d, active.responseId, 'incomplete', 'superseded', []);
  // Ours carries our event id as metadata; a server that does not repeat metadata answers in order.
  const ours = requested !== null && (m.tag === requested.eventId || (m.tag === null && d.s.floor === 'open'));
  if (ours) {
    set(d, { requested: null, active: { responseId: m.responseId, stopped: requested.stopped } });
    if (requested.stopped) send(d, { type: 'response.cancel', event_id: nextEventId(d), response_id: m.responseId });
    else emit(d, { type: 'answer.started', answer: m.responseId });
    return;
  }
  // The server's own answer speaks about every tool output that it had when it began.
  const queue = d.s.queue.filter((w) => w.outputs.length === 0 || !w.outputs.every((o) => d.s.confirmed.includes(o)));
  set(d, {
    active: { responseId: m.responseId, stopped: false },
    floor: d.s.floor === 'server' ? 'open' : d.s.floor,
    queue,
  });
  emit(d, { type: 'answer.started', answer: m.responseId });
}

/** Messages may come for a response we never saw begin (lost or reordered): it is taken as begun. */
function adopt(d: Draft, responseId: string): void {
  const { s } = d;
  if (s.active?.responseId === responseId || s.closedResponses.includes(responseId) || s.outOfBand.includes(responseId))
    return;
  responseCreated(d, { type: 'response.created', responseId, outOfBand: false, tag: null });
}

function messageAdded(d: Draft, responseId: string, itemId: string): void {
  adopt(d, responseId);
  if (d.s.outOfBand.includes(responseId) || d.s.closedResponses.includes(responseId)) return;
  if (d.s.cutItems.includes(itemId) || d.s.items.some((i) => i.itemId === itemId)) return;
  const item: Item = { itemId, responseId, utterance: null, bytes: 0, done: false };
  set(d, { items: [...d.s.items, item].slice(-KEEP_ITEMS) });
}

function callAdded(d: Draft, responseId: string, call: FunctionCall): void {
  adopt(d, responseId);
  if (d.s.outOfBand.includes(responseId) || call.callId in d.s.calls) return;
  set(d, { calls: { ...d.s.calls, [call.callId]: { responseId, open: true, outputId: null } } });
  if (d.s.closedResponses.includes(responseId)) sendOutput(d, call.callId, NOT_RUN);
}

function audioArrived(d: Draft, m: Extract<ServerMessage, { type: 'audio' }>): void {
  messageAdded(d, m.responseId, m.itemId);
  if (isStopped(d, m.responseId)) return notice(d, 'late_audio');
  const item = d.s.items.find((i) => i.itemId === m.itemId);
  if (!item || item.done) return notice(d, 'late_audio');
  if (item.utterance === null) openUtterance(d, item, null);
  const { utterance } = d.s.items.find((i) => i.itemId === m.itemId) as Item;
  changeItem(d, m.itemId, { bytes: item.bytes + m.chunk.bytes });
  emit(d, { type: 'utterance.audio', utterance: utterance as string, chunk: m.chunk });
}

function openUtterance(d: Draft, item: Item, text: string | null): void {
  const utterance = `u${d.s.nextUtterance}`;
  set(d, { nextUtterance: d.s.nextUtterance + 1 });
  changeItem(d, item.itemId, { utterance });
  emit(d, { type: 'utterance.started', utterance, answer: item.responseId });
  if (text !== null) emit(d, { type: 'utterance.text', utterance, text });
}

function finishItem(d: Draft, itemId: string): void {
  const item = d.s.items.find((i) => i.itemId === itemId);
  if (!item || item.done) return;
  changeItem(d, itemId, { done: true });
  if (item.utterance !== null && !isStopped(d, item.responseId))
    emit(d, { type: 'utterance.ended', utterance: item.utterance });
}

function responseDone(d: Draft, m: Extract<ServerMessage, { type: 'response.done' }>): void {
  const { responseId } = m;
  if (d.s.active === null && !m.outOfBand) adopt(d, responseId);
  reportUsage(d, m);
  const isActive = d.s.active?.responseId === responseId;
  if (!isActive && (m.outOfBand || d.s.outOfBand.includes(responseId))) return;
  // Superseded, repeated or stray: what it calls will not run.
  if (!isActive) set(d, { closedResponses: keep(d.s.closedResponses, responseId, KEEP_IDS) });
  for (const call of m.calls) callAdded(d, responseId, call);
  if (isActive) closeResponse(d, responseId, m.status, m.detail, m.calls);
}

/** A response is over: its items end, its calls run or get their output, the next response may be asked for. */
function closeResponse(
  d: Draft,
  responseId: string,
  status: AnswerStatus,
  detail: string,
  calls: readonly FunctionCall[],
): void {
  const stopped = isStopped(d, responseId);
  const runnable = status === 'completed' && !stopped ? calls.filter((c) => c.status !== 'incomplete') : [];
  const runs = new Map(runnable.map((c) => [c.callId, c]));
  const open = Object.keys(d.s.calls).filter((id) => d.s.calls[id]?.open && d.s.calls[id].responseId === responseId);
  // Each call gets an output, whatever happens: those that will not run get it now.
  const notRun = open.filter((callId) => !runs.has(callId)).map((callId) => sendOutput(d, callId, NOT_RUN));
  // Cut off by its own length, not by anybody: the model goes on from there.
  if (status === 'incomplete' && !stopped && notRun.length > 0 && runs.size === 0) want(d, { say: null, outputs: notRun });
  for (const item of d.s.items.filter((i) => i.responseId === responseId)) finishItem(d, item.itemId);
  for (const { callId, name, arguments: args } of runs.values())
    if (open.includes(callId))
      emit(d, { type: 'tool.called', toolCall: callId, name, arguments: args, answer: responseId });
  if (stopped) deleteUnheard(d, responseId);
  set(d, { closedResponses: keep(d.s.closedResponses, responseId, KEEP_IDS), active: null });
  emit(d, { type: 'answer.ended', answer: responseId, status: stopped ? 'cancelled' : status, detail });
}

/** Items of a stopped response that never reached the caller, some of which appear only after the stop. */
function deleteUnheard(d: Draft, responseId: string): void {
  const unheard = d.s.items.filter((i) => i.responseId === responseId && i.utterance === null);
  for (const item of unheard)
    send(d, { type: 'conversation.item.delete', event_id: nextEventId(d), item_id: item.itemId });
  set(d, { items: d.s.items.filter((i) => !unheard.includes(i)) });
}

function errorArrived(d: Draft, m: Extract<ServerMessage, { type: 'error' }>): void {
  const cause = d.s.sent.find((s) => s.eventId === m.eventId)?.type ?? null;
  if (d.s.phase === 'configuring' && (cause === 'session.update' || cause === null)) {
    lose(d, 'refused', m.code);
    d.out.push({ close: { detail: m.code } });
    return;
  }
  if (isSessionOver(m.code)) {
    lose(d, 'lost', m.code);
    d.out.push({ close: { detail: m.code } });
    return;
  }
  const benign = isBenign(m.code, m.detail);
  emit(d, { type: 'session.noticed', code: m.code, benign });
  const busy = m.code === 'conversation_already_has_active_response';
  const { requested, active, floor } = d.s;
  // Errors without an event id: while the server is to answer a turn and another response runs, its own create is what
  // failed; else the open request of ours, unless it is one of the refusals that have other causes.
  const serversOwn = busy && active !== null && floor === 'server';
  const isOurs = m.eventId === null ? !serversOwn && (busy || !benign) : requested?.eventId === m.eventId;
  const refused = isOurs ? requested : null;
  if (refused) set(d, { requested: null });
  if (busy && (refused || m.eventId === null)) return createRefused(d, refused);
  if (refused && !refused.stopped)
    emit(d, { type: 'answer.ended', answer: refused.eventId, status: 'failed', detail: m.code });
}

/** Another response runs: ours comes after it; a refused answer of the server's own to a caller turn (null) becomes ours. */
function createRefused(d: Draft, refused: Dialogue['requested']): void {
  if (!refused?.stopped) {
    const wanted = refused?.wanted ?? PLAIN;
    const [first, ...rest] = d.s.queue;
    set(d, { queue: first ? [...joined(wanted, first), ...rest] : [wanted] });
  }
  const { active, floor } = d.s;
  // Without an active one its response.created is still on its way to us: nothing of ours before it.
  if (active === null && floor === 'open') set(d, { floor: 'server' });
  if (active !== null && floor === 'server' && !refused) set(d, { floor: 'open' });
}

function lose(d: Draft, cause: 'unreachable' | 'refused' | 'lost', detail: string): void {
  if (d.s.phase === 'closed') return;
  set(d, { phase: 'closed', queue: [], requested: null, early: [] });
  emit(d, { type: 'session.closed', cause, detail });
}

// --- after the end

/** Only usage still counts: of an answer that was cancelled by the end, of a transcription under way. */
function receiveLate(d: Draft, m: ServerMessage): void {
  if (m.type === 'transcribed') {
    emit(d, { type: 'turn.transcribed', turn: m.itemId, text: m.text });
    reportTranscription(d, m);
  } else if (m.type === 'transcription_failed') transcriptionOver(d, m.itemId);
  else if (m.type === 'response.created' && d.s.requested) stopLate(d, m.responseId);
  else if (m.type === 'response.done') {
    reportUsage(d, m);
    if (d.s.active?.responseId === m.responseId) set(d, { active: null });
  } else return;
  closeIfSettled(d);
}

/** Asked for before the end, begun after it. */
function stopLate(d: Draft, responseId: string): void {
  set(d, { requested: null, active: { responseId, stopped: true } });
  send(d, { type: 'response.cancel', event_id: nextEventId(d), response_id: responseId });
}

function finish(d: Draft): void {
  const { phase, active } = d.s;
  if (phase === 'closed') return;
  set(d, { phase: 'closed', finishing: true, queue: [], early: [] });
  if (active && !active.stopped)
    send(d, { type: 'response.cancel', event_id: nextEventId(d), response_id: active.responseId });
  closeIfSettled(d);
}

/** With nothing left to be billed, nothing is waited for. */
function closeIfSettled(d: Draft): void {
  if (!d.s.finishing || d.s.active || d.s.requested || d.s.untranscribed.length > 0) return;
  set(d, { finishing: false });
  d.out.push({ close: { detail: 'finished' } });
}

// --- what the call asks

function ask(d: Draft, request: RealtimeRequest): void {
  if (d.s.phase === 'closed') return;
  if (d.s.phase !== 'ready') return set(d, { early: [...d.s.early, request].slice(-MAX_EARLY) });
  switch (request.do) {
    case 'session.speak':
      return want(d, { say: request.say, outputs: [] });
    case 'session.interrupt':
      return interrupt(d, request.because, request.heard);
    case 'session.settle_tool':
      return settleTool(d, request.toolCall, request.output, request.quietly);
    case 'session.tell':
      return send(d, {
        type: 'conversation.item.create',
        event_id: nextEventId(d),
        item: conversationItem(request.role, request.text),
      });
    case 'session.commit':
      return send(d, { type: 'input_audio_buffer.commit', event_id: nextEventId(d) });
    default:
      request satisfies never;
  }
}

function want(d: Draft, wanted: Wanted): void {
  const last = d.s.queue.at(-1);
  const queue = last ? [...d.s.queue.slice(0, -1), ...joined(last, wanted)] : [wanted];
  set(d, { queue: queue.slice(-MAX_EARLY) });
}

/** Plain answers that wait together are one answer. */
const joined = (a: Wanted, b: Wanted): Wanted[] =>
  a.say === null && b.say === null ? [{ say: null, outputs: [...a.outputs, ...b.outputs] }] : [a, b];

/** Sends the next wanted response if none runs, none is asked for and the server is not about to begin one. */
function requestNext(d: Draft): void {
  const { phase, active, requested, floor, queue } = d.s;
  const [wanted, ...rest] = queue;
  if (phase !== 'ready' || active || requested || floor !== 'open' || !wanted) return;
  const eventId = nextEventId(d);
  set(d, { queue: rest, requested: { eventId, wanted, stopped: false } });
  const steer = wanted.say === null ? {} : { instructions: wanted.say, tool_choice: 'none' };
  send(d, { type: 'response.create', event_id: eventId, response: { ...steer, metadata: { trunkline: eventId } } });
}

/**
 * Stop answering. Cancel only what runs and only if the server has not done it by itself; then each utterance that was
 * not fully heard is cut where the caller stopped hearing it, or deleted where nothing was heard.
 */
function interrupt(d: Draft, because: 'caller_spoke' | 'our_decision', heard: readonly HeardUtterance[]): void {
  const { active, requested } = d.s;
  const serverDoesIt = d.s.config.serverInterrupts && because === 'caller_spoke';
  if (active && !active.stopped) {
    set(d, { active: { ...active, stopped: true } });
    if (!serverDoesIt) send(d, { type: 'response.cancel', event_id: nextEventId(d), response_id: active.responseId });
  }
  // Asked for but not begun: it is cancelled as soon as it has an id. Steered answers that still wait are void;
  // tool outputs are still to be spoken about.
  const owed = requested && !requested.stopped ? requested.wanted.outputs : [];
  if (requested) set(d, { requested: { ...requested, stopped: true } });
  const outputs = [...owed, ...d.s.queue.flatMap((w) => w.outputs)];
  set(d, { queue: outputs.length > 0 ? [{ say: null, outputs }] : [] });
  for (const { utterance, heardMs } of heard) cut(d, utterance, heardMs);
}

function cut(d: Draft, utterance: string, heardMs: number): void {
  const item = d.s.items.find((i) => i.utterance === utterance);
  if (!item) return;
  set(d, { items: d.s.items.filter((i) => i !== item), cutItems: keep(d.s.cutItems, item.itemId, KEEP_IDS) });
  const audioEndMs = Math.min(Math.floor(heardMs), Math.floor(bytesToMs(item.bytes)));
  // "Only model output audio messages can be truncated", and truncating at 0 keeps an empty item: delete instead.
  if (audioEndMs <= 0) send(d, { type: 'conversation.item.delete', event_id: nextEventId(d), item_id: item.itemId });
  else
    send(d, {
      type: 'conversation.item.truncate',
      event_id: nextEventId(d),
      item_id: item.itemId,
      content_index: 0,
      audio_end_ms: audioEndMs,
    });
}

function settleTool(d: Draft, callId: string, output: string, quietly: boolean): void {
  const call = d.s.calls[callId];
  if (!call?.open) return;
  const outputId = sendOutput(d, callId, output);
  if (quietly) return;
  const siblings = Object.values(d.s.calls).filter((c) => c.responseId === call.responseId);
  if (siblings.some((c) => c.open)) return;
  const outputs = siblings.map((c) => c.outputId ?? outputId);
  want(d, { say: null, outputs });
}

function sendOutput(d: Draft, callId: string, output: string): string {
  const call = d.s.calls[callId] as { responseId: string };
  const outputId = `item_out_${d.s.nextId}`;
  const others = Object.entries(d.s.calls).filter(([id, c]) => id !== callId || c.open);
  const settled = others.filter(([, c]) => !c.open).slice(-KEEP_ITEMS);
  const calls = [...settled, ...others.filter(([, c]) => c.open && c !== call)];
  set(d, { calls: { ...Object.fromEntries(calls), [callId]: { responseId: call.responseId, open: false, outputId } } });
  send(d, {
    type: 'conversation.item.create',
    event_id: nextEventId(d),
    item: { id: outputId, type: 'function_call_output', call_id: callId, output },
  });
  return outputId;
}

// --- small change

function reportUsage(d: Draft, m: Extract<ServerMessage, { type: 'response.done' }>): void {
  if (!m.usage || d.s.billed.includes(m.responseId)) return;
  set(d, { billed: keep(d.s.billed, m.responseId, KEEP_IDS) });
  emit(d, {
    type: 'usage.reported',
    usage: { source: m.responseId, what: 'answer', model: d.s.config.model, unit: 'tokens', ...m.usage },
  });
}

function reportTranscription(d: Draft, m: Extract<ServerMessage, { type: 'transcribed' }>): void {
  transcriptionOver(d, m.itemId);
  if (!m.usage) return;
  const facts = { source: m.itemId, what: 'transcription', model: d.s.config.transcriptionModel } as const;
  emit(d, {
    type: 'usage.reported',
    usage:
      'seconds' in m.usage
        ? { ...facts, unit: 'seconds', seconds: m.usage.seconds }
        : { ...facts, unit: 'tokens', ...m.usage },
  });
}

const transcriptionOver = (d: Draft, itemId: string): void =>
  set(d, { untranscribed: d.s.untranscribed.filter((id) => id !== itemId) });

function isRepeated(d: Draft, eventId: string | null): boolean {
  if (eventId === null) return false;
  if (d.s.recentEventIds.includes(eventId)) return true;
  set(d, { recentEventIds: keep(d.s.recentEventIds, eventId, KEEP_IDS) });
  return false;
}

const isStopped = (d: Draft, responseId: string): boolean =>
  d.s.closedResponses.includes(responseId) ||
  d.s.outOfBand.includes(responseId) ||
  (d.s.active?.responseId === responseId && d.s.active.stopped);

const keep = (list: readonly string[], id: string, most: number): string[] => [...list.slice(1 - most), id];

function set(d: Draft, part: Partial<Dialogue>): void {
  d.s = { ...d.s, ...part };
}

const changeItem = (d: Draft, itemId: string, part: Partial<Item>): void =>
  set(d, { items: d.s.items.map((i) => (i.itemId === itemId ? { ...i, ...part } : i)) });

function nextEventId(d: Draft): string {
  const id = `tl_${d.s.nextId}`;
  set(d, { nextId: d.s.nextId + 1 });
  return id;
}

function send(d: Draft, message: ClientMessage): void {
  set(d, { sent: [...d.s.sent.slice(1 - KEEP_IDS), { eventId: message.event_id, type: message.type }] });
  d.out.push({ send: message });
}

const emit = (d: Draft, event: RealtimeEvent): void => void d.out.push({ emit: event });
const notice = (d: Draft, code: string): void => emit(d, { type: 'session.noticed', code, benign: true });
