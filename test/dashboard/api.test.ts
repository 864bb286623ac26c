// The front door of the API: what it reads of a request, what it lets out, how files and streams of events are sent, and that
// its description says so. Its routes have tests of their own; who may ask is in session.test.ts.
import { validate } from '@apidevtools/swagger-parser';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { dashboardApi } from '../../src/dashboard/api.ts';
import type { ApiRequest, ApiRoute } from '../../src/dashboard/api-route.ts';
import { Entrance } from '../../src/dashboard/entrance.ts';
import { TrunklineError } from '../../src/errors.ts';
import { FakeClock } from '../support/fake-clock.ts';

const TOKEN = 'a-token-of-sixteen';
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

let app: FastifyInstance;
let clock: FakeClock;
let entrance: Entrance;
let logged: unknown[][];
let asked: ApiRequest[];
let fails: Error | null;
let streams: PassThrough[];

const thing = z.object({ name: z.string(), count: z.int().nullable() });
const EVENTS = { changed: z.object({ at: z.int() }) };

const ROUTES: ApiRoute[] = [
  {
    ...{ method: 'GET', path: '/things/:id', summary: 'A thing', reply: thing },
    params: z.strictObject({ id: z.string().regex(/^[\w-]{1,20}$/, 'the id of a thing') }),
    query: z.strictObject({ limit: z.coerce.number('1 to 9').min(1, '1 to 9').max(9, '1 to 9').default(3) }),
    async answer(request) {
      asked.push(request);
      if (fails !== null) throw fails;
      return { name: 'one', count: null, extra: 'SECRET' };
    },
  },
  {
    ...{ method: 'POST', path: '/things/:id/said', summary: 'Says it', reply: null },
    params: z.strictObject({ id: z.string() }),
    body: z.strictObject({ text: z.string().min(1, '1 to 9 characters').max(9, '1 to 9 characters') }),
    async answer(request) {
      asked.push(request);
    },
  },
  {
    ...{ method: 'POST', path: '/nothing', summary: 'Takes nothing', reply: null, body: z.strictObject({}) },
    async answer(request) {
      asked.push(request);
    },
  },
  { method: 'DELETE', path: '/nothing', summary: 'Takes not even a body', reply: null, answer: async () => {} },
  {
    ...{ method: 'GET', path: '/file', summary: 'A file', reply: { media: 'audio/wav', description: 'sound' } },
    async answer({ headers: { range } }) {
      const body = Readable.from([Buffer.from('sound')]);
      const headers = { 'content-type': 'audio/wav', 'content-length': '5', 'accept-ranges': 'bytes' };
      if (range === undefined) return { status: 200, headers, body };
      return { status: 206, headers: { ...headers, 'content-range': 'bytes 0-4/5' }, body };
    },
  },
  {
    ...{
      method: 'GET',
      path: '/endless',
      summary: 'A file without end',
      reply: { media: 'text/csv', description: '' },
    },
    async answer() {
      return { status: 200, headers: { 'content-type': 'text/csv' }, body: opened() };
    },
  },
  {
    ...{ method: 'GET', path: '/events', summary: 'Events', access: 'phone' },
    reply: { media: 'text/event-stream', description: 'what goes on', events: EVENTS },
    async answer(request) {
      asked.push(request);
      return { status: 200, headers: { 'content-type': 'text/event-stream' }, body: opened() };
    },
  },
];

function opened(): PassThrough {
  const stream = new PassThrough();
  streams.push(stream);
  return stream;
}

beforeEach(async () => {
  clock = new FakeClock();
  [logged, asked, streams, fails] = [[], [], [], null];
  const log = (...line: unknown[]) => void logged.push(line);
  entrance = new Entrance({ adminToken: TOKEN, publicUrl: 'http://127.0.0.1', clock, append: () => {} });
  app = fastify();
  await app.register(dashboardApi, {
    routes: ROUTES,
    entrance,
    version: '1.2.3',
    clock,
    log: { warn: log, error: log },
  });
  // Something beside the API, which it must not touch.
  app.get('/healthz', () => ({ status: 'ok' }));
  app.post('/echo', ({ body }) => ({ body }));
});
afterEach(() => app.close());

