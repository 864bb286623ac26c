// Agent speech: from the shelf to the carrier's queue, and stopping it. Pure.
import type { AudioChunk } from '../audio/chunk.ts';
import { BYTES_PER_MS } from '../audio/mulaw.ts';
import type { HeardUtterance } from '../realtime/session.ts';
import { readBackBegins, readBackSettled } from './consent.ts';
import { cause, change, changeTurn, type Draft, isConnected } from './draft.ts';
import type { SettledUtterance } from './effect.ts';
import { unoffending } from './guardrails.ts';
import { heardAs, recall, remember } from './history.ts';
import * as ledger from './playback.ts';
import { GREETING_CLIP, HOLD_CLIP, MUSIC_CLIP } from './policy.ts';

/** Sends what may be sent now: at most `maxAheadMs` ahead of playback, marks included. Nothing before the media starts. */
export function pump(d: Draft): void {
  if (!isConnected(d) || d.state.away !== null) return;
  let p = ledger.dropEmpty(d.state.playback);
  for (;;) {
    const marked = ledger.markIfDue(p);
    if (marked) {
      p = marked[0];
      cause(d, { do: 'leg.mark', mark: marked[1] });
      continue;
    }
    const sent = ledger.sendNext(p, d.atMs, d.state.policy.maxAheadMs);
    if (!sent) break;
    p = sent[0];
    const { underrunMs, ...range } = sent[1];
    if (underrunMs > 0) cause(d, { do: 'note.underrun', ms: Math.round(underrunMs) });
    cause(d, { do: 'leg.play', ...range });
  }
  if (p !== d.state.playback) change(d, { playback: p });
}

/** An utterance begins; its audio is queued behind what is already there. */
export function beginUtterance(d: Draft, utterance: string, answer: string | null, isProtected: boolean): void {
  const track = { utterance, answer, protected: isProtected, received: 0, sent: 0, complete: false, lost: null };
  change(d, { playback: ledger.openTrack(d.state.playback, track) });
  remember(d, { who: 'agent', utterance, text: '', heard: null });
  pump(d);
}

/** Audio of an utterance arrived from the model. */
export function receiveAudio(d: Draft, utterance: string, chunk: AudioChunk): void {
  const track = ledger.findTrack(d.state.playback, utterance);
  if (!track || track.complete) {
    cause(d, { do: 'note.ignored', what: 'audio_of_no_utterance' });
    return;
  }
  const held = d.state.playback.tracks.reduce((sum, t) => sum + t.received, 0);
  if (held + chunk.bytes > d.state.policy.shelfBytes) {
    // The shelf is full: the utterance ends here. What is kept is played; the model is not asked for more.
    cause(d, { do: 'note.ignored', what: 'shelf_full' });
    endUtterance(d, utterance);
    return;
  }
  if (track.received === 0) {
    makeWay(d, track);
    readBackBegins(d, utterance);
  }
  cause(d, { do: 'shelf.put', utterance, chunk });
  change(d, { playback: ledger.updateTrack(d.state.playback, utterance, { received: track.received + chunk.bytes }) });
  pump(d);
}

/** No more audio of an utterance will come. */
export function endUtterance(d: Draft, utterance: string): void {
  if (!ledger.findTrack(d.state.playback, utterance)) return;
  change(d, { playback: ledger.updateTrack(d.state.playback, utterance, { complete: true }) });
  pump(d);
}

/** The hold sound ends at the first sound of the agent. */
function makeWay(d: Draft, track: ledger.Track): void {
  if (!stopMusic(d)) return;
  // Nothing of it was there to be stopped.
  change(d, { playback: ledger.openTrack(d.state.playback, track) });
}

/** Stops the hold sound, where it plays. */
export function stopMusic(d: Draft): boolean {
  const { playback } = d.state;
  if (!playback.tracks.some(({ utterance }) => utterance.startsWith(MUSIC_CLIP))) return false;
  cause(d, { do: 'leg.clear' });
  const stopped = ledger.stopAll(playback, d.atMs);
  change(d, { playback: stopped.playback });
  // What came before it was heard by then; what follows it has no sound yet.
  settle(
    d,
    stopped.notes.filter(({ receivedMs }) => receivedMs > 0),
  );
  return true;
}

/** Queues a recorded clip as an utterance of its own. */
export function playClip(d: Draft, utterance: string, bytes: number, isProtected: boolean): void {
  if (!utterance.startsWith(MUSIC_CLIP)) stopMusic(d);
  const track = {
    utterance,
    answer: null,
    protected: isProtected,
    received: bytes,
    sent: 0,
    complete: true,
    lost: null,
  };
  change(d, { playback: ledger.openTrack(d.state.playback, track) });
  pump(d);
}

