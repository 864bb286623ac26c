// The socket's own watch: a peer that is gone without a close is noticed, one that only listens is not.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextRound } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { connectWire, type WireClosed } from '../../../src/realtime/openai/connect.ts';

let server: WebSocketServer;

afterEach(() => {
  for (const client of server.clients) client.terminate();
  server.close();
});

async function connected(
  autoPong: boolean,
  times: { pingEveryMs: number; lostAfterMs: number } = { pingEveryMs: 10, lostAfterMs: 60 },
): Promise<{ closed: Promise<WireClosed>; close: () => void }> {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong });
  await once(server, 'listening');
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const { promise, resolve } = Promise.withResolvers<WireClosed>();
  const opened = Promise.withResolvers<void>();
  const wire = connectWire(
    { baseUrl, model: 'm', apiKey: 'k', handshakeMs: 1_000, ...times },
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

/** The process stands still: no timer, no socket. */
function standStill(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

/** What comes first: so many pings at the server, or the end of the wire. */
function pingsOrEnd(pings: number, closed: Promise<WireClosed>, asked: (ping: number) => unknown): Promise<string> {
  const [client] = server.clients;
  const { promise, resolve } = Promise.withResolvers<string>();
  let seen = 0;
  client?.on('ping', () => {
    seen += 1;
    if (seen === pings) resolve('asked');
    else asked(seen);
  });
  return Promise.race([promise, closed.then(({ detail }) => detail)]);
}

test('a process that stood still does not hold it against the server', async () => {
  const { closed, close } = await connected(true);
  // Longer than a silent server would be waited for, when the answer to the last ping has been read.
  const first = await pingsOrEnd(4, closed, async (ping) => {
    if (ping !== 2) return;
    await nextRound();
    await nextRound();
    standStill(200);
  });
  expect(first).toBe('asked');
  close();
});

test('a pong that lies ready when the time is over is read first', async () => {
  const { closed, close } = await connected(false, { pingEveryMs: 50, lostAfterMs: 60 });
  const [client] = server.clients;
  const first = await pingsOrEnd(2, closed, () => {
    client?.pong();
    standStill(55);
  });
  expect(first).toBe('asked');
  close();
});
