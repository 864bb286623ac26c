// The model side's own machine: items, responses, and the races of response.create, cancel, truncate and delete. Pure:
// stepDialogue(dialogue, input) -> [dialogue, outputs], state is plain JSON.
//
// It is the one sequencer of responses: one active response in the default conversation, ours deferred until it is done,
// the server's own (after a caller turn) expected. Who interrupts and who answers turns is data (`config`).
import type { HeardUtterance, RealtimeRequest, SessionLossCause } from '../session.ts';
import { finish, receiveLate, reportTranscription, transcriptionOver } from './billing.ts';
import { allowAnswer, holdAnswers, lastWords } from './answering.ts';
import {
  type Dialogue,
  type DialogueInput,
  type DialogueOutput,
  type Draft,
  emit,
  keep,
  KEEP_IDS,
  KEEP_ITEMS,
  nextEventId,
  notice,
  send,
  set,
} from './dialogue-state.ts';
import { isBenign, isFinal, isSessionOver } from './error-codes.ts';
import { conversationItem } from './items.ts';
import { recall } from './recall.ts';
import type { ServerMessage } from './messages.ts';
import { adopt, createRefused, requestNext, responseCreated, responseDone } from './responses.ts';
import { audioArrived, cut, finishItem, messageAdded, textArrived } from './speech.ts';
import { summarise, summaryDone } from './summary.ts';
import { callAdded, settleTool } from './tool-calls.ts';
import { want } from './wanted.ts';

/** Requests that wait for the session to be ready. */
const MAX_EARLY = 64;

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
    case 'delayed':
      emit(d, { type: 'session.delayed', cause: input.cause, detail: input.detail });
      break;
    case 'closed':
      lose(d, input.cause, input.detail, input.fatal, input.deafMs);
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
      if (!d.s.lastWords) set(d, { floor: 'caller' });
      return emit(d, { type: 'speech.started', audioMs: m.audioMs });
    case 'speech_stopped':
      return emit(d, { type: 'speech.stopped', audioMs: m.audioMs });
    case 'committed':
      turnEnds(d);
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
      adopt(d, m.responseId);
      return messageAdded(d, m.responseId, m.itemId);
    case 'call_added':
      adopt(d, m.responseId);
      return callAdded(d, m.responseId, m.call);
    case 'audio':
      adopt(d, m.responseId);
      return audioArrived(d, m);
    case 'text':
      return textArrived(d, m);
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
    lose(d, 'refused', `session formats ${m.inputFormat} / ${m.outputFormat} instead of audio/pcmu`, true);
    d.out.push({ close: { detail: 'wrong audio format' } });
    return;
  }
  const { early } = d.s;
  set(d, { phase: 'ready', early: [] });
  emit(d, { type: 'session.ready' });
  for (const request of early) ask(d, request);
}

function errorArrived(d: Draft, m: Extract<ServerMessage, { type: 'error' }>): void {
  const cause = d.s.sent.find((s) => s.eventId === m.eventId)?.type ?? null;
  if (d.s.phase === 'configuring' && (cause === 'session.update' || cause === null)) {
    lose(d, 'refused', m.code, true);
    d.out.push({ close: { detail: m.code } });
    return;
  }
  if (isSessionOver(m.code)) {
    lose(d, 'lost', m.code, isFinal(m.code));
    d.out.push({ close: { detail: m.code } });
    return;
  }
  const benign = isBenign(m.code, m.detail);
  emit(d, { type: 'session.noticed', code: m.code, benign });
  if (m.eventId !== null && m.eventId === d.s.summary) return summaryDone(d, null);
  const busy = m.code === 'conversation_already_has_active_response';
  const { requested, active, floor } = d.s;
  // Errors without an event id: while the server is to answer a turn and another response runs, its own create is what
  // failed; else the open request of ours, unless it is one of the refusals that have other causes.
  const serversOwn = busy && active !== null && floor === 'server';
  const isOurs = m.eventId === null ? !serversOwn && (busy || !benign) : requested?.eventId === m.eventId;
  const refused = isOurs ? requested : null;
  if (refused) set(d, { requested: null });
  if (busy && !refused && d.s.backchannel) return set(d, { backchannel: false });
  if (busy && (refused || m.eventId === null)) return createRefused(d, refused);
  if (refused && !refused.stopped)
    emit(d, { type: 'answer.ended', answer: refused.eventId, status: 'failed', detail: m.code });
}

function lose(d: Draft, cause: SessionLossCause, detail: string, fatal: boolean, deafMs = 0): void {
  if (d.s.phase === 'closed') return;
  set(d, { phase: 'closed', queue: [], requested: null, early: [] });
  emit(d, { type: 'session.closed', cause, detail, fatal, ...(deafMs > 0 ? { deafMs } : {}) });
}

// --- what the call asks

function ask(d: Draft, request: RealtimeRequest): void {
  if (d.s.phase === 'closed') return;
  if (d.s.phase !== 'ready') {
    if (d.s.early.length >= MAX_EARLY) notice(d, 'request_dropped');
    return set(d, { early: [...d.s.early, request].slice(-MAX_EARLY) });
  }
  switch (request.do) {
    case 'session.speak':
      return want(d, { say: request.say, outputs: [] });
    case 'session.interrupt':
      return interrupt(d, request.because, request.heard);
    case 'session.last_words':
      return lastWords(d, request.say);
    case 'session.settle_tool':
      return settleTool(d, request.toolCall, request.output, request.quietly);
    case 'session.recall':
      return recall(d, request.history, request.note);
    case 'session.tell':
      return send(d, {
        type: 'conversation.item.create',
        event_id: nextEventId(d),
        item: conversationItem(request.role, request.text),
      });
    case 'session.summarise':
      return summarise(d, request.ask);
    case 'session.commit':
      return send(d, { type: 'input_audio_buffer.commit', event_id: nextEventId(d) });
    case 'session.hold_answers':
      return holdAnswers(d);
    case 'session.allow_answer':
      return allowAnswer(d);
    default:
      request satisfies never;
  }
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

function isRepeated(d: Draft, eventId: string | null): boolean {
  if (eventId === null) return false;
  if (d.s.recentEventIds.includes(eventId)) return true;
  set(d, { recentEventIds: keep(d.s.recentEventIds, eventId, KEEP_IDS) });
  return false;
}

/** Whose move it is after the caller's turn. */
function turnEnds(d: Draft): void {
  const { active, config, answersHeld } = d.s;
  const backchannel = config.serverAnswers && !config.serverInterrupts && active !== null && !active.stopped;
  const server = config.serverAnswers && !backchannel && !d.s.lastWords;
  set(d, { floor: server && !answersHeld ? 'server' : 'open', backchannel });
  // What the server would have answered by itself is ours to ask for, when it may be.
  if (server && answersHeld) want(d, { say: null, outputs: [] });
}
