// The playback ledger: what was sent of each utterance and what has been heard of it. Pure.
//
// The carrier's queue is modelled by a send clock: audio starts at the later of now and the end of what is queued. Media
// and `clear` take the same way to the carrier, so a constant network delay cancels out: at the moment we send `clear`,
// the clock says what the caller will have heard when it takes effect. Marks only reconcile: one that returns early, or
// several that return far too late in a row, move the clock (the carrier's queue ran ahead, or stood still).
import { BYTES_PER_MS, FRAME_BYTES } from '../audio/mulaw.ts';
import type { AnswerId, HeardUtterance, UtteranceId } from '../realtime/session.ts';
import type { SettledUtterance } from './effect.ts';

/** One utterance on its way from the model to the caller's ear; counts are bytes of that utterance. */
export interface Track {
  utterance: UtteranceId;
  /** The model's answer it belongs to; null for a recorded clip. */
  answer: AnswerId | null;
  protected: boolean;
  received: number;
  sent: number;
  /** No more will be received. */
  complete: boolean;
  /** Bytes that were received and will never be sent: the model was lost. Null: the utterance is whole. */
  lost: number | null;
}

/** A run of bytes of one utterance that plays without a gap. */
interface Segment {
  utterance: UtteranceId;
  fromByte: number;
  toByte: number;
  startsAtMs: number;
}

interface PendingMark {
  mark: string;
  /** When the ledger expects playback to reach it. */
  dueMs: number;
  /** Set on the mark that follows an utterance's last byte. */
  ends: UtteranceId | null;
}

export interface Playback {
  /** Raised by every clear; part of each mark's name, so that a mark of an earlier queue is known as such. */
  generation: number;
  /** When the carrier's queue runs empty, by the send clock. */
  queueEndsAtMs: number;
  tracks: readonly Track[];
  segments: readonly Segment[];
  marks: readonly PendingMark[];
  nextMark: number;
  /** Audio bytes sent since the last mark. */
  bytesSinceMark: number;
  /** Smallest mark return delay seen, in ms: the network's round trip. Null before the first mark. */
  roundTripMs: number | null;
  /** Lateness of the previous mark beyond the round trip, in ms. */
  lastLatenessMs: number;
}

/** Audio between two marks inside a long utterance. Sparse: a mark per delta was heard to hurt playback in the field. */
const MARK_EVERY_BYTES = 1_000 * BYTES_PER_MS;
/** Two marks in a row later than this beyond the round trip are a queue that stood still, not jitter. */
const STOOD_STILL_MS = 120;
/** Marks this much early are rounding, not a queue that ran ahead. */
const EARLY_TOLERANCE_MS = 5;

export const emptyPlayback = (): Playback => ({
  generation: 1,
  queueEndsAtMs: 0,
  tracks: [],
  segments: [],
  marks: [],
  nextMark: 1,
  bytesSinceMark: 0,
  roundTripMs: null,
  lastLatenessMs: 0,
});

/** A new utterance at the end of the queue. Earlier ones are complete from now on: agents speak one thing at a time. */
export const openTrack = (p: Playback, track: Track): Playback => ({
  ...p,
  tracks: [...p.tracks.map((t) => (t.complete ? t : { ...t, complete: true })), track],
});

/** No more of anything will be received; what is here is still sent and heard. */
export const completeAll = (p: Playback): Playback => ({
  ...p,
  tracks: p.tracks.map((t) => (t.complete ? t : { ...t, complete: true })),
});

/** Forgets utterances that ended without a byte. */
export const dropEmpty = (p: Playback): Playback =>
  p.tracks.some((t) => t.complete && t.received === 0)
    ? { ...p, tracks: p.tracks.filter((t) => !t.complete || t.received > 0) }
    : p;

export const findTrack = (p: Playback, utterance: UtteranceId): Track | undefined =>
  p.tracks.find((t) => t.utterance === utterance);

export const updateTrack = (p: Playback, utterance: UtteranceId, change: Partial<Track>): Playback => ({
  ...p,
  tracks: p.tracks.map((t) => (t.utterance === utterance ? { ...t, ...change } : t)),
});

/** A range to send now, in whole frames but for an utterance's last, which is padded. */
export interface Range {
  utterance: UtteranceId;
  fromByte: number;
  toByte: number;
  padBytes: number;
  startsAtMs: number;
  /** Milliseconds of silence the caller heard since the utterance's previous byte; 0 if none. */
  underrunMs: number;
}

/**
 * The next range that may be sent, at most `maxAheadMs` ahead of playback, and the ledger with it noted; null if there is
 * none now. Call again until null.
 */
