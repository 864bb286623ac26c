// The phone's media stream against a stand-in server: frames, playback, marks, endings, cues.
import twilio from 'twilio';
import { afterEach, describe, expect, test } from 'vitest';
import { readWav } from '../../src/audio/wav.ts';
import { type Clock, realClock } from '../../src/clock.ts';
import { trackFromTimeline } from '../../src/phone/caller-track.ts';
import { type PhoneCall, placeCall } from '../../src/phone/phone.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import { connectTo, type ServerSide, type StandIn, type StandInOptions, standIn } from './stand-in-server.ts';

const TOKEN = 'b1946ac92492d2347c6235b4d2611184';
const PUBLIC = 'https://voice.example.com';
const STREAM = 'wss://voice.example.com/media/tok';

const audio = (ms: number, byte = 0x55): Buffer => Buffer.alloc(ms * 8, byte);

/** The real clock, counting the timers that are still armed. */
function countingClock(): Clock & { armed: Set<object> } {
  const armed = new Set<object>();
  return {
    ...realClock,
    armed,
    at(atMs, fire) {
      const timer = {};
      armed.add(timer);
      const cancel = realClock.at(atMs, () => {
        armed.delete(timer);
        fire();
      });
      return () => {
        armed.delete(timer);
        cancel();
      };
    },
  };
}

let server: StandIn;
let clock: ReturnType<typeof countingClock>;
let phone: PhoneCall;
afterEach(async () => {
  phone.hangUp();
  await phone.ended;
  await server.close();
  if (clock.armed.size > 0) throw new Error(`${clock.armed.size} timers outlived the call`);
});

interface Setup extends Partial<Omit<PhoneOptions, 'publicUrl'>> {
  publicUrl?: string | undefined;
  twiml?: StandInOptions['twiml'];
}

/** Places a call and waits until its stream runs. */
async function connected({ twiml = {}, ...setup }: Setup = {}): Promise<ServerSide> {
  server = await standIn({ twiml: { '/voice': connectTo(STREAM), ...twiml } });
  clock = countingClock();
  const { publicUrl = server.url, ...options } = { publicUrl: PUBLIC, ...setup };
  phone = placeCall({ server: server.url, publicUrl, authToken: TOKEN, maxMs: 10_000, clock, ...options });
  const [stream] = await Promise.all([server.stream, phone.once('streaming')]);
  await stream.received('start');
  return stream;
}

