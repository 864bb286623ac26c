// What a phone's faults look like from the server's side, and that a call goes on, or ends, as it would at the carrier.
import { afterEach, describe, expect, test } from 'vitest';
import { type PhoneFault, PHONE_FAULTS } from '../../src/phone/phone-faults.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import { type PhoneCall, placeCall } from '../../src/phone/phone.ts';
import { voice } from '../replay/synthetic-line.ts';
import { connectTo, type ServerSide, type StandIn, standIn } from './stand-in-server.ts';

const TOKEN = 'b1946ac92492d2347c6235b4d2611184';
const PUBLIC = 'https://voice.example.com';
const FIRST = 'wss://voice.example.com/media/1';
const SECOND = 'wss://voice.example.com/media/2';

let server: StandIn | undefined;
let phone: PhoneCall;
let streams: ServerSide[];
afterEach(async () => {
  phone?.hangUp();
  await phone?.ended;
  await server?.close();
});

/** A call whose second stream, if it comes to one, lies behind the action of the first. */
async function call(faults: PhoneFault[], options: Partial<PhoneOptions> = {}, onStream?: (s: ServerSide) => void) {
  streams = [];
  const twiml = { '/voice': connectTo(FIRST, { action: '/again' }), '/again': connectTo(SECOND) };
  server = await standIn({
    twiml,
    onStream: (stream) => {
      streams.push(stream);
      onStream?.(stream);
    },
  });
  phone = placeCall({ server: server.url, publicUrl: PUBLIC, authToken: TOKEN, maxMs: 10_000, faults, ...options });
  await phone.once('streaming');
  return streams[0] as ServerSide;
}

/** The stream that follows the first. */
const second = async (first: ServerSide): Promise<ServerSide> => {
  await phone.once('streaming', { where: ({ streamSid }) => streamSid !== first.streamSid });
  return streams[1] as ServerSide;
};

const paths = () => (server as StandIn).posts.map(({ path }) => path);
const framesOf = (stream: ServerSide | undefined) =>
  (stream?.of('media') ?? []).map(({ media }) => Buffer.from(media?.payload ?? '', 'base64'));

test('every kind of fault has a test here', () => {
  expect(PHONE_FAULTS.toSorted()).toEqual(
    [
      ...['close_without_stop', 'duplicate_socket', 'half_open', 'socket_lost'],
      ...['stale_socket', 'stop_without_close', 'stops_reading', 'update'],
    ].toSorted(),
  );
});

test('a lost socket is 1006, and the call goes on with the next stream, on one timeline', async () => {
  const first = await call([{ kind: 'socket_lost', atMs: 300 }], { idle: 'silence' }, (stream) => {
    void stream.received('start').then(() => stream.media(voice(200)));
  });
  expect(await first.closed()).toBe(1006);
  await phone.once('firstAudio', { where: ({ atMs }) => atMs > 300 });
  phone.hangUp();
  const result = await phone.ended;
  expect(paths()).toEqual(['/voice', '/again', '/voice/status']);
  expect(first.of('stop')).toEqual([]);
  expect(result.streams.map(({ fromMs }) => Math.floor(fromMs / 300))).toEqual([0, 1]);
  expect(result.heard).toHaveLength(2);
  expect(result.warnings).toMatchObject([{ code: 31903 }]);
});

describe('a half-open socket', () => {
  test('passes nothing either way, until the carrier notices', async () => {
    const pongs: number[] = [];
    const first = await call([{ kind: 'half_open', atMs: 200, noticedAfterMs: 500 }]);
    first.socket.on('pong', () => pongs.push(performance.now()));
    await phone.once('warning');
    const atLoss = first.messages.length;
    first.socket.ping();
    first.media(voice(100));
    expect(await first.closed()).toBe(1006);
    expect([pongs.length, first.messages.length - atLoss]).toEqual([0, 0]);
    await second(first);
    phone.hangUp();
    const { heard, streams: seen } = await phone.ended;
    expect(heard).toEqual([]);
    expect(seen[1]?.fromMs).toBeGreaterThanOrEqual(699);
  });

  test('that the carrier never notices ends with a REST update', async () => {
    const first = await call([{ kind: 'half_open', atMs: 100 }]);
    await phone.once('warning');
    phone.update({ url: '/again' });
    expect(await first.closed()).toBe(1006);
    await second(first);
    expect(streams).toHaveLength(2);
    phone.hangUp();
    expect((await phone.ended).verbs.map(({ name }) => name)).toEqual(['Connect', 'Connect']);
  });
});

