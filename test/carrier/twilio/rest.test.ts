// Orders by REST against the double of the API, with real calls behind it, and against servers that do what the API may.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { NextStep } from '../../../src/carrier/carrier.ts';
import { type TwilioControlOptions, twilioControl } from '../../../src/carrier/twilio/rest.ts';
import type { Clock } from '../../../src/clock.ts';
import { newSid } from '../../../src/phone/call-params.ts';
import { type PhoneCall, placeCall } from '../../../src/phone/phone.ts';
import { type ApiFaults, startTwilioApi, type TwilioApi } from '../../../src/phone/twilio-api.ts';
import { connectTo, standIn } from '../../phone/stand-in-server.ts';

const ACCOUNT = newSid('AC');
const TOKEN = 'b1946ac92492d2347c6235b4d2611184';
const PUBLIC = 'https://voice.example.com';
const TRY_MS = 3_000;
const BYE: NextStep = { do: 'say_and_hang_up', text: 'Bye & thanks' };

/** Pauses between tries pass at once; a try is only late where the test says so. Every wait is noted. */
class HastyClock implements Clock {
  readonly waitsMs: number[] = [];
  readonly #late: boolean;
  constructor(late = false) {
    this.#late = late;
  }
  nowMs(): number {
    return 0;
  }
  wallMs(): number {
    return Date.UTC(2026, 10, 21);
  }
  at(atMs: number, fire: () => void): () => void {
    if (atMs !== TRY_MS) this.waitsMs.push(atMs);
    if (atMs === TRY_MS && !this.#late) return () => {};
    const immediate = setImmediate(fire);
    return () => clearImmediate(immediate);
  }
}

/** Orders to a root, and what they left behind. */
function orders(baseUrl: string, options: Partial<TwilioControlOptions> & { late?: boolean } = {}) {
  const { late, ...rest } = options;
  const clock = new HastyClock(late);
  const counted: string[] = [];
  const logged: Record<string, unknown>[] = [];
  const control = twilioControl({
    ...{ baseUrl, accountSid: ACCOUNT, authToken: TOKEN, publicUrl: PUBLIC, clock },
    log: { warn: (fields) => void logged.push(fields) },
    counters: { ordered: (order, outcome) => void counted.push(`${order} ${outcome}`) },
    random: () => 0.5,
    ...rest,
  });
  return { control, clock, counted, logged };
}

async function api(faults?: ApiFaults): Promise<TwilioApi> {
  const double = await startTwilioApi({ accountSid: ACCOUNT, authToken: TOKEN, ...(faults ? { faults } : {}) });
  onTestFinished(() => double.close());
  return double;
}

/** A call whose media stream runs, known to the API. */
async function liveCall(double: TwilioApi): Promise<PhoneCall> {
  const server = await standIn({
    twiml: {
      '/voice': connectTo('wss://voice.example.com/media/1', { action: '/voice/next' }),
      '/voice/next': '<Response><Say>asked</Say></Response>',
    },
  });
  const phone = placeCall({ server: server.url, publicUrl: PUBLIC, authToken: TOKEN, accountSid: ACCOUNT });
  onTestFinished(async () => {
    phone.hangUp();
    await phone.ended;
    await server.close();
  });
  double.register(phone);
  await phone.once('streaming');
  return phone;
}

/** A server that is no API; returns its origin. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const steps = (phone: PhoneCall) => phone.verbs.map(({ name, about }) => [name, about].filter(Boolean).join(' '));

describe('an order', () => {
  test('takes a call out of its stream and on to the next step', async () => {
    const double = await api();
    const phone = await liveCall(double);
    const { control, counted, logged } = orders(double.origin);
    expect(await control.redirect(phone.callSid, BYE)).toBe('done');
    expect(await phone.ended).toMatchObject({ endedBy: 'server', warnings: [] });
    expect(steps(phone)).toEqual(['Connect Stream', 'Say Bye & thanks', 'Hangup']);
    expect(double.requests).toMatchObject([
      { method: 'POST', path: `/2010-04-01/Accounts/${ACCOUNT}/Calls/${phone.callSid}.json`, status: 200 },
    ]);
    expect(Object.keys(double.requests[0]?.params ?? {})).toEqual(['Twiml']);
    expect([counted, logged]).toEqual([['redirect done'], []]);
  });

  test('ends a call, and finds one that is over gone', async () => {
    const double = await api();
    const phone = await liveCall(double);
    const { control, counted } = orders(double.origin);
    expect(await control.hangUp(phone.callSid)).toBe('done');
    expect(await phone.ended).toMatchObject({ endedBy: 'server', callStatus: 'completed' });
    expect(double.requests[0]?.params).toEqual({ Status: 'completed' });
    expect(await control.hangUp(phone.callSid)).toBe('gone');
    expect(await control.redirect(phone.callSid, BYE)).toBe('gone');
    expect(await control.hangUp(newSid('CA'))).toBe('gone');
    expect(double.requests.map(({ code }) => code)).toEqual([undefined, 21220, 21220, 20404]);
    expect(counted).toEqual(['hang_up done', 'hang_up gone', 'redirect gone', 'hang_up gone']);
  });

  test('too long for one request lets Twilio ask for itself', async () => {
    const double = await api();
    const phone = await liveCall(double);
    const say = 'word '.repeat(799);
    expect(await orders(double.origin).control.redirect(phone.callSid, { do: 'voicemail', say, maxSeconds: 9 })).toBe(
      'done',
    );
    await phone.ended;
    expect(double.requests[0]?.params).toEqual({ Url: `${PUBLIC}/voice/next`, Method: 'POST' });
    expect(steps(phone)).toEqual(['Connect Stream', 'Say asked']);
  });
});

describe('an order that is refused', () => {
  test('for its credentials is not repeated, and nothing secret is told', async () => {
    const double = await api();
    const phone = await liveCall(double);
    const { control, counted, logged } = orders(double.origin, { authToken: 'f'.repeat(32) });
    expect(await control.hangUp(phone.callSid)).toBe('failed');
    expect(double.requests).toHaveLength(1);
    expect(counted).toEqual(['hang_up failed']);
    expect(logged).toEqual([{ order: 'hang_up', status: 401, code: 20003, failure: null, tries: 1 }]);
    expect(phone.callStatus).toBe('in-progress');
  });

  test('for the number of requests is repeated, three times in all, with a growing pause', async () => {
    const double = await api({ tooMany: 1 });
    const phone = await liveCall(double);
    const { control, clock, logged } = orders(double.origin);
    expect(await control.hangUp(phone.callSid)).toBe('failed');
    expect(double.requests.map(({ status }) => status)).toEqual([429, 429, 429]);
    expect(clock.waitsMs).toEqual([250, 500]);
    expect(logged).toEqual([{ order: 'hang_up', status: 429, code: 20429, failure: null, tries: 3 }]);
  });

  test('waits as long as it is told', async () => {
    const double = await api({ tooMany: 1, retryAfterSeconds: 4 });
    const { control, clock } = orders(double.origin);
    expect(await control.hangUp(newSid('CA'))).toBe('failed');
    expect(clock.waitsMs).toEqual([4_000, 4_000]);
  });

  test.each(['2', 'Sat, 21 Nov 2026 00:00:02 GMT'])('reads Retry-After: %s', async (given) => {
    const origin = await serve((_request, response) => response.writeHead(503, { 'Retry-After': given }).end());
    const { control, clock } = orders(origin);
    await control.hangUp(newSid('CA'));
    expect(clock.waitsMs).toEqual([2_000, 2_000]);
  });

  test('does not wait for longer than a caller does', async () => {
    const double = await api({ tooMany: 1, retryAfterSeconds: 60 });
    const { control, clock } = orders(double.origin);
    expect(await control.hangUp(newSid('CA'))).toBe('failed');
    expect(double.requests).toHaveLength(1);
    expect(clock.waitsMs).toEqual([]);
  });

  test('once is carried out at the second try', async () => {
    let asked = 0;
    const origin = await serve((_request, response) => {
      asked++;
      response.writeHead(asked === 1 ? 500 : 200).end(asked === 1 ? '<html>not JSON' : '{}');
    });
    const { control, counted, logged } = orders(origin);
    expect(await control.hangUp(newSid('CA'))).toBe('done');
    expect([asked, counted, logged]).toEqual([2, ['hang_up done'], []]);
  });

  test('by a redirect sends the token nowhere else', async () => {
    let leaked = 0;
    const elsewhere = await serve((_request, response) => {
      leaked++;
      response.end();
    });
    const origin = await serve((_request, response) => response.writeHead(307, { Location: elsewhere }).end());
    const { control, logged } = orders(origin);
    expect(await control.hangUp(newSid('CA'))).toBe('failed');
    expect(leaked).toBe(0);
    expect(logged).toMatchObject([{ status: 307, tries: 1 }]);
  });

  test('by an endless body is not read to its end', async () => {
    const origin = await serve((_request, response) => {
      response.writeHead(400);
      const more = (): void => void response.write('x'.repeat(65_536), more);
      response.on('error', () => {});
      more();
    });
    expect(await orders(origin).control.hangUp(newSid('CA'))).toBe('failed');
  });
});

describe('an order that reaches nobody', () => {
  test('fails by the name that the network gives', async () => {
    const double = await startTwilioApi({ accountSid: ACCOUNT, authToken: TOKEN });
    const { origin } = double;
    await double.close();
    const { control, clock, counted, logged } = orders(origin);
    expect(await control.redirect(newSid('CA'), BYE)).toBe('failed');
    expect(clock.waitsMs).toHaveLength(2);
    expect(counted).toEqual(['redirect failed']);
    expect(logged).toEqual([{ order: 'redirect', status: 0, code: null, failure: 'ECONNREFUSED', tries: 3 }]);
  });

  test('gives each try three seconds', async () => {
    const double = await api({ hang: 1 });
    const { control, logged } = orders(double.origin, { late: true });
    expect(await control.hangUp(newSid('CA'))).toBe('failed');
    expect(logged).toEqual([{ order: 'hang_up', status: 0, code: null, failure: 'timeout', tries: 3 }]);
  });

  test('is given up as soon as nobody wants it any more', async () => {
    const unwanted = new AbortController();
    let asked = 0;
    const origin = await serve((_request, response) => {
      asked++;
      if (asked === 1) response.writeHead(500).end();
      // The second try is under way when the carrier asks by itself.
      else unwanted.abort();
    });
    const { control, counted, logged } = orders(origin);
    expect(await control.redirect(newSid('CA'), BYE, unwanted.signal)).toBe('failed');
    expect([asked, counted, logged]).toEqual([2, [], []]);
  });
});
