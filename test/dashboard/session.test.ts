// Sessions against whoever forges, steals, replays or outlives them, by HTTP: log-in, cookie, CSRF, lock-out, links, audit.
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { dashboardApi } from '../../src/dashboard/api.ts';
import type { ApiRoute, Who } from '../../src/dashboard/api-route.ts';
import { Entrance } from '../../src/dashboard/entrance.ts';
import { MAX_LINKS } from '../../src/dashboard/links.ts';
import { MAX_LOGGED_OUT, Sessions } from '../../src/dashboard/sessions.ts';
import type { Audited } from '../../src/store/events.ts';
import { FakeClock } from '../support/fake-clock.ts';

const TOKEN = 'a-token-of-sixteen';
const PUBLIC = 'https://voice.example.com';
const HOUR_MS = 3_600_000;

let app: FastifyInstance;
let clock: FakeClock;
let entrance: Entrance;
let audit: Audited[];
let done: Who[];

const route = (method: 'GET' | 'POST', path: string, access: 'operator' | 'phone'): ApiRoute => ({
  ...{ method, path, access, summary: path, reply: z.object({ actor: z.string() }) },
  async answer({ who }) {
    done.push(who);
    return { actor: who.actor };
  },
});
const ROUTES = [
  route('GET', '/seen', 'operator'),
  route('POST', '/changed', 'operator'),
  route('GET', '/phone', 'phone'),
  route('POST', '/phone/changed', 'phone'),
];

/** Another process with the same configuration, or with another token. */
async function serve(adminToken = TOKEN): Promise<FastifyInstance> {
  entrance = new Entrance({ adminToken, publicUrl: PUBLIC, clock, append: (fact) => void audit.push(fact) });
  const log = { warn: () => {}, error: () => {} };
  const made = fastify();
  await made.register(dashboardApi, { routes: ROUTES, entrance, version: '1', clock, log });
  return made;
}

beforeEach(async () => {
  clock = new FakeClock();
  audit = [];
  done = [];
  app = await serve();
});
afterEach(() => app.close());

interface Ask {
  method?: 'GET' | 'POST' | 'DELETE' | 'HEAD';
  headers?: Record<string, string>;
  body?: unknown;
  from?: string;
}
const ask = (url: string, { method = 'GET', headers = {}, body, from = '192.0.2.1' }: Ask = {}) =>
  app.inject({
    url: `/api${url}`,
    method,
    headers,
    remoteAddress: from,
    ...(body === undefined ? {} : { payload: body as object }),
  });

interface LoggedIn {
  cookie: string;
  csrf: string;
  setCookie: string;
}
async function logIn(body: object, headers: Record<string, string> = {}): Promise<LoggedIn> {
  const answer = await ask('/session', { method: 'POST', body, headers });
  expect(answer.statusCode, answer.body).toBe(200);
  const setCookie = String(answer.headers['set-cookie']);
  return { cookie: setCookie.split(';')[0] ?? '', csrf: answer.json<{ csrf: string }>().csrf, setCookie };
}
const code = (path: string): string => path.split('#code=')[1] ?? '';
const facts = (): string[] =>
  audit.map(({ actor, action, subject, note }) => [actor, action, subject, note].join(' | '));

