// What is billed: the usage of answers and transcriptions, each once, also what comes after the call's end. Pure.
import { type Draft, emit, keep, KEEP_IDS, nextEventId, send, set } from './dialogue-state.ts';
import type { ServerMessage } from './messages.ts';

/** Usage of an answer, once, whatever its status: cancelled ones are billed too. */
export function reportUsage(d: Draft, m: Extract<ServerMessage, { type: 'response.done' }>): void {
  if (!m.usage || d.s.billed.includes(m.responseId)) return;
  set(d, { billed: keep(d.s.billed, m.responseId, KEEP_IDS) });
  const doubt = isKnown(d, m) ? {} : ({ doubt: 'unknown_answer' } as const);
  emit(d, {
    type: 'usage.reported',
    usage: { source: m.responseId, what: 'answer', model: d.s.config.model, unit: 'tokens', ...doubt, ...m.usage },
  });
}

/** Whether it was ever seen to begin, or runs beside the conversation. */
const isKnown = ({ s }: Draft, { responseId, outOfBand }: Extract<ServerMessage, { type: 'response.done' }>): boolean =>
  outOfBand ||
  s.active?.responseId === responseId ||
  s.closedResponses.includes(responseId) ||
  s.outOfBand.includes(responseId);

/** Usage of a caller turn's transcription: tokens or seconds, as its model reports. */
export function reportTranscription(d: Draft, m: Extract<ServerMessage, { type: 'transcribed' }>): void {
  transcriptionOver(d, m.itemId);
  if (!m.usage) return;
  const facts = { source: m.itemId, what: 'transcription', model: d.s.config.transcriptionModel } as const;
  emit(d, {
    type: 'usage.reported',
    usage: 'seconds' in m.usage ? { ...facts, unit: 'seconds', ...m.usage } : { ...facts, unit: 'tokens', ...m.usage },
  });
}

/** Nothing more will be billed for this turn. */
export const transcriptionOver = (d: Draft, itemId: string): void =>
  set(d, { untranscribed: d.s.untranscribed.filter((id) => id !== itemId) });

/** The call is over: what runs is cancelled, and its usage waited for. */
export function finish(d: Draft): void {
  const { phase, active } = d.s;
  if (phase === 'closed') return;
  set(d, { phase: 'closed', finishing: true, queue: [], early: [] });
  if (active && !active.stopped)
    send(d, { type: 'response.cancel', event_id: nextEventId(d), response_id: active.responseId });
  closeIfSettled(d);
}

/** Only usage still counts: of an answer that was cancelled by the end, of a transcription under way. */
export function receiveLate(d: Draft, m: ServerMessage): void {
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

/** With nothing left to be billed, nothing is waited for. */
function closeIfSettled(d: Draft): void {
  if (!d.s.finishing || d.s.active || d.s.requested || d.s.untranscribed.length > 0) return;
  set(d, { finishing: false });
  d.out.push({ close: { detail: 'finished' } });
}
