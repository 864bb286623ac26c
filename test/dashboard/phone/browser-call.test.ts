// What a browser's call makes of TwiML that our own documents rarely have, and of orders; against a server that answers what the
// test says. Whatever comes, the call ends, the end is told, and a browser is never left without a word.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import webhooks from 'twilio/lib/webhooks/webhooks.js';
import { browserControl } from '../../../src/dashboard/phone/browser-control.ts';
import { BrowserCall } from '../../../src/dashboard/phone/browser-call.ts';
import type { PhoneMessage } from '../../../src/dashboard/phone/phone-messages.ts';
import { ownPhoneProof } from '../../../src/carrier/twilio/signature.ts';
import { Origin } from '../../../src/phone/signed-request.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { within } from '../../support/e2e.ts';

const AUTH = 'b'.repeat(32);
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Asked {
  path: string;
  params: Record<string, string>;
}

/** A carrier's customer that answers what the test says, by path; `asked` is what it was asked. */
async function customer(answers: Record<string, string | number | null>) {
  const asked: Asked[] = [];
  let unsigned = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      const path = request.url ?? '';
      const params = Object.fromEntries(new URLSearchParams(body));
      asked.push({ path, params });
      const signed = request.headers['x-twilio-signature'];
      if (signed !== webhooks.getExpectedTwilioSignature(AUTH, origin + path, params)) unsigned++;
      const answer = answers[path];
      if (answer === null) return;
      if (typeof answer === 'number') response.writeHead(answer).end();
      else response.writeHead(200, { 'content-type': 'text/xml' }).end(answer ?? '<Response><Hangup/></Response>');
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { asked, origin, unsigned: () => unsigned };
}

interface Caller {
  call: BrowserCall;
  clock: FakeClock;
  told: PhoneMessage[];
  faults: unknown[];
  asked: Asked[];
  unsigned: () => number;
  /** Resolves at the first message that fits. */
  until: <E extends PhoneMessage['event']>(event: E, count?: number) => Promise<Extract<PhoneMessage, { event: E }>>;
}

async function calling(answers: Record<string, string | number | null>, isOperator = true): Promise<Caller> {
  const { asked, origin, unsigned } = await customer(answers);
  const clock = new FakeClock();
  const told: PhoneMessage[] = [];
  const faults: unknown[] = [];
  const looking = new Set<() => void>();
  const call = new BrowserCall({
    clock,
    origin: new Origin({ clock, server: origin, publicUrl: origin, authToken: AUTH, sign: 'good' }),
    accountSid: `AC${'1'.repeat(32)}`,
    ...{ from: 'client:browser', to: '+15005550001', isOperator },
    captions: () => null,
    proofOf: (callSid) => ownPhoneProof(AUTH, callSid),
    tell(message) {
      told.push(message);
      for (const look of looking) look();
    },
    relay: () => {},
    admitted: () => {},
    fault: (error) => faults.push(error),
  });
  const until: Caller['until'] = (event, count = 1) => {
    const { promise, resolve } = Promise.withResolvers<never>();
    const look = (): void => {
      const found = told.filter((message) => message.event === event)[count - 1];
      if (found !== undefined) resolve(found as never);
    };
    looking.add(look);
    look();
    return within(5_000, `${event}; told ${JSON.stringify(told)}`, promise);
  };
  return { call, clock, told, faults, asked, unsigned, until };
}

const twiml = (verbs: string): string => `<?xml version="1.0"?><!-- <Hangup/> --><Response>${verbs}</Response>`;

