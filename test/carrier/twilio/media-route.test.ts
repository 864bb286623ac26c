import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { CLAIM, type Edge, PUBLIC_URL, sign, startEdge, TOKEN } from './edge.ts';

const PATH = `/media/${TOKEN}`;
const WSS = PUBLIC_URL.replace('https', 'wss');

describe('the upgrade', () => {
  test.each([WSS, `${WSS}:443`])('is accepted when signed for %s, with and without a slash', async (base) => {
    const { open, intake } = await startEdge();
    await open(PATH, { 'x-twilio-signature': sign(PATH, {}, base) });
    await open(PATH, { 'x-twilio-signature': sign(`${PATH}/`, {}, base) });
    expect(intake.claims).toEqual([TOKEN, TOKEN]);
  });

  test.each<[string, Record<string, string>, string]>([
    ['unsigned', {}, 'signature_missing'],
    ['signed for another path', { 'x-twilio-signature': sign('/media/other', {}, WSS) }, 'signature_wrong'],
    ['signed for https', { 'x-twilio-signature': sign(PATH) }, 'signature_wrong'],
    ['signed for another host', { 'x-twilio-signature': sign(PATH, {}, 'wss://evil.example') }, 'signature_wrong'],
    ['signed with garbage', { 'x-twilio-signature': '!' }, 'signature_wrong'],
  ])('%s gets 403 before the token is looked at', async (_what, headers, reason) => {
    const { open, intake, counted, logged } = await startEdge();
    await expect(open(PATH, headers)).rejects.toThrow('403');
    expect(intake.claims).toEqual([]);
    expect(counted).toEqual([`refused media ${reason}`]);
    expect(logged).toEqual([
      JSON.stringify({ fields: { reason, remote: '127.0.0.1' }, message: 'media socket refused' }),
    ]);
  });

  test('does not believe Host or forwarded headers', async () => {
    const { open } = await startEdge();
    const headers = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      'x-twilio-signature': sign(PATH, {}, 'wss://evil.example'),
    };
    await expect(open(PATH, headers)).rejects.toThrow('403');
  });

  test.each(['unknown', 'foreign', 'expired', 'used'] as const)('with a token that is %s gets 403', async (refusal) => {
    const { open, intake, counted, logged } = await startEdge();
    intake.claimed = refusal;
    await expect(open()).rejects.toThrow('403');
    expect(counted).toEqual([`refused media token_${refusal}`]);
    expect(logged.join()).not.toContain(TOKEN);
  });

  test('whose token cannot be settled gets 500, and the next one is served', async () => {
    const { open, intake } = await startEdge();
    const claim = intake.claim.bind(intake);
    intake.claim = () => {
      throw new Error('no coordination');
    };
    await expect(open()).rejects.toThrow('500');
    intake.claim = claim;
    await open();
    expect(intake.claims).toEqual([TOKEN]);
  });

  test('selects no subprotocol and no extension', async () => {
    const edge = await startEdge();
    const socket = raw(edge);
    socket.write(upgrade({ 'Sec-WebSocket-Protocol': 'a, b', 'Sec-WebSocket-Extensions': 'permessage-deflate' }));
    const [head] = await once(socket, 'data');
    expect(String(head)).toMatch(/^HTTP\/1.1 101 /);
    expect(String(head)).not.toMatch(/sec-websocket-(protocol|extensions)/i);
    socket.destroy();
  });

  test('that fails after its token was taken abandons the call', async () => {
    const edge = await startEdge();
    const socket = raw(edge);
    socket.write(upgrade({ 'Sec-WebSocket-Version': '12' }));
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 /);
    await edge.intake.when(() => edge.intake.abandoned.length > 0);
    expect(edge.intake.abandoned).toEqual([
      { claim: CLAIM, cause: 'never_started', detail: 'the upgrade was not completed' },
    ]);
  });

  test.each(['/healthz', '/', '/media', '/mediaX/t', '/voice', '/media/', '/media/a/b', `/media/${'x'.repeat(101)}`])(
    'of %s gets 404 and a closed socket',
    async (path) => {
      const edge = await startEdge();
      const socket = raw(edge);
      socket.write(upgrade({}, path));
      expect(await text(socket)).toMatch(/^HTTP\/1.1 404 /);
    },
  );
});

test('a plain request for the socket’s path takes no token', async () => {
  const { origin, intake } = await startEdge();
  const headers = { 'x-twilio-signature': sign(PATH, {}, WSS) };
  expect((await fetch(`http://${origin}${PATH}`, { headers })).status).toBe(426);
  expect((await fetch(`http://${origin}${PATH}`, { headers, method: 'HEAD' })).status).toBe(426);
  expect(intake.claims).toEqual([]);
});

test('closing the server waits for the drain, then says so to sockets that are left', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { app, open, intake } = await startEdge({ drained: () => promise });
  const peer = await open();
  peer.start();
  await intake.event('leg.started');
  const closing = app.close();
  intake.leg?.mark('still here');
  expect(await peer.gets(1)).toMatchObject([{ event: 'mark' }]);
  expect(peer.socket.readyState).toBe(peer.socket.OPEN);
  resolve();
  expect((await peer.closed).code).toBe(1001);
  await closing;
  expect(intake.ofType('leg.closed')).toMatchObject([{ cause: 'socket_lost' }]);
});

function raw({ origin }: Edge): Socket {
  const [host, port] = origin.split(':') as [string, string];
  return connect(Number(port), host);
}

/** A rightly signed upgrade request but for what `headers` change. */
function upgrade(headers: Record<string, string>, path = PATH): string {
  const all = {
    Host: 'voice.example.com',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Version': '13',
    'X-Twilio-Signature': sign(path, {}, WSS),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
