// Orders to people by REST, against a real server that does what the API may do: takes them, refuses them, keeps silent,
// breaks off. What must never happen: two calls or two texts for one order, and a number of a person in a log line.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as bodyOf } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { explainRefusal } from '../../../src/carrier/twilio/rest-refusals.ts';
import { twilioControl } from '../../../src/carrier/twilio/rest.ts';
import type { Clock } from '../../../src/clock.ts';
import { ACCOUNT_SID, AUTH_TOKEN, CALL_SID, PERSON_SID, PUBLIC_URL } from './edge.ts';
import fc from '../../support/fast-check.ts';

const TRY_MS = 3_000;
const PERSON = { from: '+15005550001', to: '+15005550009', ringSeconds: 20, parentCallId: CALL_SID };
const TEXT = { from: '+15005550001', to: '+15005550009', text: 'Ihr Termin: Dienstag, 9 Uhr & danke 💬' };
const MESSAGE_SID = `SM${'0'.repeat(32)}`;

interface Asked {
  method: string | undefined;
  path: string | undefined;
  authorization: string | undefined;
  params: [string, string][];
}

/** A server that is asked for something; every answer in turn, the last one for good. */
async function api(...answers: ((response: ServerResponse, request: IncomingMessage) => void)[]) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const { method, url: path, headers } = request;
      asked.push({ method, path, authorization: headers.authorization, params: [...new URLSearchParams(body)] });
      answers[Math.min(asked.length, answers.length) - 1]?.(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  onTestFinished(close);
  return { asked, close, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
const refusal = (status: number, code: number) =>
  json(status, { code, message: `The 'To' number +15005550009 is bad`, more_info: 'https://…', status });
const placed = json(201, { sid: PERSON_SID, status: 'queued', price: null });

/** A control whose pauses pass at once; a try is late only where the test says so. */
function control(baseUrl: string, late = false) {
  const waitsMs: number[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    wallMs: () => Date.UTC(2026, 10, 21),
    at(atMs, fire) {
      if (atMs !== TRY_MS) waitsMs.push(atMs);
      else if (!late) return () => {};
      const timer = setTimeout(fire, atMs === TRY_MS ? 50 : 0);
      return () => clearTimeout(timer);
    },
  };
  const counted: string[] = [];
  const logged: Record<string, unknown>[] = [];
  const orders = twilioControl({
    ...{ baseUrl, accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN, publicUrl: PUBLIC_URL, clock, random: () => 0.5 },
    log: { warn: (fields) => void logged.push(fields) },
    counters: { ordered: (order, outcome) => void counted.push(`${order} ${outcome}`) },
  });
  return { orders, waitsMs, counted, logged };
}

describe('a person', () => {
  test('is called on behalf of a caller, whose process is asked and told everything', async () => {
    const { origin, asked } = await api(placed);
    const { orders, counted, logged } = control(origin);
    expect(await orders.call(PERSON)).toEqual({ outcome: 'placed', carrierCallId: PERSON_SID });
    expect(asked).toEqual([
      {
        method: 'POST',
        path: `/2010-04-01/Accounts/${ACCOUNT_SID}/Calls.json`,
        authorization: `Basic ${Buffer.from(`${ACCOUNT_SID}:${AUTH_TOKEN}`).toString('base64')}`,
        params: expect.arrayContaining([
          ['To', '+15005550009'],
          ['From', '+15005550001'],
          ['Url', `${PUBLIC_URL}/voice/next?for=${CALL_SID}`],
          ['Method', 'POST'],
          ['StatusCallback', `${PUBLIC_URL}/voice/status?for=${CALL_SID}`],
          ['StatusCallbackMethod', 'POST'],
          ['StatusCallbackEvent', 'answered'],
          ['StatusCallbackEvent', 'completed'],
          ['Timeout', '20'],
        ]),
      },
    ]);
    expect(asked[0]?.params).toHaveLength(9);
    expect([counted, logged]).toEqual([['call placed'], []]);
  });

  test.each([
    [0, '1'],
    [12.2, '13'],
    [5_000, '600'],
  ])('whose phone is to ring for %d seconds lets it ring for %s', async (ringSeconds, seconds) => {
    const { origin, asked } = await api(placed);
    await control(origin).orders.call({ ...PERSON, ringSeconds });
    expect(asked[0]?.params).toContainEqual(['Timeout', seconds]);
  });

  test('below a base URL with a path is called there', async () => {
    const { origin, asked } = await api(placed);
    await control(`${origin}/through/a/proxy`).orders.call(PERSON);
    expect(asked[0]?.path).toBe(`/through/a/proxy/2010-04-01/Accounts/${ACCOUNT_SID}/Calls.json`);
  });
});

describe('a text', () => {
  test('is sent as it is', async () => {
    const { origin, asked } = await api(json(201, { sid: MESSAGE_SID, status: 'queued' }));
    const { orders, counted } = control(origin);
    expect(await orders.message(TEXT)).toEqual({ outcome: 'sent' });
    expect(asked[0]?.path).toBe(`/2010-04-01/Accounts/${ACCOUNT_SID}/Messages.json`);
    expect(Object.fromEntries(asked[0]?.params ?? [])).toEqual({ To: TEXT.to, From: TEXT.from, Body: TEXT.text });
    expect(counted).toEqual(['message sent']);
  });

  test('is never longer than the carrier takes, nor ends in half a character', async () => {
    const { origin, asked } = await api(json(201, { sid: MESSAGE_SID }));
    await control(origin).orders.message({ ...TEXT, text: `${'x'.repeat(1_599)}💬` });
    expect(Object.fromEntries(asked[0]?.params ?? []).Body).toBe('x'.repeat(1_599));
  });
});

describe('an order that is refused', () => {
  test.each([
    [400, 21211, 'to_invalid'],
    [400, 21215, 'country_not_allowed'],
    [400, 21608, 'to_not_verified_on_trial'],
    [401, 20003, 'sign_in_refused'],
    [400, 30034, 'sender_not_registered'],
    [400, 29999, 'code_29999'],
  ])('with %d and %d says why in a word, once', async (status, code, why) => {
    const { origin, asked } = await api(refusal(status, code));
    const { orders, counted, logged } = control(origin);
    expect(await orders.call(PERSON)).toEqual({ outcome: 'refused', why });
    expect(asked).toHaveLength(1);
    expect(counted).toEqual(['call refused']);
    expect(logged).toEqual([{ order: 'call', why, status, code, failure: null, tries: 1 }]);
    expect(JSON.stringify(logged)).not.toContain('15005550009');
  });

  test('for the number of requests was not carried out, and is repeated', async () => {
    const { origin, asked } = await api(refusal(429, 20429), placed);
    const { orders, waitsMs } = control(origin);
    expect(await orders.call(PERSON)).toEqual({ outcome: 'placed', carrierCallId: PERSON_SID });
    expect(asked).toHaveLength(2);
    expect(waitsMs).toEqual([250]);
  });

  test('for the number of requests each time is given up', async () => {
    const { origin, asked } = await api(json(429, { code: 20429 }, { 'retry-after': '2' }));
    const { orders, waitsMs } = control(origin);
    expect(await orders.message(TEXT)).toEqual({ outcome: 'refused', why: 'too_many_requests' });
    expect(asked).toHaveLength(3);
    expect(waitsMs).toEqual([2_000, 2_000]);
  });

  test('by a redirect sends neither the token nor the number elsewhere', async () => {
    const elsewhere = await api(placed);
    const { origin } = await api((response) => response.writeHead(307, { location: elsewhere.origin }).end());
    expect(await control(origin).orders.call(PERSON)).toEqual({ outcome: 'refused', why: 'http_307' });
    expect(elsewhere.asked).toEqual([]);
  });

  test('since nobody is there was not carried out', async () => {
    const { origin, close } = await api();
    await close();
    const { orders, logged } = control(origin);
    expect(await orders.message(TEXT)).toEqual({ outcome: 'refused', why: 'unreachable' });
    expect(logged).toMatchObject([{ failure: 'ECONNREFUSED', tries: 1 }]);
  });
});

describe('an order that may have been carried out is never repeated', () => {
  const broken = (response: ServerResponse): void => void response.destroy();
  test.each<[string, (response: ServerResponse) => void, string]>([
    ['a server error', refusal(500, 20500), 'server_error'],
    ['a gateway that waited in vain', json(504, {}), 'server_error'],
    ['a connection that breaks', broken, 'connection_lost'],
    ['words that are no JSON', (response) => void response.writeHead(201).end('<html>ok'), 'unreadable_answer'],
    ['nothing', (response) => void response.writeHead(201).end(), 'unreadable_answer'],
    ['null', json(201, null), 'unreadable_answer'],
    ['no id', json(201, { status: 'queued' }), 'unreadable_answer'],
    ['an id that is none', json(201, { sid: '../Calls' }), 'unreadable_answer'],
    ['more than it should', json(201, { sid: PERSON_SID, x: 'x'.repeat(100_000) }), 'unreadable_answer'],
    [
      'half an answer',
      (response) => {
        response.writeHead(201, { 'content-length': '1000' });
        response.write('{"sid":"', () => response.destroy());
      },
      'unreadable_answer',
    ],
  ])('after %s', async (_what, answer, why) => {
    const { origin, asked } = await api(answer);
    const { orders, counted, logged } = control(origin);
    expect(await orders.call(PERSON)).toEqual({ outcome: 'unknown', why });
    expect(asked).toHaveLength(1);
    expect(counted).toEqual(['call unknown']);
    expect(logged).toMatchObject([{ order: 'call', why, tries: 1 }]);
  });

  test('after three seconds of silence', async () => {
    const { origin, asked } = await api(() => {});
    expect(await control(origin, true).orders.message(TEXT)).toEqual({ outcome: 'unknown', why: 'timeout' });
    expect(asked).toHaveLength(1);
  });

  test('after an answer whose body never ends', async () => {
    const { origin, asked } = await api((response) => void response.writeHead(201).write('{'));
    expect(await control(origin, true).orders.call(PERSON)).toEqual({ outcome: 'unknown', why: 'unreadable_answer' });
    expect(asked).toHaveLength(1);
  });
});

test('whatever comes back, the reason is a word that names nobody', () => {
  const answer = fc.record({
    status: fc.oneof(fc.constant(0), fc.integer({ min: 200, max: 599 })),
    code: fc.option(fc.integer()),
    failure: fc.option(fc.constantFrom('timeout', 'network', 'ECONNRESET', 'ENOTFOUND', '+15005550009')),
    sid: fc.constant(null),
    tries: fc.constant(1),
  });
  fc.assert(
    fc.property(answer, (given) => {
      const { outcome, why } = explainRefusal(given);
      expect(why).toMatch(/^[a-z_]+(-?\d+)?$/);
      if (given.status >= 500 || (given.status >= 200 && given.status < 300)) expect(outcome).toBe('unknown');
    }),
  );
});