const get = (url: string, headers: Record<string, string> = AUTHORIZED) => app.inject({ url: `/api${url}`, headers });
const post = (url: string, payload?: string | Buffer, type: string | null = 'application/json') =>
  app.inject({
    ...{
      url: `/api${url}`,
      method: 'POST',
      headers: { ...AUTHORIZED, ...(type === null ? {} : { 'content-type': type }) },
    },
    ...(payload === undefined ? {} : { payload }),
  });

/** Over a socket, as streams need it. */
async function open(
  url: string,
  headers: Record<string, string> = AUTHORIZED,
  method = 'GET',
): Promise<IncomingMessage> {
  if (app.server.address() === null) await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as { port: number };
  const request = httpRequest({ host: '127.0.0.1', port, path: `/api${url}`, headers, method, agent: false });
  request.end();
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  answer.on('error', () => {});
  return answer;
}

describe('who has not said who they are', () => {
  test.each<[string, string | null]>([
    ['no token', null],
    ['another token', 'Bearer another-token-16'],
    ['the beginning of the token', `Bearer ${TOKEN.slice(0, -1)}`],
    ['the token and more', `Bearer ${TOKEN}x`],
    ['the token in capitals', `Bearer ${TOKEN.toUpperCase()}`],
    ['the token without its scheme', TOKEN],
    ['another scheme', `Basic ${Buffer.from(`admin:${TOKEN}`).toString('base64')}`],
    ['nothing behind the scheme', 'Bearer '],
  ])('is refused with %s, always in the same words', async (_name, authorization) => {
    const headers = authorization === null ? {} : { authorization };
    for (const [i, url] of ['', '/', '/things/x', '/nowhere', '/openapi.json', '/events', '/session'].entries())
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT'] as const) {
        const answer = await app.inject({
          url: `/api${url}`,
          method,
          headers,
          remoteAddress: `192.0.${i}.${method.length}`,
        });
        expect(answer.statusCode, `${method} ${url}`).toBe(401);
        expect(answer.headers['www-authenticate']).toBe('Bearer');
        if (method === 'HEAD') continue;
        expect(answer.json()).toEqual({
          error: { code: 'TRK_UNAUTHORIZED', message: 'Log in, or send the admin token.' },
        });
      }
    expect(asked).toEqual([]);
  });

  test('gets in with the token, whatever the case of its scheme', async () => {
    expect((await get('/things/x', { authorization: `bearer   ${TOKEN}` })).statusCode).toBe(200);
  });
});

test('answers may not be kept, guessed at, framed or read by other pages, refused or not', async () => {
  for (const answer of [
    await get('/things/x'),
    await get('/things/x', {}),
    await get('/things/x?limit=0'),
    await get('/nowhere'),
    await get('/file'),
    await post('/things/x/said', '{}', 'text/plain'),
    await post('/session', '{}'),
  ]) {
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("default-src 'none'; frame-ancestors 'none'"),
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  }
  const beside = await app.inject('/healthz');
  expect([beside.statusCode, beside.headers['cache-control']]).toEqual([200, undefined]);
});

test('what is read of a request is what the schemas say, and who asks', async () => {
  await get('/things/a-1?limit=4', { ...AUTHORIZED, range: 'bytes=0-', 'last-event-id': '7' });
  expect(asked).toEqual([
    {
      ...{ params: { id: 'a-1' }, query: { limit: 4 }, body: undefined },
      who: { scope: 'operator', actor: 'operator' },
      headers: { range: 'bytes=0-', lastEventId: '7' },
    },
  ]);
});

test.each([
  ['/things/x?limit=0', 'limit: expected 1 to 9'],
  ['/things/x?limit=1&limit=2', 'limit: expected 1 to 9'],
  ['/things/x?limti=1', 'limti: no such parameter; known are limit'],
  ["/things/x'", 'id: expected the id of a thing'],
  ['/things/x?__proto__=1', 'no such parameter'],
])('%s is refused and says what was expected', async (url, message) => {
  const answer = await get(url);
  expect([answer.statusCode, asked]).toEqual([400, []]);
  expect(answer.json()).toEqual({ error: { code: 'TRK_BAD_REQUEST', message: expect.stringContaining(message) } });
});

