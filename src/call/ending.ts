// The ends of a call: farewells that must be heard first, failures that are apologised for, and the one place where a
// call ends. Pure.
import type { LegCloseCause, NextStep } from '../carrier/carrier.ts';
import { dropCollecting } from './collecting.ts';
import { dropConsent } from './consent.ts';
import { cause, change, changeTurn, type Draft, isConnected } from './draft.ts';
import * as ledger from './playback.ts';
import { APOLOGY_CLIP, type CallPolicy } from './policy.ts';
import { dropOrders } from './orders.ts';
import { playClip, pump, settle, stopSpeaking } from './speaking.ts';
import type { Away, CallState, ConnectedState, Leaving, Talking } from './state.ts';
import { type EndReason, type Termination, terminationOf } from './termination.ts';
import { dropTransfer, handedOver, isSentOn, isWithPerson } from './transfer.ts';

/** A farewell that the model has not produced by then ends the call all the same. */
export const FAREWELL_CAP_MS = 15_000;
/** A farewell's last mark may be this late. */
export const MARK_GRACE_MS = 2_000;

const HANG_UP: NextStep = { do: 'hang_up' };

/** Ends the call now. Everything that lives is told to go; only late usage is taken afterwards. */
export function end(d: Draft<CallState>, termination: Termination, next: NextStep = HANG_UP): void {
  if (d.state.phase === 'ended') return;
  dropErrands(d as Draft);
  const { state } = d;
  for (const [toolCall, tool] of Object.entries(state.tools))
    if (tool !== 'settled') cause(d, { do: 'tool.abort', toolCall });
  settle(d as Draft, ledger.stopAll(state.playback, d.atMs).notes);
  for (const timer of Object.keys(state.timers) as (keyof typeof state.timers)[])
    cause(d, { do: 'timer.clear', timer });
  cause(d, { do: 'leg.close', next });
  if (state.session !== 'gone') cause(d, { do: 'session.close' });
  if (state.spare !== null) d.effects.push({ do: 'session.close', on: { ...state.on, session: state.spare.session } });
  cause(d, { do: 'call.end', termination });
  const { v, callId, direction, on, policy, capabilities } = state;
  d.state = { v, callId, direction, on, policy, capabilities, phase: 'ended', termination };
}

/** The call is to end after a farewell. With `ask`, the model is asked to say it; without, it was already spoken. */
export function leave(
  d: Draft<ConnectedState>,
  reason: EndReason,
  revocable: boolean,
  ask: string | null,
  next: NextStep = HANG_UP,
): void {
  dropErrands(d);
  const farewell = { termination: terminationOf(reason), next, sinceMs: d.atMs, revocable };
  d.state = { ...d.state, phase: 'leaving', farewell } satisfies Leaving;
  if (ask !== null) askToSay(d, ask);
}

/** What was begun with the caller, or for them, is not gone on with. */
function dropErrands(d: Draft): void {
  dropOrders(d);
  dropTransfer(d);
  dropCollecting(d);
  dropConsent(d, 'the call is ending', true);
}

/** Asks the model to say something now, or to answer (null); it owes the sound of it. */
export function askToSay(d: Draft, say: string | null): void {
  cause(d, { do: 'session.speak', say });
  changeTurn(d, { owedSinceMs: d.atMs, asked: say });
}

const SPOKE_UP = 'The caller spoke before the goodbye was heard. The call goes on; do not end it yet.';

/** The caller spoke up before the farewell was heard, or an operator did: the call goes on, and the model knows it. */
export function stay(d: Draft<Leaving>, text = SPOKE_UP): void {
  const { farewell: _, ...rest } = d.state;
  (d as Draft).state = { ...rest, phase: 'talking' } satisfies Talking;
  cause(d, { do: 'session.tell', role: 'system', text });
}

