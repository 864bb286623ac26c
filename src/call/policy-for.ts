// Agent -> the policy that its calls run under. Pure.
import type { Agent } from '../agent/agent.ts';
import type { LegCapabilities, NextStep, Voicemail } from '../carrier/carrier.ts';
import type { CallPolicy, ErrandPolicy } from './policy.ts';

/** How long the carrier may take from the answered webhook to started media; then the session is discarded. */
const MEDIA_WAIT_MS = 10_000;
/** Model audio kept per call: four minutes, more than the longest answer the API allows (4,096 tokens at 50 ms). */
const SHELF_BYTES = 240_000 * 8;

/** A caller who was asked for a moment hears so again. */
const HOLD_EVERY_MS = 5_000;
/** How long one model is given to be back. */
const RECOVER_WITHIN_MS = 8_000;
/** Carriers ask what follows at once when their media breaks; one that has not by then is told to. */
const RESUME_ASK_MS = 3_000;
const RESUME_WITHIN_MS = 9_000;
/** Of a session's life: 55 of 60 minutes. */
const ROLLOVER_AT = 55 / 60;

/**
 * What the carrier does with a caller whom no model can serve.
 * @param called the number that the caller dialled. It is not forwarded to: the call would come in again, fail again and be
 * forwarded again, each time with one more leg to pay for.
 */
export function afterFailure({ failure }: Agent, called: string): NextStep {
  const { forwardTo, voicemail } = failure;
  const message: Voicemail | null =
    voicemail === null ? null : { do: 'voicemail', say: voicemail.prompt, maxSeconds: voicemail.maxSeconds };
  if (forwardTo === null || forwardTo === called) return message ?? { do: 'hang_up' };
  return { do: 'forward', to: forwardTo, ...(message === null ? {} : { otherwise: message }) };
}

const exactly = (text: string): string => `Say exactly this, and nothing else: "${text}"`;

/**
 * The policy of one call to `called`. Plain data: it is part of the call's state and of its tape.
 * @param first the agent that the call began with, where this one takes it over: the call's clips, length, budget and what
 * follows a failure stay that one's
 */
export function policyFor(agent: Agent, leg: LegCapabilities, called: string, first = agent): CallPolicy {
  const { greeting, failure } = first;
  const { forwardTo } = first.budget;
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
    maxCallMs: first.limits.maxCallMs,
    wrapUp: exactly(first.limits.wrapUp),
    wrapUpText: first.limits.wrapUp,
    modelStallMs: agent.limits.modelStallMs,
    endCall: agent.endCall.enabled ? { goodbye: agent.endCall.goodbye } : null,
    budget: {
      nearly: first.budget.nearly,
      goodbye: first.budget.goodbye,
      next: forwardTo === null || forwardTo === called ? { do: 'hang_up' } : { do: 'forward', to: forwardTo },
    },
    endOfTurnMs: agent.turnTaking.detection.kind === 'server_vad' ? agent.turnTaking.detection.silenceMs : 0,
    holdBytes: failure.hold.length,
    holdAfterMs: failure.holdAfterMs,
    holdEveryMs: HOLD_EVERY_MS,
    models: agent.failure.fallback === null ? 1 : 2,
    recoverWithinMs: RECOVER_WITHIN_MS,
    resumeAskMs: RESUME_ASK_MS,
    resumeWithinMs: RESUME_WITHIN_MS,
    rolloverAfterMs: Math.round(agent.model.maxSessionMs * ROLLOVER_AT),
    apologyBytes: failure.apology.length,
    apologyText: failure.apologyText,
    afterFailure: afterFailure(first, called),
    errands: errandsOf(agent, first, called),
    mediaWaitMs: MEDIA_WAIT_MS,
    maxAheadMs: leg.maxAheadMs,
    shelfBytes: SHELF_BYTES,
  };
}

/** What the agent may do beside talking. A target that is the number that was called would call itself. */
function errandsOf(agent: Agent, { filler }: Agent, called: string): ErrandPolicy {
  const targets = Object.entries(agent.transfer).filter(([, { to }]) => to !== called);
  return {
    targets: Object.fromEntries(targets.map(([name, { to, how, ringSeconds }]) => [name, { to, how, ringSeconds }])),
    fields: Object.fromEntries(
      Object.entries(agent.keypad).map(([name, { min, max, endKey, timeoutMs, sensitive }]) => [
        name,
        { min, max, endKey, timeoutMs, sensitive },
      ]),
    ),
    consent: { ...agent.consent, transcribes: agent.model.transcription !== null },
    dispositions: agent.notes?.dispositions ?? null,
    pressesKeys: agent.sendsDtmf,
    handOffs: agent.handOff.map(({ agent: name }) => name),
    guardrails: agent.guardrails,
    filler: {
      afterMs: agent.filler.afterMs,
      say: agent.filler.say,
      musicBytes: filler.music?.length ?? 0,
      musicAfterMs: agent.filler.musicAfterMs,
    },
  };
}

/** Every agent that a call can be handed to from this one, however often; it comes back to this one as well. */
export function reachableFrom(first: Agent, agents: readonly Agent[]): Agent[] {
  const reached = new Set<Agent>();
  const visit = (agent: Agent): void => {
    for (const { agent: name } of agent.handOff) {
      const next = agents.find((one) => one.name === name);
      if (next === undefined || reached.has(next)) continue;
      reached.add(next);
      visit(next);
    }
  };
  visit(first);
  return [...reached];
}
