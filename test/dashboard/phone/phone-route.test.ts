// GET /api/phone: whom the browser phone may call, by its own schema.
import { expect, test } from 'vitest';
import type { Agent } from '../../../src/agent/agent.ts';
import { phoneFacts } from '../../../src/dashboard/phone/phone-facts.ts';
import { phoneRoutes } from '../../../src/dashboard/routes/phone.ts';
import { sampleAgent } from '../../support/e2e.ts';
import { GUEST } from './browser.ts';

const ask = async (agents: readonly Agent[]): Promise<unknown> => {
  const routes = phoneRoutes({ agents, simulated: true, phones: { live: 3 }, calls: { draining: false } });
  expect(routes.map(({ method, path, access }) => [method, path, access])).toEqual([['GET', '/phone', 'phone']]);
  const answer = await routes[0]?.answer({ ...{ params: {}, query: {}, body: undefined, headers: {} }, who: GUEST });
  return phoneFacts.strict().parse(answer);
};

test('names every agent that answers, with something to dial for the one that takes every other number', async () => {
  const sample = await sampleAgent();
  const agents = [
    { ...sample, name: 'All', answers: ['*'] },
    { ...sample, name: 'Desk', answers: ['+15005550123', 'frontdesk'], recording: null },
    { ...sample, name: 'Behind', answers: [] },
  ];
  expect(await ask(agents)).toEqual({
    agents: [
      { name: 'All', answers: ['+15005550001'], records: sample.recording !== null },
      { name: 'Desk', answers: ['+15005550123', 'frontdesk'], records: false },
    ],
    ...{ anyNumber: 'All', simulated: true, live: 3, maxCalls: 20, draining: false },
  });
});

test('says that no agent takes every number', async () => {
  expect(await ask([{ ...(await sampleAgent()), answers: ['+15005550123'] }])).toMatchObject({ anyNumber: null });
});
