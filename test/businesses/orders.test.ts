// The sample order service: questions over HTTP, returns over MCP as the real client sees them.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startOrders } from '../../agents/orders/service/start.ts';
import { setFaults } from './clinic-client.ts';
import { type Here, ordersHere } from './here.ts';

const TODAY = '2026-11-20';
let folder: string;
let database: string;
let service: Here;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trunkline-orders-'));
  database = join(folder, 'orders.db');
  service = await ordersHere({ database, today: TODAY });
});
afterEach(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

async function get(path: string, query: Record<string, string>) {
  const response = await fetch(`${service.origin}${path}?${new URLSearchParams(query).toString()}`, {
    headers: { authorization: `Bearer ${service.token}` },
  });
  // oxlint-disable-next-line no-explicit-any
  return { status: response.status, body: (await response.json()) as any };
}

function returns(): unknown[] {
  const db = new DatabaseSync(database, { readOnly: true });
  try {
    return db
      .prepare('SELECT "order", item, reason FROM returns ORDER BY number')
      .all()
      .map((row) => ({ ...row }));
  } finally {
    db.close();
  }
}

async function withClient<T>(body: (client: Client) => Promise<T>, token = service.token): Promise<T> {
  const client = new Client({ name: 'test', version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${service.origin}/mcp`), { requestInit }));
  try {
    return await body(client);
  } finally {
    await client.close();
  }
}

const open = (client: Client, args: Record<string, unknown>) =>
  client.callTool({ name: 'open_return', arguments: args }, { timeout: 5_000 });

describe('over HTTP', () => {
  test('an order is told to whoever knows its number and postcode, and what is in it', async () => {
    expect(await get('/orders/10001', { postcode: '90210' })).toEqual({
      status: 200,
      body: {
        order: '10001',
        status: 'delivered',
        ordered: '2026-11-14',
        delivered: '2026-11-19',
        items: [
          { item: 1, name: 'desk lamp' },
          { item: 2, name: 'box of light bulbs' },
        ],
      },
    });
    expect((await get('/orders/10002', { postcode: '90210' })).body).toMatchObject({
      status: 'on_its_way',
      expected: '2026-11-22',
    });
    const wrongCode = await get('/orders/10001', { postcode: '90211' });
    expect(wrongCode.status).toBe(404);
    expect(await get('/orders/99999', { postcode: '90210' })).toEqual(wrongCode);
  });

  test('the newest orders of a telephone number, only with its postcode', async () => {
    const { body } = await get('/orders', { phone: '+15005550006', postcode: '90210' });
    expect((body.orders as { order: string }[]).map(({ order }) => order)).toEqual(['10003', '10002', '10001']);
    expect((await get('/orders', { phone: '+15005550006', postcode: '10115' })).status).toBe(404);
  });

  test('wrong tries lock the number', async () => {
    for (let i = 0; i < 5; i++) expect((await get('/orders/10001', { postcode: `1000${i}` })).status).toBe(404);
    expect(await get('/orders/10001', { postcode: '90210' })).toMatchObject({
      status: 423,
      body: { error: { code: 'locked' } },
    });
    expect((await get('/orders/10002', { postcode: '90210' })).status).toBe(200);
  });

  test.each([
    ['/orders/1000', { postcode: '90210' }],
    ['/orders/10001', {}],
    ['/orders/10001', { postcode: "' OR 1" }],
    ['/orders', { phone: '5005550006', postcode: '90210' }],
  ])('%s with %o is refused', async (path, query) => {
    expect(await get(path, query as unknown as Record<string, string>)).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_request' } },
    });
  });
});

describe('over MCP', () => {
  test('the real client finds two tools, opens a return, and sees it listed', async () => {
    await withClient(async (client) => {
      expect(client.getServerVersion()).toEqual({ name: 'Harbor Goods returns', version: '1.0.0' });
      await client.ping();
      const { tools } = await client.listTools();
      expect(tools.map(({ name, annotations }) => [name, annotations?.readOnlyHint])).toEqual([
        ['list_returns', true],
        ['open_return', false],
      ]);
      const opened = await open(client, { order: '10001', item: 1, reason: 'wrong colour' });
      const expected = {
        id: 'R1001',
        order: '10001',
        item: 1,
        name: 'desk lamp',
        reason: 'wrong colour',
        send_back_by: '2026-12-19',
      };
      expect(opened).toMatchObject({
        structuredContent: expected,
        content: [{ type: 'text', text: JSON.stringify(expected) }],
      });
      const listed = await client.callTool({ name: 'list_returns', arguments: { order: '10001' } });
      expect(listed.structuredContent).toEqual({ returns: [expected] });
    });
    expect(returns()).toEqual([{ order: '10001', item: 1, reason: 'wrong colour' }]);
  });

  test('20 clients at once open the same return, and one more asks again with another reason: there is one', async () => {
    const request = { order: '10001', item: 2, reason: 'broken' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => withClient((client) => open(client, request))));
    answers.push(await withClient((client) => open(client, { ...request, reason: 'too bright' })));
    expect(new Set(answers.map(({ structuredContent }) => JSON.stringify(structuredContent))).size).toBe(1);
    expect(returns()).toEqual([request]);
  });

  test('an answer that is lost is had by asking again', async () => {
    await withClient(async (client) => {
      await setFaults(service, [{ kind: 'lost', operation: 'open_return', times: 1 }]);
      const request = { order: '10001', item: 1, reason: 'broken' };
      await expect(open(client, request)).rejects.toThrow(/fetch failed/);
      expect(returns()).toEqual([request]);
      expect((await open(client, request)).structuredContent).toMatchObject({ id: 'R1001' });
    });
    expect(returns()).toHaveLength(1);
  });

  test.each([
    [{ order: '10002', item: 1, reason: 'late' }, 'Only what has been delivered can be returned.'],
    [{ order: '10004', item: 1, reason: 'old' }, 'Returns are possible for 30 days after delivery.'],
    [{ order: '10001', item: 9, reason: 'x' }, 'There is no such item in this order.'],
    [{ order: '99999', item: 1, reason: 'x' }, 'There is no such order.'],
    [{ order: '10001', item: 0, reason: 'x' }, 'The arguments do not fit: item must be >= 1.'],
    [{ order: '10001', item: 1 }, /The arguments do not fit: they must have required property 'reason'/],
    [{ order: '10001', item: 1, reason: 'x', refund: true }, /must NOT have additional properties/],
    [{ order: ['10001'], item: 1, reason: 'x' }, /order must be string/],
  ])('%o is refused in one sentence, and nothing is opened', async (args, sentence) => {
    const answer = await withClient((client) => open(client, args));
    expect(answer.isError).toBe(true);
    const [part] = answer.content as { type: string; text: string }[];
    expect(part?.text).toMatch(
      sentence instanceof RegExp ? sentence : new RegExp(`^${sentence.replaceAll('.', '\\.')}$`),
    );
    expect(returns()).toEqual([]);
  });

  test('a tool that there is not, a wrong token, a browser, a strange version, a method and a message that are none', async () => {
    await withClient(async (client) => {
      await expect(client.callTool({ name: 'refund', arguments: {} })).rejects.toThrow(/no such tool/);
    });
    await expect(withClient(async () => {}, 'wrong')).rejects.toThrow(/401|[Uu]nauthorized|token/);
    const post = async (body: string, headers: Record<string, string> = {}, method = 'POST') => {
      const response = await fetch(`${service.origin}/mcp`, {
        method,
        headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/json', ...headers },
        ...(method === 'POST' ? { body } : {}),
      });
      return [response.status, ((await response.json()) as { error: { code: number } }).error.code];
    };
    const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
    expect(await post(ping, { origin: 'https://evil.example' })).toEqual([403, -32_600]);
    expect(await post(ping, { 'mcp-protocol-version': '1999-01-01' })).toEqual([400, -32_600]);
    expect(await post(ping.replace('ping', 'resources/list'))).toEqual([200, -32_601]);
    expect(await post(`[${ping}]`)).toEqual([400, -32_600]);
    expect(await post('{"jsonrpc":"2.0","id":{},"method":"ping"}')).toEqual([400, -32_600]);
    expect(await post('null')).toEqual([400, -32_600]);
    expect(await post('', {}, 'GET')).toEqual([405, -32_600]);
    expect(await post('', {}, 'DELETE')).toEqual([405, -32_600]);
    expect(await post('{"jsonrpc":"2.0"')).toEqual([400, 'invalid_request']);
  });

  test('a client that lives on works after the service was started anew', async () => {
    await withClient(async (client) => {
      const port = Number(new URL(service.origin).port);
      const { token } = service;
      await service.close();
      service = await startOrders({ database, today: TODAY, port, token });
      expect((await client.listTools()).tools).toHaveLength(2);
    });
  });
});
