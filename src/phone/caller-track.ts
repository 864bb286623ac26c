// What a recorded caller does in a call: says clips, presses keys, hangs up, each on a cue. A track is plain data; the
// phone performs it (caller-script.ts decides when).
import { readFileSync } from 'node:fs';
import { BYTES_PER_MS, msToBytes, silence } from '../audio/mulaw.ts';
import { readWav } from '../audio/wav.ts';
import { overlay } from './playback-buffer.ts';

/**
 * When a step is due. Steps are performed in the order of the track, and a step never before the one ahead of it is over.
 *
 * - `atMs`: at this time of the stream, to the sample.
 * - `previous`: `waitMs` after the end of the step before.
 * - `agent_silent`: the agent has spoken since the step before (for `minHeardMs` at least, default 0) and nothing has
 *   been played for `forMs`.
 * - `agent_speaking`: `forMs` into a talk spurt of the agent, or into what is left of one when the step before ended.
 *
 * `patienceMs` bounds the last two: after so much dead air the caller goes on anyway. Default 20 s.
 */
export type Cue =
  | { atMs: number }
  | { after: 'previous'; waitMs: number }
  | { after: 'agent_silent'; forMs: number; minHeardMs?: number; patienceMs?: number }
  | { after: 'agent_speaking'; forMs: number; patienceMs?: number };

export type CallerAction = { say: Uint8Array } | { press: string } | { hangUp: true };

/** A pause does nothing when it is due but let the next step begin: the cue of that step counts from here. */
export interface CallerStep {
  cue: Cue;
  action: CallerAction | { pause: true };
}

export interface CallerTrack {
  steps: readonly CallerStep[];
}

/** One point of a fixed timeline: a WAV file or PCMU bytes to say, keys to press, or the end of the call. */
export type TimelinePoint = { atMs: number } & (
  | { wav: string | Buffer }
  | { bytes: Uint8Array }
  | { dtmf: string }
  | { hangup: true }
);

/** Time between two keys of one `dtmf` point. */
export const KEY_MS = 250;

/** A caller who says nothing and waits. */
export const silentCaller: CallerTrack = { steps: [] };

/** One WAV, from `atMs` of the stream (default 0). */
export const trackFromWav = (wav: string | Buffer, atMs = 0): CallerTrack => trackFromTimeline([{ atMs, wav }]);

/** A track with fixed times, ordered by `atMs`. */
export function trackFromTimeline(points: readonly TimelinePoint[]): CallerTrack {
  const steps = points.flatMap(stepsOf);
  return { steps: steps.toSorted((a, b) => timeOf(a) - timeOf(b)) };
}

/** The left channel of a mono or two-channel 8 kHz mu-law WAV, from a path or from the file's bytes. */
export function readClip(wav: string | Buffer): Uint8Array {
  const parsed = typeof wav === 'string' ? readWav(readFileSync(wav), wav) : readWav(wav);
  return parsed.channels[0] ?? new Uint8Array();
}

/** The part of a clip between two times; ends beyond the clip are pulled in. */
export const cutClip = (clip: Uint8Array, fromMs: number, toMs: number): Uint8Array =>
  clip.subarray(msToBytes(Math.max(0, fromMs)), msToBytes(Math.max(0, toMs)));

/** The clips of a fixed timeline as one PCMU buffer with 0xFF between them. Steps on relative cues are left out. */
export function renderTrack(track: CallerTrack): Buffer {
  const clips = track.steps.flatMap(({ cue, action }) =>
    'atMs' in cue && 'say' in action ? [{ offset: Math.round(cue.atMs * BYTES_PER_MS), bytes: action.say }] : [],
  );
  const line = silence(Math.max(0, ...clips.map((clip) => clip.offset + clip.bytes.length)));
  for (const clip of clips) overlay(line, clip.bytes, clip.offset);
  return line;
}

function stepsOf(point: TimelinePoint): CallerStep[] {
  const cue = { atMs: point.atMs };
  if ('wav' in point) return [{ cue, action: { say: readClip(point.wav) } }];
  if ('bytes' in point) return [{ cue, action: { say: point.bytes } }];
  if ('hangup' in point) return [{ cue, action: { hangUp: true } }];
  return point.dtmf.split('').map((digit, i) => ({ cue: { atMs: point.atMs + i * KEY_MS }, action: { press: digit } }));
}

const timeOf = (step: CallerStep): number => ('atMs' in step.cue ? step.cue.atMs : 0);
