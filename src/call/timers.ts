// Which timers a call should have now: derived from the state, so that none outlives its reason. Pure.
//
// Deadlines that only ever move later (silence, stall, pace, input) are not re-armed for each move: the timer fires, the
// deadline is looked at again, and the timer is armed for what is left.
import { collectingDueMs } from './collecting.ts';
import { cause, change, type Draft, isConnected } from './draft.ts';
import { farewellDueMs } from './ending.ts';
import type { TimerName } from './event.ts';
import { STALL_AFTER_MS } from './hearing.ts';
import { consentDueMs } from './tooling.ts';
import { isSentOn, transferDueMs } from './transfer.ts';
import * as ledger from './playback.ts';
import { MUSIC_CLIP } from './policy.ts';
import { waitsForTools } from './recovery.ts';
import { isQuiet, rolloverDueMs } from './rollover.ts';
import type { LiveState } from './state.ts';

/** The carrier's queue is filled up when this much less than `maxAheadMs` is in it. */
const PACE_STEP_MS = 500;
/** Speech of the caller that the model has not seen end by then: its end was lost. */
const LONGEST_TURN_MS = 90_000;
/** Without a session nobody hears whether the caller speaks: the next moment is asked for before that has waited long. */
const HOLD_EVERY_DEAF_MS = 3_000;
/** Keys pressed within this time belong together. */
export const KEYPAD_WAIT_MS = 1_500;

/** The hold sound is continued so long before it ends: a late timer leaves no gap. */
const MUSIC_LEAD_MS = 250;

const NAMES: readonly TimerName[] = [
  'media',
  'pace',
  'stall',
  'filler',
  'recovery',
  'resume',
  'rollover',
  'silence',
  'farewell',
  'duration',
  'keypad',
  'consent',
  'transfer',
  'input',
  'barge_in',
];

/** When a timer is due in this state, or null when there is nothing to wait for. */
export function dueMs(state: LiveState, timer: TimerName): number | null {
  const { turn, playback, policy } = state;
  const connected = state.phase !== 'awaiting_media';
  switch (timer) {
    case 'media':
      return connected ? null : state.admittedAtMs + policy.mediaWaitMs;
    case 'pace':
      return connected && state.away === null && ledger.hasUnsent(playback)
        ? playback.queueEndsAtMs - policy.maxAheadMs + PACE_STEP_MS
        : null;
    case 'stall':
      return connected && state.away === null && state.session === 'ready' ? stallDueMs(state) : null;
    case 'filler':
      return state.phase === 'talking' && state.away === null ? fillerDueMs(state) : null;
    case 'recovery':
      return connected ? recoveryDueMs(state) : null;
    case 'resume':
      if (!connected || state.away === null || isSentOn(state)) return null;
      return state.away.sinceMs + (state.away.asked ? policy.resumeWithinMs : policy.resumeAskMs);
    case 'rollover':
      return rolloverDueMs(state);
    case 'silence':
      return state.phase === 'talking' && state.away === null && isQuiet(state)
        ? Math.max(turn.lastActivityMs, playback.queueEndsAtMs) + policy.silenceMs
        : null;
    case 'farewell':
      return state.phase === 'leaving' && state.away === null ? farewellDueMs(state) : null;
    case 'duration':
      return state.phase === 'talking' || (state.phase === 'leaving' && state.farewell.revocable)
        ? state.startedAtMs + policy.maxCallMs
        : null;
    case 'keypad':
      if (!connected || state.away !== null) return null;
      if (state.collecting !== null) return collectingDueMs(state);
      return turn.keys !== '' ? turn.lastKeyMs + KEYPAD_WAIT_MS : null;
    case 'consent':
      return consentDueMs(state);
    case 'transfer':
      return transferDueMs(state);
    case 'input':
      return connected && turn.callerSpeaking
        ? Math.max(state.hearing.lastFrameAtMs, state.hearing.checkedAtMs) + STALL_AFTER_MS
        : null;
    case 'barge_in':
      return turn.bargeInAtMs;
    default:
      return timer satisfies never;
  }
}

/** An answer is owed and not begun, or begun and silent for too long. */
function stallDueMs({ turn, policy, playback, holdsInRow, heldSinceMs }: LiveState): number | null {
  // While the caller speaks nobody may answer: the debt counts from the end of that turn, which must come one day.
  if (turn.callerSpeaking && (turn.owedSinceMs !== null || turn.answer === null))
    return turn.lastActivityMs + LONGEST_TURN_MS;
  // Not silent while earlier speech still sounds.
  const soundsUntilMs = holdsInRow > 0 ? heldSinceMs : playback.queueEndsAtMs;
  if (turn.owedSinceMs !== null) return Math.max(turn.owedSinceMs, soundsUntilMs) + policy.modelStallMs;
  if (turn.answer === null) return null;
  return Math.max(turn.lastSignMs, soundsUntilMs) + policy.modelStallMs;
}

