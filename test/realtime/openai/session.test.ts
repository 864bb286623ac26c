// The session with a real socket on loopback: what is held back, what ends it, and that nothing of it is left.
import { once } from 'node:events';
import type { WebSocket } from 'ws';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { msToBytes, silence } from '../../../src/audio/mulaw.ts';
import { connectWire, realtimeUrl, type Wire } from '../../../src/realtime/openai/connect.ts';
import type { ClientMessage } from '../../../src/realtime/openai/messages.ts';
import { OpenAiSession } from '../../../src/realtime/openai/session.ts';
import type { RealtimeEvent } from '../../../src/realtime/session.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { expectClientMessage } from './client-schema.ts';
import { modelSocket, muteServer, refusingServer, type ModelSocket } from './model-socket.ts';
import { SESSION, types } from './talk.ts';
import * as wire from './wire.ts';

const CONFIG = {
  session: SESSION,
  model: 'gpt-realtime-2.1',
  transcriptionModel: 'gpt-transcribe',
  serverInterrupts: true,
  serverAnswers: true,
};
type EventType = RealtimeEvent['type'];

/** A session with its clock and everything it reported. */
class Rig {
  readonly clock = new FakeClock();
  readonly events: RealtimeEvent[] = [];
  readonly sent: ClientMessage[] = [];
  /** Events, and `released`, in order. */
  readonly story: string[] = [];
  readonly released: Promise<void>;
  readonly session: OpenAiSession;
  wire: Wire | undefined;
  readonly #waiting: (() => void)[] = [];

  constructor(baseUrl: string, readyWithinMs = 5000) {
    let release = (): void => {};
    this.released = new Promise((resolve) => {
      release = resolve;
    });
    this.session = new OpenAiSession({
      session: 's1',
      config: CONFIG,
      capabilities: { answersTurns: true, detectsTurns: true },
      clock: this.clock,
      readyWithinMs,
      connect: (events) => {
        this.wire = connectWire({ baseUrl, model: 'gpt-realtime-2.1', apiKey: 'sk-test', handshakeMs: 5000 }, events);
        return this.wire;
      },
      listener: {
        received: () => {},
        sent: (message) => void this.sent.push(message),
        emit: (event) => {
          this.events.push(event);
          this.story.push(event.type);
          for (const look of this.#waiting) look();
        },
        fault: (error) => {
          throw error;
        },
        released: () => {
          this.story.push('released');
          release();
        },
      },
    });
  }

  /** The first event of a type, once it is there. */
  event<T extends EventType>(type: T): Promise<Extract<RealtimeEvent, { type: T }>> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.events.find((e) => e.type === type);
        if (found) resolve(found as Extract<RealtimeEvent, { type: T }>);
      };
      this.#waiting.push(look);
      look();
    });
  }
}

let server: ModelSocket;
const intervals = vi.spyOn(globalThis, 'setInterval');
const timeouts = vi.spyOn(globalThis, 'setTimeout');
beforeEach(async () => {
  server = await modelSocket();
  intervals.mockClear();
  timeouts.mockClear();
});
afterEach(() => server.stop());

const say = (socket: WebSocket, message: Record<string, unknown>) =>
  socket.send(JSON.stringify({ event_id: null, ...message }));

/** A rig whose session is configured. */
async function readyRig(): Promise<[Rig, WebSocket]> {
  const rig = new Rig(server.baseUrl);
  const socket = await server.socket;
  say(socket, wire.sessionCreated());
  await server.message(1);
  say(socket, wire.sessionUpdated());
  await rig.event('session.ready');
  return [rig, socket];
}

/** Timers of Node that were neither cleared nor fired. */
const liveTimers = () =>
  [...intervals.mock.results, ...timeouts.mock.results]
    .map(({ value }) => value as NodeJS.Timeout & { _destroyed?: boolean })
    .filter((timer) => timer._destroyed === false);