describe('a body', () => {
  test('is JSON that the schema takes', async () => {
    const answer = await post('/things/x/said', '{"text":"hello"}', 'application/json; charset=utf-8');
    expect([answer.statusCode, answer.body, answer.headers['content-type']]).toEqual([204, '', undefined]);
    expect(asked[0]?.body).toEqual({ text: 'hello' });
  });

  test.each<[string, string | Buffer | undefined, string | null, number, string]>([
    ['of another type', 'text=hello', 'application/x-www-form-urlencoded', 415, 'Send JSON'],
    ['of plain text, which other sites may send', '{"text":"hello"}', 'text/plain', 415, 'Send JSON'],
    ['of no type', '{"text":"hello"}', null, 415, 'Send JSON'],
    ['of several parts', '--x\r\n', 'multipart/form-data; boundary=x', 415, 'Send JSON'],
    ['that is no JSON', '{"text":', 'application/json', 400, 'no JSON'],
    ['that is not UTF-8', Buffer.from([0x22, 0xff, 0xfe]), 'application/json', 400, ''],
    ['that is missing', undefined, null, 400, 'text: expected'],
    ['that is empty', '', 'application/json', 400, 'text: expected'],
    ['that is null', 'null', 'application/json', 400, 'text: expected'],
    ['that is a list', '[]', 'application/json', 400, 'expected'],
    ['with a field too many', '{"text":"a","more":1}', 'application/json', 400, 'more: no such field; known are text'],
    ['that means the prototype', '{"text":"a","__proto__":{"x":1}}', 'application/json', 400, ''],
    ['that means the constructor', '{"text":"a","constructor":{"prototype":{}}}', 'application/json', 400, ''],
    ['of a megabyte', JSON.stringify({ text: 'x'.repeat(1_048_576) }), 'application/json', 413, 'longer than 64 KiB'],
    ['30,000 deep', `{"text":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, 'application/json', 400, 'text: expected'],
    [
      'of 5,000 fields',
      JSON.stringify(Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`f${i}`, i]))),
      'application/json',
      400,
      'f0: no such field',
    ],
    [
      'with a name of 60,000 letters',
      JSON.stringify({ ['x'.repeat(60_000)]: 1 }),
      'application/json',
      400,
      'no such field',
    ],
  ])('%s is refused', async (_name, payload, type, status, message) => {
    const answer = await post('/things/x/said', payload, type);
    expect([answer.statusCode, asked], answer.body).toEqual([status, []]);
    expect(answer.json()).toEqual({ error: { code: 'TRK_BAD_REQUEST', message: expect.stringContaining(message) } });
    expect(answer.body.length).toBeLessThan(3_000);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  test('that trickles in beyond the bound is not waited for', async () => {
    if (app.server.address() === null) await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as { port: number };
    const headers = { ...AUTHORIZED, 'content-type': 'application/json' };
    const request = httpRequest({ host: '127.0.0.1', port, path: '/api/things/x/said', method: 'POST', headers });
    request.on('error', () => {});
    request.write(`{"text":"${'x'.repeat(70_000)}`);
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(413);
    request.destroy();
  });

  test('may be left out where nothing has to be said, and is refused where none is taken', async () => {
    for (const [payload, type] of [
      [undefined, null],
      ['', 'application/json'],
      ['{}', 'application/json'],
    ] as const)
      expect((await post('/nothing', payload, type)).statusCode).toBe(204);
    const headers = { ...AUTHORIZED, 'content-type': 'application/json' };
    const given = await app.inject({ url: '/api/nothing', method: 'DELETE', headers, payload: '{}' });
    expect([given.statusCode, given.json().error.message]).toEqual([400, 'This takes no body.']);
    expect((await app.inject({ url: '/api/nothing', method: 'DELETE', headers: AUTHORIZED })).statusCode).toBe(204);
  });

  test('is read so below /api only', async () => {
    const answer = await app.inject({
      url: '/echo',
      method: 'POST',
      payload: 'x',
      headers: { 'content-type': 'text/plain' },
    });
    expect(answer.json()).toEqual({ body: 'x' });
  });
});

test('other methods and paths find nothing', async () => {
  for (const method of ['PUT', 'PATCH', 'OPTIONS', 'DELETE', 'POST'] as const)
    expect((await app.inject({ url: '/api/things/x', method, headers: AUTHORIZED })).statusCode, method).toBe(404);
  for (const url of ['/nowhere', '', '/', '/things/x/y', '/..%2fhealthz', '//things/x'])
    expect((await get(url)).statusCode, url).toBe(404);
});

test('HEAD tells of a thing without giving it', async () => {
  const answer = await app.inject({ url: '/api/things/x', method: 'HEAD', headers: AUTHORIZED });
  expect([answer.statusCode, answer.body]).toEqual([200, '']);
});

test('a database that is away is a 503, and says nothing of where it is', async () => {
  fails = new TrunklineError('TRK_STORE', 'postgres://me@10.0.0.1 is away');
  const answer = await get('/things/x');
  expect(answer.statusCode).toBe(503);
  expect(answer.json()).toMatchObject({ error: { code: 'TRK_STORE' } });
  expect(answer.body).not.toContain('10.0.0.1');
  expect(logged).toHaveLength(1);
});

test('a fault of ours is a 500 without its text, and one line in the log without the address that was asked for', async () => {
  fails = new Error('SECRET +15551234567');
  const answer = await get('/things/15551234567');
  expect(answer.statusCode).toBe(500);
  expect(answer.json()).toEqual({
    error: { code: 'TRK_INTERNAL', message: 'A fault of Trunkline; its log says more.' },
  });
  const [[fields, message]] = logged as [[{ route: string }, string]];
  expect([fields.route, message]).toEqual(['/api/things/:id', 'a request to the API failed']);
  expect(Object.keys(fields)).toEqual(['route', 'err']);
});

test('nothing leaves that the description does not have', async () => {
  const answer = await get('/things/x');
  expect(answer.json()).toEqual({ name: 'one', count: null });
});

describe('a file', () => {
  test('comes whole or in parts', async () => {
    const whole = await get('/file');
    expect([whole.statusCode, whole.body, whole.headers['content-type']]).toEqual([200, 'sound', 'audio/wav']);
    const part = await get('/file', { ...AUTHORIZED, range: 'bytes=0-4' });
    expect([part.statusCode, part.headers['content-range']]).toEqual([206, 'bytes 0-4/5']);
  });

  test('is told of by HEAD, with its length and without being read', async () => {
    const answer = await open('/file', AUTHORIZED, 'HEAD');
    expect([answer.statusCode, answer.headers['content-length']]).toEqual([200, '5']);
    expect((await buffer(answer)).length).toBe(0);
  });

  test('without end is given up when the client goes', async () => {
    const answerComes = open('/endless');
    while (streams.length === 0) await new Promise(setImmediate);
    const [stream] = streams as [PassThrough];
    stream.write('a,b\r\n');
    const answer = await answerComes;
    await once(answer, 'data');
    const closed = once(stream, 'close');
    answer.destroy();
    await closed;
    expect(stream.destroyed).toBe(true);
  });

  test('that fails half-way breaks off rather than to look complete', async () => {
    const answerComes = open('/endless');
    while (streams.length === 0) await new Promise(setImmediate);
    const [stream] = streams as [PassThrough];
    stream.write('a,b\r\n');
    const answer = await answerComes;
    await once(answer, 'data');
    stream.destroy(new Error('the disk'));
    await expect(buffer(answer)).rejects.toThrow('aborted');
  });
});

describe('a stream of events', () => {
  const cookieOf = async (): Promise<Record<string, string>> => {
    const answer = await app.inject({ url: '/api/session', method: 'POST', payload: { token: TOKEN } });
    return { cookie: String(answer.headers['set-cookie']).split(';')[0] ?? '', 'x-csrf-token': answer.json().csrf };
  };

  test('is up before anything has happened, and no proxy gathers it', async () => {
    const answer = await open('/events', { ...AUTHORIZED, 'last-event-id': 'a-9' });
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'text/event-stream']);
    expect([answer.headers['x-accel-buffering'], answer.headers['cache-control']]).toEqual(['no', 'no-store']);
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect(asked[0]?.headers.lastEventId).toBe('a-9');
    streams[0]?.write('event: changed\ndata: {"at":1}\n\n');
    expect(String((await once(answer, 'data'))[0])).toBe('event: changed\ndata: {"at":1}\n\n');
    answer.destroy();
  });

  test('is given up when the browser goes, and asked for by HEAD it is none', async () => {
    const answer = await open('/events', await cookieOf());
    const closed = once(streams[0] as PassThrough, 'close');
    expect(clock.pending).toBe(1);
    answer.destroy();
    await closed;
    expect(clock.pending).toBe(0);
    const head = await open('/events', AUTHORIZED, 'HEAD');
    expect([head.statusCode, (await buffer(head)).length]).toEqual([200, 0]);
    expect(streams[1]?.destroyed).toBe(true);
  });

  test('ends with its session: by log-out at once, or when its time is over', async () => {
    const [ada, grace] = [await cookieOf(), await cookieOf()];
    const answers = [await open('/events', ada), await open('/events', grace), await open('/events')];
    const closed = once(streams[0] as PassThrough, 'close');
    await app.inject({ url: '/api/session', method: 'DELETE', headers: ada });
    await closed;
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
    clock.advance(12 * 3_600_000);
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, true, false]);
    for (const answer of answers) answer.destroy();
    await once(streams[2] as PassThrough, 'close');
    expect(clock.pending).toBe(0);
  });

  test('has room for so many of one session, and of all; who goes makes room', async () => {
    const headers = await cookieOf();
    const answers: IncomingMessage[] = [];
    for (let i = 0; i < 20; i++) answers.push(await open('/events', headers));
    const refused = await open('/events', headers);
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '5']);
    expect(JSON.parse(String(await buffer(refused)))).toHaveProperty('error.message');
    expect(streams.at(-1)?.destroyed).toBe(true);
    for (let i = 0; i < 80; i++) answers.push(await open('/events'));
    expect((await open('/events')).statusCode).toBe(503);
    const closed = once(streams[0] as PassThrough, 'close');
    answers[0]?.destroy();
    await closed;
    const more = await open('/events', headers);
    expect(more.statusCode).toBe(200);
    for (const answer of [...answers, more]) answer.destroy();
  });
});