/** Ends the call when its farewell was heard, or can no longer be. */
export function endIfHeard(d: Draft): void {
  const { state } = d;
  if (state.phase !== 'leaving') return;
  const busy = state.playback.tracks.length > 0 || state.turn.answer !== null || state.turn.owedSinceMs !== null;
  // Speech that may yet become an interruption, or keys not yet told: the caller has spoken up.
  const spokenUp = state.farewell.revocable && (state.turn.bargeInAtMs !== null || state.turn.keys !== '');
  if (!busy && !spokenUp) end(d, state.farewell.termination, state.farewell.next);
}

/** The farewell timer fired: the mark was lost, or the farewell never came. */
export function endIfOverdue(d: Draft): void {
  const { state } = d;
  if (state.phase !== 'leaving' || d.atMs < farewellDueMs(state) - 1) return;
  end(d, state.farewell.termination, promised(state));
}

/** When a farewell is given up: shortly after its last byte should have sounded, and at the latest by the cap. */
export function farewellDueMs(state: Leaving): number {
  const { playback, turn, farewell } = state;
  if (turn.answer !== null || turn.owedSinceMs !== null) return farewell.sinceMs + FAREWELL_CAP_MS;
  return Math.max(farewell.sinceMs, playback.queueEndsAtMs) + ledger.unsentMs(playback) + MARK_GRACE_MS;
}

/**
 * No model can go on. What is already at the carrier plays out, then the recorded apology follows at once, then the
 * call is forwarded or ended. Before the media started, the apology waits for it.
 */
export function giveUp(d: Draft, reason: EndReason, detail: string): void {
  const { turn, phase } = d.state;
  // An end that nobody can call back any more keeps its name.
  const decided = d.state.phase === 'leaving' && !d.state.farewell.revocable ? d.state.farewell : null;
  const termination = decided?.termination ?? terminationOf(reason, detail);
  const wasOpen = d.state.session !== 'gone';
  const { spare, on } = d.state;
  if (spare !== null) d.effects.push({ do: 'session.close', on: { ...on, session: spare.session } });
  if (isConnected(d) && isSentOn(d.state)) {
    // Nobody is taken away from a person because of it: it matters when the caller comes back.
    change(d, { spare: null, session: 'gone', away: { ...(d.state.away as Away), failed: { reason, detail } } });
    changeTurn(d, { answer: null, owedSinceMs: null, bargeInAtMs: null });
    if (wasOpen) cause(d, { do: 'session.close' });
    return;
  }
  change(d, { spare: null, trouble: null });
  if (phase === 'leaving' && turn.answer === null && turn.owedSinceMs === null) {
    // The farewell is all here: it is heard to its end, the model is no longer needed.
    change(d, { session: 'gone' });
    if (wasOpen) cause(d, { do: 'session.close' });
    return;
  }
  const [playback, dropped] = ledger.cutUnsent(d.state.playback, d.atMs);
  change(d, { playback, session: 'gone' });
  changeTurn(d, { answer: null, owedSinceMs: null, bargeInAtMs: null });
  settle(d, dropped);
  if (wasOpen) cause(d, { do: 'session.close' });
  if (!isConnected(d)) {
    d.state = { ...d.state, failed: termination } as typeof d.state;
    return;
  }
  apologise(d, termination);
}

/** Plays the recorded apology, after which the call ends as the agent file says. */
export function apologise(d: Draft<ConnectedState>, termination: Termination): void {
  dropErrands(d);
  const farewell = { termination, next: d.state.policy.afterFailure, sinceMs: d.atMs, revocable: false };
  d.state = { ...d.state, phase: 'leaving', farewell } satisfies Leaving;
  playClip(d, APOLOGY_CLIP, d.state.policy.apologyBytes, true);
  pump(d);
}

/** The longest duration, a drain: whatever is being said stops, the wrap-up is said, the caller cannot call it back. */
export function wrapUp(d: Draft, reason: EndReason): void {
  // A caller who is with the carrier hears nothing of ours, and is not taken out of there.
  if (!isConnected(d) || isSentOn(d.state)) {
    // In a room with the person there is nothing left for us to end.
    return isConnected(d) && isWithPerson(d.state) ? handedOver(d, '') : end(d, terminationOf(reason));
  }
  if (d.state.phase === 'leaving' && !d.state.farewell.revocable) return;
  stopSpeaking(d, 'our_decision');
  const { wrapUp: say, wrapUpText: text } = d.state.policy;
  // No model is there to say it.
  if (d.state.session !== 'ready') return leave(d, reason, false, null, saidByCarrier(HANG_UP, text));
  leave(d, reason, false, null);
  // Nobody listens for the end of the caller's speech any more.
  changeTurn(d, { callerSpeaking: false });
  cause(d, { do: 'session.last_words', say });
  changeTurn(d, { owedSinceMs: d.atMs, asked: say });
}

