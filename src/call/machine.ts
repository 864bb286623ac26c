// The call core: step(state, event) -> [state, effects]. No clock, no socket, no logger; equal events give equal effects.
// This file only says which rule answers which event; the rules stand in hearing, speaking, turns, ending and timers.
import { assertNever } from './assert-never.ts';
import { collectingOver, takeKey } from './collecting.ts';
import { keyTaken, turnTaken, wordsKnown } from './consent.ts';
import { budgetChanged, keepToBudget } from './budget.ts';
import { cause, change, changeTurn, type Draft, isConnected } from './draft.ts';
import type { CallEffect } from './effect.ts';
import { apologise, endIfHeard, endIfOverdue, endWithLeg, hangUp, wrapUp } from './ending.ts';
import type { CallEvent, Origin, ShellEvent, TimerName } from './event.ts';
import { guardSpeech } from './guardrails.ts';
import { fillStall, hear, noteTone, silentHearing } from './hearing.ts';
import { understood, worded } from './history.ts';
import { keyPressed, tellKeys } from './keypad.ts';
import { carryOut, ordered, retell } from './orders.ts';
import { GREETING_CLIP } from './policy.ts';
import * as recovery from './recovery.ts';
import { isLateOrder, loseLeg, resumeOverdue, takeBack } from './resume.ts';
import { rollOver, spareReports } from './rollover.ts';
import { beginUtterance, endUtterance, playClip, pump, reachMark, receiveAudio } from './speaking.ts';
import type { CallState } from './state.ts';
import { armTimers, disarm, isDue } from './timers.ts';
import * as tooling from './tooling.ts';
import * as transfer from './transfer.ts';
import * as turns from './turns.ts';

const NO_EFFECTS: CallEffect[] = [];

/** What happens next. The given state is not changed. */
export function step(state: CallState, event: CallEvent): [CallState, CallEffect[]] {
  if (state.phase === 'ended') return afterTheEnd(state, event);
  const d: Draft = { state, atMs: event.atMs, effects: [] };
  const { on } = state;
  if (!isCurrent(event, on)) {
    if (!reactToOther(d, event)) return [state, [{ do: 'note.ignored', what: 'stale_origin', on }]];
  } else if (event.type === 'leg.audio') {
    // The frame path: nothing else changes, no timer moves.
    if (isConnected(d)) hear(d, event);
    return [d.state, d.effects];
  } else react(d, event);
  // The turn that just ended is about to be answered.
  if (isLive(d) && event.type !== 'speech.stopped') carryOut(d);
  if (isLive(d)) keepToBudget(d, state);
  if (isLive(d)) transfer.sendOn(d);
  if (isLive(d)) endIfHeard(d);
  if (isLive(d)) armTimers(d);
  return [d.state, d.effects];
}

const isLive = (d: Draft<CallState>): d is Draft => d.state.phase !== 'ended';

type SessionEvent = Exclude<CallEvent, { type: `leg.${string}` | ShellEvent['type'] }>;

const SHELL_EVENTS: Readonly<Record<ShellEvent['type'], true>> = {
  'call.admitted': true,
  'call.asked_to_end': true,
  'operator.whispered': true,
  'operator.said': true,
  'operator.transfers': true,
  'timer.fired': true,
  'tool.settled': true,
  'budget.changed': true,
  'person.moved': true,
  'person.hears': true,
  'person.took': true,
  'person.missed': true,
};

const isOfSession = (event: CallEvent): event is SessionEvent =>
  !event.type.startsWith('leg.') && !Object.hasOwn(SHELL_EVENTS, event.type);

/** What comes from a leg or session that does not count any more is void; what the shell reports belongs to the call. */
function isCurrent(event: CallEvent, on: Origin): boolean {
  if (event.on === on) return true;
  if (event.on.epoch !== on.epoch) return false;
  if (event.type.startsWith('leg.')) return event.on.leg === on.leg;
  return !isOfSession(event) || event.on.session === on.session;
}

