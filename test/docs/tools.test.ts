// docs/tools.md against the source: each kind of tool is loaded as an operator would copy it and run once, and every list on
// the page is the one in the code.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type AgentTools, openAgentTools } from '../../src/agent-tools.ts';
import { loadAgents } from '../../src/agent/load.ts';
import { realClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/log.ts';
import { BUILT_IN_TOOLS } from '../../src/tools/built-in.ts';
import { policyOf } from '../../src/tools/policy.ts';
import { redactArguments } from '../../src/tools/redaction.ts';
import type { Tool, ToolOutcome } from '../../src/tools/tool.ts';
import { json, serveLocally } from '../tools/local-service.ts';
import { mcpDouble } from '../tools/mcp-double.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const PAGE = read('docs/tools.md');
const CONFIG = readConfig({});

const open: { close(): unknown }[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** The text below a heading, to the next one of that kind. */
function section(heading: string): string {
  const part = PAGE.split(/^#{2,3} /m).find((text) => text.startsWith(`${heading}\n`));
  if (part === undefined) throw new Error(`docs/tools.md has no section ${heading}`);
  return part;
}

function block(heading: string, language: string): string {
  const [, text] = new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(section(heading)) ?? [];
  if (text === undefined) throw new Error(`${heading} has no example in ${language}`);
  return text;
}

/** The first cells of all tables of a text, without their marks. */
const firstCells = (text: string): string[] => [...text.matchAll(/^\| `(\w+)` +\|/gm)].map(([, cell = '']) => cell);

/** An agent with these tools, opened as the server opens it; `host` is a private one. */
async function opened(yaml: string, files: Record<string, string>, env: Record<string, string>, host?: string) {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-docs-'));
  folders.push(dir);
  mkdirSync(join(dir, 'shop'));
  const outbound = host === undefined ? '' : `outbound: { private: ["${host}"] }\n`;
  const agentFile = `answers: ["*"]\ninstructions: Be brief.\n${yaml}\n${outbound}`;
  for (const [name, text] of Object.entries({ 'agent.yaml': agentFile, ...files }))
    writeFileSync(join(dir, 'shop', name), text);
  const agents = await loadAgents(dir, CONFIG);
  const log = createLogger({ level: 'silent' });
  const tools = await openAgentTools({ agents, env, clock: realClock, log, control: null, watch: {} });
  open.push(tools);
  return { tools, agent: agents[0]! };
}

type Opened = Awaited<ReturnType<typeof opened>>;

const namesOf = ({ tools, agent }: Opened): string[] => tools.equipped(agent).tools.map(({ name }) => name);

function asker({ tools, agent }: { tools: AgentTools; agent: Opened['agent'] }) {
  const party = { kind: 'withheld', value: '' } as const;
  const call = tools.forCall(agent, { callId: 'c1', from: party, to: party, digits: () => null });
  let asked = 0;
  return (name: string, args: unknown): Promise<ToolOutcome> =>
    call.run({
      toolCall: `t${(asked += 1)}`,
      name,
      arguments: JSON.stringify(args),
      agreed: false,
      signal: new AbortController().signal,
    });
}

describe('each kind of tool, copied from the page', () => {
  test('a function', async () => {
    const code = block('A function', 'ts');
    const line = "'../../src/tools/tool.ts'";
    expect(code).toContain(line);
    // From a folder of agents/ it is two folders up; from here it is elsewhere.
    const copied = code.replace(line, JSON.stringify(join(ROOT, 'src/tools/tool.ts')));
    const [, yaml = ''] = /`(tools: [^`]+)`/.exec(section('A function')) ?? [];
    const shop = await opened(yaml, { 'tools.ts': copied }, {});
    const ask = asker(shop);
    expect(await ask('opening_hours', { day: 'monday' })).toMatchObject({
      status: 'ok',
      output: '{"day":"monday","hours":"8 to 18"}',
    });
    expect(await ask('opening_hours', { day: 'sunday' })).toMatchObject({
      status: 'failed',
      output: expect.stringContaining('The shop is closed on that day.'),
    });
    expect(await ask('opening_hours', { day: 'someday' })).toMatchObject({ status: 'invalid' });
  });

  test('an HTTP request', async () => {
    const service = await serveLocally(({ path, headers }, response) => {
      if (headers.authorization !== 'Bearer secret-of-the-shop') return json(response, 401, {});
      if (path === '/orders/10001') return json(response, 200, { state: 'sent', arrives: 'Tuesday', margin: 3 });
      return json(response, 404, { message: 'No such order.' });
    });
    open.push(service);
    const env = { SHOP_URL: service.url, SHOP_TOKEN: 'secret-of-the-shop' };
    const ask = asker(await opened(block('An HTTP request', 'yaml'), {}, env, service.host));
    expect(await ask('trace_order', { order: '10001' })).toMatchObject({
      status: 'ok',
      output: '{"state":"sent","arrives":"Tuesday"}',
    });
    const unknown = await ask('trace_order', { order: '10002' });
    expect(unknown).toMatchObject({ status: 'failed', output: expect.stringContaining('No such order.') });
    expect(service.asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /orders/10001',
      'GET /orders/10002',
    ]);
  });

  test('operations of an OpenAPI document', async () => {
    const service = await serveLocally(({ path }, response) => {
      if (path === '/patients/find') return json(response, 200, { id: 'p_1', name: 'Ada Finch' });
      return json(response, 201, { id: 'a_1', path });
    });
    open.push(service);
    const yaml = block('Operations of an OpenAPI document', 'yaml');
    const files = { 'clinic-api.yaml': read('agents/clinic/clinic-api.yaml') };
    const clinic = await opened(yaml, files, { CLINIC_URL: service.url }, service.host);
    expect(namesOf(clinic)).toEqual(['find_patient', 'list_slots', 'book_appointment']);
    const ask = asker(clinic);
    const booking = { slot: 's_1', slot_id: 's_1', reason: 'check-up' };
    expect(await ask('book_appointment', booking)).toMatchObject({ status: 'refused' });
    const found = await ask('find_patient', { number: '4815162342', date_of_birth: '1980-01-02' });
    expect(found).toMatchObject({ status: 'ok', output: '{"name":"Ada Finch"}' });
    expect(service.asked[0]?.headers.authorization).toBe('Bearer demo');
    expect(service.asked).toHaveLength(1);
  });

  test('tools of an MCP server, also when it comes later', async () => {
    const double = await mcpDouble([
      { name: 'refill_status', inputSchema: { type: 'object', properties: { refill: { type: 'string' } } } },
      { name: 'order_refill', inputSchema: { type: 'object' } },
      { name: 'delete_everything', inputSchema: { type: 'object' } },
    ]);
    open.push({ close: () => double.stop() });
    double.answer = () => ({ content: [{ type: 'text', text: 'ready on Monday' }] });
    const yaml = block('Tools of an MCP server', 'yaml');
    const env = { PHARMACY_URL: double.url.replace(/\/mcp$/, ''), PHARMACY_TOKEN: 'secret-of-the-pharmacy' };
    const pharmacy = await opened(yaml, {}, env, double.host);
    expect(namesOf(pharmacy)).toEqual(['refill_status', 'order_refill']);
    const outcome = await asker(pharmacy)('refill_status', { refill: '7' });
    expect(outcome).toMatchObject({ status: 'ok', output: 'ready on Monday' });

    await double.stop();
    const without = await opened(yaml, {}, env, double.host);
    expect(namesOf(without)).toEqual([]);
    const [missing] = without.tools.waiting;
    expect(missing?.source).toMatch(/^mcp .*shop\/agent\.yaml:\d+:\d+$/);
    expect(missing?.why).not.toBe('');
  });

  test('what is missing in the environment stops the start, and says where', async () => {
    await expect(opened(block('An HTTP request', 'yaml'), {}, {})).rejects.toThrow(
      /agent\.yaml:\d+:\d+: expected SHOP_TOKEN in the environment/,
    );
  });
});

const SOURCE = read('src/tools/tool.ts');

test('the keys of a function’s policy are those of the code', () => {
  const [text = ''] = section('Policy').split(/`priceUsd` stands/);
  const named = [...text.matchAll(/`(\w+)(?:: true)?`/g)].map(([, name]) => name!).filter((name) => name !== 'policy');
  const plain: Tool = { name: 't', description: 'd', parameters: { type: 'object' }, run: () => null };
  expect(named.toSorted()).toEqual(Object.keys(policyOf(plain, { deadlineMs: 1 })).toSorted());
});

test('the defaults that docs/agent-file.md tells are those of the code', () => {
  const rows = new Map(
    read('docs/agent-file.md')
      .split(/^#### Policy$/m)[1]!
      .split(/^###/m)[0]!
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .map(([, key = '', , standard = '']) => [key.replaceAll('`', ''), standard] as const),
  );
  const plain: Tool = { name: 't', description: 'd', parameters: { type: 'object' }, run: () => null };
  const policy = policyOf(plain, { deadlineMs: 1 });
  const reading = policyOf({ ...plain, policy: { effect: 'reads' } }, { deadlineMs: 1 });
  expect(rows.get('effect')).toContain(`else \`${policy.effect}\``);
  expect(rows.get('retries')).toBe(`\`${reading.retries}\` there, else \`${policy.retries}\``);
  expect(rows.get('at_once')).toBe(`\`${policy.atOnce}\``);
  expect(rows.get('max_output_bytes')).toBe(`\`${policy.maxOutputBytes}\``);
  expect([rows.get('per_call'), policy.perCall]).toEqual(['any number', null]);
});

test('every status of a tool call is there', () => {
  const [, union = ''] = /export type ToolStatus =([^;]+);/.exec(SOURCE) ?? [];
  const statuses = [...union.matchAll(/'(\w+)'/g)].map(([, status]) => status!);
  expect(statuses.length).toBeGreaterThan(5);
  expect(firstCells(section('What the runner guarantees'))).toEqual(statuses);
});

test('every built-in tool is there', () => {
  expect(firstCells(section('Built-in tools')).toSorted()).toEqual([...BUILT_IN_TOOLS].toSorted());
});

test('every reason for which a person misses a caller is there, and every stage', () => {
  const people = section('People');
  const [, reasons = ''] = /export type MissedBecause = ([^;]+);/.exec(read('src/call/event.ts')) ?? [];
  const told = new Set(
    [...people.matchAll(/`missed`, ([^|]+) \|/g)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, reason]) => reason!),
    ),
  );
  expect([...told].toSorted()).toEqual([...reasons.matchAll(/'(\w+)'/g)].map(([, one]) => one!).toSorted());
  const [, stages = ''] =
    /do: 'note\.transfer'; target: string; stage: ([^;]+);/.exec(read('src/call/effect.ts')) ?? [];
  for (const [, stage] of stages.matchAll(/'(\w+)'/g)) expect(people).toContain(`| \`${stage}\``);
});