test('a carrier that stops reading still sends, and hears nothing more', async () => {
  const first = await call([{ kind: 'stops_reading', atMs: 100 }]);
  await first.received('media', 10);
  first.media(voice(100));
  first.mark('never');
  const before = first.of('media').length;
  await first.received('media', before + 10);
  expect(first.of('mark')).toEqual([]);
  first.socket.terminate();
  await phone.once('closed');
  phone.hangUp();
  expect(await phone.ended).toMatchObject({ heard: [], marksReceived: [] });
});

test('a stop without a close leaves the closing to the server', async () => {
  const first = await call([{ kind: 'stop_without_close', atMs: 200 }]);
  await first.received('stop');
  expect(first.closeCode).toBeUndefined();
  first.socket.close(1000);
  expect(await phone.once('closed')).toEqual({ by: 'phone', code: 1000 });
  expect(await phone.ended).toMatchObject({ endedBy: 'caller', callStatus: 'completed' });
  expect(paths()).toEqual(['/voice', '/voice/status']);
});

test('a stop without a close is not left open for good', async () => {
  const first = await call([{ kind: 'stop_without_close', atMs: 50 }]);
  expect(await first.closed()).toBe(1006);
  expect(await phone.ended).toMatchObject({ endedBy: 'caller' });
});

test('a close without a stop is in good order', async () => {
  const first = await call([{ kind: 'close_without_stop', atMs: 200 }]);
  expect(await first.closed()).toBe(1000);
  expect(first.of('stop')).toEqual([]);
  expect(await phone.ended).toMatchObject({ endedBy: 'caller', callStatus: 'completed' });
});

test('a duplicate socket comes to the same address with the same start, and is told in the result', async () => {
  const first = await call([{ kind: 'duplicate_socket', atMs: 100 }]);
  await first.received('media', 10);
  while (streams.length < 2) await phone.once('http', { withinMs: 200 }).catch(() => {});
  const [, other] = streams;
  await other?.received('start');
  expect(other?.upgrade.url).toBe(first.upgrade.url);
  expect(other?.upgrade.headers['x-twilio-signature']).toBe(first.upgrade.headers['x-twilio-signature']);
  expect(other?.of('start')[0]?.start).toEqual(first.of('start')[0]?.start);
  phone.hangUp();
  const { http } = await phone.ended;
  expect(http.filter(({ path }) => path === '/media/1').map(({ status }) => status)).toEqual([101, 101]);
});

test('a stale socket talks on, loudly, while the call runs on another', async () => {
  const first = await call([{ kind: 'stale_socket', atMs: 200, forMs: 600 }], { idle: 'silence' });
  await phone.once('closed');
  const next = await second(first);
  await next.received('media', 5);
  expect(first.closeCode).toBeUndefined();
  const stale = framesOf(first).findIndex((frame) => frame[0] === 0x80);
  expect(stale).toBeGreaterThan(0);
  expect(await first.closed()).toBe(1006);
  phone.hangUp();
  const result = await phone.ended;
  expect(framesOf(first).length - stale).toBeGreaterThan(20);
  expect(framesOf(next).every((frame) => frame[0] === 0xff)).toBe(true);
  expect(phone.callerAudio().includes(0x80)).toBe(false);
  expect(result.streams).toHaveLength(2);
  const timestamps = first.of('media').map(({ media }) => Number(media?.timestamp));
  expect(timestamps).toEqual(timestamps.toSorted((a, b) => a - b));
});

test('a REST update sends the call elsewhere, with a stop', async () => {
  const first = await call([{ kind: 'update', atMs: 150, update: { url: '/again' } }]);
  await first.received('stop');
  await first.closed();
  await second(first);
  expect(paths()).toEqual(['/voice', '/again']);
});

test('a fault strikes once, whatever stream runs then', async () => {
  await call([
    { kind: 'socket_lost', atMs: 100 },
    { kind: 'socket_lost', atMs: 400 },
  ]);
  const result = await phone.ended;
  expect(result.warnings.map(({ code }) => code)).toEqual([31903, 31903]);
  expect(result.verbs.map(({ name }) => name)).toEqual(['Connect', 'Connect', 'Hangup']);
});
