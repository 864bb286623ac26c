// The operators' API: who gets in, what it answers, and that what it answers is what its description says.
import { Ajv2020 } from 'ajv/dist/2020.js';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { dashboardApi } from '../../src/dashboard/api.ts';
import { TrunklineError } from '../../src/errors.ts';
import type { Database } from '../../src/store/database.ts';
import type { CallsTable } from '../../src/store/schema.ts';
import type { Store } from '../../src/store/store.ts';
import { askOf, inMemory, seed, write } from '../costs/seed.ts';
import { FakeClock } from '../support/fake-clock.ts';

const TOKEN = 'a-token-of-sixteen';
const seeded = seed({ calls: 30, days: 2, answers: 2 });
const [first] = seeded.calls as [CallsTable];
const newest = seeded.calls.toSorted((a, b) => b.admitted_ms - a.admitted_ms).map(({ call_id }) => call_id);

let db: Database;
let app: FastifyInstance;
let clock: FakeClock;
let logged: unknown[][];

beforeAll(async () => {
  db = await inMemory();
  await write(db, seeded);
});
afterAll(() => db.destroy());
beforeEach(async () => {
  app = await serve({ ask: askOf(db) });
});
afterEach(() => app.close());

async function serve(store: Pick<Store, 'ask'>): Promise<FastifyInstance> {
  clock = new FakeClock();
  logged = [];
  const log = (...line: unknown[]) => void logged.push(line);
  const made = fastify();
  await made.register(dashboardApi, {
    ...{ store, adminToken: TOKEN, version: '1.2.3', clock },
    log: { warn: log, error: log },
  });
  // Something beside the API, which it must not touch.
  made.get('/healthz', () => ({ status: 'ok' }));
  return made;
}

const get = (url: string, authorization: string | null = `Bearer ${TOKEN}`, remoteAddress = '192.0.2.1') =>
  app.inject({ url, remoteAddress, headers: authorization === null ? {} : { authorization } });

/** A store that fails in its own way. */
const failing = (error: Error): Pick<Store, 'ask'> => ({ ask: () => Promise.reject(error) });

test.each([
  ['no token', null],
  ['another token', 'Bearer another-token-16'],
  ['the beginning of the token', `Bearer ${TOKEN.slice(0, -1)}`],
  ['the token and more', `Bearer ${TOKEN}x`],
  ['the token without its scheme', TOKEN],
  ['another scheme', `Basic ${Buffer.from(`admin:${TOKEN}`).toString('base64')}`],
  ['nothing behind the scheme', 'Bearer '],
])('%s is refused, always in the same words', async (_name, authorization) => {
  const urls = [
    '/api',
    '/api/',
    '/api/calls',
    '/api/calls/x',
    '/api/calls/x/bill',
    '/api/openapi.json',
    '/api/nowhere',
  ];
  for (const [i, url] of urls.entries()) {
    const answer = await get(url, authorization, `192.0.2.${i}`);
    expect(answer.statusCode, url).toBe(401);
    expect(answer.json()).toEqual({ error: { code: 'TRK_UNAUTHORIZED', message: 'This needs the admin token.' } });
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  }
});

test('answers may not be kept, guessed at or read by other pages, refused or not', async () => {
  for (const answer of [await get('/api/calls'), await get('/api/calls', null), await get('/api/calls/nobody')]) {
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  }
  const beside = await get('/healthz', null);
  expect([beside.statusCode, beside.headers['cache-control']]).toEqual([200, undefined]);
});

test('a client that keeps failing is not looked at for a moment, not even with the token; others are', async () => {
  for (let i = 0; i < 5; i++) expect((await get('/api/calls', 'Bearer x')).statusCode).toBe(401);
  const answer = await get('/api/calls');
  expect(answer.statusCode).toBe(429);
  expect(answer.headers['retry-after']).toBe('1');
  expect(answer.json()).toMatchObject({ error: { code: 'TRK_TOO_MANY_FAILURES' } });
  expect((await get('/api/calls', undefined, '192.0.2.2')).statusCode).toBe(200);
  clock.advance(1_000);
  expect((await get('/api/calls')).statusCode).toBe(200);
});

test('the list is walked by its cursor, every call once, the newest first', async () => {
  const ids: string[] = [];
  let next: string | null = null;
  do {
    const page: { calls: { callId: string }[]; next: string | null } = (
      await get(`/api/calls?limit=7${next === null ? '' : `&cursor=${next}`}`)
    ).json();
    ids.push(...page.calls.map(({ callId }) => callId));
    next = page.next;
  } while (next !== null);
  expect(ids).toEqual(newest);
});

