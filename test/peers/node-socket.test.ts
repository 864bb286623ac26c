// Media connections that run through this process to another: one that answers, one that stands still, one that is gone.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import fastify from 'fastify';
import { expect, onTestFinished, test } from 'vitest';
import { realClock } from '../../src/clock.ts';
import { spliceUpgrade } from '../../src/peers/node-socket.ts';
import { Nodes } from '../../src/peers/nodes.ts';
import { Passing } from '../../src/peers/passing.ts';
import { Sharing } from '../../src/peers/sharing.ts';

const REQUEST = {
  method: 'GET',
  url: '/media/bbbbbbbbbbbb.secret',
  rawHeaders: ['Host', 'calls.example.com', 'Upgrade', 'websocket', 'Connection', 'Upgrade'],
} as IncomingMessage;
const NOTHING = Buffer.alloc(0);
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';

async function folder(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'trunkline-splice-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

/** What listens on a socket, until the test is over. */
async function listening(server: Server, path?: string): Promise<Server> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  if (path === undefined) server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  return server;
}

/** A connection of the carrier: our end of it, and the carrier's. */
async function connection(): Promise<{ ours: Socket; carrier: Socket }> {
  const server = await listening(createServer());
  const carrier = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void carrier.destroy());
  const [ours] = (await once(server, 'connection')) as [Socket];
  return { ours, carrier };
}

test('a process that stands still: the upgrade is answered in time, and nothing stays open', async () => {
  const path = join(await folder(), 'frozen.sock');
  // The kernel takes the connection, nobody reads.
  await listening(createServer({ pauseOnConnect: true }), path);
  const { ours, carrier } = await connection();
  const heard = text(carrier);
  const splice = await spliceUpgrade(path, REQUEST, ours, NOTHING, 50);
  expect(await heard).toMatch(/^HTTP\/1\.1 504 /);
  await splice?.closed;
  expect(ours.destroyed).toBe(true);
});

test('one that has answered in time may be silent as long as it likes', async () => {
  const path = join(await folder(), 'node.sock');
  const node = createHttpServer();
  node.on('upgrade', (_request, socket: Socket) => {
    socket.write(SWITCHING);
    // Long after an answer was due.
    setTimeout(() => socket.end('audio'), 120);
  });
  await listening(node, path);
  const { ours, carrier } = await connection();
  const heard = text(carrier);
  await spliceUpgrade(path, REQUEST, ours, NOTHING, 40);
  expect(await heard).toBe(`${SWITCHING}audio`);
});

test('a carrier that is gone before the other process is reached leaves nothing open', async () => {
  const path = join(await folder(), 'node.sock');
  await listening(createHttpServer(), path);
  const { ours } = await connection();
  ours.destroy();
  await once(ours, 'close');
  const splice = await spliceUpgrade(path, REQUEST, ours, NOTHING, 60_000);
  await expect(splice?.closed).resolves.toBeUndefined();
});

test('what was passed on is cut when the process ends, and what comes then too', async () => {
  const dataDir = await folder();
  const log = { info() {}, warn() {} };
  const other = new Nodes({ id: 'bbbbbbbbbbbb', dataDir, log });
  const server = await listening(createHttpServer(), join(dataDir, 'unused.sock'));
  server.on('upgrade', (_request, socket: Socket) => socket.write(SWITCHING));
  await other.listen((socket) => server.emit('connection', socket));
  onTestFinished(() => other.close());
  const nodes = new Nodes({ id: 'aaaaaaaaaaaa', dataDir, log });
  const of = new Passing({
    ...{ nodes, clock: realClock, publicUrl: 'https://calls.example.com', tokenMark: '' },
    ...{ ownerOf: async () => null, draining: () => false, passed: () => {} },
  });
  const handOver = async (): Promise<Socket> => {
    const { ours, carrier } = await connection();
    carrier.resume();
    expect(await of.handOver('bbbbbbbbbbbb.secret', REQUEST, ours, NOTHING)).toBe(true);
    return carrier;
  };
  const live = await handOver();
  expect(of.relayed).toBe(1);
  of.close();
  await once(live, 'close');
  const late = await handOver();
  if (!late.closed) await once(late, 'close');
  await of.drain(realClock.nowMs() + 60_000);
  expect(of.relayed).toBe(0);
});

test('a server that closes does not wait for what it has passed on', async () => {
  const dataDir = await folder();
  const log = { info() {}, warn() {} };
  const answers = createHttpServer().on('upgrade', (_request, socket: Socket) => socket.write(SWITCHING));
  await listening(answers, join(dataDir, 'unused.sock'));
  const other = new Nodes({ id: 'bbbbbbbbbbbb', dataDir, log });
  await other.listen((socket) => answers.emit('connection', socket));
  onTestFinished(() => other.close());
  const app = fastify({ forceCloseConnections: true });
  const sharing = new Sharing({
    ...{ nodeId: 'aaaaaaaaaaaa', dataDir, host: '127.0.0.1', port: 0, publicUrl: '', authToken: '' },
    ...{ clock: realClock, log, passed: () => {} },
    calls: { draining: false, drain: async () => {}, ownerOf: async () => null },
  });
  app.server.on('upgrade', (request, socket, head) => {
    void sharing.passing.handOver('bbbbbbbbbbbb.secret', request, socket, head);
  });
  await sharing.open(app);
  const carrier = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void carrier.destroy());
  carrier.write('GET /media/x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await once(carrier, 'data');
  await app.close();
  await sharing.close();
  await sharing.passing.drain(realClock.nowMs() + 60_000);
  expect(sharing.passing.relayed).toBe(0);
});
