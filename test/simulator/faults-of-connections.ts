// What a client sees of faults in handshakes, configuration, generation and connections; each is a file of
// test/fixtures/scripts/faults.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { expect } from 'vitest';
import { WebSocket } from 'ws';
import type { Simulator } from '../../src/simulator/server.ts';
import type { ManualClock } from './manual-clock.ts';
import { configured, fast, greeted, whole } from './played-fault.ts';
import type { Check, Played } from './played-fault.ts';
import { connect, socketUrl } from './socket-client.ts';

const authorized = { headers: { authorization: 'Bearer test' } };

async function refused(simulator: Simulator): Promise<{ status: number; retryAfter: unknown; code: unknown }> {
  const socket = new WebSocket(socketUrl(simulator), authorized);
  socket.on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  const body = JSON.parse(await text(response)) as { error: { code: unknown } };
  return { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], code: body.error.code };
}

async function text(response: IncomingMessage): Promise<string> {
  let whole = '';
  for await (const chunk of response) whole += String(chunk);
  return whole;
}

/** Waits until the simulator has armed a timer. */
async function armed(clock: ManualClock): Promise<void> {
  while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
}

const expectRefused =
  (status: number, retryAfter: string | undefined, code: string, once_ = false) =>
  async (played: Played): Promise<void> => {
    const simulator = await played.simulator();
    expect(await refused(simulator)).toEqual({ status, retryAfter, code });
    if (once_) await whole(await configured(await connect(simulator)));
    else expect((await refused(simulator)).status).toBe(status);
  };

const expectDrop =
  (code: number, reason = '') =>
  async (played: Played): Promise<void> => {
    const client = await greeted(await played.client(fast));
    client.say('q-weather-short');
    expect(await client.closed).toEqual({ code, reason });
    const answer = client.session.items.at(-1);
    expect(answer).toMatchObject({ role: 'assistant', status: 'in_progress' });
    expect(answer?.audioMs).toBe(3000);
    expect(client.types.filter((type) => type === 'response.done')).toHaveLength(1);
  };

const expectExpiry =
  (errors: string[]) =>
  async (played: Played): Promise<void> => {
    const client = await played.client(fast, played.clock);
    played.clock.advance(1999);
    await client.update();
    played.clock.advance(1);
    expect(await client.closed).toEqual({
      code: 1001,
      reason: 'Your session hit the maximum duration of 60 minutes.',
    });
    expect(client.of('error').map(({ error }) => error.code)).toEqual(errors);
    // Nothing that the client did: it is no refusal.
    expect(client.session.errorsSent).toEqual([]);
    expect(client.invalid).toEqual([]);
  };