/** The caller waits for the model and hears nothing. */
function fillerDueMs(state: LiveState): number | null {
  const { turn, policy, playback, session, trouble, sessionSinceMs, holdsInRow, tools, fills } = state;
  if (turn.callerSpeaking || ledger.hasUnsent(playback)) return null;
  if (waitsForTools(state)) {
    const { afterMs, musicBytes, musicAfterMs, say } = policy.errands.filler;
    if (fills === 0 && holdsInRow === 0) {
      if (say === null && policy.holdBytes === 0) return null;
      const sinceMs = Math.min(turn.waitsSinceMs ?? turn.lastActivityMs, turn.lastActivityMs) - policy.endOfTurnMs;
      return Math.max(sinceMs, playback.queueEndsAtMs) + afterMs;
    }
    // Once it plays it goes on without a gap, until somebody speaks.
    const sinceMs = Math.max(turn.lastActivityMs, playback.queueEndsAtMs);
    if (musicBytes > 0) return sinceMs + (isMusic(playback) ? -MUSIC_LEAD_MS : musicAfterMs);
  }
  if (policy.holdBytes === 0) return null;
  const waits = [
    turn.owedSinceMs === null ? null : turn.owedSinceMs - policy.endOfTurnMs,
    turn.answer === null ? null : turn.lastSignMs,
    trouble === null ? null : trouble.waitingSinceMs,
    session === 'opening' ? sessionSinceMs : null,
    // A caller who is keying something in waits for nobody.
    turn.waitsSinceMs === null || state.collecting !== null ? null : turn.waitsSinceMs - policy.endOfTurnMs,
    Object.values(tools).includes('running') ? turn.lastActivityMs - policy.endOfTurnMs : null,
  ].filter((ms) => ms !== null);
  if (waits.length === 0 || session === 'gone') return null;
  const everyMs = session === 'opening' ? Math.min(policy.holdEveryMs, HOLD_EVERY_DEAF_MS) : policy.holdEveryMs;
  if (holdsInRow > 0) return playback.queueEndsAtMs + everyMs;
  // Who was asked for a moment by the agent itself is not asked again at once.
  const afterMs = fills > 0 && turn.owedSinceMs === null ? everyMs : policy.holdAfterMs;
  return Math.max(Math.min(...waits), playback.queueEndsAtMs) + afterMs;
}

const isMusic = ({ tracks }: ledger.Playback): boolean =>
  tracks.some(({ utterance }) => utterance.startsWith(MUSIC_CLIP));

/** A model that is not back in time; where nothing may be recovered, a session that opens no sooner than a sound is due. */
function recoveryDueMs({ session, policy, trouble, turn, playback, sessionSinceMs }: LiveState): number | null {
  if (session === 'gone' || (session === 'ready' && (trouble === null || turn.callerSpeaking))) return null;
  if (policy.recoverWithinMs > 0) return (trouble?.sinceMs ?? sessionSinceMs) + policy.recoverWithinMs;
  if (session === 'ready') return null;
  return Math.max(turn.owedSinceMs ?? sessionSinceMs, playback.queueEndsAtMs) + policy.modelStallMs;
}

/** Arms and clears timers so that they fit the state. */
export function armTimers(d: Draft): void {
  let timers = d.state.timers;
  for (const timer of NAMES) {
    const due = dueMs(d.state, timer);
    const armed = timers[timer];
    if (due === null) {
      if (armed === undefined) continue;
      const { [timer]: _, ...rest } = timers;
      timers = rest;
      cause(d, { do: 'timer.clear', timer });
    } else if (armed === undefined || armed > due) {
      timers = { ...timers, [timer]: due };
      cause(d, { do: 'timer.set', timer, atMs: due });
    }
  }
  if (timers !== d.state.timers) change(d, { timers });
}

/** A timer that fired is no longer armed. */
export function disarm(d: Draft, timer: TimerName): void {
  const { [timer]: _, ...timers } = d.state.timers;
  change(d, { timers });
}

/** True when the deadline has really come; a lazily armed timer may fire before its moved-on deadline. */
export function isDue(d: Draft, timer: TimerName): boolean {
  const due = dueMs(d.state, timer);
  return due !== null && d.atMs >= due - 1 && (timer !== 'media' || !isConnected(d));
}
