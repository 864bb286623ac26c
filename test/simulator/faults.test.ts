// Handshakes, drops and breakages: what does not depend on a script. Scripted faults are in fault-scripts.test.ts.
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startSimulator } from '../../src/simulator/server.ts';
import type { Simulator } from '../../src/simulator/server.ts';
import { ManualClock } from './manual-clock.ts';
import { closeSimulators, connect, phoneSession, simulate, socketUrl } from './socket-client.ts';

afterEach(closeSimulators);

const fast = { pace: Number.POSITIVE_INFINITY, firstDelayMs: 0 };
const bearer = { authorization: 'Bearer test' };

async function handshake(
  simulator: Simulator,
  headers: Record<string, string>,
  query?: string,
): Promise<IncomingMessage> {
  const socket = new WebSocket(socketUrl(simulator, query), { headers });
  const [upgrade, response] = (await once(socket, 'unexpected-response')) as [
    ReturnType<typeof request>,
    IncomingMessage,
  ];
  response.resume();
  upgrade.destroy();
  return response;
}

test('refuses a handshake without key or model, or for the beta', async () => {
  const simulator = await simulate();
  expect((await handshake(simulator, {})).statusCode).toBe(401);
  expect((await handshake(simulator, { authorization: 'Bearer ' })).statusCode).toBe(401);
  expect((await handshake(simulator, bearer, '')).statusCode).toBe(400);
  expect((await handshake(simulator, { ...bearer, 'openai-beta': 'realtime=v1' })).statusCode).toBe(400);
  expect((await handshake(simulator, bearer, 'x?model=m')).statusCode).toBe(404);
  expect([simulator.refused, simulator.sessions.length]).toEqual([5, 0]);
});

test('keeps the key out of what it remembers of a handshake', async () => {
  const client = await connect(await simulate());
  expect(JSON.stringify(client.session.headers)).not.toContain('Bearer');
  expect(client.session.headers.upgrade).toBe('websocket');
});

test('closes with hanging and delayed handshakes open', async () => {
  const simulator = await startSimulator({
    session: (n) => (n === 1 ? { hangHandshake: true } : { handshakeDelayMs: 60_000 }),
  });
  const sockets = [1, 2].map(() => new WebSocket(socketUrl(simulator), { headers: bearer }));
  const failed = sockets.map((socket) => once(socket, 'error'));
  const plain = request(simulator.origin);
  const [response] = (await once(plain.end(), 'response')) as [IncomingMessage];
  expect(response.statusCode).toBe(426);
  response.resume();
  await simulator.close();
  plain.destroy();
  await Promise.all(failed);
  expect(simulator.sessions).toEqual([]);
});

test('drops without a close frame, with one, and at the end of a session', async () => {
  const clock = new ManualClock();
  const ends = [{ dropAfterMs: 100 }, { dropAfterMs: 100, dropCode: 1011, dropReason: 'oops' }, { expiresInMs: 100 }];
  const simulator = await simulate({ clock, session: (n) => ends[n - 1] ?? {} });
  const clients = [await connect(simulator), await connect(simulator), await connect(simulator)];
  clock.advance(100);
  expect(await Promise.all(clients.map((client) => client.closed))).toEqual([
    { code: 1006, reason: '' },
    { code: 1011, reason: 'oops' },
    { code: 1001, reason: 'Your session hit the maximum duration of 60 minutes.' },
  ]);
  const last = await connect(simulator);
  last.session.drop(1013, 'later');
  expect(await last.closed).toEqual({ code: 1013, reason: 'later' });
});

test('leaves no timer behind a dropped session', async () => {
  const clock = new ManualClock();
  const client = await connect(await simulate({ clock, session: { pace: 1 } }));
  await client.update();
  client.send({ type: 'response.create' });
  await client.session.next('response');
  expect(clock.pending).toBeGreaterThan(0);
  const closed = client.session.next('closed');
  client.socket.terminate();
  await closed;
  expect(clock.pending).toBe(0);
  await expect(client.session.next('response_done')).rejects.toThrow(/closed/);
});

test('sends whatever a test hands it', async () => {
  const client = await phoneSession(fast);
  client.session.send({ type: 'input_audio_buffer.dtmf_event_received', event: '5', received_at: 1 });
  client.session.sendRaw('not json');
  await client.seen('input_audio_buffer.dtmf_event_received');
  await client.update();
  expect(client.frames).toContain('not json');
});

test('a session that breaks ends alone', async () => {
  const simulator = await simulate({
    session: (n) =>
      n === 1 ? { ...fast, script: { turns: [], greeting: { items: [{ say: ['no such clip'] }] } } } : fast,
  });
  const [broken, sound] = [await connect(simulator), await connect(simulator)];
  const quiet = console.error;
  console.error = () => {};
  broken.send({ type: 'response.create' });
  expect((await broken.closed).code).toBe(1011);
  console.error = quiet;
  sound.send({ type: 'response.create' });
  await sound.seen('response.done');
});

test('a watcher that throws is dropped and does not reach the session', async () => {
  const client = await phoneSession(fast);
  const quiet = console.error;
  console.error = () => {};
  client.session.on('response', () => {
    throw new Error('watcher');
  });
  client.send({ type: 'response.create' });
  await client.seen('response.done');
  console.error = quiet;
  expect(client.session.closed).toBeUndefined();
});