/** By the name of the file. */
export const FAULTS_OF_CONNECTIONS: Record<string, Check> = {
  async 'handshake-slow'(played) {
    const simulator = await played.simulator(fast, played.clock);
    const socket = new WebSocket(socketUrl(simulator), authorized);
    await armed(played.clock);
    played.clock.advance(1499);
    expect(simulator.sessions).toHaveLength(0);
    played.clock.advance(1);
    await once(socket, 'open');
  },
  async 'handshake-hangs'(played) {
    const simulator = await played.simulator(fast, played.clock);
    const socket = new WebSocket(socketUrl(simulator), { ...authorized, handshakeTimeout: 50 });
    await expect(once(socket, 'open')).rejects.toThrow(/timed out/);
    expect([played.clock.pending, simulator.sessions.length, simulator.refused]).toEqual([0, 0, 0]);
  },
  'handshake-401': expectRefused(401, undefined, 'invalid_api_key'),
  'handshake-429': expectRefused(429, '1', 'rate_limit_exceeded'),
  'handshake-429-once': expectRefused(429, '1', 'rate_limit_exceeded', true),
  'handshake-500': expectRefused(500, undefined, 'server_error'),
  'handshake-500-once': expectRefused(500, undefined, 'server_error', true),
  'handshake-503': expectRefused(503, '1', 'service_unavailable'),
  'handshake-503-once': expectRefused(503, '1', 'service_unavailable', true),
  async 'update-slow'(played) {
    const client = await connect(await played.simulator(fast, played.clock));
    const updated = client.update();
    await client.session.next('client_event');
    played.clock.advance(999);
    expect(client.session.sessionConfig.audio.output.voice).toBe('alloy');
    played.clock.advance(1);
    await updated;
  },
  async 'update-never-confirmed'(played) {
    const client = await connect(await played.simulator(fast, played.clock));
    client.send({ type: 'session.update', session: { type: 'realtime', instructions: 'x' } });
    await client.session.next('client_event');
    played.clock.advance(3_000_000);
    // Events are answered in order: had it been confirmed, that would have come first.
    await client.refused({ type: 'response.cancel' });
    expect(client.types).not.toContain('session.updated');
  },
  async 'update-refused'(played) {
    const client = await connect(await played.simulator());
    const error = await client.refused({ type: 'session.update', event_id: 'su_1', session: { type: 'realtime' } });
    expect(error).toMatchObject({ code: 'invalid_value', event_id: 'su_1' });
    expect(client.types).not.toContain('session.updated');
  },
  async mute(played) {
    const client = await played.client();
    client.send({ type: 'response.create' });
    client.say('q-weather-short');
    await client.seen('input_audio_buffer.committed');
    await client.refused({ type: 'response.cancel' });
    expect(client.types).not.toContain('response.created');
  },
  async stall(played) {
    const client = await played.client(fast, played.clock);
    client.send({ type: 'response.create' });
    await client.seen('response.created');
    played.clock.advance(3_000_000);
    client.send({ type: 'response.cancel' });
    expect((await client.seen('response.done')).response).toMatchObject({ status: 'cancelled', output: [] });
  },
  async 'stall-pause'(played) {
    const client = await greeted(await played.client(fast, played.clock));
    const producedAt: number[] = [];
    client.session.on('server_event', ({ type }) => {
      if (type === 'response.output_audio.delta') producedAt.push(played.clock.nowMs());
    });
    const before = played.clock.nowMs();
    client.say('q-weather-short');
    await client.session.next('response');
    played.clock.advance(2000);
    await client.seen('response.done', 2);
    expect(new Set(producedAt.map((at) => at - before))).toEqual(new Set([0, 2000]));
  },
  async 'stall-mid-answer'(played) {
    const client = await greeted(await played.client(fast, played.clock));
    client.say('q-weather-short');
    await client.session.next('response');
    played.clock.advance(3_000_000);
    client.send({ type: 'response.cancel' });
    expect((await client.seen('response.done', 2)).response.status).toBe('cancelled');
    expect(client.session.items.at(-1)).toMatchObject({ audioMs: 1000, status: 'incomplete' });
  },
  async 'drop-before-greeting'(played) {
    const client = await played.client();
    client.send({ type: 'response.create' });
    expect((await client.closed).code).toBe(1006);
    expect(client.types).not.toContain('response.output_audio.delta');
  },
  'drop-mid-answer-1006': expectDrop(1006),
  'drop-mid-answer-1011': expectDrop(1011, 'internal error'),
  'drop-mid-answer-1001': expectDrop(1001, 'restart'),
  async 'drop-1008'(played) {
    const client = await played.client(fast, played.clock);
    played.clock.advance(1500);
    expect(await client.closed).toEqual({ code: 1008, reason: 'policy' });
  },
  async 'drop-once'(played) {
    const simulator = await played.simulator();
    const first = await configured(await connect(simulator));
    await greeted(first);
    first.say('q-weather-short');
    expect((await first.closed).code).toBe(1006);
    await whole(await configured(await connect(simulator)));
  },
  'session-expired': expectExpiry(['session_expired']),
  'session-expired-close': expectExpiry([]),
};
