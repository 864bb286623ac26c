// The routes about who answers here, and about what was done by whom.
import { afterEach, expect, test } from 'vitest';
import { loadAgents } from '../../src/agent/load.ts';
import { readConfig } from '../../src/config.ts';
import { agentRoutes } from '../../src/dashboard/routes/agents.ts';
import { askOf, inMemory } from '../costs/seed.ts';
import { describes, get, refusal, serve, storeOf } from './routes-served.ts';

const agents = await loadAgents('agents', readConfig({}));
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

test('the agents that answer here are told, without what they are instructed', async () => {
  const app = await serve(
    agentRoutes({ agents, store: storeOf(() => Promise.reject(new Error('asked'))), simulated: true }),
  );
  await describes(app, '/agents', '/agents');
  const answer = await get(app, '/agents');
  expect(answer.json()).toMatchObject({ simulated: true });
  expect(answer.json().agents.map(({ name, answers }: { name: string; answers: string[] }) => [name, answers])).toEqual(
    agents.map(({ name, answers }) => [name, answers]),
  );
  for (const { instructions } of agents) expect(answer.body).not.toContain(instructions.slice(0, 40));
  await app.close();
});

test('the audit is walked from the newest on, each entry once', async () => {
  const db = await inMemory();
  closing.push(() => db.destroy());
  const ask = askOf(db);
  await ask(
    'applyEvents',
    Array.from({ length: 25 }, (_, i) => ({
      ...{ type: 'audited', atWallMs: 1_000 + i, actor: `operator:${i}` },
      ...{ action: 'listened', subject: 'c1', note: '<b>hostile</b>' },
    })) as never,
  );
  const app = await serve(agentRoutes({ agents, store: { ask }, simulated: false }));
  await describes(app, '/audit', '/audit');
  const actors: string[] = [];
  for (let before: number | null = null; ; ) {
    const page: { entries: { actor: string }[]; next: number | null } = (
      await get(app, `/audit?limit=10${before === null ? '' : `&before=${before}`}`)
    ).json();
    actors.push(...page.entries.map(({ actor }) => actor));
    before = page.next;
    if (before === null) break;
  }
  expect(actors).toEqual(Array.from({ length: 25 }, (_, i) => `operator:${24 - i}`));
  expect(await refusal(app, '/audit?limit=201')).toEqual([400, 'limit: expected a whole number from 1 to 200']);
  expect(await refusal(app, '/audit?before=x')).toEqual([400, 'before: expected the `next` of the page before']);
  await app.close();
});