/** An operator ends the call: with the wrap-up, or at once where one is being said already or none can be heard. */
export function hangUp(d: Draft): void {
  const { state } = d;
  const decided = state.phase === 'leaving' && !state.farewell.revocable ? state.farewell.termination : null;
  // An end that nobody can call back any more keeps its name.
  if (decided !== null) return end(d, decided);
  // Should the caller come back, the carrier says it.
  if (isConnected(d) && d.state.away !== null && !isSentOn(d.state))
    return end(d, terminationOf('operator_ended'), saidByCarrier(HANG_UP, state.policy.wrapUpText));
  wrapUp(d, 'operator_ended');
}

const LEG_ENDS: Record<LegCloseCause | 'moved', EndReason> = {
  // Sent on to a person, missed there, and not brought back.
  moved: 'media_lost',
  caller_hung_up: 'caller_hung_up',
  carrier_stopped: 'caller_hung_up',
  socket_lost: 'media_lost',
  protocol_violation: 'carrier_protocol',
  never_started: 'media_never_started',
  stopped_reading: 'carrier_stopped_reading',
  // Only ever follows an end of ours.
  closed_by_us: 'internal_error',
  our_fault: 'internal_error',
};

/**
 * The leg went: nothing can be said any more. Where it was not the caller who left, the carrier still has the caller and
 * asks what follows: what an apology under way promised, a goodbye that was cut off, else what the agent file says for
 * failures. `silentMs`: for so long before the carrier may have played nothing.
 */
export function endWithLeg(d: Draft, legCause: LegCloseCause | 'moved', detail: string, silentMs = 0): void {
  const { state } = d;
  if (legCause === 'caller_hung_up' || legCause === 'carrier_stopped')
    return end(d, terminationOf('caller_hung_up', detail));
  // An end that nobody can call back any more stays what it was.
  const decided = state.phase === 'leaving' && !state.farewell.revocable;
  const termination = decided ? state.farewell.termination : terminationOf(LEG_ENDS[legCause], detail);
  if (state.phase !== 'leaving') return end(d, termination, afterFault(state.policy));
  end(d, termination, saidByCarrier(promised(state), goodbyeCut(state, d.atMs - silentMs)));
}

/** The words of a goodbye that was not heard whole; empty where it was, or where no words of it are known. */
function goodbyeCut({ playback, history }: Leaving, atMs: number): string {
  const unheard = ledger.stopAll(playback, atMs).notes.filter(({ outcome }) => outcome !== 'heard');
  const words = history.flatMap((said) =>
    said.who === 'agent' && unheard.some(({ utterance }) => utterance === said.utterance) ? [said.text.trim()] : [],
  );
  return words.join(' ').trim();
}

/** What follows a farewell that is not confirmed as heard: an apology before a mere end is said by the carrier. */
function promised({ farewell, playback, policy }: Leaving): NextStep {
  const unheard = playback.tracks.some(({ utterance }) => utterance === APOLOGY_CLIP);
  return unheard ? saidByCarrier(farewell.next, policy.apologyText) : farewell.next;
}

/** What follows a fault in the middle of a call: nothing could be said, so the carrier says the apology before a mere end. */
export const afterFault = ({ afterFailure, apologyText }: CallPolicy): NextStep =>
  saidByCarrier(afterFailure, apologyText);

/** The carrier says it, with its own voice, where it would merely hang up. */
function saidByCarrier(next: NextStep, text: string): NextStep {
  return next.do === 'hang_up' && text !== '' ? { do: 'say_and_hang_up', text } : next;
}
