// The routes about who answers here, and about what was done by whom.
import { z } from 'zod';
import type { Agent } from '../../agent/agent.ts';
import type { Store } from '../../store/store.ts';
import type { ApiRoute } from '../api-route.ts';
import { type Agents, agents as agentsReply, audit } from '../schemas/agents.ts';

export interface AgentRoutesOptions {
  agents: readonly Agent[];
  store: Pick<Store, 'ask'>;
  /** The embedded simulator answers, because there is no key. */
  simulated: boolean;
}

const MOST_ENTRIES = 200;
const entriesExpected = `a whole number from 1 to ${MOST_ENTRIES}`;
const pageExpected = 'the `next` of the page before';

const auditQuery = z.strictObject({
  limit: z.coerce
    .number(entriesExpected)
    .int(entriesExpected)
    .min(1, entriesExpected)
    .max(MOST_ENTRIES, entriesExpected)
    .default(50)
    .describe('entries on a page'),
  before: z.coerce.number(pageExpected).int(pageExpected).min(0, pageExpected).describe(pageExpected).optional(),
});

export function agentRoutes({ agents, store, simulated }: AgentRoutesOptions): ApiRoute[] {
  // They do not change while the server runs.
  const told: Agents = { agents: agents.map(toldOf), simulated };
  return [
    {
      method: 'GET',
      path: '/agents',
      summary: 'The agents that answer here',
      reply: agentsReply,
      answer: () => Promise.resolve(told),
    },
    {
      method: 'GET',
      path: '/audit',
      summary: 'What was done to calls and to what is kept of them, and by whom; the newest first',
      query: auditQuery,
      reply: audit,
      answer: async ({ query }) => {
        const { limit, before } = query as z.infer<typeof auditQuery>;
        const { entries, more } = await store.ask('readAudit', { limit, before: before ?? null });
        return { entries, next: more ? (entries.at(-1)?.id ?? null) : null } satisfies z.infer<typeof audit>;
      },
    },
  ];
}

const toldOf = (agent: Agent): Agents['agents'][number] => ({
  name: agent.name,
  file: agent.file,
  hash: agent.hash,
  model: agent.model.name,
  answers: [...agent.answers],
  records: agent.recording !== null,
  targets: Object.keys(agent.transfer),
  dispositions: [...(agent.notes?.dispositions ?? [])],
});