async function expectNothingLeft(rig: Rig): Promise<void> {
  await rig.released;
  expect(rig.clock.pending).toBe(0);
  expect(rig.story.filter((what) => what === 'released')).toHaveLength(1);
  expect(rig.story.at(-1)).toBe('released');
  await vi.waitFor(() => expect(liveTimers()).toHaveLength(0), 5000);
}

test('connects with the key, without compression and without the beta header', async () => {
  const [rig] = await readyRig();
  const request = await server.request;
  expect(request.url).toBe('/v1/realtime?model=gpt-realtime-2.1');
  expect(request.headers.authorization).toBe('Bearer sk-test');
  expect(request.headers).not.toHaveProperty('openai-beta');
  expect(request.headers).not.toHaveProperty('sec-websocket-extensions');
  rig.session.close();
  await expectNothingLeft(rig);
});

test('makes the URL from any root', () => {
  expect(realtimeUrl('https://api.openai.com/v1/', 'm 1')).toBe('wss://api.openai.com/v1/realtime?model=m+1');
  expect(realtimeUrl('ws://127.0.0.1:1/x?api-version=2', 'm')).toContain('model=m');
});

test('holds what the caller says until the session is configured, then sends it first, in order and byte for byte', async () => {
  const rig = new Rig(server.baseUrl);
  const payloads = Array.from({ length: 30 }, (_, i) => Buffer.alloc(160, i).toString('base64'));
  const append = (payload: string) => rig.session.append({ payload, bytes: 160 });
  payloads.slice(0, 10).forEach(append);
  rig.session.request({ do: 'session.speak', say: 'Hello.' });
  const socket = await server.socket;
  payloads.slice(10, 20).forEach(append);
  say(socket, wire.sessionCreated());
  await server.message(1);
  rig.session.appendSilence(40);
  payloads.slice(20, 29).forEach(append);
  // Whatever was sent before this answer has arrived with it.
  socket.ping();
  await once(socket, 'pong');
  expect(server.received.map((text) => (JSON.parse(text) as ClientMessage).type)).toEqual(['session.update']);
  say(socket, wire.sessionUpdated());
  await rig.event('session.ready');
  append(payloads[29] as string);
  const last = JSON.parse(await server.message(33)) as { audio: string };
  const messages = server.received.map((text) => JSON.parse(text) as { type: string; audio: string });
  messages.forEach(expectClientMessage);
  const expected = [...payloads.slice(0, 20), silence(msToBytes(40)).toString('base64'), ...payloads.slice(20, 29)];
  expect(messages.slice(1, 31).map(({ audio }) => audio)).toEqual(expected);
  expect(messages[31]?.type).toBe('response.create');
  expect(last.audio).toBe(payloads[29]);
  rig.session.close();
  // The answer that was asked for may still be begun, and billed.
  rig.clock.advance(900);
  await expectNothingLeft(rig);
});

/** A frame that says which it is. */
const numbered = (i: number): string =>
  Buffer.alloc(160)
    .fill(Buffer.from([i >> 8, i & 255]))
    .toString('base64');

test('holds at most ten seconds, and loses the oldest first', async () => {
  const rig = new Rig(server.baseUrl);
  for (let i = 0; i < 510; i++) rig.session.append({ payload: numbered(i), bytes: 160 });
  const socket = await server.socket;
  say(socket, wire.sessionCreated());
  await server.message(1);
  say(socket, wire.sessionUpdated());
  await server.message(501);
  expect(JSON.parse(server.received[1] as string)).toMatchObject({ audio: numbered(10) });
  rig.session.close();
  await expectNothingLeft(rig);
});

test.each([401, 403, 404, 429, 503])('is refused by a handshake answered with %s', async (status) => {
  const [baseUrl, http] = await refusingServer(status);
  const rig = new Rig(baseUrl);
  expect(await rig.event('session.closed')).toEqual({
    type: 'session.closed',
    cause: 'refused',
    detail: expect.stringMatching(`^HTTP ${status}: .+`),
    fatal: status < 429,
  });
  await expectNothingLeft(rig);
  http.close();
});

