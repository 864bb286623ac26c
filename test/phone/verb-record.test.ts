// Record: what a caller leaves after the beep, when it ends, and what the server is told of it.
import { afterEach, describe, expect, test } from 'vitest';
import { soundSpans } from '../../src/replay/loudness.ts';
import type { CallerTrack } from '../../src/phone/caller-track.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import { placeCall } from '../../src/phone/phone.ts';
import { voice } from '../replay/synthetic-line.ts';
import { type StandIn, standIn } from './stand-in-server.ts';

const TOKEN = 'b1946ac92492d2347c6235b4d2611184';

let server: StandIn;
afterEach(() => server.close());

async function call(attributes: string, options: Partial<PhoneOptions> = {}) {
  const record = `<Say>Please speak.</Say><Record ${attributes}/><Say>Nothing</Say>`;
  server = await standIn({
    twiml: {
      '/voice': `<Response>${record}</Response>`,
      '/kept': '<Response><Hangup/></Response>',
    },
  });
  const phone = placeCall({ server: server.url, authToken: TOKEN, maxMs: 10_000, idle: 'silence', ...options });
  return { phone, told: () => server.posts.find(({ path }) => path === '/kept')?.params };
}

/** Speaks for so long, after the carrier has spoken. */
const speaks = (ms: number): CallerTrack => ({
  steps: [{ cue: { after: 'agent_silent', forMs: 100 }, action: { say: voice(ms) } }],
});

describe('a message', () => {
  test('is what the caller says after the beep, until the caller is silent', async () => {
    const { phone, told } = await call('action="/kept" timeout="2"', { track: speaks(3_000) });
    const result = await phone.ended;
    expect(told()).toMatchObject({
      RecordingUrl: expect.stringMatching(/^https:\/\/api\.twilio\.com\/2010-04-01\/Accounts\/AC.*\/Recordings\/RE/),
      RecordingSid: expect.stringMatching(/^RE[0-9a-f]{32}$/),
      RecordingDuration: '3',
      CallStatus: 'in-progress',
    });
    expect(told()?.['Digits']).toBeUndefined();
    expect(result.announced.map(({ verb, about }) => `${verb} ${about}`)).toEqual(['Say Please speak.', 'Record beep']);
    const [recording] = result.recordings;
    expect(recording?.url).toBe(told()?.['RecordingUrl']);
    expect(soundSpans(recording?.bytes ?? Buffer.alloc(0))).toHaveLength(1);
    expect(recording?.durationMs).toBeGreaterThanOrEqual(5_000);
    expect(result.verbs.map(({ name }) => name)).toEqual(['Say', 'Record', 'Hangup']);
    expect(result.said).toHaveLength(1);
  });

  test('takes as long as it takes, and lies on the call’s own timeline', async () => {
    const { phone } = await call('action="/kept" timeout="1"', { track: speaks(600), verbPace: 4 });
    const started = performance.now();
    const result = await phone.ended;
    // "Please speak." 800 ms, beep 500, message and silence of 1.7 s and more, four times as fast.
    expect(performance.now() - started).toBeGreaterThan(700);
    expect(phone.callerAudio()).toHaveLength(Math.round(result.streamMs * 8));
    expect(soundSpans(phone.callerAudio())[0]?.fromMs).toBeGreaterThan(300);
  });

  test('ends with its key', async () => {
    const track: CallerTrack = {
      steps: [...speaks(1_000).steps, { cue: { after: 'previous', waitMs: 200 }, action: { press: '#' } }],
    };
    const { phone, told } = await call('action="/kept" finishOnKey="#"', { track });
    const result = await phone.ended;
    expect(told()).toMatchObject({ Digits: '#', RecordingDuration: '1' });
    expect(result.recordings[0]?.durationMs).toBeLessThan(2_000);
  });

  test('is as long as it may be', async () => {
    const { phone, told } = await call('action="/kept" maxLength="2"', { track: speaks(10_000) });
    expect((await phone.ended).recordings[0]?.durationMs).toBe(2_000);
    expect(told()?.['RecordingDuration']).toBe('2');
  });

  test('is told also when the caller hangs up', async () => {
    const track: CallerTrack = {
      steps: [...speaks(1_000).steps, { cue: { after: 'previous', waitMs: 300 }, action: { hangUp: true } }],
    };
    const { phone, told } = await call('action="/kept"', { track });
    expect(await phone.ended).toMatchObject({ endedBy: 'caller', recordings: [{}] });
    expect(told()).toMatchObject({ Digits: 'hangup', CallStatus: 'completed', RecordingDuration: '1' });
  });

  test('of nothing is not kept, and the next verb follows', async () => {
    const { phone, told } = await call('action="/kept" playBeep="false"', { idle: 'noise' });
    const result = await phone.ended;
    expect(result.verbs.map(({ name, about }) => `${name} ${about}`)).toEqual([
      'Say Please speak.',
      'Record ',
      'Say Nothing',
    ]);
    expect(result.recordings).toEqual([]);
    expect(result.announced.map(({ verb }) => verb)).toEqual(['Say', 'Say']);
    expect(told()).toBeUndefined();
  });

  test('is cut off by a REST update and told to nobody', async () => {
    const { phone, told } = await call('action="/kept"', { track: speaks(5_000), verbPace: 1 });
    await phone.once('announced', { where: ({ verb }) => verb === 'Record' });
    phone.update({ twiml: '<Response><Hangup/></Response>' });
    expect((await phone.ended).endedBy).toBe('server');
    expect(told()).toBeUndefined();
  });
});
