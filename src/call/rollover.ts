// A session is replaced before its life ends: another is prepared beside it and takes over in a pause, with the history.
// The caller notices nothing. Pure.
import { cause, change, type Draft } from './draft.ts';
import { askToSay } from './ending.ts';
import { becomeAgent } from './hand-off.ts';
import { hasUnknownWords, recall } from './history.ts';
import * as ledger from './playback.ts';
import { withTold } from './orders.ts';
import { dropSpare, nextSession, takeOver } from './recovery.ts';
import type { LiveState } from './state.ts';

/** Caller audio that the new session hears once more: speech that began while the old one was still deciding so. */
const OVERLAP_MS = 300;
/** Between the end of a turn and the beginning of its answer there is a moment of quiet too. */
const PAUSE_MS = 700;
/** Words that are not known by then will not come: nothing is transcribed, or it failed. */
const WORDS_WITHIN_MS = 3_000;
/** For another agent the caller waits: so long at most for what they said last. */
const HAND_OFF_WORDS_MS = 1_000;
/** A spare session that was lost is tried again after this. */
const SPARE_AGAIN_MS = 10_000;

/** The session nears the end of its life: its replacement opens. */
function prepareSpare(d: Draft): void {
  const session = nextSession(d, d.state.target, 0);
  change(d, { spare: { session, ready: false, sinceMs: d.atMs } });
}

/** What the spare session reports, until it takes over. */
export function spareReports(d: Draft, event: { type: string }): void {
  const { spare } = d.state;
  if (spare === null) return;
  if (event.type === 'session.ready') change(d, { spare: { ...spare, ready: true } });
  else if (event.type === 'session.closed') {
    dropSpare(d);
    if (spare.agent !== undefined) {
      cause(d, { do: 'session.tell', role: 'system', text: `${spare.agent} cannot be reached. Go on yourself.` });
      if (!d.state.turn.callerSpeaking && d.state.phase === 'talking') askToSay(d, null);
      return;
    }
    // The present one still serves; the next try comes after a while.
    change(d, { sessionSinceMs: d.atMs - d.state.policy.rolloverAfterMs + SPARE_AGAIN_MS });
  }
}

/** In a pause the spare session takes over. */
function takeOverInPause(d: Draft, { session, sinceMs, agent, note = GO_ON }: NonNullable<LiveState['spare']>): void {
  cause(d, { do: 'session.close' });
  takeOver(d, session, agent === undefined ? d.state.target : 0);
  change(d, { session: 'ready', spare: null, sessionSinceMs: sinceMs });
  if (agent !== undefined) becomeAgent(d, agent);
  cause(d, { do: 'session.recall', history: recall(d.state.history), note: withTold(d.state, note) });
  cause(d, { do: 'session.append_recent', ms: OVERLAP_MS });
  // The other agent speaks first: the caller waits for it.
  if (agent !== undefined) askToSay(d, null);
}

const GO_ON = 'The call goes on. Do not greet again.';

/** The timer ran out: a session is prepared, or the prepared one takes over. */
export function rollOver(d: Draft): void {
  const { spare } = d.state;
  if (spare === null) prepareSpare(d);
  else if (spare.ready) takeOverInPause(d, spare);
}

/**
 * When the session is to be replaced, or the prepared one may take over: once nobody has spoken for a moment, nobody is
 * about to, and every word is known. Null while it may not.
 */
export function rolloverDueMs(state: LiveState): number | null {
  const { phase, session, spare, sessionSinceMs, policy, turn, playback, history } = state;
  if (phase !== 'talking' || session !== 'ready') return null;
  if (spare === null) return sessionSinceMs + policy.rolloverAfterMs;
  if (!spare.ready || !isQuiet(state) || playback.tracks.length > 0) return null;
  const quietSinceMs = Math.max(turn.lastActivityMs, playback.queueEndsAtMs);
  if (spare.agent !== undefined) return quietSinceMs + (hasUnknownWords(history) ? HAND_OFF_WORDS_MS : 0);
  return quietSinceMs + (hasUnknownWords(history) ? WORDS_WITHIN_MS : PAUSE_MS);
}

/** Nobody speaks, nobody is about to, and nobody works on an answer. */
export const isQuiet = ({ turn, playback, tools, session }: LiveState): boolean =>
  session === 'ready' &&
  !turn.callerSpeaking &&
  turn.answer === null &&
  turn.owedSinceMs === null &&
  turn.keys === '' &&
  !ledger.hasUnsent(playback) &&
  Object.values(tools).every((tool) => tool === 'settled');