test('does not follow a redirect with the key', async () => {
  const [baseUrl, http] = await refusingServer(302, { location: server.baseUrl });
  const rig = new Rig(baseUrl);
  expect(await rig.event('session.closed')).toMatchObject({
    cause: 'refused',
    detail: expect.stringMatching('^HTTP 302: .*redirects are not followed'),
  });
  expect(server.received).toEqual([]);
  await expectNothingLeft(rig);
  http.close();
});

test('is unreachable when nobody listens', async () => {
  const gone = await modelSocket();
  await gone.stop();
  const rig = new Rig(gone.baseUrl);
  expect(await rig.event('session.closed')).toEqual({
    type: 'session.closed',
    cause: 'unreachable',
    detail: expect.stringMatching('^ECONNREFUSED: '),
    fatal: false,
  });
  await expectNothingLeft(rig);
});

test('is lost when the server closes, and says with which code', async () => {
  const [rig, socket] = await readyRig();
  socket.close(1001, 'Your session hit the maximum duration of 60 minutes.');
  expect(await rig.event('session.closed')).toEqual({
    type: 'session.closed',
    cause: 'lost',
    detail: '1001: the server is going away, or the session reached its longest life',
    fatal: false,
  });
  await expectNothingLeft(rig);
  rig.session.close();
  rig.session.append({ payload: 'AAAA', bytes: 3 });
  rig.session.request({ do: 'session.speak', say: null });
  expect(rig.clock.pending).toBe(0);
  expect(rig.story).toEqual(['session.ready', 'session.closed', 'released']);
});

test('is lost when the connection breaks', async () => {
  const [rig, socket] = await readyRig();
  socket.terminate();
  expect(await rig.event('session.closed')).toMatchObject({
    cause: 'lost',
    detail: '1006: the connection broke without a word',
  });
  await expectNothingLeft(rig);
});

test('goes on after messages it cannot read: malformed, binary, unknown, 16 MB', async () => {
  const [rig, socket] = await readyRig();
  socket.send('{"type":');
  socket.send(Buffer.from([1, 2, 3]));
  say(socket, { type: 'session.surprise', text: 'x' });
  say(socket, { type: 'rate_limits.updated', rate_limits: [] });
  say(socket, { type: 'response.output_audio.delta', delta: 'A'.repeat(16 * 1024 * 1024) });
  say(socket, wire.speechStarted());
  await rig.event('speech.started');
  expect(rig.events.flatMap((e) => (e.type === 'session.noticed' ? [e.code] : []))).toEqual([
    'message_malformed',
    'message_binary',
    'message_unknown',
    'message_oversize',
  ]);
  rig.session.close();
  await expectNothingLeft(rig);
});

test('is lost when a message is larger than any may be, and the socket does not linger', async () => {
  const [rig, socket] = await readyRig();
  socket.pause();
  socket.send('x'.repeat(33 * 1024 * 1024));
  expect(await rig.event('session.closed')).toMatchObject({ cause: 'lost' });
  await expectNothingLeft(rig);
});

test('is unreachable when it is not ready in time, configured or not', async () => {
  const rig = new Rig(server.baseUrl, 2000);
  const socket = await server.socket;
  say(socket, wire.sessionCreated());
  await server.message(1);
  rig.clock.advance(1999);
  expect(rig.story).toEqual([]);
  rig.clock.advance(1);
  expect(rig.events).toEqual([
    { type: 'session.closed', cause: 'unreachable', detail: 'not ready in time', fatal: false },
  ]);
  await expectNothingLeft(rig);
  expect(await server.closed).toBe(1000);
});

test('gives up on a server that takes the connection and says nothing', async () => {
  const [baseUrl, mute, sockets] = await muteServer();
  const rig = new Rig(baseUrl, 2000);
  rig.clock.advance(2000);
  expect(rig.events).toMatchObject([{ type: 'session.closed', cause: 'unreachable' }]);
  await expectNothingLeft(rig);
  for (const socket of sockets) socket.destroy();
  mute.close();
});

