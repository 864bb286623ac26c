// An agent's tools on a server that runs: what must be there at boot, what may come later, and what calls get meanwhile.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { loadAgents } from '../src/agent/load.ts';
import type { Agent } from '../src/agent/agent.ts';
import { type AgentTools, openAgentTools } from '../src/agent-tools.ts';
import type { SentMessage } from '../src/carrier/carrier.ts';
import { type Clock, realClock } from '../src/clock.ts';
import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/log.ts';
import type { ToolOutcome } from '../src/tools/tool.ts';
import { startE2e } from './support/e2e.ts';
import { mcpDouble } from './tools/mcp-double.ts';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const log = createLogger({ level: 'silent' });
/** What waits for a server to come back does not wait for long; a tool has its whole deadline. */
const hurried: Clock = {
  nowMs: () => realClock.nowMs(),
  wallMs: () => realClock.wallMs(),
  at(atMs, fire) {
    const nowMs = realClock.nowMs();
    return realClock.at(atMs - nowMs < 5_000 ? Math.min(atMs, nowMs + 20) : atMs, fire);
  },
};

async function agentOf(yaml: string): Promise<Agent> {
  const dir = await mkdtemp(join(tmpdir(), 'trunkline-agent-'));
  open.push(() => rm(dir, { recursive: true }));
  await writeFile(join(dir, 'a.yaml'), `name: a\nanswers: ["*"]\ninstructions: Be brief.\n${yaml}`);
  const [agent] = await loadAgents(dir, readConfig({}));
  return agent as Agent;
}

async function openTools(agent: Agent, sent: SentMessage | null = null, clock: Clock = hurried): Promise<AgentTools> {
  const texts: unknown[] = [];
  const none = (): never => {
    throw new Error('not here');
  };
  const message = async (text: unknown): Promise<SentMessage> => {
    texts.push(text);
    return sent as SentMessage;
  };
  const control = sent === null ? null : { redirect: none, hangUp: none, call: none, message };
  const tools = await openAgentTools({ agents: [agent], env: {}, clock, log, control, watch: {} });
  open.push(() => tools.close());
  return Object.assign(tools, { texts });
}

const caller = {
  callId: 'c1',
  from: { kind: 'pstn', value: '+12025550101' },
  to: { kind: 'pstn', value: '+12025550102' },
  digits: () => null,
} as const;

const ask = (tools: AgentTools, agent: Agent, name: string, args = '{}'): Promise<ToolOutcome> =>
  tools
    .forCall(agent, caller)
    .run({ toolCall: 't1', name, arguments: args, agreed: false, signal: new AbortController().signal });

const mcp = (url: string, unreachable: string): string => `tools:
  - mcp: { url: "${url}", unreachable: ${unreachable}, allow: { list_returns: { effect: reads } } }
outbound: { private: ["127.0.0.1"] }
`;

test('a source that is not there stops the boot, by name, where the agent file says so', async () => {
  const double = await mcpDouble([]);
  await double.stop();
  const agent = await agentOf(mcp(double.url, 'stop'));
  await expect(openTools(agent)).rejects.toMatchObject({
    code: 'TRK_CONFIG',
    message: expect.stringMatching(/tools of the agent a .*a\.yaml:5.*MCP server/s) as string,
  });
});

test('started without it, calls do without its tool until the server is there, and /readyz names it meanwhile', async () => {
  const double = await mcpDouble([
    { name: 'list_returns', description: 'Lists returns.', inputSchema: { type: 'object' } },
  ]);
  open.push(() => double.stop());
  double.answer = () => ({ content: [{ type: 'text', text: 'no returns' }] });
  await double.stop();
  const agent = await agentOf(mcp(double.url, 'start_without'));
  const tools = await openTools(agent);
  expect(tools.waiting).toMatchObject([{ source: expect.stringContaining('a.yaml:5') as string }]);
  expect(tools.equipped(agent).tools).toEqual([]);
  expect(await ask(tools, agent, 'list_returns')).toMatchObject({ status: 'unknown' });

  await double.start();
  await expect.poll(() => tools.waiting.length, { timeout: 5_000 }).toBe(0);
  expect(tools.equipped(agent).tools.map(({ name }) => name)).toEqual(['list_returns']);
  expect(await ask(tools, agent, 'list_returns')).toMatchObject({ status: 'ok', output: 'no returns' });
});

test('/readyz is ready without a source, and says what is missing', async () => {
  const double = await mcpDouble([]);
  await double.stop();
  const missing = await agentOf(mcp(double.url, 'start_without'));
  const e2e = await startE2e({ agent: () => ({ sources: missing.sources, outbound: missing.outbound }) });
  open.push(() => e2e.abandon());
  const answer = await fetch(`${e2e.server.origin}/readyz`, { headers: { connection: 'close' } });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({
    status: 'ready',
    missing_tools: [{ source: expect.stringContaining('mcp') as string, why: expect.any(String) as string }],
  });
});

test('a text message goes to the caller alone, once a call, from the number that was called', async () => {
  const agent = await agentOf('sms: { per_call: 1 }\n');
  const tools = (await openTools(agent, { outcome: 'sent' })) as AgentTools & { texts: unknown[] };
  expect(await ask(tools, agent, 'send_sms', '{"text":"Hello","to":"+19005550100"}')).toMatchObject({
    status: 'invalid',
  });
  const call = tools.forCall(agent, caller);
  const send = (toolCall: string, text: string) =>
    call.run({
      toolCall,
      name: 'send_sms',
      arguments: JSON.stringify({ text }),
      agreed: false,
      signal: new AbortController().signal,
    });
  expect(await send('t1', 'Tuesday, 9:30.')).toMatchObject({ status: 'ok', output: 'The message was sent.' });
  expect(await send('t2', 'Another.')).toMatchObject({ status: 'refused' });
  expect(tools.texts).toEqual([{ from: '+12025550102', to: '+12025550101', text: 'Tuesday, 9:30.' }]);
});

test.each([
  [{ outcome: 'refused', why: 'unsubscribed' }, 'failed', /was not sent/],
  [{ outcome: 'unknown', why: 'timeout' }, 'failed', /may still have had its effect/],
] as const)('a message that was %o is told honestly', async (sent, status, words) => {
  const agent = await agentOf('sms: {}\n');
  const outcome = await ask(await openTools(agent, sent), agent, 'send_sms', '{"text":"Hello"}');
  expect(outcome).toMatchObject({ status, output: expect.stringMatching(words) as string });
});

test('a header value that cannot be sent stops the boot, and is not told', async () => {
  const agent = await agentOf(
    'tools: [{ http: { name: t, description: T., url: "https://shop.example.com/", headers: { authorization: "${T}" } } }]\n',
  );
  const opening = openAgentTools({
    ...{ agents: [agent], env: { T: 'abc\nX-Evil: 1' }, clock: hurried, log, control: null, watch: {} },
  });
  await expect(opening).rejects.toMatchObject({
    code: 'TRK_CONFIG',
    message: expect.stringMatching(/header authorization that can be sent/) as string,
  });
  await expect(opening).rejects.not.toMatchObject({ message: expect.stringContaining('Evil') as string });
});

test.each(['.', '[^]+', '.*', '(a+)+$', '('])(
  'a guardrail that matches everything, or takes for ever: %s',
  async (pattern) => {
    await expect(
      agentOf(`guardrails: [{ name: g, watch: speech, pattern: ${JSON.stringify(pattern)}, instead: Do not. }]\n`),
    ).rejects.toThrow(/guardrails\[0\]\.pattern: expected a regular expression that matches some texts/);
  },
);