describe('what is kept of arguments', () => {
  const kept = section('What is kept of arguments');
  const [, words = '', pairs = ''] =
    /words `date`[^:]*:\s([^.]*)\.\n- Or two of them in a row: ([^.]*)\./s.exec(kept) ?? [];
  const listOf = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, word]) => word!);
  const source = read('src/tools/redaction.ts');
  const quoted = (after: string): string[] => {
    const [, body = ''] = new RegExp(`${after} = new Set\\(?([^;]+);`).exec(source) ?? [];
    return [...body.matchAll(/'([^']+)'/g)].map(([, text]) => text!.trim());
  };

  test('the words are those of the code', () => {
    const inCode = quoted('const PERSONAL')
      .join(' ')
      .split(' ')
      .filter((word) => word !== '');
    expect(inCode.length).toBeGreaterThan(30);
    expect(listOf(words)).toEqual(inCode);
    expect(listOf(pairs)).toEqual(quoted('const PERSONAL_PAIRS').filter((pair) => pair !== ' '));
  });

  test.each([...listOf(words), ...listOf(pairs)])('an argument called %s is', (word) => {
    const name = word.replace(' ', '_');
    const declared = { type: 'object', properties: { [name]: { type: 'string' }, other: { type: 'string' } } };
    const tool: Tool = { name: 't', description: 'd', parameters: declared, run: () => null };
    const shown = redactArguments(tool, JSON.stringify({ [name]: 'Finch', other: 'seen' }), 'c1');
    expect(parse(shown)).toEqual({ [name]: expect.stringMatching(/^\[redacted [0-9a-f]{8}\]$/), other: 'seen' });
  });
});
