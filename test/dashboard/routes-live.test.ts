// The routes about live calls, over real sockets: the streams that pages follow, how they go on after they broke, listening
// in, and what an operator may do to a call.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ListenerSocket, listenSocket, MOST_BUFFERED_BYTES } from '../../src/dashboard/live/listen-socket.ts';
import { LiveCalls } from '../../src/dashboard/live/live-calls.ts';
import type { Acted } from '../../src/dashboard/live/operator-actions.ts';
import { liveRoutes } from '../../src/dashboard/routes/live.ts';
import { type LiveSnapshot, liveCallEvents, liveEvents, type ServerFacts } from '../../src/dashboard/schemas/live.ts';
import { playWholeCall, StagedCall, stagedFacts } from '../tape/staged-call.ts';
import { AUTHORIZED, describes, get, serve } from './routes-served.ts';

const facts = stagedFacts();
const { callId: CALL } = facts.opening;
const SERVER: ServerFacts = {
  ...{ node: 'n1', version: '1.2.3', startedWallMs: 0, wallMs: 1, live: 1, maxConcurrentCalls: 10, draining: false },
  ...{ simulated: true, circuits: [{ name: 'openai', state: 'closed' }], loopDelayMs: 0.5, spentTodayNanoUsd: 0 },
  ...{ dayLimitNanoUsd: null, store: { state: 'ok', why: '', lagMs: 0 } },
};

let staged: StagedCall;
let live: LiveCalls;
let app: FastifyInstance;
let origin: string;
let asked: unknown[];
let acted: Acted;

beforeEach(async () => {
  asked = [];
  acted = { outcome: 'done' };
  // The call and the news of it share one virtual time.
  let clock: StagedCall['clock'] | null = null;
  live = new LiveCalls({
    nodeId: 'n1',
    server: () => SERVER,
    clock: {
      nowMs: () => clock?.nowMs() ?? 0,
      wallMs: () => clock?.wallMs() ?? 0,
      at: (atMs, fire) => clock?.at(atMs, fire) ?? (() => {}),
    },
  });
  staged = new StagedCall(facts, [live.onlooker]);
  clock = staged.clock;
  app = await serve(
    liveRoutes({
      live,
      actions: (...order) => {
        asked.push(order);
        return acted;
      },
    }),
  );
  origin = await app.listen({ port: 0, host: '127.0.0.1' });
});
afterEach(async () => {
  live.close();
  await app.close();
});

interface Event {
  id: string;
  event: string;
  data: Record<string, unknown>;
}

/** A page that follows a stream. */
class Follower {
  readonly #leave = new AbortController();
  #reader!: ReadableStreamDefaultReader<Uint8Array>;
  #text = '';
  status = 0;
  headers!: Headers;

  static async at(path: string, lastId?: string): Promise<Follower> {
    const follower = new Follower();
    const headers = { ...AUTHORIZED, ...(lastId === undefined ? {} : { 'last-event-id': lastId }) };
    const answer = await fetch(`${origin}/api${path}`, { headers, signal: follower.#leave.signal });
    follower.status = answer.status;
    follower.headers = answer.headers;
    if (answer.body !== null) follower.#reader = answer.body.getReader();
    return follower;
  }

  /** The next event; null: the stream is over. */
  async next(): Promise<Event | null> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end < 0) {
        const { value, done } = await this.#reader.read();
        if (done) return null;
        this.#text += Buffer.from(value).toString();
        continue;
      }
      const lines = this.#text.slice(0, end).split('\n');
      this.#text = this.#text.slice(end + 2);
      const fields = Object.fromEntries(
        lines.map((line) => [line.split(': ', 1)[0], line.slice(line.indexOf(': ') + 2)]),
      );
      if (fields.event !== undefined)
        return { id: fields.id ?? '', event: fields.event, data: JSON.parse(fields.data ?? '') };
    }
  }

  leave(): void {
    this.#leave.abort();
  }
}

test('the grid as it is now is what its description says', async () => {
  staged.begin();
  await staged.run(1_000);
  await describes(app, '/live', '/live');
  const snapshot = (await get(app, '/live')).json<LiveSnapshot>();
  expect(snapshot.calls.map(({ callId, caller }) => [callId, caller])).toEqual([[CALL, '…89']]);
});

test('the grid is followed from a snapshot on, and every event is what the description says', async () => {
  const page = await Follower.at('/live/events');
  expect([page.status, page.headers.get('content-type'), page.headers.get('cache-control')]).toEqual([
    ...[200, 'text/event-stream; charset=utf-8', 'no-store'],
  ]);
  expect(await page.next()).toMatchObject({ event: 'snapshot', data: { calls: [{ callId: CALL }] } });
  // Its time stands still with its end; the news of it are told a moment later.
  void playWholeCall(staged).then(() => staged.clock.runTo(staged.clock.nowMs() + 500));
  const seen = new Set<string>();
  for (let gone = false; !gone; ) {
    const { event, data } = (await page.next()) as Event;
    seen.add(event);
    expect(liveEvents[event as keyof typeof liveEvents].strict().safeParse(data).error).toBe(undefined);
    gone = event === 'changed' && (data.gone as string[]).includes(CALL);
  }
  expect([...seen].toSorted()).toEqual(['changed', 'server']);
  page.leave();
});