describe('the media stream', () => {
  test('opens with a signature over the wss URL, without its query string', async () => {
    const twiml = { '/voice': connectTo(`${STREAM}?secret=1`) };
    const stream = await connected({ twiml });
    expect(stream.upgrade.url).toBe('/media/tok');
    expect(stream.upgrade.headers.host).toBe('voice.example.com');
    const signature = String(stream.upgrade.headers['x-twilio-signature']);
    expect(twilio.validateRequest(TOKEN, signature, STREAM, {})).toBe(true);
    expect(phone.warnings).toMatchObject([{ code: 31920 }]);
  });

  test('starts with connected and start, exactly as captured', async () => {
    const inside = '<Parameter name="agent" value="clinic &amp; co"/>';
    const twiml = { '/voice': connectTo(STREAM, { inside }) };
    const stream = await connected({ twiml });
    const [hello, start] = stream.messages.map(({ at: _, ...message }) => message);
    expect(hello).toEqual({ event: 'connected', protocol: 'Call', version: '1.0.0' });
    const streamSid = stream.streamSid;
    expect(streamSid).toMatch(/^MZ[0-9a-f]{32}$/);
    expect(start).toEqual({
      event: 'start',
      sequenceNumber: '1',
      streamSid,
      start: {
        accountSid: server.posts[0]?.params['AccountSid'],
        streamSid,
        callSid: phone.callSid,
        tracks: ['inbound'],
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
        customParameters: { agent: 'clinic & co' },
      },
    });
  });

  test('sends a frame every 20 ms without drift, numbered from 1, with wandering timestamps', async () => {
    const stream = await connected();
    const frames = (await stream.received('media', 73)).slice(0, 73);
    const numbers = frames.map(({ media, sequenceNumber }) => [media?.chunk, sequenceNumber]);
    expect(numbers).toEqual(frames.map((_, i) => [`${i + 1}`, `${i + 2}`]));
    expect(frames.every(({ media }) => Buffer.from(media?.payload ?? '', 'base64').length === 160)).toBe(true);
    expect(frames.every(({ media }) => media?.track === 'inbound')).toBe(true);
    const stamps = frames.map(({ media }) => Number(media?.timestamp));
    const first = stamps[0] ?? 0;
    expect(first >= 57 && first <= 155).toBe(true);
    expect((stamps[72] ?? 0) - first).toBe(1438);
    const startedAt = stream.of('start')[0]?.at ?? 0;
    // Never early; and the last is no later than a slow machine's timers, because lateness does not add up.
    const lateMs = frames.map(({ at }, i) => at - startedAt - (first + 20 * (i + 1)));
    expect(Math.min(...lateMs)).toBeGreaterThan(-15);
    expect(lateMs[72] ?? 0).toBeLessThan(60);
  });

  test('carries the caller’s clip at its time, keys, and hangs up with stop and close', async () => {
    const track = trackFromTimeline([
      { atMs: 300, bytes: audio(100) },
      { atMs: 450, dtmf: '5' },
    ]);
    const stream = await connected({ track, idle: 'silence', hangupAfterTrack: 100 });
    const result = await phone.ended;
    expect(await stream.closed()).toBe(1000);
    const { at: _, ...stop } = stream.messages.at(-1) ?? { at: 0 };
    const ids = { accountSid: server.posts[0]?.params['AccountSid'], callSid: phone.callSid };
    expect(stop).toMatchObject({ event: 'stop', streamSid: stream.streamSid, stop: ids });
    expect(stream.of('dtmf')[0]?.dtmf).toEqual({ track: 'inbound_track', digit: '5' });
    expect(result).toMatchObject({ endedBy: 'caller', callStatus: 'completed', timedOut: false });
    expect(result.said).toEqual([{ atMs: 300, endMs: 400 }]);
    expect(result.framesSent).toBe(stream.of('media').length);
    const first = Number(stream.of('media')[0]?.media?.timestamp);
    const sound = Buffer.concat(stream.of('media').map(({ media }) => Buffer.from(media?.payload ?? '', 'base64')));
    expect(sound.indexOf(0x55)).toBe((300 - first) * 8);
    const [left] = readWav(phone.stereoWav()).channels;
    expect(Buffer.from(left ?? []).indexOf(0x55)).toBe(300 * 8);
    expect(server.posts.at(-1)).toMatchObject({ path: '/voice/status', params: { CallStatus: 'completed' } });
  });

  test('loses, holds and repeats frames when told to', async () => {
    const stream = await connected();
    await stream.received('media', 3);
    phone.skipFrames(5);
    phone.duplicateFrame();
    const frames = await stream.received('media', 8);
    const chunks = frames.map(({ media }) => Number(media?.chunk));
    expect(chunks.slice(0, 8)).toEqual([1, 2, 3, 3, 4, 5, 6, 7]);
    const stamps = frames.map(({ media }) => Number(media?.timestamp));
    expect(stamps[3]).toBe(stamps[2]);
    expect((stamps[4] ?? 0) - (stamps[3] ?? 0)).toBeGreaterThan(110);
    phone.pauseFrames(200);
    const before = stream.of('media').length;
    const burst = (await stream.received('media', before + 8)).slice(before, before + 8);
    expect((burst[7]?.at ?? 0) - (burst[0]?.at ?? 0)).toBeLessThan(100);
  });

  test('runs over plain ws, and on a relative URL, where the server has no TLS', async () => {
    const stream = await connected({ publicUrl: undefined, twiml: { '/voice': connectTo('/media/tok') } });
    const signature = String(stream.upgrade.headers['x-twilio-signature']);
    const signed = `${server.url.replace('http', 'ws')}/media/tok`;
    expect(twilio.validateRequest(TOKEN, signature, signed, {})).toBe(true);
    expect(phone.warnings).toEqual([]);
  });

  test('may never start', async () => {
    server = await standIn({ twiml: { '/voice': connectTo(STREAM) } });
    clock = countingClock();
    phone = placeCall({ server: server.url, publicUrl: PUBLIC, authToken: TOKEN, clock, sendStart: false });
    const stream = await server.stream;
    await stream.received('connected');
    stream.socket.close(1008);
    const result = await phone.ended;
    expect(stream.messages.map(({ event }) => event)).toEqual(['connected']);
    expect(result.framesSent).toBe(0);
  });
});

