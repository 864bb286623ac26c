// The caller's audio on its way to the model: frames go on as they came, gaps in the carrier's timestamps are filled with
// silence so that the model's clock stays true, and a stream that stalls while the caller speaks gets silence so that
// the model's VAD can end the turn. Pure.
import { bytesToMs, FRAME_MS } from '../audio/mulaw.ts';
import type { LegEvent } from '../carrier/carrier.ts';
import { cause, change, type Draft } from './draft.ts';
import type { ConnectedState, Hearing } from './state.ts';

/** Gaps longer than this are filled only so far: the rest is a broken clock, not lost audio. */
const MAX_FILL_MS = 10_000;
/** Caller audio missing for this long while the caller speaks is a stall (OpenAI's own adapter uses the same figures). */
export const STALL_AFTER_MS = 750;
const STALL_FILL_MS = 1_000;

type AudioEvent = Extract<LegEvent, { type: 'leg.audio' }>;

export const silentHearing = (atMs: number): Hearing => ({
  nextTimestampMs: null,
  lastSequence: 0,
  lastFrameAtMs: atMs,
  stallFilled: false,
  checkedAtMs: atMs,
});

/** A frame from the caller. */
export function hear(d: Draft<ConnectedState>, frame: AudioEvent): void {
  const { hearing } = d.state;
  if (frame.sequence <= hearing.lastSequence) {
    cause(d, { do: 'note.ignored', what: 'frame_repeated' });
    return;
  }
  let next = hearing.nextTimestampMs ?? frame.timestampMs;
  const gapMs = frame.timestampMs - next;
  if (gapMs >= FRAME_MS) {
    const fillMs = Math.min(MAX_FILL_MS, Math.floor(gapMs / FRAME_MS) * FRAME_MS);
    if (d.state.session !== 'gone') cause(d, { do: 'session.append_silence', ms: fillMs });
    cause(d, { do: 'note.filled', ms: fillMs, why: 'gap' });
    // A gap beyond the bound is a clock that jumped: go on from where it is now.
    next = gapMs > MAX_FILL_MS ? frame.timestampMs : next + fillMs;
  } else if (gapMs < 0) {
    // The carrier's clock runs slow or went back (late frames after a stall we filled): its audio is real, go on from it.
    next = frame.timestampMs;
  }
  change(d, {
    hearing: {
      nextTimestampMs: next + bytesToMs(frame.chunk.bytes),
      lastSequence: frame.sequence,
      lastFrameAtMs: d.atMs,
      stallFilled: false,
      checkedAtMs: hearing.checkedAtMs,
    },
  });
  if (d.state.session !== 'gone') cause(d, { do: 'session.append', chunk: frame.chunk });
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
      // What was filled is not filled again when the frames come back with a gap.
      nextTimestampMs: nextTimestampMs === null ? null : nextTimestampMs + STALL_FILL_MS,
    },
  });
}
