// The phone's HTTP side against a stand-in server: signatures, TwiML, callbacks.
import twilio from 'twilio';
import { afterEach, describe, expect, test } from 'vitest';
import { placeCall } from '../../src/phone/phone.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { connectTo, type FormPost, type StandIn, type StandInOptions, standIn } from './stand-in-server.ts';

const TOKEN = 'b1946ac92492d2347c6235b4d2611184';
const PUBLIC = 'https://voice.example.com';

let server: StandIn;
afterEach(() => server.close());

async function call(serverOptions: StandInOptions, options: Partial<PhoneOptions> = {}) {
  server = await standIn(serverOptions);
  return placeCall({ server: server.url, publicUrl: PUBLIC, authToken: TOKEN, maxMs: 10_000, ...options });
}

const header = (post: FormPost, name: string): string => String(post.headers[name] ?? '');
const valid = (post: FormPost): boolean =>
  twilio.validateRequest(TOKEN, header(post, 'x-twilio-signature'), PUBLIC + post.path, post.params);
const hangUp = '<Response><Hangup/></Response>';

describe('requests of the phone', () => {
  test('carry the parameters of a PSTN call and a signature over the public URL', async () => {
    const phone = await call({ twiml: { '/voice': hangUp } }, { from: '+15005550007', to: '+15005550002' });
    const result = await phone.ended;
    const [voice, status] = server.posts;
    if (!voice || !status) throw new Error('two requests expected');
    expect(voice).toMatchObject({ path: '/voice', method: 'POST' });
    expect(voice.params).toMatchObject({
      CallSid: result.callSid,
      AccountSid: expect.stringMatching(/^AC[0-9a-f]{32}$/),
      From: '+15005550007',
      Caller: '+15005550007',
      To: '+15005550002',
      CallStatus: 'ringing',
      ApiVersion: '2010-04-01',
      Direction: 'inbound',
      FromCountry: 'US',
      StirVerstat: 'TN-Validation-Passed-A',
    });
    expect(result.callSid).toMatch(/^CA[0-9a-f]{32}$/);
    expect(header(voice, 'i-twilio-idempotency-token')).not.toBe('');
    expect(header(voice, 'host')).toBe('voice.example.com');
    expect(header(voice, 'x-forwarded-proto')).toBe('https');
    expect(status).toMatchObject({ path: '/voice/status', method: 'POST' });
    expect(status.params).toMatchObject({
      CallStatus: 'completed',
      CallSid: result.callSid,
      SequenceNumber: '0',
      CallbackSource: 'call-progress-events',
    });
    expect(server.posts.map(valid)).toEqual([true, true]);
    expect(result).toMatchObject({ endedBy: 'server', callStatus: 'completed', warnings: [], streamSid: '' });
    expect(result.http.map(({ path, status: code }) => [path, code])).toEqual([
      ['/voice', 200],
      ['/voice/status', 204],
    ]);
  });

  test('go out unsigned or wrongly signed when told so', async () => {
    const unsigned = await call({ twiml: { '/voice': hangUp } }, { sign: 'none' });
    await unsigned.ended;
    expect(server.posts[0]?.headers['x-twilio-signature']).toBeUndefined();
    await server.close();
    const wrong = await call({ twiml: { '/voice': hangUp } }, { sign: 'wrong' });
    await wrong.ended;
    expect(server.posts.map(valid)).toEqual([false, false]);
  });

  test('are repeated with the same idempotency token when the carrier retries', async () => {
    const phone = await call({ twiml: { '/voice': hangUp } }, { retryWebhook: true });
    await phone.ended;
    const tokens = server.posts.slice(0, 2).map((post) => header(post, 'i-twilio-idempotency-token'));
    expect(server.posts.map((post) => post.path)).toEqual(['/voice', '/voice', '/voice/status']);
    expect(new Set(tokens).size).toBe(1);
  });

  test('take extra parameters, signed with the rest', async () => {
    const phone = await call({ twiml: { '/voice': hangUp } }, { webhookParams: { From: 'anonymous', Odd: ' a & b ' } });
    await phone.ended;
    expect(server.posts[0]?.params).toMatchObject({ From: 'anonymous', Odd: ' a & b ' });
    expect(server.posts.every(valid)).toBe(true);
  });
});