describe('log-in', () => {
  test('the token gives a session that reads, and changes with its csrf token', async () => {
    const { cookie, csrf, setCookie } = await logIn({ token: TOKEN, name: 'Ada' });
    expect(setCookie).toMatch(/^trk_session=[\w.-]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure$/);
    expect((await ask('/session', { headers: { cookie } })).json()).toEqual({
      ...{ scope: 'operator', name: 'Ada', csrf, expiresWallMs: clock.wallMs() + 12 * HOUR_MS },
    });
    expect((await ask('/seen', { headers: { cookie } })).json()).toEqual({ actor: 'operator:Ada' });
    const changed = await ask('/changed', { method: 'POST', headers: { cookie, 'x-csrf-token': csrf } });
    expect([changed.statusCode, done.at(-1)]).toEqual([200, { scope: 'operator', actor: 'operator:Ada' }]);
    expect(facts()).toEqual(['operator:Ada | log_in | operator | by the token']);
  });

  test('without a name the actor is the operator', async () => {
    const { cookie } = await logIn({ token: TOKEN });
    expect((await ask('/seen', { headers: { cookie } })).json()).toEqual({ actor: 'operator' });
  });

  test.each([
    ['no token and no code', {}],
    ['both', { token: TOKEN, code: 'x' }],
    ['another field', { token: TOKEN, admin: true }],
    ['a name that is too long', { token: TOKEN, name: 'x'.repeat(61) }],
    ['a name with a line break', { token: TOKEN, name: 'a\nb' }],
    ['a name that turns the writing round', { token: TOKEN, name: 'a\u202Eb' }],
    ['a token that is a list', { token: [TOKEN] }],
    ['no object', [TOKEN]],
  ])('%s is refused as a bad request, and is no try', async (_name, body) => {
    for (let i = 0; i < 6; i++) expect((await ask('/session', { method: 'POST', body })).statusCode).toBe(400);
    expect(audit).toEqual([]);
  });

  test('the cookie travels by https only where the page came by https', async () => {
    const secure = async (headers: Record<string, string>) =>
      (await logIn({ token: TOKEN }, headers)).setCookie.includes('Secure');
    expect(await secure({ origin: PUBLIC, host: '127.0.0.1:3000' })).toBe(true);
    expect(await secure({ origin: 'http://127.0.0.1:3000', host: '127.0.0.1:3000' })).toBe(false);
    // A script, which says nothing of how it came.
    expect(await secure({})).toBe(true);
  });

  test.each<[string, Record<string, string>]>([
    ['another site', { origin: 'https://evil.example' }],
    ['an unsafe page under our name', { origin: 'http://voice.example.com', host: 'voice.example.com' }],
    ['a sandboxed page', { origin: 'null' }],
    ['a site whose name begins like ours', { origin: 'https://voice.example.com.evil.example' }],
    ['a neighbour', { 'sec-fetch-site': 'same-site' }],
    ['another site that hides its origin', { 'sec-fetch-site': 'cross-site' }],
  ])('%s can log nobody in', async (_name, headers) => {
    const answer = await ask('/session', { method: 'POST', body: { token: TOKEN }, headers });
    expect([answer.statusCode, answer.headers['set-cookie']]).toEqual([403, undefined]);
  });
});