/** What comes from another leg or session than the present ones; false: it is void. */
function reactToOther(d: Draft, event: CallEvent): boolean {
  const { spare } = d.state;
  if (event.type === 'leg.started' && isConnected(d)) takeBack(d, event.on.leg);
  else if (spare !== null && isOfSession(event) && event.on.session === spare.session) spareReports(d, event);
  else if (!isStillWanted(event)) return false;
  else if (event.type === 'turn.transcribed') wordsArrived(d, event.turn, event.text);
  else cause(d, { do: 'ledger.charge', usage: event.usage });
  return true;
}

/** Also of a session that was replaced: what it cost, and the words that it understood. */
const isStillWanted = (
  event: CallEvent,
): event is Extract<CallEvent, { type: 'usage.reported' | 'turn.transcribed' }> =>
  event.type === 'usage.reported' || event.type === 'turn.transcribed';

/** Only late usage is still billed. */
function afterTheEnd(state: CallState, event: CallEvent): [CallState, CallEffect[]] {
  if (event.type !== 'usage.reported') return [state, NO_EFFECTS];
  return [state, [{ do: 'ledger.charge', usage: event.usage, on: state.on }]];
}

function react(d: Draft, event: Exclude<CallEvent, { type: 'leg.audio' }>): void {
  switch (event.type) {
    case 'leg.started':
      return startMedia(d);
    case 'leg.mark_settled':
      // A dropped mark says nothing: what a clear overtook was settled when the clear was sent.
      return event.outcome === 'played' ? reachMark(d, event.mark) : undefined;
    case 'leg.digit_pressed':
      if (!isConnected(d)) return;
      noteTone(d);
      if (takeKey(d, event.digit)) return;
      keyTaken(d, event.digit);
      keyPressed(d, event.digit);
      return tooling.consentMoved(d);
    case 'leg.closed':
      // A hand-over, not a hang-up: unless the carrier says that the call is over.
      if (transfer.isSentOn(d.state) && event.cause !== 'caller_hung_up') return transfer.callerMoved(d);
      // The person was missed before the media was over: the caller is on the way back.
      if (isConnected(d) && d.state.away?.cause === 'moved' && event.cause !== 'caller_hung_up') return;
      if (event.cause === 'socket_lost' || event.cause === 'stopped_reading')
        return loseLeg(d, { ...event, cause: event.cause });
      if (isLateOrder(d, event.cause))
        return loseLeg(d, { cause: 'socket_lost', detail: 'taken out by an order of ours that came late' });
      return endWithLeg(d, event.cause, event.detail);

    case 'session.ready':
      return d.state.session === 'opening' ? sessionReady(d) : undefined;
    case 'session.delayed':
      return recovery.noteDelay(d, `model_${event.cause}`, event.detail);
    case 'session.closed':
      if (d.state.session === 'gone') return;
      return recovery.loseSession(d, `model_${event.cause}`, event.detail, event.fatal, event.deafMs);
    case 'speech.started':
      return turns.callerBegins(d);
    case 'speech.stopped':
      return turns.callerStops(d);
    case 'turn.committed':
      turns.callerTurnEnds(d, event.turn);
      return turnTaken(d, event.turn);
    case 'answer.started':
      return turns.answerBegins(d, event);
    case 'utterance.started':
      beginUtterance(d, event.utterance, event.answer, isProtected(d));
      return change(d, { greeted: true });
    case 'utterance.audio':
      turns.answerSounds(d);
      return receiveAudio(d, event.utterance, event.chunk);
    case 'utterance.ended':
      return endUtterance(d, event.utterance);
    case 'answer.ended':
      return turns.answerEnds(d, event);
    case 'tool.called':
      return tooling.toolCalled(d, event);
    case 'usage.reported':
      return cause(d, { do: 'ledger.charge', usage: event.usage });
    case 'call.admitted':
      // Arms the first timers.
      return;
    case 'turn.transcribed':
      return wordsArrived(d, event.turn, event.text);
    case 'utterance.text':
      worded(d, event.utterance, event.text);
      return guardSpeech(d, event.utterance);
    case 'summary.ready':
      return transfer.summaryReady(d, event.text);
    case 'session.noticed':
      // For onlookers only.
      return;

    case 'tool.settled':
      return tooling.toolSettled(d, event.toolCall, event.status, event.output);
    case 'person.moved':
      return transfer.callerMoved(d);
    case 'person.hears':
      return transfer.personHears(d);
    case 'person.took':
      return transfer.personTook(d);
    case 'person.missed':
      return transfer.personMissed(d, event.because, event.detail);
    case 'budget.changed':
      return budgetChanged(d, event);
    case 'call.asked_to_end':
      return event.reason === 'operator_ended' ? hangUp(d) : wrapUp(d, event.reason);
    case 'operator.whispered':
    case 'operator.said':
    case 'operator.transfers':
      return ordered(d, event);
    case 'timer.fired':
      return timerFired(d, event.timer);
    default:
      return assertNever(event);
  }
}

