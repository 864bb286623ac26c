// Faults on demand: what a client must survive.
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

test('refuses the first attempt with a status and a Retry-After, and takes the second', async () => {
  const simulator = await simulate({ session: (n) => (n === 1 ? { refuse: { status: 429, retryAfter: 2 } } : fast) });
  const refused = await handshake(simulator, bearer);
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '2']);
  const client = await connect(simulator);
  expect(client.session.number).toBe(2);
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

test('delays the handshake as long as it was told', async () => {
  const clock = new ManualClock();
  const simulator = await simulate({ clock, session: { handshakeDelayMs: 3000 } });
  const socket = new WebSocket(socketUrl(simulator), { headers: bearer });
  while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(2999);
  expect(simulator.sessions).toEqual([]);
  clock.advance(1);
  await once(socket, 'open');
  expect(simulator.sessions).toHaveLength(1);
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

test('never confirms an update when told to, and confirms late when told so', async () => {
  const clock = new ManualClock();
  const simulator = await simulate({
    clock,
    session: (n) => ({ updateDelayMs: n === 1 ? Number.POSITIVE_INFINITY : 500 }),
  });
  const [never, late] = [await connect(simulator), await connect(simulator)];
  for (const client of [never, late]) {
    client.send({ type: 'session.update', session: { type: 'realtime', instructions: 'x' } });
    await client.session.next('client_event');
  }
  clock.advance(3_000_000);
  await late.seen('session.updated');
  expect(never.types).not.toContain('session.updated');
});

test('stays mute, or begins an answer and stalls', async () => {
  const simulator = await simulate({ session: (n) => (n === 1 ? { mute: true } : { stall: true }) });
  const mute = await connect(simulator);
  mute.send({ type: 'response.create' });
  await mute.update();
  expect(mute.types).not.toContain('response.created');
  const stalled = await connect(simulator);
  stalled.send({ type: 'response.create' });
  await stalled.seen('response.created');
  await stalled.update();
  expect(stalled.types).not.toContain('response.output_item.added');
});

test('sends garbage where it is told to, and goes on', async () => {
  const garbage = [
    { at: 'session.updated', kind: 'malformed_json' },
    { at: 'session.updated', kind: 'not_an_object' },
    { at: 'session.updated', kind: 'binary' },
    { at: 'response.created', kind: 'unknown_event' },
    { at: 'response.created', kind: 'bare' },
    { at: 'response.output_audio.delta', kind: 'duplicate', times: 2 },
    { at: 'response.output_audio.done', kind: 'out_of_order' },
    { at: 'response.done', kind: 'huge' },
  ] as const;
  const client = await phoneSession({ ...fast, garbage });
  client.send({ type: 'response.create' });
  await client.seen('simulator.huge');
  const [malformed, notAnObject, binary] = client.frames.slice(client.types.indexOf('session.updated') + 1);
  expect(() => JSON.parse(String(malformed)) as unknown).toThrow(SyntaxError);
  expect(notAnObject).toBe('[null]');
  expect(binary).toBeInstanceOf(Buffer);
  const [first, second, third, fourth] = client.of('response.output_audio.delta').map(({ event_id }) => event_id);
  expect([first === second, third === fourth, second === third]).toEqual([true, true, false]);
  expect(client.types.indexOf('response.output_audio.done')).toBeGreaterThan(
    client.types.indexOf('response.output_audio_transcript.done'),
  );
  expect(client.frames.at(-1)?.length).toBeGreaterThan(16 * 1024 * 1024);
  expect(client.of('response.created')).toHaveLength(2);
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
