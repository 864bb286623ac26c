// Every clip that a caller of chaos may hear, so that its words are known in the sound of a call.
import type { Agent } from '../agent/agent.ts';
import type { KnownClip } from './heard-call.ts';
import { ASKS_TO_WAIT, modelClips } from './scene-model.ts';

export function knownClips({ failure }: Agent, greeting: Uint8Array): KnownClip[] {
  return [
    { name: 'hold', bytes: failure.hold, asksToWait: true },
    { name: 'apology', bytes: failure.apology, asksToWait: false },
    { name: 'greeting', bytes: greeting, asksToWait: false },
    ...modelClips().map(([name, bytes]): KnownClip => ({ name, bytes, asksToWait: ASKS_TO_WAIT.includes(name) })),
  ];
}
