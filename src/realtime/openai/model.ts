// An agent's models as its calls need them: what they can do, how they are configured, and how a session is opened.
import type { Agent } from '../../agent/agent.ts';
import type { Clock } from '../../clock.ts';
import type { Endpoints } from './endpoints.ts';
import { OpenAiSession, type SessionListener } from './session.ts';
import { capabilitiesFor, dialogueConfig } from './session-config.ts';

/** From a session's opening to its readiness; the call core has its own patience once the caller is there. */
const SESSION_READY_MS = 8_000;

/** The agent as its calls go on with the second model. */
const withFallback = (agent: Agent): Agent | null =>
  agent.failure.fallback === null ? null : { ...agent, model: { ...agent.model, ...agent.failure.fallback } };

/** The first model of an agent, and its fallback. */
export function openAiModel(agent: Agent, endpoints: Endpoints, clock: Clock) {
  const agents = [agent, withFallback(agent)].filter((one) => one !== null);
  const configs = agents.map(dialogueConfig);
  const capabilities = capabilitiesFor(agent);
  return {
    capabilities,
    config: configs[0],
    fallbackConfig: configs[1],
    open(hooks: SessionListener, { session, target, afterMs }: { session: string; target: number; afterMs: number }) {
      const { model } = agents[target] ?? agent;
      const endpoint = endpoints.of(model);
      return new OpenAiSession({
        session,
        config: configs[target] ?? dialogueConfig(agent),
        capabilities,
        clock,
        readyWithinMs: SESSION_READY_MS,
        listener: hooks,
        rateLimits: (facts) => endpoint.health.throttle.updated(facts),
        connect: (events) => endpoint.connect(events, { afterMs, isUp: session !== 's1' }),
      });
    },
  };
}