test('once ready, has no deadline', async () => {
  const [rig] = await readyRig();
  expect(rig.clock.pending).toBe(0);
  rig.clock.advance(60_000);
  expect(rig.story).toEqual(['session.ready']);
  rig.session.close();
  await expectNothingLeft(rig);
});

test('refuses wrong formats and closes, without a byte of the caller having gone out', async () => {
  const rig = new Rig(server.baseUrl);
  rig.session.append({ payload: 'AAAA', bytes: 3 });
  const socket = await server.socket;
  say(socket, wire.sessionCreated());
  await server.message(1);
  say(socket, wire.sessionUpdated('audio/pcm', 'audio/pcm'));
  expect(await rig.event('session.closed')).toMatchObject({ cause: 'refused' });
  await expectNothingLeft(rig);
  expect(server.received).toHaveLength(1);
});

/** A rig with an answer running. */
async function speakingRig(): Promise<[Rig, WebSocket]> {
  const [rig, socket] = await readyRig();
  rig.session.request({ do: 'session.speak', say: null });
  const create = JSON.parse(await server.message(2)) as { response: { metadata: Record<string, string> } };
  say(socket, wire.responseCreated('resp_1', create.response.metadata));
  say(socket, wire.audioDelta('resp_1', 'item_a1', 100));
  await rig.event('utterance.audio');
  return [rig, socket];
}

test('close() takes the usage of what it cancels, then goes at once', async () => {
  const [rig, socket] = await speakingRig();
  rig.session.close();
  rig.session.append({ payload: 'AAAA', bytes: 3 });
  expect(JSON.parse(await server.message(3))).toMatchObject({ type: 'response.cancel', response_id: 'resp_1' });
  say(socket, wire.responseDone('resp_1', { status: 'cancelled' }));
  expect(await server.closed).toBe(1000);
  await expectNothingLeft(rig);
  expect(rig.story.slice(-2)).toEqual(['usage.reported', 'released']);
  expect(server.received).toHaveLength(3);
});

test('close() waits at most 900 ms for late usage, also when it is called again', async () => {
  const [rig] = await speakingRig();
  rig.session.close();
  await server.message(3);
  rig.clock.advance(300);
  rig.session.close();
  rig.clock.advance(599);
  expect(rig.story).not.toContain('released');
  expect(rig.clock.pending).toBe(1);
  rig.clock.advance(1);
  expect(await server.closed).toBe(1000);
  await expectNothingLeft(rig);
  expect(types(rig.events)).not.toContain('session.closed');
});

test('close() before the handshake is done leaves nothing either', async () => {
  const [baseUrl, mute, sockets] = await muteServer();
  const rig = new Rig(baseUrl);
  rig.session.close();
  rig.session.close();
  await expectNothingLeft(rig);
  expect(rig.events).toEqual([]);
  for (const socket of sockets) socket.destroy();
  mute.close();
});

test('close() cuts a server that does not answer the close, a second later', async () => {
  const [rig, socket] = await readyRig();
  socket.pause();
  rig.session.close();
  await expectNothingLeft(rig);
});

test('is lost when the server stops reading, and says so before it lets go', async () => {
  const [rig, socket] = await readyRig();
  socket.pause();
  const text = 'x'.repeat(256 * 1024);
  for (let i = 0; i < 200 && !rig.story.includes('session.closed'); i++) {
    rig.session.request({ do: 'session.tell', role: 'user', text });
    await new Promise((resolve) => void setImmediate(resolve));
  }
  await rig.released;
  expect(rig.story).toEqual(['session.ready', 'session.closed', 'released']);
  expect(rig.events.at(-1)).toMatchObject({
    cause: 'lost',
    detail: 'does not read: the server no longer takes what we send',
  });
  await expectNothingLeft(rig);
});