/** Words of the caller are known. */
function wordsArrived(d: Draft, turn: string, text: string): void {
  understood(d, turn, text);
  wordsKnown(d, turn, text);
  tooling.consentMoved(d);
}

/** The model's first utterance of a protected greeting cannot be interrupted; nothing else of the model's is protected. */
const isProtected = (d: Draft): boolean =>
  d.state.policy.greeting?.by === 'model' && d.state.policy.greeting.protected && !d.state.greeted;

/** The session can be spoken to: it opens the conversation, or takes it over. */
function sessionReady(d: Draft): void {
  if (d.state.phase === 'leaving') return change(d, { session: 'ready' });
  if (d.state.sessions === 1 || d.state.history.length === 0) {
    retell(d);
    return turns.openConversation(d);
  }
  recovery.resumeConversation(d);
}

/** The carrier's media starts: what waits on the shelf leaves at once, or the recorded greeting does. */
function startMedia(d: Draft): void {
  if (d.state.phase !== 'awaiting_media') return;
  const { failed, ...rest } = d.state;
  d.state = { ...rest, phase: 'talking', startedAtMs: d.atMs, away: null, hearing: silentHearing(d.atMs) };
  if (!isConnected(d)) return;
  changeTurn(d, { lastActivityMs: d.atMs, lastSignMs: d.atMs });
  // The caller waits from now; what was tried before is not held against the model.
  if (d.state.session === 'opening') change(d, { sessionSinceMs: d.atMs, trouble: null });
  if (failed) return apologise(d, failed);
  const { greeting } = d.state.policy;
  if (greeting?.by === 'clip') playClip(d, GREETING_CLIP, greeting.bytes, greeting.protected);
  // Whatever the model owes, the caller waits for it from now.
  if (d.state.session === 'opening' || d.state.turn.owedSinceMs !== null) changeTurn(d, { owedSinceMs: d.atMs });
  pump(d);
}

function timerFired(d: Draft, timer: TimerName): void {
  const due = isDue(d, timer);
  disarm(d, timer);
  if (!due) return;
  switch (timer) {
    case 'media':
      return endWithLeg(d, 'never_started', 'no media in time');
    case 'pace':
      return pump(d);
    case 'stall':
      return recovery.loseSession(d, 'model_stalled', 'no sound in time', false);
    case 'filler':
      return recovery.askForMoment(d);
    case 'recovery':
      return recovery.recoveryOver(d);
    case 'resume':
      return isConnected(d) ? resumeOverdue(d) : undefined;
    case 'rollover':
      return rollOver(d);
    case 'silence':
      return isConnected(d) ? turns.breakSilence(d) : undefined;
    case 'farewell':
      return endIfOverdue(d);
    case 'duration':
      return wrapUp(d, 'max_duration');
    case 'keypad':
      return d.state.collecting === null ? tellKeys(d) : collectingOver(d);
    case 'consent':
      return tooling.consentOverdue(d);
    case 'transfer':
      return transfer.transferOverdue(d);
    case 'input':
      return isConnected(d) ? fillStall(d) : undefined;
    case 'barge_in':
      return turns.bargeIn(d);
    default:
      return assertNever(timer);
  }
}