test('the list is narrowed by day, agent, caller and reason', async () => {
  const { agent, day, reason, from_value: from } = seeded.calls.find((call) => call.reason !== null) as CallsTable;
  const query = new URLSearchParams({ agent, day, reason: String(reason), from: String(from) });
  const { calls } = (await get(`/api/calls?${query.toString()}`)).json<{ calls: { callId: string }[] }>();
  const fitting = seeded.calls.filter(
    (call) => call.agent === agent && call.day === day && call.reason === reason && call.from_value === from,
  );
  expect(calls.map(({ callId }) => callId)).toEqual(fitting.map(({ call_id }) => call_id));
  expect(calls.length).toBeGreaterThan(0);
});

test('a plus that was not escaped is still a plus', async () => {
  const { calls } = (await get(`/api/calls?from=${first.from_value}`)).json<{ calls: { callId: string }[] }>();
  expect(calls.map(({ callId }) => callId)).toEqual([first.call_id]);
});

test('a call comes with its words and tools, and whole numbers', async () => {
  const call = (await get(`/api/calls/${first.call_id}`)).json();
  expect(call).toMatchObject({
    callId: first.call_id,
    from: { kind: 'pstn', value: first.from_value },
    admittedWallMs: first.admitted_ms,
    turns: [{ who: 'agent' }, { said: 'I need a slot on Friday.' }, { unheard: 'or at ten?', outcome: 'interrupted' }],
    tools: [{ name: 'find_slot', output: '{"slots":["9:00","10:00"]}' }],
  });
});

test('a bill is whole nano-dollars, and its sums are those of its lines', async () => {
  const bill = (await get(`/api/calls/${first.call_id}/bill`)).json<{
    lines: { source: string; costNanoUsd: number | null }[];
    total: { nanoUsd: number };
  }>();
  const own = seeded.lines.filter(({ call_id }) => call_id === first.call_id);
  const sum = own.reduce((all, { cost_nano_usd }) => all + (cost_nano_usd ?? 0), 0);
  expect(bill.total.nanoUsd).toBe(sum);
  expect(bill.lines.map(({ source, costNanoUsd }) => `${source} ${costNanoUsd}`).toSorted()).toEqual(
    own.map(({ source, cost_nano_usd }) => `${source} ${cost_nano_usd}`).toSorted(),
  );
});

test.each(['/api/calls/nobody', '/api/calls/nobody/bill', '/api/nowhere', '/api/calls/a/b/c'])(
  '%s is not there',
  async (url) => {
    const answer = await get(url);
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toMatchObject({ error: { code: 'TRK_NOT_FOUND' } });
  },
);

test.each([
  ['limit=0', 'limit: expected a whole number from 1 to 200'],
  ['limit=201', 'limit: expected a whole number from 1 to 200'],
  ['limit=many', 'limit: expected a whole number from 1 to 200'],
  ['limit=1.5', 'limit: expected a whole number from 1 to 200'],
  ['day=2026-02-30', 'day: expected a day as 2026-11-21'],
  ['day=2026-11-01&day=2026-11-02', 'day: expected'],
  ['dya=2026-11-01', 'dya: no such parameter; known are day, agent, from, reason, limit, cursor'],
  ['reason=bored', 'reason: expected one of agent_goodbye,'],
  ['cursor=abc', 'cursor: expected the `next` of the page before'],
  ['cursor=WzEsMl0', 'cursor: expected the `next` of the page before'],
  // What PostgreSQL would refuse.
  [`cursor=${Buffer.from('[1,"a\\u0000"]').toString('base64url')}`, 'cursor: expected the `next` of the page before'],
  ['agent=', 'agent: expected the name of an agent'],
  ['agent=a%00b', 'agent: expected the name of an agent'],
  ['from=%00', 'from: expected a number in E.164, or a SIP address'],
])('?%s is refused and says what was expected', async (query, message) => {
  const answer = await get(`/api/calls?${query}`);
  expect(answer.statusCode).toBe(400);
  expect(answer.json()).toEqual({ error: { code: 'TRK_BAD_REQUEST', message: expect.stringContaining(message) } });
});

test('an id that can be none is refused before the store is asked', async () => {
  await app.close();
  app = await serve(failing(new Error('asked')));
  const answer = await get(`/api/calls/${encodeURIComponent("x' or 1=1")}`);
  expect(answer.statusCode).toBe(400);
});

