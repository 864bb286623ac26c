// The call core: step(state, event) -> [state, effects]. No clock, no socket, no logger; equal events give equal effects.
// This file only says which rule answers which event; the rules stand in hearing, speaking, turns, ending and timers.
import { assertNever } from './assert-never.ts';
import { cause, change, changeTurn, type Draft, isConnected } from './draft.ts';
import type { CallEffect } from './effect.ts';
import { apologise, endIfHeard, endIfOverdue, endWithLeg, fail, wrapUp } from './ending.ts';
import type { CallEvent, TimerName } from './event.ts';
import { fillStall, hear, silentHearing } from './hearing.ts';
import { GREETING_CLIP } from './policy.ts';
import { beginUtterance, endUtterance, playClip, pump, reachMark, receiveAudio } from './speaking.ts';
import type { CallState } from './state.ts';
import { armTimers, disarm, isDue } from './timers.ts';
import * as turns from './turns.ts';

const NO_EFFECTS: CallEffect[] = [];

/** What happens next. The given state is not changed. */
export function step(state: CallState, event: CallEvent): [CallState, CallEffect[]] {
  if (state.phase === 'ended') return afterTheEnd(state, event);
  const { on } = state;
  if (event.on.epoch !== on.epoch || event.on.leg !== on.leg || event.on.session !== on.session)
    return [state, [{ do: 'note.ignored', what: 'stale_origin', on }]];
  const d: Draft = { state, atMs: event.atMs, effects: [] };
  if (event.type === 'leg.audio') {
    // The frame path: nothing else changes, no timer moves.
    if (isConnected(d)) hear(d, event);
    return [d.state, d.effects];
  }
  react(d, event);
  if (isLive(d)) endIfHeard(d);
  if (isLive(d)) armTimers(d);
  return [d.state, d.effects];
}

const isLive = (d: Draft<CallState>): d is Draft => d.state.phase !== 'ended';

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
      return isConnected(d) ? turns.keyPressed(d, event.digit) : undefined;
    case 'leg.closed':
      return endWithLeg(d, event.cause, event.detail);

    case 'session.ready':
      return d.state.session === 'opening' ? turns.openConversation(d) : undefined;
    case 'session.closed':
      return d.state.session === 'gone' ? undefined : fail(d, `model_${event.cause}`, event.detail);
    case 'speech.started':
      return turns.callerBegins(d);
    case 'speech.stopped':
      return turns.callerStops(d);
    case 'turn.committed':
      return turns.callerTurnEnds(d);
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
      return turns.toolCalled(d, event);
    case 'usage.reported':
      return cause(d, { do: 'ledger.charge', usage: event.usage });
    case 'call.admitted':
      // Arms the first timers.
      return;
    case 'turn.transcribed':
    case 'utterance.text':
    case 'session.noticed':
      // For onlookers only.
      return;

    case 'tool.settled':
      return turns.toolSettled(d, event.toolCall, event.output);
    case 'call.asked_to_end':
      return wrapUp(d, event.reason);
    case 'timer.fired':
      return timerFired(d, event.timer);
    default:
      return assertNever(event);
  }
}

/** The model's first utterance of a protected greeting cannot be interrupted; nothing else of the model's is protected. */
const isProtected = (d: Draft): boolean =>
  d.state.policy.greeting?.by === 'model' && d.state.policy.greeting.protected && !d.state.greeted;

/** The carrier's media starts: what waits on the shelf leaves at once, or the recorded greeting does. */
function startMedia(d: Draft): void {
  if (d.state.phase !== 'awaiting_media') return;
  const { failed, ...rest } = d.state;
  d.state = { ...rest, phase: 'talking', startedAtMs: d.atMs, hearing: silentHearing(d.atMs) };
  if (!isConnected(d)) return;
  changeTurn(d, { lastActivityMs: d.atMs, lastSignMs: d.atMs });
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
      return d.state.session === 'opening'
        ? fail(d, 'model_unreachable', 'not ready in time')
        : fail(d, 'model_stalled', 'no sound in time');
    case 'silence':
      return isConnected(d) ? turns.breakSilence(d) : undefined;
    case 'farewell':
      return endIfOverdue(d);
    case 'duration':
      return wrapUp(d, 'max_duration');
    case 'keypad':
      return turns.tellKeys(d);
    case 'input':
      return isConnected(d) ? fillStall(d) : undefined;
    case 'barge_in':
      return turns.bargeIn(d);
    default:
      return assertNever(timer);
  }
}