describe('a call of a browser', () => {
  test('asks with a signature as a softphone’s carrier does, and tells the end', async () => {
    const { call, asked, unsigned, until } = await calling({ '/voice': twiml('<Hangup/>') });
    expect(await until('ended')).toEqual({ event: 'ended', by: 'server', why: 'completed' });
    await within(5_000, 'the end', call.ended);
    const about = { CallSid: call.callSid, From: 'client:browser', To: '+15005550001', Direction: 'inbound' };
    expect(asked.map(({ path }) => path)).toEqual(['/voice', '/voice/status']);
    expect(asked[0]?.params).toMatchObject({ ...about, CallStatus: 'ringing' });
    expect(asked[1]?.params).toMatchObject({ ...about, CallStatus: 'completed', CallDuration: '0' });
    expect(unsigned()).toBe(0);
  });

  test('reads a sentence aloud, waits until it is said, and follows redirects', async () => {
    const { call, clock, until, asked } = await calling({
      '/voice': twiml('<Say voice="x">Tom &amp; Jerry &lt;b&gt;</Say><Redirect>voice/more?a=1&amp;b=2</Redirect>'),
      '/voice/more?a=1&b=2': twiml('<Pause length="2"/><Say>Bye.</Say>'),
    });
    expect(await until('say')).toEqual({ event: 'say', text: 'Tom & Jerry <b>' });
    expect(asked).toHaveLength(1);
    call.said();
    // The pause, and a sentence that nobody says was said.
    const ended = until('ended');
    for (let i = 0; i < 200 && !call.isOver; i++) {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await ended).toMatchObject({ why: 'completed' });
    expect(clock.nowMs()).toBeGreaterThanOrEqual(2_000 + 600 + 4 * 70);
  });

  test.for([
    ['busy', 'busy', 'busy'],
    ['rejected', 'rejected', 'no-answer'],
  ])('a Reject as the first verb is no answer: %s', async ([reason, why, status]) => {
    const { call, until, asked } = await calling({ '/voice': twiml(`<Reject reason="${reason}"/>`) });
    expect(await until('ended')).toMatchObject({ by: 'server', why });
    await call.ended;
    expect(asked.at(-1)?.params).toMatchObject({ CallStatus: status });
  });

  test('says what a browser cannot do, and goes on as a carrier would that failed', async () => {
    const { until, told, asked, call } = await calling({
      '/voice': twiml('<Say>One</Say><Dial action="/dialled"><Number>+15005550009</Number></Dial>'),
      '/dialled': twiml(
        '<Record action="/recorded"/><Play>/x.mp3</Play><Enqueue>q</Enqueue><Dial><Conference>r</Conference></Dial>',
      ),
    });
    await until('say');
    call.said();
    await until('ended');
    await call.ended;
    expect(told.flatMap((message) => (message.event === 'cannot' ? [message.what] : []))).toEqual([
      ...['dial', 'record', 'play', 'other', 'conference'],
    ]);
    expect(asked.map(({ path }) => path)).toEqual(['/voice', '/dialled', '/voice/status']);
    expect(asked[1]?.params).toMatchObject({ DialCallStatus: 'failed', CallStatus: 'in-progress' });
  });

  test('gathers keys, up to the number that is wanted', async () => {
    const { call, until, asked } = await calling({
      '/voice': twiml('<Gather action="/keys" numDigits="2"><Say>Two keys, please.</Say></Gather>'),
    });
    await until('say');
    call.take('', 'dtmf', '4');
    await Promise.resolve();
    call.take('', 'dtmf', '2');
    await until('ended');
    expect(asked.find(({ path }) => path === '/keys')?.params).toMatchObject({ Digits: '42' });
  });

  test.for([
    { what: 'an error', answers: { '/voice': 500 } },
    { what: 'no TwiML', answers: { '/voice': 'hello' } },
    { what: 'half a document', answers: { '/voice': '<Response><Say>x</Response>' } },
    { what: 'a root that is none', answers: { '/voice': '<Respond/>' } },
    {
      what: 'a stream to somewhere else',
      answers: { '/voice': twiml('<Connect><Stream url="wss://evil.example/x"/></Connect>') },
    },
    {
      what: 'a document from somewhere else',
      answers: { '/voice': twiml('<Redirect>https://evil.example/x</Redirect>') },
    },
    { what: 'a circle', answers: { '/voice': twiml('<Redirect>/voice</Redirect>') } },
    { what: '65 KB', answers: { '/voice': twiml(`<Say>${'x'.repeat(65_536)}</Say>`) } },
  ] as { what: string; answers: Record<string, string | number> }[])(
    'ends by name when it gets $what',
    async ({ answers }) => {
      const { call, until, faults } = await calling(answers);
      expect(await until('ended')).toMatchObject({ by: 'server', why: 'failed' });
      expect(faults).toHaveLength(1);
      await call.ended;
    },
  );

  test('a server that never answers is given up, and a caller who does not wait is gone at once', async () => {
    const patient = await calling({ '/voice': null });
    await patient.until('ringing');
    patient.clock.advance(10_000);
    expect(await patient.until('ended')).toMatchObject({ why: 'failed' });
    const hasty = await calling({ '/voice': null });
    await hasty.until('ringing');
    hasty.call.hangUp('hung_up');
    expect(await hasty.until('ended')).toEqual({ event: 'ended', by: 'caller', why: 'hung_up' });
    await hasty.call.ended;
    expect(hasty.faults).toEqual([]);
    expect(hasty.asked.at(-1)).toMatchObject({ path: '/voice/status', params: { CallStatus: 'no-answer' } });
  });
});

describe('orders about calls of browsers', () => {
  const orders = (call: BrowserCall) =>
    browserControl({
      phones: { find: (sid) => (sid === call.callSid ? call : null) },
      twiml: (next) => twiml(next.do === 'say_and_hang_up' ? `<Say>${next.text}</Say><Hangup/>` : '<Hangup/>'),
    });

  test('a redirect cuts off what runs, and the call goes on with the new document', async () => {
    const { call, until, told } = await calling({ '/voice': twiml('<Say>A long story.</Say><Say>More of it.</Say>') });
    await until('say');
    expect(await orders(call).redirect(call.callSid, { do: 'say_and_hang_up', text: 'Something else.' })).toBe('done');
    expect(await until('say', 2)).toEqual({ event: 'say', text: 'Something else.' });
    call.said();
    await until('ended');
    expect(told.filter(({ event }) => event === 'say')).toHaveLength(2);
  });

  test('a hang-up ends it; what comes behind finds it gone', async () => {
    const { call, until } = await calling({ '/voice': twiml('<Say>A long story.</Say>') });
    await until('say');
    const control = orders(call);
    expect(await control.hangUp(call.callSid)).toBe('done');
    expect(await until('ended')).toEqual({ event: 'ended', by: 'server', why: 'completed' });
    expect(await control.hangUp(call.callSid)).toBe('gone');
    expect(await control.redirect(call.callSid, { do: 'hang_up' })).toBe('gone');
  });

  test('nobody’s telephone rings for a caller in a browser; calls of other processes are out of reach', async () => {
    const { call, until } = await calling({ '/voice': twiml('<Hangup/>') });
    await until('ended');
    const control = orders(call);
    const person = { from: '+1', to: '+2', ringSeconds: 5, parentCallId: call.callSid };
    expect(await control.call(person)).toMatchObject({ outcome: 'refused' });
    expect(await control.message({ from: '+1', to: '+2', text: 'x' })).toMatchObject({ outcome: 'refused' });
    expect(await control.hangUp('CA-other')).toBe('failed');
  });
});