test('a call is followed to its end, which ends the stream; afterwards it is not there', async () => {
  const page = await Follower.at(`/live/calls/${CALL}/events`);
  void playWholeCall(staged);
  const events: Event[] = [];
  for (let event = await page.next(); event !== null; event = await page.next()) {
    expect(liveCallEvents[event.event as keyof typeof liveCallEvents].safeParse(event.data).error).toBe(undefined);
    events.push(event);
  }
  expect(events[0]?.event).toBe('snapshot');
  expect(events.at(-1)).toMatchObject({ event: 'gone', data: { callId: CALL } });
  expect(events.filter(({ event }) => event === 'changed').length).toBeGreaterThan(10);
  expect(JSON.stringify(events)).toContain('No, Tuesday.');
  const later = await get(app, `/live/calls/${CALL}/events`);
  expect([later.statusCode, later.json().error.message]).toEqual([404, 'This call is over, or on another machine.']);
});

test('a stream that broke goes on behind the last event that its reader has', async () => {
  const whole = await Follower.at(`/live/calls/${CALL}/events`);
  const first = await Follower.at(`/live/calls/${CALL}/events`);
  staged.begin();
  await staged.run(3_000);
  const snapshot = (await first.next()) as Event;
  const one = (await first.next()) as Event;
  first.leave();
  await staged.run(2_000);
  const second = await Follower.at(`/live/calls/${CALL}/events`, one.id);
  await staged.run(1_000);
  const got = [snapshot, one, (await second.next()) as Event, (await second.next()) as Event];
  const missed: Event[] = [];
  for (let i = 0; i < got.length; i++) missed.push((await whole.next()) as Event);
  expect(got).toEqual(missed);
  // An id of another life of the process, or of nobody, begins anew.
  for (const id of ['n0.1', 'n1.99999999', 'x', 'n1.-1', `n1.${'9'.repeat(400)}`]) {
    const anew = await Follower.at(`/live/calls/${CALL}/events`, id);
    expect((await anew.next())?.event, id).toBe('snapshot');
    anew.leave();
  }
  whole.leave();
  second.leave();
});

test('whoever leaves is forgotten, and whoever does not read is dropped', async () => {
  const page = await Follower.at('/live/events');
  await page.next();
  page.leave();
  // A reader that asks and takes nothing.
  const port = Number(new URL(origin).port);
  const idle = connect({ port, host: '127.0.0.1' });
  await once(idle, 'connect');
  idle.write(`GET /api/live/events HTTP/1.1\r\nhost: x\r\nauthorization: ${AUTHORIZED.authorization}\r\n\r\n`);
  await once(idle, 'readable');
  const closed = once(idle, 'close');
  staged.begin();
  // Far more news than its sockets and its stream hold.
  const padded = { ...SERVER, version: 'x'.repeat(300_000) };
  Object.assign(SERVER, padded);
  try {
    for (let i = 0; i < 60 && !idle.destroyed; i++) {
      await staged.run(1_000);
      await new Promise(setImmediate);
    }
  } finally {
    Object.assign(SERVER, { version: '1.2.3' });
  }
  idle.resume();
  await closed;
});

test.each([
  ['whisper', 'whisper', { text: 'Offer the discount.' }],
  ['say', 'say', { text: 'One moment.' }],
  ['transfer', 'transfer', { target: 'reception' }],
  ['hang-up', 'hang_up', {}],
])('POST %s is passed on, with who asked', async (path, name, body) => {
  const post = (payload: object) =>
    app.inject({ method: 'POST', url: `/api/live/calls/${CALL}/${path}`, headers: AUTHORIZED, payload });
  const answer = await post(body);
  expect([answer.statusCode, answer.body]).toEqual([204, '']);
  expect(asked).toEqual([[name, CALL, body, expect.stringMatching(/\S/)]]);
  acted = { outcome: 'gone' };
  expect((await post(body)).statusCode).toBe(404);
  acted = { outcome: 'refused', why: 'The caller is keying in something secret.' };
  const refused = await post(body);
  expect(refused.statusCode).toBeGreaterThanOrEqual(400);
  expect(refused.json().error.message).toBe('The caller is keying in something secret.');
  asked = [];
  expect((await post({ ...body, more: 1 })).statusCode).toBe(400);
  for (const text of ['', ' ', 'x'.repeat(601), 'a\0b', 5])
    if ('text' in body) expect((await post({ text })).statusCode).toBe(400);
  expect(asked).toEqual([]);
});

// --- listening in

