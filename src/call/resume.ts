// The carrier's media went away without a word, while the carrier may still have the caller: the call waits for a new
// stream of the same call, and goes on where it was. Pure.
import type { LegCloseCause } from '../carrier/carrier.ts';
import { cause, change, changeTurn, type Draft, isConnected } from './draft.ts';
import { apologise, askToSay, endWithLeg } from './ending.ts';
import { silentHearing } from './hearing.ts';
import * as ledger from './playback.ts';
import { pump, settle, tellWhereCut } from './speaking.ts';
import type { Away, ConnectedState, Leaving } from './state.ts';
import { terminationOf } from './termination.ts';

/** A carrier whose streams break so often is not worth another. */
const MAX_LEG_LOSSES = 4;
const LEG_LOSSES_WITHIN_MS = 60_000;
/** A carrier that has said nothing for so long may not know of the loss, and would never ask by itself. */
const UNAWARE_MS = 1_000;
/** An order about a call is carried out within this, repetitions included, or not at all. */
const LATE_ORDER_MS = 6_000;
/** What the caller said in less is a syllable; in more it may have been the answer that was waited for. */
const WORDS_LOST_MS = 800;

type LegLost = { cause: 'socket_lost' | 'stopped_reading'; detail: string; silentMs?: number };

/** The leg is gone. A call that was talking waits for the caller to be brought back; any other is over. */
export function loseLeg(d: Draft, { cause: legCause, detail, silentMs = 0 }: LegLost): void {
  const { policy, playback, turn, session } = d.state;
  const legLostAtMs = [...d.state.legLostAtMs.filter((ms) => d.atMs - ms < LEG_LOSSES_WITHIN_MS), d.atMs];
  change(d, { legLostAtMs });
  const hopeless = policy.resumeWithinMs === 0 || legLostAtMs.length > MAX_LEG_LOSSES;
  if (!isConnected(d) || d.state.phase !== 'talking' || hopeless || d.state.away !== null)
    return endWithLeg(d, legCause, detail, silentMs);
  // What was sent since the carrier's last word was heard by nobody, whatever the clock says.
  const stopped = ledger.stopAll(playback, d.atMs - silentMs);
  const answering = turn.answer !== null || turn.owedSinceMs !== null;
  const owes = answering || stopped.unheardMs > 0;
  if (session !== 'gone') tellWhereCut(d, stopped.heard, 'our_decision', answering);
  const asked = silentMs >= UNAWARE_MS;
  const away: Away = { sinceMs: d.atMs, asked, owes, deafMs: silentMs, cause: legCause, detail };
  // A moment that was asked for was not heard, and is asked for again.
  change(d, { playback: stopped.playback, away, holdsInRow: 0 });
  if (asked) recallLeg(d);
  if (stopped.unheardMs > 0) cause(d, { do: 'note.stopped', because: 'our_decision', unheardMs: stopped.unheardMs });
  settle(d, stopped.notes);
  changeTurn(d, { answer: null, owedSinceMs: null, bargeInAtMs: null });
}

/** The carrier has not brought the caller back by itself: it is asked to. Then the caller counts as gone. */
export function resumeOverdue(d: Draft<ConnectedState>): void {
  const { away } = d.state;
  if (away === null) return;
  if (away.asked) return endWithLeg(d, away.cause, away.detail);
  change(d, { away: { ...away, asked: true } });
  recallLeg(d);
}

function recallLeg(d: Draft): void {
  change(d, { recalledAtMs: d.atMs });
  cause(d, { do: 'leg.recall' });
}

/**
 * The carrier said `stop` soon after it was asked to bring the caller back, who is back already: the order met the carrier's own
 * question on the way, and takes the caller out of the stream that the answer led to, into another. A caller who hangs up is
 * told of by the status callback too.
 */
export const isLateOrder = (d: Draft, cause: LegCloseCause): boolean =>
  cause === 'carrier_stopped' && d.state.recalledAtMs !== null && d.atMs - d.state.recalledAtMs < LATE_ORDER_MS;

/** A new stream of the call has started: the conversation goes on. */
export function takeBack(d: Draft<ConnectedState>, leg: string): void {
  const { away, on, session, trouble } = d.state;
  if (away === null) return;
  change(d, { on: { ...on, leg }, away: null, hearing: silentHearing(d.atMs) });
  changeTurn(d, { lastActivityMs: d.atMs, lastSignMs: d.atMs });
  cause(d, { do: 'note.resumed', awayMs: Math.round(d.atMs - away.sinceMs) });
  // What is left to be said waits on the shelf.
  if (d.state.phase === 'leaving') {
    change(d as Draft<Leaving>, { farewell: { ...d.state.farewell, sinceMs: d.atMs } });
    return pump(d);
  }
  if (away.failed) return apologise(d, terminationOf(away.failed.reason, away.failed.detail));
  if (away.cause === 'moved') return comeBack(d);
  const awayMs = d.atMs - away.sinceMs;
  const wordsLost = awayMs + away.deafMs > WORDS_LOST_MS;
  const owes = away.owes || wordsLost;
  if (session === 'ready') {
    cause(d, { do: 'session.tell', role: 'system', text: wordsLost ? `${BACK} ${WORDS_LOST}` : BACK });
    // Something new may have been begun meanwhile; it waits on the shelf.
    const begun =
      d.state.turn.answer !== null || d.state.turn.owedSinceMs !== null || ledger.hasUnsent(d.state.playback);
    if (owes && !begun) askToSay(d, null);
  } else if (trouble !== null) change(d, { trouble: { ...trouble, owes: trouble.owes || owes } });
  pump(d);
}

/** Nobody took the caller: the agent, who knows why, speaks first. */
function comeBack(d: Draft<ConnectedState>): void {
  const { session, trouble, turn, playback } = d.state;
  // Something may have been begun meanwhile: it waits on the shelf.
  const begun = turn.answer !== null || turn.owedSinceMs !== null || ledger.hasUnsent(playback);
  // While it rang the caller waited for the person.
  changeTurn(d, { waitsSinceMs: null });
  if (session === 'ready' && !begun) askToSay(d, null);
  else if (trouble !== null) change(d, { trouble: { ...trouble, owes: true } });
  pump(d);
}

const BACK =
  'The line was broken for a moment and the caller is back. Do not greet again. What the caller has not heard, say again briefly.';
const WORDS_LOST = 'What the caller said meanwhile was lost: ask to hear it again.';
