// Agent -> the policy that its calls run under. Pure.
import type { Agent } from '../agent/agent.ts';
import type { LegCapabilities, NextStep } from '../carrier/carrier.ts';
import type { CallPolicy } from './policy.ts';

/** How long the carrier may take from the answered webhook to started media; then the session is discarded. */
const MEDIA_WAIT_MS = 10_000;
/** Model audio kept per call: four minutes, more than the longest answer the API allows (4,096 tokens at 50 ms). */
const SHELF_BYTES = 240_000 * 8;

const exactly = (text: string): string => `Say exactly this, and nothing else: "${text}"`;

/** The policy of one call. Plain data: it is part of the call's state and of its tape. */
export function policyFor(agent: Agent, leg: LegCapabilities): CallPolicy {
  const { greeting, failure } = agent;
  const afterFailure: NextStep =
    failure.forwardTo === null ? { do: 'hang_up' } : { do: 'forward', to: failure.forwardTo };
  return {
    greeting:
      greeting === null
        ? null
        : greeting.clip === null
          ? { by: 'model', say: exactly(greeting.text), protected: greeting.protected }
          : { by: 'clip', bytes: greeting.clip.length, text: greeting.text, protected: greeting.protected },
    interruptAfterMs: agent.turnTaking.interruptAfterMs,
    silenceMs: agent.silence.promptAfterMs,
    silencePrompt: exactly(agent.silence.prompt),
    silenceGoodbye: exactly(agent.silence.goodbye),
    maxCallMs: agent.limits.maxCallMs,
    wrapUp: exactly(agent.limits.wrapUp),
    modelStallMs: agent.limits.modelStallMs,
    endCall: agent.endCall.enabled ? { goodbye: agent.endCall.goodbye } : null,
    apologyBytes: failure.apology.length,
    afterFailure,
    mediaWaitMs: MEDIA_WAIT_MS,
    maxAheadMs: leg.maxAheadMs,
    shelfBytes: SHELF_BYTES,
  };
}
