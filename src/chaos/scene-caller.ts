// The caller of one call of chaos: recorded sentences of people, each when the agent has spoken and been silent for a while.
import type { CallerStep, CallerTrack } from '../phone/caller-track.ts';
import { speech } from '../phone/demo-caller.ts';
import type { Scene } from './plan.ts';

/** A caller who hears nothing for so long speaks up. */
const SPEAKS_UP_MS = 9_000;
/** Longer than the recorded "one moment", which answers nothing. */
const LEAST_ANSWER_MS = 1_600;
/** The agent's first words are shorter. */
const LEAST_GREETING_MS = 800;
/** "One moment" of the agent and what it found out. */
const LEAST_TOOL_ANSWER_MS = 4_500;
const LEAST_BRIEF_TOOL_ANSWER_MS = 3_000;
const INTERRUPTS_AFTER_MS = 1_500;
/** After this the agent has nothing more to say. */
const HANGS_UP_AFTER_MS = 3_000;
const HANGS_UP_SOON_MS = 1_200;

const spoken = new Map<string, Uint8Array>();
function clipOf(id: string): Uint8Array {
  const known = spoken.get(id);
  if (known) return known;
  const clip = speech(id);
  spoken.set(id, clip);
  return clip;
}

export function sceneCaller({ shape, patienceMs, brief }: Scene): CallerTrack {
  const answered = (minHeardMs: number, forMs = patienceMs) =>
    ({ after: 'agent_silent', forMs, minHeardMs, patienceMs: SPEAKS_UP_MS }) as const;
  const interrupts = shape === 'barge_in';
  const second: CallerStep['cue'] = interrupts
    ? { after: 'agent_speaking', forMs: INTERRUPTS_AFTER_MS, patienceMs: SPEAKS_UP_MS }
    : answered(LEAST_ANSWER_MS);
  if (brief) {
    const first: CallerStep = { cue: answered(LEAST_GREETING_MS), action: { say: clipOf('short-billing-department') } };
    const more: CallerStep = { cue: second, action: { say: clipOf('short-closing-words') } };
    const leastMs = shape === 'tool' ? LEAST_BRIEF_TOOL_ANSWER_MS : LEAST_ANSWER_MS;
    const last: CallerStep = { cue: answered(leastMs, HANGS_UP_SOON_MS), action: { hangUp: true } };
    return { steps: interrupts ? [first, more, last] : [first, last] };
  }
  return {
    steps: [
      { cue: answered(LEAST_GREETING_MS), action: { say: clipOf('q-customer-support') } },
      { cue: second, action: { say: clipOf('short-billing-department') } },
      {
        cue: answered(shape === 'tool' ? LEAST_TOOL_ANSWER_MS : LEAST_ANSWER_MS),
        action: { say: clipOf('short-closing-words') },
      },
      { cue: answered(LEAST_ANSWER_MS, HANGS_UP_AFTER_MS), action: { hangUp: true } },
    ],
  };
}