describe('what the server sends', () => {
  test('is kept in the result from its first word, however much follows', async () => {
    const stream = await connected();
    stream.media(audio(20, 0x11));
    stream.mark('first');
    await stream.received('mark');
    const received = phone.once('mark');
    // More than 17 minutes, queued by the end; a message may hold 1 MiB.
    for (let i = 0; i < 14; i++) stream.media(audio(75_000));
    stream.mark('last');
    expect(await received).toMatchObject({ name: 'last' });
    phone.hangUp();
    const { heard } = await phone.ended;
    expect(heard[0]?.bytes).toEqual(audio(20, 0x11));
  });

  test('is heard in real time; a mark returns when its audio was played', async () => {
    const stream = await connected();
    stream.mark('nothing queued');
    await stream.received('mark');
    const sentAt = performance.now();
    stream.media(audio(300));
    stream.mark('end');
    const { atMs } = await phone.once('firstAudio');
    const [, end] = await stream.received('mark', 2);
    expect(end?.mark).toEqual({ name: 'end' });
    const tookMs = (end?.at ?? 0) - sentAt;
    expect(tookMs).toBeGreaterThan(295);
    expect(tookMs).toBeLessThan(400);
    phone.hangUp();
    const result = await phone.ended;
    expect(result).toMatchObject({ mediaReceivedBytes: 2400, marksReceived: ['nothing queued', 'end'], underruns: [] });
    expect(result.heard).toEqual([{ atMs, durationMs: 300, bytes: audio(300) }]);
    const [, right] = readWav(phone.stereoWav()).channels;
    expect(Buffer.from(right ?? []).indexOf(0x55)).toBe(Math.round(atMs * 8));
  });

  test('is dropped by clear, which returns the pending marks at once', async () => {
    const stream = await connected();
    stream.media(audio(5000));
    stream.mark('a');
    stream.media(audio(1000));
    stream.mark('b');
    await phone.once('mark', { where: ({ name }) => name === 'b' });
    stream.clear();
    const clear = await phone.once('clear');
    const marks = await stream.received('mark', 2);
    expect(marks.map(({ mark }) => mark?.name)).toEqual(['a', 'b']);
    expect(clear.droppedBytes + clear.playedBytesTotal).toBe(48_000);
    expect(clear.playedBytesTotal).toBeLessThan(8000);
    phone.hangUp();
    const result = await phone.ended;
    expect(result.clears).toEqual([clear]);
    expect(result.unplayedBytes).toBe(0);
    expect(result.heard.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBe(clear.playedBytesTotal);
  });

  test('is judged strictly: faults become warnings and have no other effect', async () => {
    const stream = await connected();
    stream.socket.send(Buffer.from([1, 2, 3]));
    stream.socket.send('nonsense');
    stream.socket.send(JSON.stringify({ event: 'clear', streamSid: 'MZother' }));
    stream.socket.send(JSON.stringify({ event: 'mark', streamSid: stream.streamSid, mark: { name: 'x' }, extra: 1 }));
    stream.mark('good');
    await stream.received('mark');
    expect(phone.warnings.map(({ code }) => code)).toEqual([31950, 31951, 31951, 31951]);
    phone.hangUp();
    expect((await phone.ended).marksReceived).toEqual(['good']);
  });

  test('arrives late through a slow network, and so do the echoes', async () => {
    const stream = await connected({ network: { toServerMs: 80, fromServerMs: 60, jitterMs: 20, seed: 3 } });
    const sentAt = performance.now();
    stream.media(audio(100));
    stream.mark('end');
    const [end] = await stream.received('mark');
    const tookMs = (end?.at ?? 0) - sentAt;
    expect(tookMs).toBeGreaterThan(235);
    expect(tookMs).toBeLessThan(400);
  });
});

describe('the end of a stream', () => {
  test('by the server leads to the action of Connect and then to the status callback', async () => {
    const stream = await connected({
      twiml: {
        '/voice': connectTo(STREAM, { action: '/after' }),
        '/after': '<Response><Hangup/></Response>',
      },
    });
    stream.media(audio(500));
    await phone.once('media');
    stream.socket.close(1000);
    const result = await phone.ended;
    expect(server.posts.map(({ path }) => path)).toEqual(['/voice', '/after', '/voice/status']);
    expect(server.posts[1]?.params).toMatchObject({ CallStatus: 'in-progress', CallSid: phone.callSid });
    expect(result.verbs.map(({ name }) => name)).toEqual(['Connect', 'Hangup']);
    expect(result).toMatchObject({ endedBy: 'server', warnings: [] });
    expect(result.unplayedBytes).toBeGreaterThan(3000);
    expect(stream.of('stop')).toEqual([]);
  });

  test('by a lost connection looks like 1006 and the call goes on', async () => {
    const stream = await connected();
    phone.dropSocket();
    expect(await stream.closed()).toBe(1006);
    expect(await phone.once('closed')).toMatchObject({ by: 'network' });
    const result = await phone.ended;
    expect(result.verbs.map(({ name }) => name)).toEqual(['Connect', 'Hangup']);
  });

  test('by a REST update sends stop and carries out the new TwiML', async () => {
    const stream = await connected();
    phone.update({ twiml: '<Response><Dial><Number>+15005550009</Number></Dial></Response>' });
    const result = await phone.ended;
    expect(stream.of('stop')).toHaveLength(1);
    expect(result.verbs.map(({ name }) => name)).toEqual(['Connect', 'Dial']);
    expect(result.endedBy).toBe('server');
  });

  test('by the bound on the call is the caller hanging up', async () => {
    const stream = await connected({ maxMs: 300 });
    expect(await phone.ended).toMatchObject({ endedBy: 'caller', timedOut: true });
    expect(stream.of('stop')).toHaveLength(1);
  });

  test('is told to the stream’s status callback', async () => {
    const twiml = connectTo(STREAM).replace('<Stream ', `<Stream statusCallback="${PUBLIC}/stream-status" `);
    await connected({ twiml: { '/voice': twiml } });
    phone.hangUp();
    const result = await phone.ended;
    const told = server.posts.filter(({ path }) => path === '/stream-status').map(({ params }) => params);
    expect(told.map((params) => params['StreamEvent'])).toEqual(['stream-started', 'stream-stopped']);
    expect(told[0]).toMatchObject({
      StreamSid: result.streamSid,
      StreamName: result.streamSid,
      CallSid: phone.callSid,
    });
  });
});

describe('a caller who listens', () => {
  test('interrupts 300 ms into the agent’s talk', async () => {
    const track = {
      steps: [{ cue: { after: 'agent_speaking', forMs: 300 }, action: { say: audio(200) } }],
    } as const;
    const stream = await connected({ track });
    stream.media(audio(3000));
    const { atMs } = await phone.once('firstAudio');
    await stream.received('media', 40);
    phone.hangUp();
    const { said } = await phone.ended;
    const afterMs = (said[0]?.atMs ?? 0) - atMs;
    expect(afterMs).toBeGreaterThanOrEqual(280);
    expect(afterMs).toBeLessThanOrEqual(320);
  });

  test('says at once what a test asks for', async () => {
    const stream = await connected({ idle: 'silence' });
    const before = stream.of('media').length;
    const { atMs, endMs } = phone.say(audio(60));
    expect(endMs - atMs).toBe(60);
    await stream.received('media', before + 5);
    const sound = Buffer.concat(stream.of('media').map(({ media }) => Buffer.from(media?.payload ?? '', 'base64')));
    expect(sound.filter((byte) => byte === 0x55)).toHaveLength(480);
    expect(sound.indexOf(0x55) % 160).toBe(0);
  });

  test('hears nothing twice: waiting for something that cannot come fails', async () => {
    await connected();
    await expect(phone.once('clear', { withinMs: 20 })).rejects.toThrow('no clear within 20 ms');
    const waiting = phone.once('clear');
    phone.hangUp();
    await expect(waiting).rejects.toThrow('the call ended before clear');
    await phone.ended;
    await expect(phone.once('mark')).rejects.toThrow('the call has ended');
    expect(await phone.once('ended')).toBe(await phone.ended);
  });
});
