// The sequencer of responses: one active response in the default conversation, ours asked for one after the other and only
// when it is our move, the server's own expected after a caller turn. Pure.
import type { AnswerStatus } from '../session.ts';
import { reportUsage } from './billing.ts';
import { isFinal } from './error-codes.ts';
import {
  type Dialogue,
  type Draft,
  emit,
  isStopped,
  keep,
  KEEP_IDS,
  nextEventId,
  send,
  set,
  type Wanted,
} from './dialogue-state.ts';
import type { FunctionCall, ServerMessage } from './messages.ts';
import { deleteUnheard, finishItem } from './speech.ts';
import { isSummary, summaryDone } from './summary.ts';
import { callAdded, NOT_RUN, sendOutput } from './tool-calls.ts';
import { joined, want } from './wanted.ts';

const PLAIN: Wanted = { say: null, outputs: [] };

/** Sends the next wanted response if none runs, none is asked for and the server is not about to begin one. */
export function requestNext(d: Draft): void {
  const { phase, active, requested, floor, queue, answersHeld } = d.s;
  const wanted = answersHeld ? queue.find(({ say, allowed }) => say !== null || allowed) : queue[0];
  if (phase !== 'ready' || active || requested || floor !== 'open' || !wanted) return;
  const eventId = nextEventId(d);
  set(d, { queue: queue.filter((w) => w !== wanted), requested: { eventId, wanted, stopped: false } });
  const steer = wanted.say === null ? {} : { instructions: wanted.say, tool_choice: 'none' };
  send(d, { type: 'response.create', event_id: eventId, response: { ...steer, metadata: { trunkline: eventId } } });
}

/** A response begins: ours, the server's own, or one out of band. */
export function responseCreated(d: Draft, m: Extract<ServerMessage, { type: 'response.created' }>): void {
  const { active, requested } = d.s;
  if (active?.responseId === m.responseId || d.s.closedResponses.includes(m.responseId)) {
    // It was taken as begun before; only now it says whose it is.
    if (requested !== null && m.tag === requested.eventId) set(d, { requested: null });
    return;
  }
  if (m.outOfBand || isSummary(d, m.tag)) return set(d, { outOfBand: keep(d.s.outOfBand, m.responseId, KEEP_IDS) });
  if (active) closeResponse(d, active.responseId, 'incomplete', 'superseded', []);
  // Ours carries our event id as metadata; a server that does not repeat metadata answers in order.
  const ours =
    requested !== null && (m.tag === requested.eventId || (m.tag === null && !d.s.echoes && d.s.floor === 'open'));
  if (ours) {
    set(d, {
      requested: null,
      echoes: d.s.echoes || m.tag !== null,
      active: { responseId: m.responseId, stopped: requested.stopped },
    });
    if (requested.stopped) send(d, { type: 'response.cancel', event_id: nextEventId(d), response_id: m.responseId });
    else emit(d, { type: 'answer.started', answer: m.responseId });
    return;
  }
  if (d.s.lastWords) {
    set(d, { active: { responseId: m.responseId, stopped: true } });
    send(d, { type: 'response.cancel', event_id: nextEventId(d), response_id: m.responseId });
    return;
  }
  // The server's own answer speaks about every tool output that it had when it began.
  const isAnswered = ({ say, outputs }: Wanted): boolean =>
    // While answers are held, one that the server began just before is the answer to the turn that waits.
    (d.s.answersHeld && say === null && outputs.length === 0) ||
    (outputs.length > 0 && outputs.every((o) => d.s.confirmed.includes(o)));
  const queue = d.s.queue.filter((w) => !isAnswered(w));
  set(d, {
    active: { responseId: m.responseId, stopped: false },
    floor: d.s.floor === 'server' ? 'open' : d.s.floor,
    backchannel: false,
    queue,
  });
  emit(d, { type: 'answer.started', answer: m.responseId });
}

/** Messages may come for a response we never saw begin (lost or reordered): it is taken as begun. */
export function adopt(d: Draft, responseId: string): void {
  const { s } = d;
  if (s.active?.responseId === responseId || s.closedResponses.includes(responseId) || s.outOfBand.includes(responseId))
    return;
  responseCreated(d, { type: 'response.created', responseId, outOfBand: false, tag: null });
}

/** A response is over: its usage is reported, its calls run, the next may be asked for. */
export function responseDone(d: Draft, m: Extract<ServerMessage, { type: 'response.done' }>): void {
  const { responseId } = m;
  if (d.s.active === null && !m.outOfBand && !isSummary(d, m.tag)) adopt(d, responseId);
  reportUsage(d, m);
  if (isSummary(d, m.tag)) summaryDone(d, m.status === 'completed' ? m.text : null);
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
  if (status === 'incomplete' && !stopped && notRun.length > 0 && runs.size === 0)
    want(d, { say: null, outputs: notRun });
  for (const item of d.s.items.filter((i) => i.responseId === responseId)) finishItem(d, item.itemId);
  for (const { callId, name, arguments: args } of runs.values())
    if (open.includes(callId))
      emit(d, { type: 'tool.called', toolCall: callId, name, arguments: args, answer: responseId });
  if (stopped) deleteUnheard(d, responseId);
  set(d, { closedResponses: keep(d.s.closedResponses, responseId, KEEP_IDS), active: null });
  const fatal = status === 'failed' && isFinal(detail) ? { fatal: true as const } : {};
  emit(d, { type: 'answer.ended', answer: responseId, status: stopped ? 'cancelled' : status, detail, ...fatal });
}

/** Another response runs: ours comes after it; a refused answer of the server's own to a caller turn (null) becomes ours. */
export function createRefused(d: Draft, refused: Dialogue['requested']): void {
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