export function sendNext(p: Playback, atMs: number, maxAheadMs: number): [Playback, Range] | null {
  const track = p.tracks.find((t) => t.sent < t.received || !t.complete);
  if (!track) return null;
  const startsAtMs = Math.max(atMs, p.queueEndsAtMs);
  const room = Math.floor((maxAheadMs - (startsAtMs - atMs)) * BYTES_PER_MS);
  const waiting = track.received - track.sent;
  // No more than up to the next mark: what comes back late tells of a carrier that does not read.
  const most = Math.min(room, Math.ceil((MARK_EVERY_BYTES - p.bytesSinceMark) / FRAME_BYTES) * FRAME_BYTES);
  const tail = track.complete && waiting <= most;
  const bytes = tail ? waiting : Math.floor(Math.min(waiting, most) / FRAME_BYTES) * FRAME_BYTES;
  if (bytes <= 0) return null;
  const padBytes = (FRAME_BYTES - (bytes % FRAME_BYTES)) % FRAME_BYTES;
  const fromByte = track.sent;
  const toByte = fromByte + bytes;
  const last = p.segments.at(-1);
  const joins =
    last !== undefined &&
    last.utterance === track.utterance &&
    last.toByte === fromByte &&
    startsAtMs === p.queueEndsAtMs;
  const segments = joins
    ? [...p.segments.slice(0, -1), { ...last, toByte }]
    : [...p.segments, { utterance: track.utterance, fromByte, toByte, startsAtMs }];
  const underrunMs = fromByte > 0 && startsAtMs > p.queueEndsAtMs ? startsAtMs - p.queueEndsAtMs : 0;
  const sent = updateTrack(p, track.utterance, { sent: toByte });
  return [
    {
      ...sent,
      segments,
      queueEndsAtMs: startsAtMs + (bytes + padBytes) / BYTES_PER_MS,
      bytesSinceMark: p.bytesSinceMark + bytes,
    },
    { utterance: track.utterance, fromByte, toByte, padBytes, startsAtMs, underrunMs },
  ];
}

/** The next mark that is due: behind the last byte of an utterance, and once a second inside it. Call again until null. */
export function markIfDue(p: Playback): [Playback, string] | null {
  const ended = p.tracks.find(
    (t) => t.complete && t.sent > 0 && t.sent === t.received && !p.marks.some((m) => m.ends === t.utterance),
  );
  if (!ended && p.bytesSinceMark < MARK_EVERY_BYTES) return null;
  const mark = `g${p.generation}.${p.nextMark}`;
  const pending: PendingMark = { mark, dueMs: p.queueEndsAtMs, ends: ended ? ended.utterance : null };
  return [{ ...p, marks: [...p.marks, pending], nextMark: p.nextMark + 1, bytesSinceMark: 0 }, mark];
}

/** Bytes of a track that the caller has heard at `atMs`, by the send clock; never beyond what was sent. */
export function heardBytes(p: Playback, track: Track, atMs: number): number {
  let heard = 0;
  for (const s of p.segments) {
    if (s.utterance !== track.utterance) continue;
    const played = Math.floor((atMs - s.startsAtMs) * BYTES_PER_MS);
    heard += Math.max(0, Math.min(played, s.toByte - s.fromByte));
  }
  return Math.min(heard, track.sent);
}

/** True when the caller has heard all there will ever be of it. */
export const isFullyHeard = (p: Playback, track: Track, atMs: number): boolean =>
  track.complete && heardBytes(p, track, atMs) >= track.received;

/** True while there is received audio that was not sent yet and can be: whole frames, or an utterance's tail. */
export const hasUnsent = (p: Playback): boolean =>
  p.tracks.some((t) => (t.complete ? t.sent < t.received : t.received - t.sent >= FRAME_BYTES));

/** Milliseconds received and not sent yet. */
export const unsentMs = (p: Playback): number =>
  p.tracks.reduce((sum, t) => sum + t.received - t.sent, 0) / BYTES_PER_MS;

/** The utterance that sounds at `atMs`, or the next to sound. */
export const currentTrack = (p: Playback, atMs: number): Track | undefined =>
  p.tracks.find((t) => !isFullyHeard(p, t, atMs));

const settled = (p: Playback, t: Track, atMs: number): SettledUtterance => {
  const heard = heardBytes(p, t, atMs);
  const ms = (bytes: number) => Math.floor(bytes / BYTES_PER_MS);
  const whole = t.complete && t.lost === null && heard >= t.received;
  return {
    utterance: t.utterance,
    outcome: heard === 0 ? 'unheard' : whole ? 'heard' : 'interrupted',
    heardMs: ms(heard),
    sentMs: ms(t.sent),
    receivedMs: ms(t.received + (t.lost ?? 0)),
  };
};