/** A mark came back as played. */
export function reachMark(d: Draft, mark: string): void {
  const [playback, heard] = ledger.markPlayed(d.state.playback, mark, d.atMs);
  if (playback === d.state.playback) {
    cause(d, { do: 'note.ignored', what: 'mark_unknown' });
    return;
  }
  change(d, { playback });
  settle(d, heard);
  pump(d);
}

/**
 * Stops everything that is queued or being produced: `clear` first, then the model learns what was heard. Without speech
 * in the queue or an answer on its way nothing happens.
 */
export function stopSpeaking(d: Draft, because: 'caller_spoke' | 'our_decision'): void {
  const { playback, turn, session } = d.state;
  const answering = turn.answer !== null || turn.owedSinceMs !== null;
  if (playback.tracks.length === 0 && !answering) return;
  // Also for audio that has sounded by the clock but whose mark is not back yet: clearing an empty queue harms nobody.
  if (playback.tracks.some((t) => t.sent > 0)) cause(d, { do: 'leg.clear' });
  const stopped = ledger.stopAll(playback, d.atMs);
  if (session !== 'gone') tellWhereCut(d, stopped.heard, because, answering);
  change(d, { playback: stopped.playback });
  if (stopped.unheardMs > 0) cause(d, { do: 'note.stopped', because, unheardMs: stopped.unheardMs });
  settle(d, stopped.notes);
  changeTurn(d, { answer: null, owedSinceMs: null, bargeInAtMs: null });
}

/**
 * Says how much was heard of speech that was stopped. An earlier session's was told as heard to the present one, which
 * learns in words where it ended.
 */
export function tellWhereCut(
  d: Draft,
  heard: readonly HeardUtterance[],
  because: 'caller_spoke' | 'our_decision',
  answering: boolean,
): void {
  const { on, session, history, playback } = d.state;
  // What a session that takes over is told will say it.
  if (session === 'opening' && d.state.sessions > 1) return;
  const own = heard.filter(({ utterance }) => isOf(on.session, utterance));
  if (answering || own.length > 0) cause(d, { do: 'session.interrupt', because, heard: own });
  if (session !== 'ready') return;
  for (const { utterance, heardMs } of heard) {
    const said = history.find((one) => one.who === 'agent' && one.utterance === utterance);
    if (isOf(on.session, utterance) || said?.who !== 'agent') continue;
    const receivedMs = (ledger.findTrack(playback, utterance)?.received ?? 0) / BYTES_PER_MS;
    const [text] = recall([{ ...said, heard: receivedMs === 0 ? 0 : heardMs / receivedMs }]);
    const words = text?.who === 'agent' ? `only this: "${text.text}"` : 'nothing';
    const sentence = `You were interrupted. Of your last words the caller heard ${words}`;
    cause(d, { do: 'session.tell', role: 'system', text: sentence });
  }
}

/** True while anything is unheard but a moment that was asked for: nobody's turn is lost over that. */
export const isAnswering = (playback: ledger.Playback, atMs: number): boolean =>
  playback.tracks.some((t) => !isFiller(t.utterance) && !ledger.isFullyHeard(playback, t, atMs));

/** Played so that the caller is not left in silence; it says nothing. */
const isFiller = (utterance: string): boolean => utterance.startsWith(HOLD_CLIP) || utterance.startsWith(MUSIC_CLIP);

/** Sessions after the first put their name before their utterances'. */
const isOf = (session: string, utterance: string): boolean =>
  utterance.includes('.') ? utterance.startsWith(`${session}.`) : session === 's1';

/** Utterances that are over: said to onlookers, their audio dropped, a clip's words put into the conversation. */
export function settle(d: Draft, notes: readonly SettledUtterance[]): void {
  for (const note of notes) {
    cause(d, { do: 'note.settled', ...note });
    heardAs(d, note);
    readBackSettled(d, note);
    if (note.outcome === 'heard' && !note.utterance.startsWith('clip:')) unoffending(d, note.utterance);
    cause(d, { do: 'shelf.drop', utterance: note.utterance });
    const { greeting } = d.state.policy;
    if (note.utterance !== GREETING_CLIP || greeting?.by !== 'clip' || d.state.session === 'gone') continue;
    const words = greeting.text.split(/\s+/);
    const heardWords =
      note.outcome === 'heard' ? words.length : Math.floor((words.length * note.heardMs) / note.receivedMs);
    if (heardWords === 0) continue;
    const text = words.slice(0, heardWords).join(' ');
    remember(d, { who: 'agent', utterance: note.utterance, text, heard: 1 });
    // One that is not ready and follows another is told with the history.
    if (d.state.session === 'ready' || d.state.sessions === 1)
      cause(d, { do: 'session.tell', role: 'assistant', text });
  }
}
