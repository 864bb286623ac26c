// The caller's audio on its way to the model: frames go on as they came, gaps in the carrier's timestamps are filled with
// silence so that the model's clock stays true, and a stream that stalls while the caller speaks gets silence so that
// the model's VAD can end the turn. Pure.
import { bytesToMs, FRAME_MS } from '../audio/mulaw.ts';
import type { LegEvent } from '../carrier/carrier.ts';
import { cause, change, changeTurn, type Draft } from './draft.ts';
import type { ConnectedState, Hearing } from './state.ts';

/** Gaps longer than this are filled only so far: the rest is a broken clock, not lost audio. */
const MAX_FILL_MS = 10_000;
/** Caller audio missing for this long while the caller speaks is a stall (OpenAI's own adapter uses the same figures). */
export const STALL_AFTER_MS = 750;
const STALL_FILL_MS = 1_000;
/** A key's tone lasts 80 to 200 ms and is reported as it begins; the caller does not speak meanwhile. */
const TONE_MS = 250;
/** Frames this far back are not late: the carrier counts anew. */
const RESTART_FRAMES = 500;

type AudioEvent = Extract<LegEvent, { type: 'leg.audio' }>;

export const silentHearing = (atMs: number): Hearing => ({
  nextTimestampMs: null,
  lastSequence: 0,
  lastFrameAtMs: atMs,
  stallFilled: false,
  checkedAtMs: atMs,
  sinceMs: atMs,
  givenMs: 0,
});

/** Silence that may be filled in now: the model's clock never runs far ahead of the wall's, whatever timestamps say. */
const mayFillMs = ({ sinceMs, givenMs }: Hearing, atMs: number): number =>
  Math.max(0, Math.floor((atMs - sinceMs + MAX_FILL_MS - givenMs) / FRAME_MS) * FRAME_MS);

/** A frame from the caller. */
export function hear(d: Draft<ConnectedState>, frame: AudioEvent): void {
  const { hearing } = d.state;
  const behind = hearing.lastSequence - frame.sequence;
  if (behind >= 0 && behind < RESTART_FRAMES) {
    cause(d, { do: 'note.ignored', what: 'frame_repeated' });
    return;
  }
  let next = hearing.nextTimestampMs ?? frame.timestampMs;
  const gapMs = frame.timestampMs - next;
  const lostMs = Math.max(0, Math.floor(gapMs / FRAME_MS) * FRAME_MS);
  const fillMs = lostMs === 0 ? 0 : Math.min(lostMs, MAX_FILL_MS, mayFillMs(hearing, d.atMs));
  if (fillMs > 0) {
    if (d.state.session !== 'gone') cause(d, { do: 'session.append_silence', ms: fillMs });
    cause(d, { do: 'note.filled', ms: fillMs, why: 'gap' });
    // A gap beyond the bound is a clock that jumped: go on from where it is now.
    next = gapMs > MAX_FILL_MS ? frame.timestampMs : next + fillMs;
  } else if (gapMs < 0 || lostMs > 0) {
    // The carrier's clock runs slow or went back (late frames after a stall we filled), or jumps: its audio is real.
    next = frame.timestampMs;
  }
  // Written out, as is the append: what many others share is slow to copy, and this is once a frame.
  d.state = {
    ...d.state,
    hearing: {
      nextTimestampMs: next + bytesToMs(frame.chunk.bytes),
      lastSequence: frame.sequence,
      lastFrameAtMs: d.atMs,
      stallFilled: false,
      checkedAtMs: hearing.checkedAtMs,
      sinceMs: hearing.sinceMs,
      givenMs: hearing.givenMs + fillMs + bytesToMs(frame.chunk.bytes),
    },
  };
  if (d.state.session === 'gone') return;
  if (d.atMs < d.state.turn.toneUntilMs) cause(d, { do: 'session.append_silence', ms: bytesToMs(frame.chunk.bytes) });
  else d.effects.push({ do: 'session.append', chunk: frame.chunk, on: d.state.on });
}

/** A key was pressed. Not every carrier takes its tone out of the audio, and a model's VAD takes it for speech. */
export function noteTone(d: Draft): void {
  changeTurn(d, { toneUntilMs: d.atMs + TONE_MS });
}

/** The input timer fired: fills once per stall. */
export function fillStall(d: Draft<ConnectedState>): void {
  const hearing = { ...d.state.hearing, checkedAtMs: d.atMs };
  change(d, { hearing });
  if (hearing.stallFilled || d.atMs - hearing.lastFrameAtMs < STALL_AFTER_MS - 1) return;
  if (d.state.session !== 'gone') cause(d, { do: 'session.append_silence', ms: STALL_FILL_MS });
  cause(d, { do: 'note.filled', ms: STALL_FILL_MS, why: 'stall' });
  const { nextTimestampMs } = hearing;
  change(d, {
    hearing: {
      ...hearing,
      stallFilled: true,
      givenMs: hearing.givenMs + STALL_FILL_MS,
      // What was filled is not filled again when the frames come back with a gap.
      nextTimestampMs: nextTimestampMs === null ? null : nextTimestampMs + STALL_FILL_MS,
    },
  });
}
