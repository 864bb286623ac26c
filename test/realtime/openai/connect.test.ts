// The socket's own watch: a peer that is gone without a close is noticed, one that only listens is not.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { connectWire, type WireClosed } from '../../../src/realtime/openai/connect.ts';

let server: WebSocketServer;

afterEach(() => {
  for (const client of server.clients) client.terminate();
  server.close();
});

async function connected(autoPong: boolean): Promise<{ closed: Promise<WireClosed>; close: () => void }> {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong });
  await once(server, 'listening');
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const { promise, resolve } = Promise.withResolvers<WireClosed>();
  const opened = Promise.withResolvers<void>();
  const wire = connectWire(
    { baseUrl, model: 'm', apiKey: 'k', handshakeMs: 1_000, pingEveryMs: 10, lostAfterMs: 60 },
    { open: () => opened.resolve(), message: () => {}, skipped: () => {}, closed: resolve },
  );
  await opened.promise;
  return { closed: promise, close: () => wire.close() };
}

test('a server that answers no ping and says nothing is lost', async () => {
  const { closed } = await connected(false);
  expect(await closed).toMatchObject({
    cause: 'lost',
    detail: 'no pong: the server has not answered for several seconds',
    retry: true,
  });
});

test('a server that only answers pings is not', async () => {
  const { closed, close } = await connected(true);
  const [client] = server.clients;
  let pings = 0;
  const enough = Promise.withResolvers<void>();
  client?.on('ping', () => {
    pings += 1;
    if (pings === 20) enough.resolve();
  });
  await enough.promise;
  close();
  expect(await closed).toMatchObject({ cause: 'lost', retry: true });
});
