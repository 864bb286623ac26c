// A model that fails: another session takes over with the history, the caller is asked for a moment meanwhile, then the
// agent's other model is tried; with none left the call is given up. Pure.
import { keepHolding } from './budget.ts';
import { readBackLost } from './consent.ts';
import { cause, change, changeTurn, type Draft, isConnected } from './draft.ts';
import { askToSay, giveUp } from './ending.ts';
import { hasUnknownWords, recall, remember } from './history.ts';
import { becomeAgent } from './hand-off.ts';
import { withTold } from './orders.ts';
import * as ledger from './playback.ts';
import { HOLD_CLIP, MUSIC_CLIP } from './policy.ts';
import { playClip, pump } from './speaking.ts';
import type { LiveState, Trouble } from './state.ts';
import type { EndReason } from './termination.ts';
import { isSentOn } from './transfer.ts';

/** A model that loses so many sessions within a minute is not tried any more, even if it speaks in between. */
const MAX_LOSSES = 6;
const LOSSES_WITHIN_MS = 60_000;
/** The first replacement is opened at once, later ones after this, then twice as long each time. */
const PAUSE_MS = 500;
/** Losses within this belong together, also when a session was ready in between: an endpoint that is being emptied does that. */
const FLAPS_WITHIN_MS = 10_000;
/** Caller audio that a new session is given once more at most. */
const RECENT_MS = 2_000;

/** Something is wrong with the model: what is known of it, on top of what was known before. */
function troubled(d: Draft, reason: EndReason, detail: string, deafMs = 0): Trouble {
  const { trouble, turn, session, sessionSinceMs } = d.state;
  const away = isConnected(d) ? d.state.away : null;
  const owes = turn.owedSinceMs !== null || turn.answer !== null || turn.callerSpeaking || away?.owes === true;
  const cut = turn.answer !== null;
  const waiting = session === 'opening' && isConnected(d) ? sessionSinceMs : d.atMs;
  const waitingSinceMs = turn.owedSinceMs ?? waiting;
  if (trouble === null)
    return {
      sinceMs: waiting,
      waitingSinceMs,
      reason,
      detail,
      owes,
      cut,
      deafSinceMs: Math.min(waiting, d.atMs - deafMs),
    };
  return { ...trouble, reason, detail, owes: trouble.owes || owes, cut: trouble.cut || cut };
}

/** An attempt to connect failed; the session goes on trying. */
export function noteDelay(d: Draft, reason: EndReason, detail: string): void {
  if (d.state.session === 'opening') change(d, { trouble: troubled(d, reason, detail) });
}

/**
 * The session cannot go on. What is here of its speech is heard, and another session takes over: of the same model while
 * there is time, else of the agent's next one. Without any the call is given up.
 * @param fatal another session of this model would end the same way
 * @param deafMs for so long it may have heard nothing of the caller any more
 */
export function loseSession(d: Draft, reason: EndReason, detail: string, fatal: boolean, deafMs = 0): void {
  const { policy, turn, phase } = d.state;
  // A farewell that is all here is heard to its end without a model; one that is not can no longer be had.
  if (phase === 'leaving') return giveUp(d, reason, detail);
  const trouble = troubled(d, reason, detail, deafMs);
  const lostAtMs = [...d.state.lostAtMs.filter((ms) => d.atMs - ms < LOSSES_WITHIN_MS), d.atMs];
  const spent = fatal || lostAtMs.length >= MAX_LOSSES || d.atMs - trouble.sinceMs >= policy.recoverWithinMs - 1;
  const target = spent ? d.state.target + 1 : d.state.target;
  // Another agent was about to take over: it does so now.
  const next = d.state.spare?.agent !== undefined && policy.recoverWithinMs > 0 ? d.state.spare : null;
  if (next === null && (policy.recoverWithinMs === 0 || target >= policy.models)) return giveUp(d, reason, detail);
  readBackLost(d);
  cause(d, { do: 'session.close' });
  if (turn.callerSpeaking) remember(d, { who: 'caller', turn: `lost:${d.atMs}`, text: null });
  const inARow = lostAtMs.filter((ms) => d.atMs - ms < FLAPS_WITHIN_MS).length;
  change(d, {
    trouble: {
      ...trouble,
      sinceMs: spent || next !== null ? d.atMs : trouble.sinceMs,
      owes: trouble.owes || next !== null,
    },
    lostAtMs: spent || next !== null ? [] : lostAtMs,
    playback: ledger.completeAll(d.state.playback),
  });
  changeTurn(d, {
    answer: null,
    bargeInAtMs: null,
    callerSpeaking: false,
    owedSinceMs: trouble.owes || next !== null ? (turn.owedSinceMs ?? d.atMs) : null,
  });
  if (next?.agent !== undefined) becomeAgent(d, next.agent);
  replace(d, next === null ? target : 0, spent || inARow <= 1 ? 0 : PAUSE_MS * 2 ** (inARow - 2));
  pump(d);
}

