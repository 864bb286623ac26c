// The caller of the demo: five recorded clips answering the sample clinic agent. Every cue follows the agent, so the
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
  'short-closing-words': [[280, 1180]],
};

/**
 * Waits for the greeting, asks for customer support, interrupts the long explanation with "billing department", reads an
 * account number, listens to the balance ("not so sure"), and closes. The agent hangs up; if it does not, the caller does.
 */
export function demoCaller(): CallerTrack {
  const whenAgentHasSpoken = (forMs: number, minHeardMs = 800) =>
    ({ after: 'agent_silent', forMs, minHeardMs, patienceMs: PATIENCE_MS }) as const;
  const steps: CallerStep[] = [
    { cue: whenAgentHasSpoken(600), action: { say: speech('q-customer-support') } },
    {
      cue: { after: 'agent_speaking', forMs: 3_500, patienceMs: PATIENCE_MS },
      action: { say: speech('short-billing-department') },
    },
    { cue: whenAgentHasSpoken(700), action: { say: speech('numbers-three-groups') } },
    // "One moment" and the wait for the tool come first; the balance is the long part.
    { cue: whenAgentHasSpoken(900, 4_500), action: { say: speech('short-not-so-sure') } },
    { cue: whenAgentHasSpoken(700), action: { say: speech('short-closing-words') } },
    { cue: { after: 'agent_silent', forMs: 6_000, patienceMs: 15_000 }, action: { hangUp: true } },
  ];
  return { steps };
}

/** The speech of one clip: silence at the edges cut, pauses between its segments shortened with the clip's own sound. */
export function speech(id: string): Uint8Array {
  const clip = readClip(fileURLToPath(new URL(`./callers/${id}.wav`, import.meta.url)));
  const segments = SPEECH[id] ?? [];
  return Buffer.concat(
    segments.map(([startMs, endMs], i) => {
      const beforeMs = i === 0 ? EDGE_MS : GROUP_GAP_MS / 2;
      const afterMs = i === segments.length - 1 ? EDGE_MS : GROUP_GAP_MS / 2;
      return cutClip(clip, startMs - beforeMs, endMs + afterMs);
    }),
  );
}
