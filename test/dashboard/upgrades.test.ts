// The page's sockets over real connections: who gets one, who does not and how they are told, how many there may be, and that
// none outlives its session or its other side.
import { once } from 'node:events';
import { request as httpRequest, createServer, type IncomingMessage, type Server } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { upgradeGate } from '../../src/carrier/twilio/upgrade-gate.ts';
import type { Who } from '../../src/dashboard/api-route.ts';
import { Entrance, isRefusal } from '../../src/dashboard/entrance.ts';
import { MAX_SOCKETS, MAX_SOCKETS_OF_A_SESSION, type PageSockets, pageSockets } from '../../src/dashboard/upgrades.ts';
import { FakeClock } from '../support/fake-clock.ts';

const TOKEN = 'a-token-of-sixteen';
const BEARER = { authorization: `Bearer ${TOKEN}` };

let clock: FakeClock;
let entrance: Entrance;
let sockets: PageSockets;
let server: Server;
let host: string;
let opened: { path: string; who: Who; params: object; socket: WebSocket }[];
let logged: unknown[][];
let clients: WebSocket[];

beforeEach(async () => {
  clock = new FakeClock();
  [opened, logged, clients] = [[], [], []];
  const log = (...line: unknown[]) => void logged.push(line);
  entrance = new Entrance({ adminToken: TOKEN, publicUrl: 'https://voice.example.com', clock, append: () => {} });
  const note = (path: string) => (socket: WebSocket, _request: IncomingMessage, who: Who, params: object) => {
    opened.push({ path, who, params, socket });
    socket.on('message', (data) => socket.send(`heard ${(data as Buffer).length}`));
  };
  sockets = pageSockets({
    ...{ entrance, clock, log: { warn: log, error: log } },
    routes: [
      { path: '/api/phone/socket', access: 'phone', open: note('phone') },
      { path: '/api/live/calls/:id/listen', open: note('listen') },
      {
        path: '/api/broken',
        open() {
          throw new Error('a fault of ours');
        },
      },
    ],
  });
  server = createServer((_request, reply) => reply.writeHead(404).end());
  upgradeGate(server, '/media', null, sockets.take);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterEach(async () => {
  for (const client of clients) client.terminate();
  await sockets.close();
  server.close();
  await once(server, 'close');
});

const ours = (): string => `http://${host}`;
const PHONE = '/api/phone/socket';
const LISTEN = '/api/live/calls/call_1-a/listen';

/** The status of a refusal, or the open socket. */
async function open(path: string, headers: Record<string, string> = {}): Promise<WebSocket | number> {
  const client = new WebSocket(`ws://${host}${path}`, { headers });
  clients.push(client);
  return new Promise((resolve, reject) => {
    client.once('open', () => resolve(client));
    client.once('unexpected-response', (_request, answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0));
    });
    client.once('error', reject);
  });
}
async function openOrFail(path: string, headers: Record<string, string>): Promise<WebSocket> {
  const client = await open(path, headers);
  if (typeof client === 'number') throw new Error(`refused with ${client}`);
  return client;
}

function begin(scope: 'operator' | 'phone' = 'operator'): { cookie: string; csrf: string; seal: string } {
  const given =
    scope === 'operator' ? { token: TOKEN } : { code: entrance.links.make({ scope, minutes: 9 }).path.slice(12) };
  const outcome = entrance.logIn({ headers: {}, address: '192.0.2.1' }, given);
  if (isRefusal(outcome)) throw new Error(outcome.message);
  const [cookie = ''] = outcome.cookie.split(';');
  return { cookie, csrf: entrance.csrf(outcome.session), seal: cookie };
}
const fromOurs = (scope: 'operator' | 'phone' = 'operator'): Record<string, string> => ({
  ...{ cookie: begin(scope).cookie, origin: ours() },
});

describe('a socket is opened', () => {
  test('for a page of ours with a session, with what its path says', async () => {
    await openOrFail(LISTEN, fromOurs());
    expect(opened).toMatchObject([
      { path: 'listen', who: { scope: 'operator', actor: 'operator' }, params: { id: 'call_1-a' } },
    ]);
  });

  test('for the phone by a phone link, under the public origin too', async () => {
    await openOrFail(`${PHONE}?x=1`, { ...fromOurs('phone'), origin: 'https://voice.example.com' });
    expect(opened).toMatchObject([{ path: 'phone', who: { scope: 'phone', actor: 'link' } }]);
  });

  test('for a script with the token, which has no origin', async () => {
    await openOrFail(LISTEN, BEARER);
    expect(opened).toHaveLength(1);
  });
});