/** Another session counts from now on: the one that was being prepared, or a new one. */
function replace(d: Draft, target: number, afterMs: number): void {
  const { spare, trouble } = d.state;
  const prepared = spare?.agent !== undefined || target === d.state.target ? spare : null;
  if (prepared === null) dropSpare(d);
  takeOver(d, prepared?.session ?? nextSession(d, target, afterMs), target);
  change(d, { spare: null, sessionSinceMs: prepared?.sinceMs ?? d.atMs });
  if (prepared?.ready === true) resumeConversation(d);
  const deafMs = d.atMs - (trouble?.deafSinceMs ?? d.atMs);
  if (deafMs > 0) cause(d, { do: 'session.append_recent', ms: Math.min(RECENT_MS, Math.round(deafMs)) });
}

/** The model is not back in time. */
export function recoveryOver(d: Draft): void {
  const { trouble } = d.state;
  loseSession(d, trouble?.reason ?? 'model_unreachable', trouble?.detail ?? 'not ready in time', false);
}

/** A session that takes over is told of everything when it is ready: until then nothing is asked of it. */
export const isTakingOver = ({ session, sessions }: LiveState): boolean => session === 'opening' && sessions > 1;

/** Something came up that the session which takes over has to answer. */
export function oweWhenReady(d: Draft): void {
  const { trouble } = d.state;
  if (trouble !== null) change(d, { trouble: { ...trouble, owes: true } });
  changeTurn(d, { owedSinceMs: d.atMs });
}

/** A session took over and is ready: it learns what was said, and answers if an answer is owed. */
export function resumeConversation(d: Draft): void {
  const { trouble, history, policy } = d.state;
  change(d, { session: 'ready' });
  cause(d, { do: 'session.recall', history: recall(history), note: withTold(d.state, noteOf(d)) });
  // After a recorded greeting it is the caller's turn.
  const begun = policy.greeting?.by === 'model' || d.state.holds > 0 || history.some(({ who }) => who !== 'agent');
  // To a caller who is with a person nothing is said.
  if (trouble?.owes === true && begun && !isSentOn(d.state)) return askToSay(d, null);
  recovered(d);
  changeTurn(d, { owedSinceMs: null, lastActivityMs: d.atMs });
}

/** The model made a sound: whatever was wrong is made good. */
export function recovered(d: Draft): void {
  if (d.state.trouble !== null || d.state.holdsInRow > 0) change(d, { trouble: null, holdsInRow: 0 });
}

/** The caller has waited in silence: a moment is asked for. For a tool that runs, as the agent file says. */
export function askForMoment(d: Draft): void {
  if (waitsForTools(d.state)) {
    const { say, musicBytes } = d.state.policy.errands.filler;
    const fills = d.state.fills + 1;
    const first = fills === 1 && d.state.holdsInRow === 0;
    change(d, { fills });
    if (first && say !== null) {
      cause(d, { do: 'note.held' });
      askToSay(d, say);
      // It has its own time to be heard.
      return changeTurn(d, { waitsSinceMs: d.atMs, lastActivityMs: d.atMs });
    }
    if (!first && musicBytes > 0) return playClip(d, `${MUSIC_CLIP}#${fills}`, musicBytes, false);
  }
  const holds = d.state.holds + 1;
  const { holdsInRow, heldSinceMs, playback } = d.state;
  const since = holdsInRow === 0 ? playback.queueEndsAtMs : heldSinceMs;
  change(d, { holds, holdsInRow: holdsInRow + 1, heldSinceMs: since });
  cause(d, { do: 'note.held' });
  playClip(d, `${HOLD_CLIP}#${holds}`, d.state.policy.holdBytes, false);
}

/** True when nothing but tools that run keeps the caller waiting: the model is well, and owes nothing. */
export const waitsForTools = ({ session, trouble, turn, tools }: LiveState): boolean =>
  session === 'ready' &&
  trouble === null &&
  turn.owedSinceMs === null &&
  turn.answer === null &&
  Object.values(tools).includes('running');

/** What a session that takes over must know beside the words. */
function noteOf(d: Draft): string {
  const { trouble, history } = d.state;
  const sentences = ['The call goes on after a short disturbance of the line. Do not greet again.'];
  if (trouble?.owes !== true) return sentences.join(' ');
  if (hasUnknownWords(history)) sentences.push('The last words of the caller were lost: ask to hear them again.');
  else if (trouble.cut && history.at(-1)?.who === 'agent')
    sentences.push('Your last answer was cut off: go on where it ends.');
  else sentences.push('Answer what the caller said last.');
  return sentences.join(' ');
}

// --- which session counts

/** The name of one more session, which begins to open. */
export function nextSession(d: Draft, target: number, afterMs: number, agent = d.state.agent): string {
  const sessions = d.state.sessions + 1;
  const session = `s${sessions}`;
  change(d, { sessions });
  cause(d, { do: 'session.open', session, agent, target, afterMs });
  return session;
}

/** From now on this session counts. */
export function takeOver(d: Draft, session: string, target: number): void {
  const { on } = d.state;
  change(d, { on: { ...on, session }, session: 'opening', target, sessionSinceMs: d.atMs });
  keepHolding(d);
}

/** A session that was being prepared is not needed. */
export function dropSpare(d: Draft): void {
  const { spare, on } = d.state;
  if (spare === null) return;
  d.effects.push({ do: 'session.close', on: { ...on, session: spare.session } });
  change(d, { spare: null });
}