/** A mark came back as played. Reconciles the clock and settles the utterances that ended by it. */
export function markPlayed(p: Playback, mark: string, atMs: number): [Playback, SettledUtterance[]] {
  const index = p.marks.findIndex((m) => m.mark === mark);
  if (index < 0) return [p, []];
  const reached = p.marks[index] as PendingMark;
  const next = reconcile({ ...p, marks: p.marks.slice(index + 1) }, reached.dueMs, atMs);
  const ended = new Set(p.marks.slice(0, index + 1).map((m) => m.ends));
  const done = p.tracks.filter((t) => ended.has(t.utterance));
  // The carrier says so: all that was sent of them has sounded, whatever the clock thinks.
  const notes = done.map((t) =>
    settled(
      {
        ...p,
        segments: [{ utterance: t.utterance, fromByte: 0, toByte: t.sent, startsAtMs: Number.NEGATIVE_INFINITY }],
      },
      t,
      atMs,
    ),
  );
  return [
    {
      ...next,
      tracks: next.tracks.filter((t) => !ended.has(t.utterance)),
      segments: next.segments.filter((s) => !ended.has(s.utterance)),
    },
    notes,
  ];
}

function reconcile(p: Playback, dueMs: number, atMs: number): Playback {
  const returnMs = atMs - dueMs;
  const roundTripMs = Math.max(0, Math.min(p.roundTripMs ?? returnMs, returnMs));
  const latenessMs = returnMs - roundTripMs;
  const stoodStillMs = Math.min(latenessMs, p.lastLatenessMs);
  if (returnMs < -EARLY_TOLERANCE_MS) return { ...shift(p, returnMs, dueMs), roundTripMs: 0, lastLatenessMs: 0 };
  if (stoodStillMs > STOOD_STILL_MS) return { ...shift(p, stoodStillMs, dueMs), roundTripMs, lastLatenessMs: 0 };
  return { ...p, roundTripMs, lastLatenessMs: latenessMs };
}

/** Moves what plays after `fromMs` by `ms`. */
function shift(p: Playback, ms: number, fromMs: number): Playback {
  const endsAt = (s: Segment) => s.startsAtMs + (s.toByte - s.fromByte) / BYTES_PER_MS;
  return {
    ...p,
    queueEndsAtMs: p.queueEndsAtMs + ms,
    segments: p.segments.map((s) => (endsAt(s) >= fromMs ? { ...s, startsAtMs: s.startsAtMs + ms } : s)),
    marks: p.marks.map((m) => ({ ...m, dueMs: m.dueMs + ms })),
  };
}

/** What a stop at `atMs` leaves behind. */
export interface Stopped {
  playback: Playback;
  /** What became of every utterance that was not settled yet. */
  notes: SettledUtterance[];
  /** What the model must be told: its own utterances that were not fully heard. */
  heard: HeardUtterance[];
  /** Milliseconds received that the caller will not hear. */
  unheardMs: number;
}

/** Everything stops at `atMs`: the carrier's queue is cleared, the rest is dropped. */
export function stopAll(p: Playback, atMs: number): Stopped {
  const notes = p.tracks.map((t) => settled(p, t, atMs));
  const heard: HeardUtterance[] = [];
  let unheardMs = 0;
  p.tracks.forEach((t, i) => {
    const note = notes[i] as SettledUtterance;
    unheardMs += note.receivedMs - note.heardMs;
    if (t.answer !== null && note.outcome !== 'heard') heard.push({ utterance: t.utterance, heardMs: note.heardMs });
  });
  const playback = {
    ...p,
    generation: p.generation + 1,
    queueEndsAtMs: Math.min(p.queueEndsAtMs, atMs),
    tracks: [],
    segments: [],
    marks: [],
    bytesSinceMark: 0,
    lastLatenessMs: 0,
  };
  return { playback, notes, heard, unheardMs };
}

/** The model is lost: what was not sent is dropped, what was sent plays on. Returns the utterances of which nothing was. */
export function cutUnsent(p: Playback, atMs: number): [Playback, SettledUtterance[]] {
  // Recorded clips are here whole; a legal notice is not cut because the model is gone.
  const whole = (t: Track) => t.answer === null || (t.complete && t.sent === t.received);
  const tracks = p.tracks.map((t) =>
    whole(t) ? t : { ...t, received: t.sent, complete: true, lost: (t.lost ?? 0) + t.received - t.sent },
  );
  const dropped = tracks.filter((t) => t.sent === 0 && !whole(t));
  return [{ ...p, tracks: tracks.filter((t) => !dropped.includes(t)) }, dropped.map((t) => settled(p, t, atMs))];
}