describe('the description', () => {
  const described = async () => (await get('/openapi.json')).json();

  test('is valid OpenAPI', async () => {
    const description = await described();
    expect(description).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
    await expect(validate(structuredClone(description))).resolves.toHaveProperty('paths');
  });

  test('has every route with its parameters, body, answers and refusals', async () => {
    const { paths } = await described();
    const said = Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(said.toSorted()).toEqual(
      [
        ...ROUTES.map(({ method, path }) => `${method.toLowerCase()} ${path.replace(':id', '{id}')}`),
        ...['post /session', 'get /session', 'delete /session', 'post /links'],
      ].toSorted(),
    );
    expect(paths['/things/{id}'].get.parameters).toMatchObject([
      { name: 'id', in: 'path', required: true },
      { name: 'limit', in: 'query', required: false, schema: { minimum: 1, maximum: 9, default: 3 } },
    ]);
    const { requestBody, responses, security } = paths['/things/{id}/said'].post;
    expect(requestBody.content['application/json'].schema).toMatchObject({
      required: ['text'],
      additionalProperties: false,
    });
    expect(Object.keys(responses)).toEqual(['204', '400', '401', '403', '404', '409', '413', '415', '429', '503']);
    expect(security).toEqual([{ adminToken: [] }, { session: [], csrf: [] }]);
    expect(paths['/session'].post.security).toEqual([]);
    expect(Object.keys(paths['/file'].get.responses)).toEqual(expect.arrayContaining(['200', '206', '416']));
    expect(paths['/events'].get.responses['200']).toMatchObject({
      content: { 'text/event-stream': {} },
      'x-events': { changed: { properties: { at: { type: 'integer' } } } },
    });
  });

  test('is true of what is answered', async () => {
    const ajv = new Ajv2020({ strict: false });
    ajv.addSchema({ $id: 'api', ...(await described()) });
    const says = (path: string, method: string, status: number) =>
      ajv.compile({
        $ref: `api#/paths/${path.replaceAll('/', '~1').replace('{id}', '%7Bid%7D')}/${method}/responses/${status}/content/application~1json/schema`,
      });
    const good = says('/things/{id}', 'get', 200);
    expect(good((await get('/things/x')).json()), JSON.stringify(good.errors)).toBe(true);
    expect(good({ name: 'x', count: 1, extra: 1 })).toBe(false);
    const bad = says('/things/{id}', 'get', 400);
    for (const url of ['/things/x?limit=0', '/nowhere']) expect(bad((await get(url)).json()), url).toBe(true);
    const payload = { token: TOKEN, name: 'Ada' };
    const session = (await app.inject({ url: '/api/session', method: 'POST', payload })).json();
    const inside = says('/session', 'post', 200);
    expect(inside(session), JSON.stringify(inside.errors)).toBe(true);
  });
});
