// The caller of the demo: recorded clips answering the sample clinic agent. Every cue follows the agent, so the
// caller behaves like a person and not like a clock. Sources and licences of the clips: callers/NOTICE.txt.
import { fileURLToPath } from 'node:url';
import { type CallerTrack, type CallerStep, cutClip, readClip } from './caller-track.ts';

/** Room tone kept before and after the speech of a clip. */
const EDGE_MS = 100;
/** Pause left between the groups of numbers: under the 500 ms of silence that end a turn. */
const GROUP_GAP_MS = 350;
/** Dead air after which this caller speaks up anyway. */
const PATIENCE_MS = 8_000;

/** Speech inside the clips in ms, from the manifest of the recordings. */
const SPEECH: Record<string, [number, number][]> = {
  'q-customer-support': [[1800, 4340]],
  'short-billing-department': [[620, 2560]],
  'numbers-three-groups': [
    [880, 2540],
    [3940, 4920],
    [6280, 7900],
  ],
  'short-not-so-sure': [[660, 2200]],
  'short-yes': [[680, 1500]],
  'short-closing-words': [[280, 1180]],
};

/**
 * Waits for the greeting, asks for customer support, gives a patient number and a date of birth, takes the time that is
 * offered before the agent has finished asking ("yes"), and closes. The agent hangs up; if it does not, the caller does.
 */
export function demoCaller(): CallerTrack {
  const whenAgentHasSpoken = (forMs: number, minHeardMs = 800) =>
    ({ after: 'agent_silent', forMs, minHeardMs, patienceMs: PATIENCE_MS }) as const;
  const steps: CallerStep[] = [
    { cue: whenAgentHasSpoken(600), action: { say: speech('q-customer-support') } },
    { cue: whenAgentHasSpoken(700), action: { say: speech('numbers-three-groups', 0, 2) } },
    { cue: whenAgentHasSpoken(700), action: { say: speech('numbers-three-groups', 2, 3) } },
    // "One moment" and the offer after it are heard in one go: this is "on Tuesday at half past".
    {
      cue: { after: 'agent_speaking', forMs: 4_700, patienceMs: 4_000 },
      action: { say: speech('short-yes') },
    },
    { cue: whenAgentHasSpoken(700, 1_500), action: { say: speech('short-closing-words') } },
    { cue: { after: 'agent_silent', forMs: 6_000, patienceMs: 15_000 }, action: { hangUp: true } },
  ];
  return { steps };
}

/**
 * The speech of one clip, or of some of its segments: silence at the edges cut, pauses between segments shortened with the
 * clip's own sound.
 */
export function speech(id: string, from = 0, to?: number): Uint8Array {
  const clip = readClip(fileURLToPath(new URL(`./callers/${id}.wav`, import.meta.url)));
  const segments = (SPEECH[id] ?? []).slice(from, to);
  return Buffer.concat(
    segments.map(([startMs, endMs], i) => {
      const beforeMs = i === 0 ? EDGE_MS : GROUP_GAP_MS / 2;
      const afterMs = i === segments.length - 1 ? EDGE_MS : GROUP_GAP_MS / 2;
      return cutClip(clip, startMs - beforeMs, endMs + afterMs);
    }),
  );
}