test('other methods find nothing, and need the token as well', async () => {
  const headers = { authorization: `Bearer ${TOKEN}` };
  for (const method of ['POST', 'DELETE', 'OPTIONS'] as const) {
    expect((await app.inject({ url: '/api/calls', method, headers })).statusCode, method).toBe(404);
    expect((await app.inject({ url: '/api/calls', method })).statusCode, method).toBe(401);
  }
});

test('a database that is away is a 503, and says nothing of where it is', async () => {
  await app.close();
  app = await serve(failing(new TrunklineError('TRK_STORE', 'postgres://me@10.0.0.1 is away')));
  const answer = await get('/api/calls');
  expect(answer.statusCode).toBe(503);
  expect(answer.json()).toMatchObject({ error: { code: 'TRK_STORE' } });
  expect(answer.body).not.toContain('10.0.0.1');
  expect(logged).toHaveLength(1);
});

test('a fault of ours is a 500 without its text, and one line in the log without words or numbers', async () => {
  await app.close();
  app = await serve(failing(new Error('SECRET +15551234567')));
  const answer = await get(`/api/calls?from=${encodeURIComponent('+15551234567')}`);
  expect(answer.statusCode).toBe(500);
  expect(answer.json()).toEqual({
    error: { code: 'TRK_INTERNAL', message: 'A fault of Trunkline; its log says more.' },
  });
  const [[fields, message]] = logged as [[{ route: string }, string]];
  expect([fields.route, message]).toEqual(['/api/calls', 'a request to the API failed']);
  expect(Object.keys(fields)).toEqual(['route', 'err']);
});

test('nothing leaves that the description does not have', async () => {
  await app.close();
  const ask = (async (name: never, question: never) => {
    const answer = (await askOf(db)(name, question)) as { lines: object[] };
    return { ...answer, extra: 'SECRET', lines: answer.lines.map((line) => ({ ...line, extra: 'SECRET' })) };
  }) as unknown as Store['ask'];
  app = await serve({ ask });
  const answer = await get(`/api/calls/${first.call_id}/bill`);
  expect(answer.json<{ lines: object[] }>().lines.length).toBeGreaterThan(0);
  expect(answer.body).not.toContain('SECRET');
});

test('every answer is what the OpenAPI description says', async () => {
  const description = (await get('/api/openapi.json')).json();
  expect(description).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema({ $id: 'api', ...description });
  const urls = {
    '/calls': '/api/calls',
    '/calls/{id}': `/api/calls/${first.call_id}`,
    '/calls/{id}/bill': `/api/calls/${first.call_id}/bill`,
  };
  expect(Object.keys(description.paths)).toEqual(Object.keys(urls));
  for (const [path, url] of Object.entries(urls)) {
    const pointer = `#/paths/${path.replaceAll('/', '~1')}/get/responses`;
    const says = (status: number) =>
      ajv.compile({ $ref: `api${encodeURI(pointer)}/${status}/content/application~1json/schema` });
    const good = says(200);
    expect(good((await get(url)).json()), JSON.stringify(good.errors)).toBe(true);
    expect(good({ ...(await get(url)).json(), extra: 1 })).toBe(false);
    const refused = description.paths[path].get.responses['401'].content['application/json'].schema;
    expect(refused).toEqual({ $ref: '#/components/schemas/Failure' });
  }
  const failure = ajv.compile({ $ref: 'api#/components/schemas/Failure' });
  for (const url of ['/api/nowhere', '/api/calls?limit=0']) expect(failure((await get(url)).json()), url).toBe(true);
});

test('the description names every parameter, with its bounds', async () => {
  const { paths } = (await get('/api/openapi.json')).json();
  const parameters: { name: string; in: string; required: boolean; schema: unknown }[] = paths['/calls'].get.parameters;
  expect(parameters.map(({ name, in: place, required }) => `${name} ${place} ${required}`)).toEqual(
    ['day', 'agent', 'from', 'reason', 'limit', 'cursor'].map((name) => `${name} query false`),
  );
  expect(parameters.find(({ name }) => name === 'limit')?.schema).toEqual({
    ...{ type: 'integer', minimum: 1, maximum: 200, default: 50 },
  });
  expect(paths['/calls/{id}'].get.parameters).toMatchObject([{ name: 'id', in: 'path', required: true }]);
});