class Socket implements ListenerSocket {
  bufferedAmount = 0;
  readyState = 1;
  readonly sent: (Buffer | string)[] = [];
  closedWith: [number, string] | null = null;
  terminated = false;
  readonly #told = new Map<string, (() => void)[]>();

  send(data: Buffer | string): void {
    this.sent.push(data);
  }
  close(code: number, reason: string): void {
    this.closedWith = [code, reason];
    this.readyState = 2;
  }
  terminate(): void {
    this.terminated = true;
    this.readyState = 3;
    this.emit('close');
  }
  on(event: 'close' | 'error', told: () => void): void {
    this.#told.set(event, [...(this.#told.get(event) ?? []), told]);
  }
  emit(event: 'close' | 'error'): void {
    for (const told of this.#told.get(event) ?? []) told();
  }
}

const WHO = { scope: 'operator', actor: 'operator:eve' } as const;

function listening(socket = new Socket(), callId = CALL): { socket: Socket; audited: object[] } {
  const audited: object[] = [];
  const listen = listenSocket({ live, store: { append: (fact) => void audited.push(fact) }, clock: staged.clock });
  listen(socket, WHO, callId);
  return { socket, audited };
}

const framesOf = (socket: Socket, side: number): { atMs: number; bytes: Buffer }[] =>
  socket.sent.flatMap((data) =>
    typeof data !== 'string' && data[0] === side ? [{ atMs: data.readUInt32BE(1), bytes: data.subarray(5) }] : [],
  );

test('both sides are heard with their times, what is dropped is told, and one line of the audit says who listened', async () => {
  const { socket, audited } = listening();
  await playWholeCall(staged);
  const caller = framesOf(socket, 0);
  const agent = framesOf(socket, 1);
  expect(caller.length).toBeGreaterThan(500);
  expect(caller.every(({ bytes }) => bytes.length === 160)).toBe(true);
  expect(caller[0]?.atMs).toBe(0);
  expect(Math.abs((caller[500]?.atMs ?? 0) - 500 * 20)).toBeLessThan(100);
  // Each piece of the agent's begins where the one before it ends, or later.
  for (const [i, { atMs }] of agent.entries()) {
    const before = agent[i - 1];
    if (before !== undefined && atMs > before.atMs)
      expect(atMs + 1).toBeGreaterThanOrEqual(before.atMs + before.bytes.length / 8);
  }
  const texts = socket.sent
    .filter((data) => typeof data === 'string')
    .map((text) => JSON.parse(text) as { event: string; atMs?: number });
  expect(texts.map(({ event }) => event)).toContain('cleared');
  expect(texts.find(({ event }) => event === 'cleared')?.atMs).toBeGreaterThan(10_000);
  expect(texts.at(-1)).toEqual({ event: 'gone' });
  expect(socket.closedWith).toEqual([1000, 'the call is over']);
  expect(audited).toEqual([
    {
      type: 'audited',
      atWallMs: expect.any(Number),
      actor: 'operator:eve',
      action: 'listened',
      subject: CALL,
      note: '',
    },
  ]);
});

test('a listener who is slow misses frames and none wait; one who is hopeless is let go', async () => {
  const { socket } = listening();
  staged.begin();
  await staged.run(2_000);
  const before = framesOf(socket, 0).length;
  expect(before).toBeGreaterThan(50);
  socket.bufferedAmount = MOST_BUFFERED_BYTES + 1;
  await staged.run(2_000);
  expect(framesOf(socket, 0).length).toBe(before);
  socket.bufferedAmount = 0;
  await staged.run(1_000);
  expect(framesOf(socket, 0).length).toBeGreaterThan(before + 30);
  // Frames never close it; what is told in text does, when not even that goes out any more.
  socket.bufferedAmount = 10 * MOST_BUFFERED_BYTES;
  await staged.run(100);
  expect(socket.terminated).toBe(false);
  staged.hangsUp();
  await staged.runUntilClosed(20_000);
  expect(socket.terminated).toBe(true);
});

test('a listener who leaves is not told anything more', async () => {
  for (const event of ['close', 'error'] as const) {
    const { socket } = listening();
    if (event === 'close') staged.begin();
    await staged.run(1_000);
    socket.emit(event);
    const { length } = socket.sent;
    expect(length).toBeGreaterThan(10);
    await staged.run(1_000);
    expect(socket.sent.length).toBe(length);
  }
});

test('a call that is not there is over at once, and is not in the audit; one that too many listen to is told apart', () => {
  const { socket, audited } = listening(undefined, 'nobody');
  expect([socket.sent, socket.closedWith, audited]).toEqual([['{"event":"gone"}'], [1000, 'the call is over'], []]);
  const heard = Array.from({ length: 9 }, () => listening());
  expect(heard.at(-1)?.socket.closedWith).toEqual([1013, 'too many listen to this call']);
  expect(heard.map((one) => one.audited.length)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0]);
});