describe('a cookie is nothing worth', () => {
  const refused = async (cookie: string) => {
    for (const url of ['/seen', '/session', '/nowhere']) {
      const answer = await ask(url, { headers: { cookie } });
      expect([answer.statusCode, answer.json().error.code], url).toEqual([401, 'TRK_UNAUTHORIZED']);
    }
  };

  test('when it was forged or touched', async () => {
    const { cookie } = await logIn({ token: TOKEN });
    const [said = '', signature = ''] = cookie.replace('trk_session=', '').split('.');
    const words = JSON.parse(Buffer.from(said, 'base64url').toString()) as unknown[];
    const longer = Buffer.from(JSON.stringify(words.with(4, 9e15))).toString('base64url');
    const unsigned = Buffer.from(JSON.stringify(['id', 'operator', '', 0, 9e15, false])).toString('base64url');
    const flipped = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
    for (const sealed of [
      ...['', '.', 'x', '..', said, `${said}.`, `.${signature}`, `${said}.${flipped}`, `${said}.${signature}x`],
      ...[`${said}.${signature.slice(0, -1)}`, `${longer}.${signature}`, `${unsigned}.`, `${unsigned}.${signature}`],
      ...[
        `${said}.${signature}.`,
        'x'.repeat(5_000),
        '%00',
        encodeURIComponent(`${said}.${signature}`).replace('.', '%2E'),
      ],
    ])
      await refused(`trk_session=${sealed}`);
    await refused(cookie.replace('trk_session', 'TRK_SESSION'));
    expect((await ask('/seen', { headers: { cookie } })).statusCode).toBe(200);
  });

  test('when it was made with another admin token', async () => {
    const { cookie } = await logIn({ token: TOKEN });
    await app.close();
    app = await serve('another-token-of-sixteen');
    await refused(cookie);
  });

  test('when its time is over, to the millisecond', async () => {
    const { cookie } = await logIn({ token: TOKEN });
    clock.advance(12 * HOUR_MS - 1);
    expect((await ask('/seen', { headers: { cookie } })).statusCode).toBe(200);
    clock.advance(1);
    await refused(cookie);
  });

  test('when somebody has logged out, also of a renewed copy; others stay', async () => {
    const { cookie, csrf } = await logIn({ token: TOKEN, name: 'Ada' });
    const other = await logIn({ token: TOKEN });
    clock.advance(7 * HOUR_MS);
    const renewed = String((await ask('/seen', { headers: { cookie } })).headers['set-cookie']).split(';')[0] ?? '';
    expect(renewed).not.toBe(cookie);
    const out = await ask('/session', { method: 'DELETE', headers: { cookie, 'x-csrf-token': csrf } });
    expect([out.statusCode, out.headers['set-cookie']]).toEqual([
      204,
      expect.stringMatching(/^trk_session=; .*Max-Age=0/),
    ]);
    await refused(cookie);
    await refused(renewed);
    clock.advance(11 * HOUR_MS);
    await refused(renewed);
    expect((await ask('/seen', { headers: { cookie: other.cookie } })).statusCode).toBe(401);
    expect(facts().at(-1)).toBe('operator:Ada | log_out | operator | ');
  });

  test('and its failures lock nobody out: a page whose session is over keeps asking', async () => {
    for (let i = 0; i < 50; i++) await refused('trk_session=old.cookie');
    await logIn({ token: TOKEN });
  });
});

test('a cookie of ours is found beside those that a neighbouring host has set', async () => {
  const { cookie } = await logIn({ token: TOKEN });
  const headers = { cookie: `a=b; trk_session=evil; xtrk_session=1; ${cookie}; trk_session=` };
  expect((await ask('/seen', { headers })).statusCode).toBe(200);
});

test('a session survives a restart with the same token', async () => {
  const { cookie, csrf } = await logIn({ token: TOKEN });
  await app.close();
  app = await serve();
  const headers = { cookie, 'x-csrf-token': csrf };
  expect((await ask('/changed', { method: 'POST', headers })).statusCode).toBe(200);
});

test('it is renewed while it is used, for a week at the longest, and keeps its csrf token', async () => {
  const { cookie: first, csrf } = await logIn({ token: TOKEN });
  let cookie = first;
  clock.advance(4 * HOUR_MS);
  expect((await ask('/seen', { headers: { cookie } })).headers['set-cookie']).toBeUndefined();
  let hours = 4;
  for (; hours < 1_000; hours += 7) {
    clock.advance(7 * HOUR_MS);
    const answer = await ask('/seen', { headers: { cookie } });
    if (answer.statusCode !== 200) break;
    const renewed = answer.headers['set-cookie'];
    if (renewed !== undefined) cookie = String(renewed).split(';')[0] ?? '';
    expect((await ask('/changed', { method: 'POST', headers: { cookie, 'x-csrf-token': csrf } })).statusCode).toBe(200);
  }
  expect(hours).toBeGreaterThan(6 * 24);
  expect(hours).toBeLessThanOrEqual(7 * 24);
});