describe('TwiML', () => {
  const names = (verbs: { name: string }[]) => verbs.map((verb) => verb.name);

  test('is followed verb by verb, through redirects and the action of a Dial', async () => {
    const phone = await call(
      {
        twiml: {
          '/voice': '<Response><Say>One moment</Say><Redirect>/next?step=2</Redirect><Say>never</Say></Response>',
          '/next':
            '<Response><Pause length="1"/><Dial action="after-dial"><Number>+15005550009</Number></Dial></Response>',
          '/after-dial': '<Response><Say>Bye</Say></Response>',
        },
      },
      { dial: { status: 'no-answer' } },
    );
    const result = await phone.ended;
    expect(names(result.verbs)).toEqual(['Say', 'Redirect', 'Pause', 'Dial', 'Say']);
    expect(result.verbs[3]?.children[0]?.text).toBe('+15005550009');
    expect(server.posts.map((post) => post.path)).toEqual(['/voice', '/next?step=2', '/after-dial', '/voice/status']);
    expect(server.posts[2]?.params).toMatchObject({ DialCallStatus: 'no-answer', CallStatus: 'in-progress' });
    expect(server.posts.every(valid)).toBe(true);
  });

  test('may reject the call', async () => {
    const phone = await call({ twiml: { '/voice': '<Response><Reject reason="busy"/></Response>' } });
    expect(await phone.ended).toMatchObject({ callStatus: 'busy', endedBy: 'server' });
    expect(server.posts.at(-1)?.params['CallStatus']).toBe('busy');
  });

  test('that cannot be fetched or read ends the call with the carrier’s error', async () => {
    const missing = await call({ twiml: {} });
    expect((await missing.ended).warnings).toEqual([{ code: 11200, reason: '/voice answered 404' }]);
    await server.close();
    const plain = await call({ twiml: { '/voice': hangUp }, contentType: 'application/json' });
    expect((await plain.ended).warnings).toMatchObject([{ code: 12300 }]);
  });

  test('that redirects for ever is cut off', async () => {
    const phone = await call({ twiml: { '/voice': '<Response><Redirect>/voice</Redirect></Response>' } });
    expect((await phone.ended).warnings).toMatchObject([{ code: 11215 }]);
  });

  test('with a stream on a foreign host connects nowhere', async () => {
    const phone = await call({ twiml: { '/voice': connectTo('wss://other.example.com/media/x') } });
    const result = await phone.ended;
    expect(result.warnings).toMatchObject([{ code: 31901 }]);
    expect(names(result.verbs)).toEqual(['Connect', 'Hangup']);
  });

  test('goes on after a refused upgrade', async () => {
    const phone = await call({ twiml: { '/voice': connectTo('wss://voice.example.com/media/x') }, refuseUpgrade: 403 });
    const result = await phone.ended;
    expect(result.warnings).toMatchObject([{ code: 31920 }]);
    expect(result.http.map(({ path, status }) => [path, status])).toContainEqual(['/media/x', 403]);
    expect(names(result.verbs)).toEqual(['Connect', 'Hangup']);
  });
});

test('the caller may hang up while the server still thinks about the webhook', async () => {
  const asked = Promise.withResolvers<void>();
  const phone = await call({
    twiml: {
      '/voice': () => {
        asked.resolve();
        return new Promise<string>(() => {});
      },
    },
  });
  await asked.promise;
  phone.hangUp();
  expect(await phone.ended).toMatchObject({ endedBy: 'caller', callStatus: 'no-answer', warnings: [] });
  expect(server.posts.map((post) => post.path)).toEqual(['/voice', '/voice/status']);
});

test('a webhook that does not answer within 15 s is given up, and the fallback asked', async () => {
  const clock = new FakeClock();
  const asked = Promise.withResolvers<void>();
  const twiml = {
    '/voice': () => {
      asked.resolve();
      return new Promise<string>(() => {});
    },
  };
  const phone = await call(
    { twiml },
    { clock, maxMs: 60_000, fallback: { twiml: '<Response><Say>Sorry</Say></Response>' } },
  );
  await asked.promise;
  clock.advance(14_900);
  expect(phone.warnings).toEqual([]);
  clock.advance(200);
  const result = await phone.ended;
  expect(result.warnings).toEqual([{ code: 11200, reason: '/voice: no answer (timeout)' }]);
  expect(result.verbs.map(({ about }) => about)).toEqual(['Sorry']);
  expect(result.webhookMs).toBe(15_100);
  expect(clock.pending).toBe(0);
});

test('a server that is not there is an error of the call, not an exception', async () => {
  const phone = await call({ twiml: {} });
  await phone.ended;
  const gone = server.url;
  await server.close();
  server = await standIn({ twiml: {} });
  const result = await placeCall({ server: gone, authToken: TOKEN }).ended;
  expect(result.warnings).toMatchObject([{ code: 11205 }]);
  // A request that found no connection is repeated once.
  expect(result.http.map(({ path, status }) => [path, status])).toEqual([
    ['/voice', 0],
    ['/voice', 0],
    ['/voice/status', 0],
    ['/voice/status', 0],
  ]);
});
