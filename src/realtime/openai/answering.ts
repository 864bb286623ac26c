// How the server is told when it may answer by itself: always, not now, or never again. Pure.
import { type Draft, nextEventId, send, set } from './dialogue-state.ts';
import { want } from './wanted.ts';

/** Only this is still said, whatever the caller does: turns are no longer detected. */
export function lastWords(d: Draft, say: string): void {
  set(d, { lastWords: true, floor: 'open', queue: [] });
  updateDetection(d, null);
  want(d, { say, outputs: [] });
}

/** Turns are still detected, and interrupt; but no plain answer begins that was not allowed. */
export function holdAnswers(d: Draft): void {
  if (d.s.answersHeld || d.s.lastWords) return;
  set(d, { answersHeld: true });
  const { serverAnswers, session } = d.s.config;
  if (serverAnswers) updateDetection(d, { ...detectionOf(session), create_response: false });
}

/** The plain answer that waits may begin. */
export function allowAnswer(d: Draft): void {
  const waiting = d.s.queue.find(({ say }) => say === null);
  set(d, { queue: d.s.queue.map((wanted) => (wanted === waiting ? { ...wanted, allowed: true } : wanted)) });
}

/** Formats go with every update that names `audio`: some servers would fall back to theirs. */
function updateDetection(d: Draft, detection: object | null): void {
  const format = { type: 'audio/pcmu' };
  const audio = { input: { format, turn_detection: detection }, output: { format } };
  send(d, { type: 'session.update', event_id: nextEventId(d), session: { type: 'realtime', audio } });
}

/** As the session was configured: a part of it alone would put the rest back to the server's defaults. */
function detectionOf(session: Record<string, unknown>): object {
  const { audio } = session as { audio?: { input?: { turn_detection?: object | null } } };
  return audio?.input?.turn_detection ?? {};
}