describe('what changes something by cookie', () => {
  test.each<[string, (csrf: string) => Record<string, string>]>([
    ['without a csrf token', () => ({})],
    ['with an empty one', () => ({ 'x-csrf-token': '' })],
    ['with half of one', (csrf) => ({ 'x-csrf-token': csrf.slice(0, 20) })],
    ['with one and more', (csrf) => ({ 'x-csrf-token': `${csrf}=` })],
    ['from another site', (csrf) => ({ 'x-csrf-token': csrf, origin: 'https://evil.example' })],
    [
      'from another port of this host',
      (csrf) => ({ 'x-csrf-token': csrf, origin: 'http://localhost:8080', host: 'localhost:3000' }),
    ],
    ['from a page without an origin', (csrf) => ({ 'x-csrf-token': csrf, origin: 'null' })],
    ['from another site, as the browser says', (csrf) => ({ 'x-csrf-token': csrf, 'sec-fetch-site': 'cross-site' })],
    ['from a neighbour, as the browser says', (csrf) => ({ 'x-csrf-token': csrf, 'sec-fetch-site': 'same-site' })],
  ])('%s is refused', async (_name, headersFor) => {
    const { cookie, csrf } = await logIn({ token: TOKEN });
    for (const [method, url] of [
      ['POST', '/changed'],
      ['DELETE', '/session'],
      ['POST', '/links'],
    ] as const) {
      const answer = await ask(url, { method, headers: { cookie, ...headersFor(csrf) }, body: { scope: 'operator' } });
      expect(answer.statusCode, url).toBe(403);
    }
    expect(done).toEqual([]);
    expect((await ask('/seen', { headers: { cookie } })).statusCode).toBe(200);
  });

  test('is refused with the csrf token of another session', async () => {
    const { cookie } = await logIn({ token: TOKEN });
    const { csrf } = await logIn({ token: TOKEN });
    expect((await ask('/changed', { method: 'POST', headers: { cookie, 'x-csrf-token': csrf } })).statusCode).toBe(403);
  });

  test.each<[string, Record<string, string>]>([
    ['the public origin', { origin: PUBLIC, host: 'inside:3000', 'sec-fetch-site': 'same-origin' }],
    ['the address that was asked', { origin: 'http://10.0.0.5:3000', host: '10.0.0.5:3000' }],
    ['the address with its standard port', { origin: 'http://box', host: 'box:80' }],
    ['an IPv6 address', { origin: 'http://[::1]:3000', host: '[::1]:3000' }],
  ])('passes from %s', async (_name, headers) => {
    const { cookie, csrf } = await logIn({ token: TOKEN });
    const answer = await ask('/changed', { method: 'POST', headers: { cookie, 'x-csrf-token': csrf, ...headers } });
    expect(answer.statusCode).toBe(200);
  });

  test('is not even read for pages of others, which the browser would let ask', async () => {
    const { cookie } = await logIn({ token: TOKEN });
    const read = async (site: string) =>
      (await ask('/seen', { headers: { cookie, 'sec-fetch-site': site } })).statusCode;
    expect(await Promise.all(['same-origin', 'none', 'same-site', 'cross-site'].map(read))).toEqual([
      200, 200, 403, 403,
    ]);
  });

  test('needs none of it with the admin token', async () => {
    const headers = { authorization: `Bearer ${TOKEN}`, origin: 'https://elsewhere.example' };
    expect((await ask('/changed', { method: 'POST', headers })).json()).toEqual({ actor: 'operator' });
  });
});

