// Who has the floor: the caller speaking, the model answering, nobody at all. Tools stand in tooling.ts, keys in keypad.ts. Pure.
import { FRAME_MS } from '../audio/mulaw.ts';
import type { RealtimeEvent } from '../realtime/session.ts';
import { readBackLost } from './consent.ts';
import { change, changeTurn, type Draft } from './draft.ts';
import { leave, askToSay, stay } from './ending.ts';
import { remember } from './history.ts';
import * as ledger from './playback.ts';
import { loseSession, recovered } from './recovery.ts';
import { isAnswering, stopMusic, stopSpeaking } from './speaking.ts';
import type { ConnectedState, Leaving } from './state.ts';
import { revoke } from './transfer.ts';

type Of<T extends RealtimeEvent['type']> = Extract<RealtimeEvent, { type: T }>;

/** Answers in a row that only call tools; no honest task needs so many without a word to the caller. */
const MAX_WORDLESS = 8;

/** The model can be spoken to: the greeting is asked for, even before the caller's media is there. */
export function openConversation(d: Draft): void {
  change(d, { session: 'ready' });
  const { greeting } = d.state.policy;
  if (greeting?.by === 'model') return askToSay(d, greeting.say);
  recovered(d);
  changeTurn(d, { owedSinceMs: null });
}

/** The caller begins to speak: interrupts at once, later, or not at all, as the policy says. */
export function callerBegins(d: Draft): void {
  // The model hears: what it owed is void, and it is given new time for what is said now.
  recovered(d);
  changeTurn(d, { callerSpeaking: true, prompts: 0, lastActivityMs: d.atMs, waitsSinceMs: null });
  if (d.state.phase === 'leaving' && !d.state.farewell.revocable) return;
  // Nobody talks against hold sound.
  stopMusic(d);
  const current = ledger.currentTrack(d.state.playback, d.atMs);
  const after = d.atMs + d.state.policy.interruptAfterMs;
  const bargeInAtMs = current?.protected ? Math.max(after, d.state.playback.queueEndsAtMs) : after;
  if (bargeInAtMs <= d.atMs) bargeIn(d);
  else if (
    current ||
    d.state.phase === 'leaving' ||
    d.state.transfer?.stage === 'announcing' ||
    d.state.turn.answer ||
    d.state.turn.owedSinceMs !== null
  )
    changeTurn(d, { bargeInAtMs });
}

/** The caller interrupts: the agent stops, and a farewell is called back. */
export function bargeIn(d: Draft): void {
  const { playback } = d.state;
  if (ledger.currentTrack(playback, d.atMs)?.protected) {
    // Only so much of it was queued when the caller began; more of it has followed.
    changeTurn(d, { bargeInAtMs: Math.max(d.atMs + FRAME_MS, playback.queueEndsAtMs) });
    return;
  }
  changeTurn(d, { bargeInAtMs: null });
  stopSpeaking(d, 'caller_spoke');
  revoke(d);
  if (d.state.phase === 'leaving' && d.state.farewell.revocable) stay(d as Draft<Leaving>);
}

/** The caller pauses: a pending interruption was a backchannel. */
export function callerStops(d: Draft): void {
  const { owedSinceMs } = d.state.turn;
  changeTurn(d, {
    callerSpeaking: false,
    bargeInAtMs: null,
    lastActivityMs: d.atMs,
    owedSinceMs: owedSinceMs === null ? null : d.atMs,
  });
}

/**
 * The caller's turn is over: an answer is owed. What was said without stopping the agent was a backchannel and is not
 * answered by us; over a protected utterance it was a turn that could not interrupt, and is answered after it.
 */
export function callerTurnEnds(d: Draft, turn: string): void {
  remember(d, { who: 'caller', turn, text: null });
  changeTurn(d, { callerSpeaking: false, lastActivityMs: d.atMs, asked: null, wordless: 0 });
  if (d.state.phase === 'leaving' && !d.state.farewell.revocable) return;
  const { capabilities, playback } = d.state;
  if (!isAnswering(playback, d.atMs)) {
    if (capabilities.answersTurns) changeTurn(d, { owedSinceMs: d.atMs });
    else askToSay(d, null);
    return;
  }
  if (!ledger.currentTrack(playback, d.atMs)?.protected) return;
  // A model that answers by itself does so unless it is still producing the protected utterance.
  if (!capabilities.answersTurns || d.state.turn.answer !== null) askToSay(d, null);
}

/** The model begins an answer. */
export function answerBegins(d: Draft, event: Of<'answer.started'>): void {
  changeTurn(d, { answer: { id: event.answer, startedAtMs: d.atMs, spoke: false }, lastSignMs: d.atMs });
}

/** The model made a sound: it owes nothing for now. */
export function answerSounds(d: Draft): void {
  recovered(d);
  const { answer } = d.state.turn;
  changeTurn(d, {
    owedSinceMs: null,
    lastSignMs: d.atMs,
    lastActivityMs: d.atMs,
    waitsSinceMs: null,
    answer: answer && !answer.spoke ? { ...answer, spoke: true } : answer,
  });
}

/**
 * An answer is over. A failed one is asked for once more, an empty one twice, and a model that only calls tools is let do so
 * for a while; then the model has failed. One that was cut off by itself is asked to go on, once.
 */
export function answerEnds(d: Draft, event: Of<'answer.ended'>): void {
  // Of a session that was given up: what is to be said without it has begun.
  if (d.state.session === 'gone') return changeTurn(d, { answer: null });
  const { answer, owedSinceMs, failures, wordless } = d.state.turn;
  if (event.status !== 'completed') readBackLost(d);
  // Sound or a tool call pays the debt at once: an answer to it that ended whole and left it unpaid was empty.
  const empty =
    event.status === 'completed' && owedSinceMs !== null && answer !== null && answer.startedAtMs >= owedSinceMs;
  changeTurn(d, { answer: null, lastActivityMs: d.atMs, owedSinceMs: empty ? null : owedSinceMs });
  if (event.status === 'completed' && !empty)
    changeTurn(d, { failures: 0, wordless: answer?.spoke ? 0 : wordless + 1 });
  if (wordless >= MAX_WORDLESS && answer?.spoke === false)
    return loseSession(d, 'model_failed', 'answers without a word', false);
  if (event.status === 'incomplete' && answer?.spoke && failures === 0 && d.state.phase === 'talking') {
    changeTurn(d, { failures: 1 });
    return askToSay(d, null);
  }
  if (event.status !== 'failed' && !empty) return;
  if (event.fatal) return loseSession(d, 'model_failed', event.detail, true);
  if (failures >= (empty ? 2 : 1)) {
    // Also one that had begun to speak leaves the caller without an answer.
    changeTurn(d, { owedSinceMs: owedSinceMs ?? d.atMs });
    loseSession(d, 'model_failed', empty ? 'empty answers' : event.detail, false);
    return;
  }
  changeTurn(d, { failures: failures + 1 });
  askToSay(d, d.state.turn.asked);
  // The caller has waited since the first try.
  if (owedSinceMs !== null) changeTurn(d, { owedSinceMs });
}

/** Nobody has spoken for long: the caller is asked once, then told goodbye. */
export function breakSilence(d: Draft<ConnectedState>): void {
  const { policy, turn } = d.state;
  changeTurn(d, { prompts: turn.prompts + 1, lastActivityMs: d.atMs });
  if (turn.prompts === 0) askToSay(d, policy.silencePrompt);
  else leave(d, 'caller_silent', true, policy.silenceGoodbye);
}