describe('a socket is refused', () => {
  test.each<[string, string, () => Record<string, string>, number]>([
    ['without anything', LISTEN, () => ({}), 403],
    ['without a session', LISTEN, () => ({ origin: ours() }), 401],
    ['with a cookie from no page', LISTEN, () => ({ cookie: begin().cookie }), 403],
    ['with a cookie from another site', LISTEN, () => ({ ...fromOurs(), origin: 'https://evil.example' }), 403],
    ['with a cookie from another port', LISTEN, () => ({ ...fromOurs(), origin: 'http://127.0.0.1:1' }), 403],
    ['with a cookie from a sandbox', LISTEN, () => ({ ...fromOurs(), origin: 'null' }), 403],
    ['with a cookie from a file', LISTEN, () => ({ ...fromOurs(), origin: 'file://' }), 403],
    ['with the token from another site', LISTEN, () => ({ ...BEARER, origin: 'https://evil.example' }), 403],
    ['with a forged cookie', LISTEN, () => ({ origin: ours(), cookie: 'trk_session=a.b' }), 401],
    ['with another token', LISTEN, () => ({ authorization: 'Bearer x' }), 401],
    ['with a phone link where operators are', LISTEN, () => fromOurs('phone'), 403],
    ['where there is none', '/api/nowhere', () => fromOurs(), 404],
    ['of a path that is longer', `${LISTEN}/more`, () => fromOurs(), 404],
    ['of an id that is none', '/api/live/calls/a%2fb/listen', () => fromOurs(), 404],
    ['of an endless id', `/api/live/calls/${'x'.repeat(101)}/listen`, () => fromOurs(), 404],
    ['that is not below /api', '/apis', () => fromOurs(), 404],
    ['where nobody is known and nothing is', '/api/nowhere', () => ({ origin: ours() }), 401],
  ])('%s', async (_name, path, headers, status) => {
    expect(await open(path, headers())).toBe(status);
    expect([opened, sockets.size]).toEqual([[], 0]);
  });

  test('after its session has run out', async () => {
    const headers = fromOurs();
    clock.advance(12 * 3_600_000);
    expect(await open(LISTEN, headers)).toBe(401);
  });

  test('to whoever keeps trying tokens, and says for how long', async () => {
    for (let i = 0; i < 5; i++) expect(await open(LISTEN, { authorization: 'Bearer x' })).toBe(401);
    expect(await open(LISTEN, BEARER)).toBe(429);
    expect(await open(LISTEN, fromOurs())).toBeInstanceOf(WebSocket);
  });

  test('by a plain answer and the end of the connection, without a word of the cookie in the log', async () => {
    const [, port = ''] = host.split(':');
    const socket = connect(Number(port), '127.0.0.1');
    const { cookie } = begin();
    const lines = [
      'Host: x',
      'Connection: Upgrade',
      'Upgrade: websocket',
      `Cookie: ${cookie}`,
      `Origin: http://${'e'.repeat(900)}`,
    ];
    socket.write(`GET ${LISTEN} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n/);
    expect(logged).toHaveLength(1);
    expect(JSON.stringify(logged)).not.toContain('trk_session');
    expect(JSON.stringify(logged).length).toBeLessThan(500);
  });

  test('when it is no proper upgrade', async () => {
    const [, port = ''] = host.split(':');
    for (const key of ['', 'Sec-WebSocket-Key: short\r\n']) {
      const socket = connect(Number(port), '127.0.0.1');
      const lines = ['Host: x', 'Connection: Upgrade', 'Upgrade: websocket', `Authorization: ${BEARER.authorization}`];
      socket.write(`GET ${LISTEN} HTTP/1.1\r\n${lines.join('\r\n')}\r\n${key}\r\n`);
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 4\d\d /);
    }
    expect([opened, sockets.size]).toEqual([[], 0]);
  });

  test('when asked for by another method', async () => {
    const [, port = ''] = host.split(':');
    const headers = { ...BEARER, connection: 'Upgrade', upgrade: 'websocket' };
    const request = httpRequest({ host: '127.0.0.1', port, path: LISTEN, method: 'POST', headers });
    request.end();
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(404);
  });
});

describe('there are not more than a bound', () => {
  test('in all', async () => {
    for (let i = 0; i < MAX_SOCKETS; i++) await openOrFail(LISTEN, BEARER);
    expect(await open(LISTEN, BEARER)).toBe(503);
    const gone = once(opened[0]?.socket as WebSocket, 'close');
    clients[0]?.terminate();
    await gone;
    expect(await open(LISTEN, BEARER)).toBeInstanceOf(WebSocket);
  });

  test('of one session', async () => {
    const headers = fromOurs('phone');
    for (let i = 0; i < MAX_SOCKETS_OF_A_SESSION; i++) await openOrFail(PHONE, headers);
    expect(await open(PHONE, headers)).toBe(503);
    expect(await open(PHONE, fromOurs('phone'))).toBeInstanceOf(WebSocket);
  });
});

test('a message that is too long ends the socket, a compressed one is not understood, and nothing ends the process', async () => {
  const client = await openOrFail(PHONE, fromOurs());
  expect(client.extensions).toBe('');
  client.send('x'.repeat(64 * 1024));
  expect(String((await once(client, 'message'))[0])).toBe('heard 65536');
  client.send('x'.repeat(64 * 1024 + 1));
  expect((await once(client, 'close'))[0]).toBe(1009);
  expect(await open(PHONE, fromOurs())).toBeInstanceOf(WebSocket);
});

test('a fault in what a socket is for closes it, is logged, and leaves the others', async () => {
  const other = await openOrFail(PHONE, fromOurs());
  const client = await openOrFail('/api/broken', BEARER);
  expect((await once(client, 'close'))[0]).toBe(1011);
  expect(logged).toMatchObject([[{ route: '/api/broken' }, 'a socket of the page failed']]);
  expect(other.readyState).toBe(WebSocket.OPEN);
});

test('it ends when its session is logged out, that of another does not', async () => {
  const { cookie, seal } = begin();
  const [mine, theirs] = [await openOrFail(LISTEN, { cookie, origin: ours() }), await openOrFail(LISTEN, fromOurs())];
  const admitted = entrance.admit({ headers: { cookie: seal }, address: '' }, { changes: false });
  if (isRefusal(admitted) || admitted.session === null) throw new Error('not logged in');
  const closed = once(mine, 'close');
  entrance.logOut(admitted.session);
  expect((await closed)[0]).toBe(4401);
  expect(theirs.readyState).toBe(WebSocket.OPEN);
});

test.for(['logged out', 'the session is over'])(
  '%s: what it still says is heard for no more than a second',
  async (why) => {
    const { cookie, seal } = begin('phone');
    const client = await openOrFail(PHONE, { cookie, origin: ours() });
    const mine = opened[0]?.socket as WebSocket;
    const theirs = once(mine, 'close');
    // It does not answer: whatever comes lies unread.
    client.pause();
    if (why === 'logged out') {
      const admitted = entrance.admit({ headers: { cookie: seal }, address: '' }, { changes: false });
      if (isRefusal(admitted) || admitted.session === null) throw new Error('not logged in');
      entrance.logOut(admitted.session);
    } else {
      for (let s = 0; s < 9 * 60; s += 20) {
        mine.emit('pong', Buffer.alloc(0));
        expect(mine.readyState).toBe(WebSocket.OPEN);
        clock.advance(20_000);
      }
    }
    expect(mine.readyState).toBe(WebSocket.CLOSING);
    clock.advance(1_000);
    await theirs;
    expect([sockets.size, clock.pending]).toEqual([0, 0]);
  },
);

test('one whose other side does not answer pings is ended, one that does stays, and no timer stays behind', async () => {
  const dead = new WebSocket(`ws://${host}${LISTEN}`, { headers: BEARER, autoPong: false });
  clients.push(dead);
  await once(dead, 'open');
  const alive = await openOrFail(LISTEN, BEARER);
  const pinged = once(alive, 'ping');
  const answered = once(opened[1]?.socket as WebSocket, 'pong');
  clock.advance(20_000);
  await pinged;
  await answered;
  const gone = once(dead, 'close');
  clock.advance(20_000);
  await gone;
  expect([sockets.size, alive.readyState]).toEqual([1, WebSocket.OPEN]);
  const closed = once(opened[1]?.socket as WebSocket, 'close');
  alive.close();
  await closed;
  expect(clock.pending).toBe(0);
});

test('closing closes all, also those that do not answer, and lets nobody in any more', async () => {
  const polite = await openOrFail(LISTEN, BEARER);
  const [, port = ''] = host.split(':');
  const rude = connect(Number(port), '127.0.0.1');
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
  rude.write(
    `GET ${LISTEN} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\nAuthorization: ${BEARER.authorization}\r\n\r\n`,
  );
  await once(rude, 'data');
  expect(sockets.size).toBe(2);
  const politeClosed = once(polite, 'close');
  const rudeClosed = once(rude, 'close');
  const closed = sockets.close();
  expect((await politeClosed)[0]).toBe(1001);
  expect(await open(LISTEN, BEARER)).toBe(503);
  clock.advance(1_000);
  await rudeClosed;
  await closed;
  expect([sockets.size, clock.pending]).toEqual([0, 0]);
});

test('closing does not wait for a socket that never tells its end', async () => {
  await openOrFail(LISTEN, BEARER);
  const stuck = opened[0]?.socket as WebSocket;
  // As one is of which a message has thrown: its reader stands still, and `close` never comes.
  stuck.emit = () => false;
  const closed = sockets.close();
  clock.advance(1_000);
  await closed;
  expect(clock.pending).toBe(0);
  Reflect.deleteProperty(stuck, 'emit');
  stuck.emit('close');
});