describe('lock-out', () => {
  const wrong = (from?: string) =>
    ask('/session', { method: 'POST', body: { token: 'wrong' }, ...(from === undefined ? {} : { from }) });

  test('five wrong tokens or codes lock a client out of trying, by whatever way, and say for how long', async () => {
    for (let i = 0; i < 2; i++) expect((await wrong()).statusCode).toBe(401);
    for (let i = 0; i < 2; i++)
      expect((await ask('/session', { method: 'POST', body: { code: 'wrong' } })).statusCode).toBe(401);
    expect((await ask('/seen', { headers: { authorization: 'Bearer wrong' } })).statusCode).toBe(401);
    clock.advance(10_500);
    const link = entrance.links.make({ scope: 'phone', minutes: 5 });
    for (const tried of [
      ask('/session', { method: 'POST', body: { token: TOKEN } }),
      ask('/session', { method: 'POST', body: { code: code(link.path) } }),
      ask('/seen', { headers: { authorization: `Bearer ${TOKEN}` } }),
    ]) {
      const answer = await tried;
      expect([answer.statusCode, answer.headers['retry-after']]).toEqual([429, '20']);
      expect(answer.json()).toMatchObject({ error: { code: 'TRK_TOO_MANY_FAILURES' } });
    }
    clock.advance(19_500);
    // The code was not looked at, so it is still good.
    await logIn({ code: code(link.path) });
  });

  test('does not touch who is in already, nor other clients', async () => {
    const { cookie, csrf } = await logIn({ token: TOKEN });
    for (let i = 0; i < 6; i++) await wrong();
    expect((await ask('/seen', { headers: { cookie } })).statusCode).toBe(200);
    expect((await ask('/changed', { method: 'POST', headers: { cookie, 'x-csrf-token': csrf } })).statusCode).toBe(200);
    const elsewhere = await ask('/session', { method: 'POST', body: { token: TOKEN }, from: '192.0.2.9' });
    expect(elsewhere.statusCode).toBe(200);
  });

  test('is told to the audit once a minute at most, without an address or a secret', async () => {
    for (let client = 0; client < 40; client++) for (let i = 0; i < 5; i++) await wrong(`192.0.2.${client}`);
    expect(facts()).toEqual(['api | locked_out | log_in | 5 wrong tries in a row, for 30 s']);
    clock.advance(60_000);
    await wrong('192.0.2.1');
    expect(facts().at(-1)).toBe(
      'api | locked_out | log_in | 6 wrong tries in a row, for 60 s; 39 more since the last such entry',
    );
    expect(JSON.stringify(audit)).not.toMatch(/192\.0|wrong"/);
  });

  test('a password that a proxy asks for is no try', async () => {
    const { cookie } = await logIn({ token: TOKEN });
    const authorization = `Basic ${Buffer.from('proxy:password').toString('base64')}`;
    for (let i = 0; i < 10; i++)
      expect((await ask('/seen', { headers: { authorization, cookie } })).statusCode).toBe(200);
    for (let i = 0; i < 10; i++) expect((await ask('/seen', { headers: { authorization } })).statusCode).toBe(401);
  });
});

describe('links', () => {
  const make = async (body: object) => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    return (await ask('/links', { method: 'POST', headers, body })).json<{ path: string; expiresWallMs: number }>();
  };

  test('one lets in once', async () => {
    const { path, expiresWallMs } = await make({ scope: 'operator', minutes: 10 });
    expect(path).toMatch(/^\/login#code=[\w-]{32}$/);
    expect(expiresWallMs).toBe(clock.wallMs() + 600_000);
    const { cookie } = await logIn({ code: code(path), name: 'Grace' });
    expect((await ask('/session', { headers: { cookie } })).json()).toMatchObject({
      ...{ scope: 'operator', expiresWallMs: clock.wallMs() + 12 * HOUR_MS },
    });
    const again = await ask('/session', { method: 'POST', body: { code: code(path) } });
    expect([again.statusCode, again.json().error.message]).toEqual([
      ...[401, 'This link was used already, or has expired. Ask for another.'],
    ]);
    expect(facts()).toEqual([
      'operator | link_made | operator | good for 10 min',
      'operator:Grace | log_in | operator | by a link',
    ]);
    expect(JSON.stringify(audit)).not.toContain(code(path));
  });

  test('of two who use one at once, one gets in', async () => {
    const { path } = await make({ scope: 'operator' });
    const body = { code: code(path) };
    const answers = await Promise.all([1, 2, 3].map(() => ask('/session', { method: 'POST', body })));
    expect(answers.map(({ statusCode }) => statusCode).toSorted((a, b) => a - b)).toEqual([200, 401, 401]);
  });

  test('it expires', async () => {
    const { path } = await make({ scope: 'operator', minutes: 1 });
    clock.advance(60_000);
    expect((await ask('/session', { method: 'POST', body: { code: code(path) } })).statusCode).toBe(401);
  });

  test('one for the phone opens the phone until it expires, and nothing else', async () => {
    const { path } = await make({ scope: 'phone', minutes: 30 });
    expect(path).toMatch(/^\/phone#code=/);
    clock.advance(10 * 60_000);
    const { cookie, csrf } = await logIn({ code: code(path), name: 'visitor' });
    const headers = { cookie, 'x-csrf-token': csrf };
    expect((await ask('/phone', { headers })).json()).toEqual({ actor: 'link:visitor' });
    expect((await ask('/phone/changed', { method: 'POST', headers })).statusCode).toBe(200);
    for (const [method, url] of [
      ...[
        ['GET', '/seen'],
        ['HEAD', '/seen'],
        ['POST', '/changed'],
        ['POST', '/links'],
        ['GET', '/openapi.json'],
      ],
    ] as ['GET', string][])
      expect((await ask(url, { method, headers })).statusCode, url).toBe(403);
    expect(done.map(({ scope }) => scope)).toEqual(['phone', 'phone']);
    expect((await ask('/nowhere', { headers })).statusCode).toBe(404);
    clock.advance(20 * 60_000);
    expect((await ask('/phone', { headers })).statusCode).toBe(401);
  });

  test.each([
    { scope: 'admin' },
    { scope: 'phone', minutes: 0 },
    { scope: 'phone', minutes: 1_441 },
    { minutes: 5 },
    {},
  ])('%j makes none', async (body) => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await ask('/links', { method: 'POST', headers, body })).statusCode).toBe(400);
  });

  test('there are not more of them than a bound, until some expire', () => {
    for (let i = 0; i < MAX_LINKS; i++) entrance.links.make({ scope: 'phone', minutes: 1 });
    expect(() => entrance.links.make({ scope: 'phone', minutes: 1 })).toThrow(/1000 links that nobody has used/);
    clock.advance(60_000);
    expect(entrance.links.make({ scope: 'phone', minutes: 1 }).path).toContain('#code=');
  });
});

