// What becomes of a call's facts with the whole product: journal, worker thread, database, API; budgets that go on after a
// restart; and a server whose database is away.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { agentBudgetKey } from '../../src/call/admission.ts';
import { readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/log.ts';
import { type Server, startServer } from '../../src/server.ts';
import { type E2e, question, withE2e } from '../support/e2e.ts';

vi.setConfig({ testTimeout: 40_000 });

const script = {
  turns: [{ items: [{ stampedMs: 800, transcript: 'We open at nine.' }], callerTranscript: 'When do you open?' }],
};

/** The answer of the API, which may still wait for the database. */
async function get(server: Pick<Server, 'origin' | 'adminToken'>, path: string, token = server.adminToken) {
  const response = await fetch(server.origin + path, {
    headers: { authorization: `Bearer ${token}`, connection: 'close' },
  });
  return { status: response.status, body: (await response.json()) as Record<string, never> };
}

/** One call in which the caller asks once. */
async function oneCall(e2e: E2e) {
  const phone = e2e.call({
    hangupAfterTrack: 1_500,
    track: { steps: [{ cue: { atMs: 200 }, action: { say: question() } }] },
  });
  await phone.ended;
  return e2e.record(phone.callSid);
}

test('a call is in the database with its words and its bill, and the API tells it to who may know', async () => {
  await withE2e({ database: true, agent: () => ({ greeting: null }), simulator: { script } }, async (e2e) => {
    const record = await oneCall(e2e);
    const path = `/api/calls/${record.callId}`;
    const ended = async () => expect((await get(e2e.server, path)).body).toMatchObject({ reason: 'caller_hung_up' });
    await vi.waitFor(ended, { timeout: 5_000, interval: 50 });
    expect(await get(e2e.server, path, 'x'.repeat(32))).toMatchObject({ status: 401 });
    const { body: call } = await get(e2e.server, path);
    expect(JSON.stringify(call)).toContain('When do you open?');
    expect(JSON.stringify(call)).toContain('We open at nine.');
    const { body: bill } = await get(e2e.server, `${path}/bill`);
    const { lines } = bill as unknown as { lines: { costNanoUsd: number | null }[] };
    expect(lines).toHaveLength(record.cost.lines.length);
    expect(lines.reduce((sum, { costNanoUsd }) => sum + (costNanoUsd ?? 0), 0)).toBe(record.cost.totalNanoUsd);
    const ready = await fetch(`${e2e.server.origin}/readyz`, { headers: { connection: 'close' } });
    expect(await ready.json()).toMatchObject({ status: 'ready', database: 'ok' });
  });
});

test('a server that is started goes on from what was spent today', async () => {
  await withE2e(
    {
      database: true,
      agent: (sample) => ({ greeting: null, budget: { ...sample.budget, perDayNanoUsd: 50e9 } }),
      simulator: { script },
    },
    async (e2e) => {
      const record = await oneCall(e2e);
      await e2e.server.close();
      const next = await startServer({
        config: e2e.config,
        log: createLogger({ level: 'silent' }),
        agents: [e2e.agent],
      });
      try {
        const { spentNanoUsd } = next.coordination.budgets.read(agentBudgetKey(e2e.agent.name));
        expect(spentNanoUsd).toBe(record.cost.totalNanoUsd);
      } finally {
        await next.close();
      }
    },
  );
});

test('a database that is away costs no call anything, and readiness says so', async () => {
  await withE2e(
    {
      database: true,
      agent: () => ({ greeting: null }),
      simulator: { script },
      // Nobody listens there.
      config: { databaseUrl: 'postgres://trunkline:secret@127.0.0.1:9/trunkline' },
    },
    async (e2e) => {
      e2e.secrets.add('secret');
      const record = await oneCall(e2e);
      expect(record.end.reason).toBe('caller_hung_up');
      const ready = await fetch(`${e2e.server.origin}/readyz`, { headers: { connection: 'close' } });
      expect({ status: ready.status, ...((await ready.json()) as object) }).toMatchObject({
        status: 'ready',
        database: 'behind',
      });
      expect(await get(e2e.server, '/api/calls')).toMatchObject({ status: 503 });
    },
  );
});

test('a start that an agent file stops touches no database, and leaves no thread', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-refused-'));
  try {
    await writeFile(join(folder, 'agent.yaml'), 'answers: ["*"]\ninstruction: misspelt\n');
    const dataDir = join(folder, 'data');
    const config = readConfig({ AGENTS_DIR: folder, DATA_DIR: dataDir, PORT: '0' });
    const threads = () => process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort').length;
    const before = threads();
    const started = startServer({ config, log: createLogger({ level: 'silent' }) });
    await expect(started).rejects.toThrow(/instruction/);
    expect(await readdir(dataDir)).toEqual([]);
    expect(threads()).toBe(before);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a budget is held against what an answer is sent of tools, too, those of services included', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-budget-'));
  try {
    const tool = (i: number): string => `  - http:
      name: look_${i}
      description: ${JSON.stringify('Looks something up. '.repeat(190))}
      method: GET
      url: https://look.example.com/up
`;
    // By itself an answer may cost some three cents; with the tools it is sent it may cost eight.
    const file = (tools: number): string => `answers: ["*"]
instructions: You look things up.
model: { max_output_tokens: 100 }
budget: { per_call_usd: 0.05 }
tools:
${Array.from({ length: tools }, (_, i) => tool(i)).join('')}`;
    const start = async (tools: number) => {
      await writeFile(join(folder, 'agent.yaml'), file(tools));
      const config = readConfig({ AGENTS_DIR: folder, DATA_DIR: join(folder, `data-${tools}`), PORT: '0' });
      return startServer({ config, log: createLogger({ level: 'silent' }) });
    };
    await (await start(1)).close();
    await expect(start(12)).rejects.toThrow(/budget of \$0\.0500, and one answer may cost \$0\.0[6-9]/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
