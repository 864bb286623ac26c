// Keys that can be heard: the tones of a real telephone on the caller's line, beside the messages of the carrier.
import { afterEach, describe, expect, test } from 'vitest';
import { trackFromTimeline } from '../../src/phone/caller-track.ts';
import { type PhoneCall, placeCall } from '../../src/phone/phone.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import { findTones } from '../support/tone-detector.ts';
import { connectTo, type ServerSide, type StandIn, standIn } from './stand-in-server.ts';

let server: StandIn;
let phone: PhoneCall;
let stream: ServerSide;
afterEach(async () => {
  phone.hangUp();
  await phone.ended;
  await server.close();
});

async function call(options: Partial<PhoneOptions>): Promise<void> {
  server = await standIn({ twiml: { '/voice': connectTo('/media/tok') } });
  phone = placeCall({ server: server.url, authToken: 't', maxMs: 10_000, ...options });
  stream = await server.stream;
}

/** What the server was sent of the caller's sound. */
const sent = (): Buffer =>
  Buffer.concat(stream.of('media').map(({ media }) => Buffer.from(media?.payload ?? '', 'base64')));
const heard = () =>
  findTones(sent())
    .map(({ digit }) => digit)
    .join('');
const told = () =>
  stream
    .of('dtmf')
    .map(({ dtmf }) => dtmf?.digit)
    .join('');
const pressing = (dtmf: string) =>
  trackFromTimeline([
    { atMs: 300, dtmf },
    { atMs: 500 + 250 * dtmf.length, hangup: true },
  ]);

describe('keys of the track', () => {
  test('sound on the line as long as a handset sends them, and nobody said anything', async () => {
    await call({ track: pressing('40*7#') });
    const result = await phone.ended;
    expect([heard(), told()]).toEqual(['40*7#', '40*7#']);
    for (const { durationMs } of findTones(sent())) expect(durationMs).toBeGreaterThanOrEqual(80);
    expect(findTones(phone.callerAudio()).map(({ digit }) => digit)).toEqual('40*7#'.split(''));
    expect(result.said).toEqual([]);
    expect(result.keys).toHaveLength(5);
  });

  test('are silent where that is asked for', async () => {
    await call({ track: pressing('12'), tones: false });
    await phone.ended;
    expect([heard(), told()]).toEqual(['', '12']);
  });

  test('sound over what the caller says meanwhile', async () => {
    const track = trackFromTimeline([
      { atMs: 200, bytes: Buffer.alloc(4_000, 0x60) },
      { atMs: 300, dtmf: '5' },
      { atMs: 900, hangup: true },
    ]);
    await call({ track, tones: { levelDbm0: -12, toneMs: 200 } });
    await phone.ended;
    expect(heard()).toBe('5');
    expect(findTones(sent())[0]?.durationMs).toBeGreaterThan(170);
  });
});

describe('keys that a test presses', () => {
  test.each([
    [undefined, ''],
    [true, '9'],
  ])('with tones: %s sound as %j', async (tones, expected) => {
    await call(tones === undefined ? {} : { tones });
    await stream.received('media', 5);
    phone.press('9');
    await stream.received('media', 25);
    expect([heard(), told()]).toEqual([expected, '9']);
  });

  test('leave nothing for the stream that comes after them', async () => {
    const twiml = {
      '/voice': '<Response><Gather numDigits="1" timeout="5" action="/go"/></Response>',
      '/go': connectTo('/media/tok'),
    };
    server = await standIn({ twiml });
    phone = placeCall({ server: server.url, authToken: 't', maxMs: 10_000, tones: true, verbPace: 1 });
    await phone.once('verb');
    phone.press('3');
    stream = await server.stream;
    await stream.received('media', 15);
    expect(heard()).toBe('');
  });
});