test('the admin token has no session: there is none to show, and logging out changes nothing', async () => {
  const headers = { authorization: `Bearer ${TOKEN}` };
  expect((await ask('/session', { headers })).statusCode).toBe(404);
  expect((await ask('/session', { method: 'DELETE', headers })).statusCode).toBe(204);
  expect(audit).toEqual([]);
});

test('when too many have logged out, all sessions end rather than that one lives again', () => {
  const sessions = new Sessions({ adminToken: TOKEN, clock });
  const begin = () =>
    sessions.begin({ scope: 'operator', name: '', secure: false, expiresWallMs: clock.wallMs() + HOUR_MS });
  const [stolen, innocent] = [begin(), begin()];
  sessions.logOut(stolen);
  for (let i = 1; i < MAX_LOGGED_OUT; i++) sessions.logOut(begin());
  expect([sessions.isGood(stolen), sessions.isGood(innocent)]).toEqual([false, true]);
  clock.advance(1);
  sessions.logOut(begin());
  expect([sessions.isGood(stolen), sessions.isGood(innocent), sessions.isGood(begin())]).toEqual([false, false, true]);
});

test('a log-out is remembered as long as the copy of the cookie that was renewed last', () => {
  const sessions = new Sessions({ adminToken: TOKEN, clock });
  const startWallMs = clock.wallMs();
  const begin = () =>
    sessions.begin({ scope: 'operator', name: '', secure: false, expiresWallMs: clock.wallMs() + 12 * HOUR_MS });
  const first = begin();
  clock.advance(6 * HOUR_MS);
  const own = sessions.renew(first);
  clock.advance(5 * HOUR_MS);
  const stolen = sessions.renew(first);
  if (own === null || stolen === null) throw new Error('not renewed');
  expect([own, stolen].map(({ expiresWallMs }) => (expiresWallMs - startWallMs) / HOUR_MS)).toEqual([18, 23]);
  sessions.logOut(own);
  clock.advance(8 * HOUR_MS);
  // What is over is forgotten whenever somebody logs out.
  sessions.logOut(begin());
  expect(sessions.isGood(stolen)).toBe(false);
});
