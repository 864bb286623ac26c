// The double of the REST API under the official client; every answer is held against the official description.
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import twilio from 'twilio';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type PhoneCall, placeCall } from '../../src/phone/phone.ts';
import { newSid } from '../../src/phone/call-params.ts';
import { type ApiFaults, startTwilioApi, type TwilioApi } from '../../src/phone/twilio-api.ts';
import { connectTo, type StandIn, standIn } from './stand-in-server.ts';

const TOKEN = 'b1946ac92492d2347c6235b4d2611184';
const ACCOUNT = newSid('AC');
const PUBLIC = 'https://voice.example.com';

interface Description {
  paths: Record<
    string,
    Record<string, { responses: Record<string, { content?: { 'application/json': { schema: object } } }> }>
  >;
  components: { schemas: Record<string, object> };
}
const description = JSON.parse(
  readFileSync(new URL('../fixtures/twilio/twilio-voice-subset.openapi.json', import.meta.url), 'utf8'),
) as Description;

/** OpenAPI 3.0 says `nullable` beside a `$ref`-free type; JSON Schema wants the type `null` too. */
function toJsonSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(toJsonSchema);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { nullable, ...rest } = schema as Record<string, unknown>;
  const plain = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, toJsonSchema(value)]));
  return nullable === true && typeof plain['type'] === 'string' ? { ...plain, type: [plain['type'], 'null'] } : plain;
}

const RFC2822 =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d \+0000$/;
const ajv = new Ajv({
  strict: false,
  formats: { 'date-time-rfc-2822': RFC2822, uri: true, currency: /^[A-Z]{3}$/, 'uri-map': true },
});
ajv.addSchema({ ...(toJsonSchema({ components: description.components }) as object), $id: 'twilio' });

/** Faults of an answer against the description of its operation. */
function faultsOf(method: string, path: string, status: number, body: unknown): string[] {
  const template = Object.keys(description.paths).find((known) =>
    new RegExp(`^${known.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[A-Za-z0-9]+')}$`).test(path),
  );
  const operation = template === undefined ? undefined : description.paths[template]?.[method.toLowerCase()];
  const responses = operation?.responses;
  const described = responses?.[`${status}`];
  if (described && !described.content) return body ? [`${method} ${path} ${status} has no body`] : [];
  const schema = (responses?.[`${status}`] ?? responses?.['default'])?.content?.['application/json'].schema;
  if (!schema) return [`${method} ${path} ${status} is not described`];
  const local = JSON.parse(
    JSON.stringify(toJsonSchema(schema)).replaceAll('"#/components', '"twilio#/components'),
  ) as object;
  const validate = ajv.compile(local);
  return validate(body) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

let api: TwilioApi;
let server: StandIn;
let phone: PhoneCall;
const answersSeen: string[] = [];

/** The official client, with every request going to the double and every answer being checked. */
function client(secret = TOKEN, options: { user?: string; timeout?: number; autoRetry?: boolean } = {}) {
  const { user = ACCOUNT, timeout = 5_000, autoRetry = false } = options;
  class ToDouble extends twilio.RequestClient {
    override async request<T>(request: Parameters<twilio.RequestClient['request']>[0]) {
      const url = new URL(request.uri);
      const there = { ...request, uri: api.origin + url.pathname + url.search, timeout };
      const reply = await super.request<T>(there as never);
      answersSeen.push(...faultsOf(request.method, url.pathname, reply.statusCode, reply.body));
      return reply;
    }
  }
  return twilio(user, secret, { accountSid: ACCOUNT, httpClient: new ToDouble({ autoRetry, maxRetryDelay: 20 }) });
}

beforeEach(async () => {
  answersSeen.length = 0;
  await start();
});
afterEach(async () => {
  phone.hangUp();
  await phone.ended;
  await api.close();
  await server.close();
  expect(answersSeen, 'answers against the official description').toEqual([]);
});

async function start(faults?: ApiFaults): Promise<void> {
  const twiml = {
    '/voice': connectTo(`wss://voice.example.com/media/tok`, { action: '/next' }),
    '/next': '<Response><Hangup/></Response>',
    '/transfer': '<Response><Dial><Number>+15005550009</Number></Dial></Response>',
  };
  server = await standIn({ twiml });
  api = await startTwilioApi({ accountSid: ACCOUNT, authToken: TOKEN, priceAfterMs: 0, ...(faults ? { faults } : {}) });
  phone = placeCall({ server: server.url, publicUrl: PUBLIC, authToken: TOKEN, accountSid: ACCOUNT, maxMs: 10_000 });
  api.register(phone);
}

/** Starts anew with a faulty API. */
async function startFaulty(faults: ApiFaults): Promise<void> {
  phone.hangUp();
  await phone.ended;
  await api.close();
  await server.close();
  await start(faults);
}

test('the description refuses what the API would never answer', () => {
  const path = `/2010-04-01/Accounts/${ACCOUNT}/Calls/${newSid('CA')}.json`;
  expect(faultsOf('GET', path, 200, { status: 'ringing' })).toEqual([]);
  expect(faultsOf('GET', path, 200, { status: 'answered' })).not.toEqual([]);
  expect(faultsOf('GET', path, 200, { start_time: '2026-11-21T06:00:00Z' })).not.toEqual([]);
  expect(faultsOf('GET', path, 404, { code: '20404' })).not.toEqual([]);
  expect(faultsOf('PUT', path, 200, {})).not.toEqual([]);
});

const refusal = (code: number, status: number) => expect.objectContaining({ code, status });

describe('a call', () => {
  test('can be fetched and listed, before and after its end', async () => {
    await phone.once('streaming');
    const live = await client().calls(phone.callSid).fetch();
    expect(live).toMatchObject({ sid: phone.callSid, status: 'in-progress', direction: 'inbound', price: null });
    expect(live.fromFormatted).toBe('(500) 555-0006');
    expect(live.startTime).toBeInstanceOf(Date);
    const listed = await client().calls.list({ status: 'in-progress', to: '+15005550001' });
    expect(listed.map(({ sid }) => sid)).toEqual([phone.callSid]);
    expect(await client().calls.list({ to: '+15005550002' })).toEqual([]);
    phone.hangUp();
    await phone.ended;
    expect(await client().calls(phone.callSid).fetch()).toMatchObject({
      status: 'completed',
      duration: '1',
      price: '-0.00850',
    });
  });

  test('is hung up by Status=completed: the stream gets stop, the server ended it', async () => {
    const stream = await server.stream;
    await phone.once('streaming');
    await client().calls(phone.callSid).update({ status: 'completed' });
    const result = await phone.ended;
    expect(result).toMatchObject({ endedBy: 'server', callStatus: 'completed' });
    expect(stream.of('stop')).toHaveLength(1);
    // Neither the action of Connect nor the verb after it is followed.
    expect(result.verbs.map(({ name }) => name)).toEqual(['Connect']);
  });

  test('goes on with new TwiML, given or fetched', async () => {
    const stream = await server.stream;
    await phone.once('streaming');
    const updated = await client()
      .calls(phone.callSid)
      .update({ url: `${PUBLIC}/transfer?who=9`, method: 'GET' });
    expect(updated.sid).toBe(phone.callSid);
    const result = await phone.ended;
    expect(stream.of('stop')).toHaveLength(1);
    expect(result.verbs.map(({ name, about }) => [name, about])).toEqual([
      ['Connect', 'Stream'],
      ['Dial', '+15005550009'],
    ]);
    expect(server.posts[1]).toMatchObject({ method: 'GET', path: expect.stringMatching(/^\/transfer\?who=9&/) });
  });

  test('takes a document in the middle of any verb', async () => {
    await phone.once('streaming');
    await client().calls(phone.callSid).update({ twiml: '<Response><Say>Goodbye</Say></Response>' });
    const result = await phone.ended;
    expect(result.verbs.at(-1)).toMatchObject({ name: 'Say', about: 'Goodbye' });
    expect(result.endedBy).toBe('server');
  });

  test('that was answered is left alone by Status=canceled', async () => {
    await phone.once('streaming');
    expect(await client().calls(phone.callSid).update({ status: 'canceled' })).toMatchObject({ status: 'in-progress' });
    phone.hangUp();
    expect(await phone.ended).toMatchObject({ endedBy: 'caller' });
  });
});

describe('refusals', () => {
  test.each([
    ['another secret', () => client('wrong')],
    ['an unknown user', () => client(TOKEN, { user: newSid('AC') })],
  ])('%s: 20003', async (_, who) => {
    await expect(who().calls(phone.callSid).fetch()).rejects.toEqual(refusal(20003, 401));
  });

  test('an API key signs in as well', async () => {
    await api.close();
    const key = `SK${newSid('AC').slice(2)}`;
    api = await startTwilioApi({ accountSid: ACCOUNT, authToken: TOKEN, apiKeys: { [key]: 'secret' } });
    api.register(phone);
    expect(await client('secret', { user: key }).calls(phone.callSid).fetch()).toMatchObject({ sid: phone.callSid });
  });

  test('an unknown call: 20404', async () => {
    await expect(client().calls(newSid('CA')).fetch()).rejects.toEqual(refusal(20404, 404));
  });

  test('a call that is over: 21220', async () => {
    phone.hangUp();
    await phone.ended;
    const call = client().calls(phone.callSid);
    await expect(call.update({ twiml: '<Response/>' })).rejects.toEqual(refusal(21220, 400));
    await expect(call.update({ status: 'completed' })).rejects.toEqual(refusal(21220, 400));
  });

  test('what cannot be: no URL, both ways at once, too long a document', async () => {
    await phone.once('streaming');
    const call = client().calls(phone.callSid);
    await expect(call.update({ url: 'nonsense' })).rejects.toEqual(refusal(21205, 400));
    await expect(call.update({ url: PUBLIC, twiml: '<Response/>' })).rejects.toEqual(refusal(20001, 400));
    const long = `<Response>${'<Pause/>'.repeat(500)}</Response>`;
    await expect(call.update({ twiml: long })).rejects.toEqual(refusal(20001, 400));
    await expect(call.update({ method: 'PUT', url: PUBLIC })).rejects.toEqual(refusal(20001, 400));
    expect(phone.verbs.map(({ name }) => name)).toEqual(['Connect']);
    expect(api.requests.map(({ code }) => code)).toEqual([21205, 20001, 20001, 20001]);
  });

  test('calls of another account are not taken in', () => {
    const other = { identity: { ...phone.identity, accountSid: newSid('AC') } } as PhoneCall;
    expect(() => api.register(other)).toThrow('not to this account');
  });
});

describe('faults', () => {
  test('429 is retried by the client that may, and nothing happens twice', async () => {
    await startFaulty({ tooMany: 0.5, seed: 7 });
    await phone.once('streaming');
    const call = client(TOKEN, { autoRetry: true }).calls(phone.callSid);
    await call.update({ status: 'completed' });
    expect(api.requests.map(({ status, code }) => [status, code])).toEqual([
      [429, 20429],
      [429, 20429],
      [200, undefined],
    ]);
    expect(await phone.ended).toMatchObject({ endedBy: 'server' });
  });

  test('an error of the server changes nothing', async () => {
    await startFaulty({ serverError: 1 });
    await phone.once('streaming');
    await expect(client().calls(phone.callSid).update({ status: 'completed' })).rejects.toEqual(refusal(20500, 500));
    expect(phone.callStatus).toBe('in-progress');
  });

  test('a slow answer comes, a hanging one never does', async () => {
    await startFaulty({ slow: 1, slowMs: 60 });
    const from = performance.now();
    await client().calls(phone.callSid).fetch();
    expect(performance.now() - from).toBeGreaterThanOrEqual(59);
    await startFaulty({ hang: 1 });
    await expect(client(TOKEN, { timeout: 80 }).calls(phone.callSid).fetch()).rejects.toThrow(/timeout/i);
    expect(api.requests).toMatchObject([{ status: 0 }]);
  });

  test('come in the same order for the same seed', async () => {
    const row = async () => {
      await startFaulty({ tooMany: 0.3, serverError: 0.3, seed: 11 });
      const statuses: number[] = [];
      for (let i = 0; i < 8; i++)
        await client()
          .calls(phone.callSid)
          .fetch()
          .then(() => statuses.push(200))
          .catch(({ status }: { status: number }) => statuses.push(status));
      return statuses;
    };
    const first = await row();
    expect(await row()).toEqual(first);
    expect(new Set(first)).toEqual(new Set([200, 429, 500]));
  });
});

describe('people, rooms and messages', () => {
  test('every answer has the shape of the description', async () => {
    await phone.once('streaming');
    const rest = client();
    const text = await rest.messages.create({ to: '+15005550009', from: '+15005550001', body: 'Hello' });
    await rest.messages(text.sid).fetch();
    await rest.messages.list();
    phone.update({ twiml: '<Response><Dial><Conference>lobby</Conference></Dial></Response>' });
    await phone.once('waiting');
    const twiml = '<Response><Dial><Conference>lobby</Conference></Dial></Response>';
    const made = await rest.calls.create({ to: '+15005550009', from: '+15005550001', twiml, timeout: 5 });
    expect(made.status).toBe('queued');
    await phone.once('together');
    expect((await rest.calls(made.sid).fetch()).status).toBe('in-progress');
    const [room] = await rest.conferences.list({ friendlyName: 'lobby' });
    const lobby = rest.conferences(room?.sid ?? '');
    expect(await lobby.fetch()).toMatchObject({ status: 'in-progress', friendlyName: 'lobby' });
    expect(await lobby.participants.list()).toHaveLength(2);
    expect(await lobby.participants(made.sid).fetch()).toMatchObject({ status: 'connected', muted: false });
    await lobby.participants(made.sid).update({ hold: true });
    const joined = await lobby.participants.create({ to: '+15005550008', from: '+15005550001' });
    expect(joined).toMatchObject({ status: 'queued', conferenceSid: room?.sid });
    await lobby.participants(made.sid).remove();
    await lobby.update({ status: 'completed' });
    expect(await lobby.fetch()).toMatchObject({ reasonConferenceEnded: 'conference-ended-via-api' });
    await expect(lobby.participants(made.sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
    await expect(rest.conferences('CF00000000000000000000000000000000').fetch()).rejects.toMatchObject({ code: 20404 });
  });

  test('the copy that the double judges by is the official one', () => {
    const copy = readFileSync(new URL('../../src/phone/twilio-voice-subset.openapi.json', import.meta.url), 'utf8');
    expect(JSON.parse(copy)).toEqual(description);
    const notice = readFileSync(new URL('../../src/phone/twilio-voice-subset.NOTICE.md', import.meta.url), 'utf8');
    expect(notice).toContain('MIT License');
  });
});
