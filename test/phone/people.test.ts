// Calls to people through the double of the REST API: who answers, what is told of it, which keys are pressed, and the room
// where a caller and a person meet. Everything over loopback: the phone, the double and a stand-in server.
import { connect } from 'node:net';
import twilio from 'twilio';
import { afterEach, describe, expect, test } from 'vitest';
import { realClock } from '../../src/clock.ts';
import { newSid } from '../../src/phone/call-params.ts';
import type { PersonScript } from '../../src/phone/person-script.ts';
import { type PhoneCall, placeCall } from '../../src/phone/phone.ts';
import { PhoneLog } from '../../src/phone/phone-log.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import { startTwilioApi, type TwilioApi, type TwilioApiOptions } from '../../src/phone/twilio-api.ts';
import {
  connectTo,
  type FormPost,
  type ServerSide,
  type StandIn,
  type StandInOptions,
  standIn,
} from './stand-in-server.ts';

const TOKEN = 'b1946ac92492d2347c6235b4d2611184';
const ACCOUNT = newSid('AC');
const PUBLIC = 'https://voice.example.com';
const PERSON = '+15005550009';
const OURS = '+15005550001';
/** People ring, listen and talk so many times faster than spoken. */
const PACE = 20;

let server: StandIn;
let api: TwilioApi;
const phones: PhoneCall[] = [];
const streams: ServerSide[] = [];

afterEach(async () => {
  for (const phone of phones) phone.hangUp();
  await Promise.all(phones.splice(0).map(({ ended }) => ended));
  streams.length = 0;
  await api.close();
  await server.close();
});

async function start(
  twiml: StandInOptions['twiml'] = {},
  script: PersonScript | ((to: string) => PersonScript) = {},
  options: Partial<TwilioApiOptions> = {},
): Promise<void> {
  server = await standIn({ twiml: { ...DOCUMENTS, ...twiml }, onStream: (stream) => void streams.push(stream) });
  const people = typeof script === 'function' ? script : () => script;
  const where = { server: { url: server.url, publicUrl: PUBLIC } };
  api = await startTwilioApi({ accountSid: ACCOUNT, authToken: TOKEN, people, pace: PACE, ...where, ...options });
}

function call(options: Partial<PhoneOptions> = {}): PhoneCall {
  const phone = placeCall({
    ...{ server: server.url, publicUrl: PUBLIC, authToken: TOKEN, accountSid: ACCOUNT, maxMs: 10_000, verbPace: PACE },
    ...options,
  });
  phones.push(phone);
  api.register(phone);
  return phone;
}

function client() {
  class ToDouble extends twilio.RequestClient {
    override request<T>(request: Parameters<twilio.RequestClient['request']>[0]) {
      const url = new URL(request.uri);
      return super.request<T>({ ...request, uri: api.origin + url.pathname + url.search } as never);
    }
  }
  return twilio(ACCOUNT, TOKEN, { httpClient: new ToDouble({ timeout: 2_000 }) });
}

/** `streaming` may be awaited late: of the first stream it is over at once. */
const secondStream = (phone: PhoneCall) =>
  phone.once('streaming', { where: ({ streamSid }) => streamSid !== streams[0]?.streamSid });

const response = (verbs: string) => `<Response>${verbs}</Response>`;
const ROOM = (attributes = '') => `<Conference beep="false" ${attributes}>room-1</Conference>`;
const DOCUMENTS: StandInOptions['twiml'] = {
  '/voice': connectTo('wss://voice.example.com/media/tok', { action: '/next' }),
  '/next': response('<Hangup/>'),
  '/person': response(
    '<Gather numDigits="1" action="/key" timeout="3"><Say>A caller for you. Press 1 to take it.</Say></Gather><Hangup/>',
  ),
  '/key': ({ params }) =>
    response(params['Digits'] === '1' ? `<Dial>${ROOM('endConferenceOnExit="true"')}</Dial>` : '<Hangup/>'),
  '/wait': response(`<Dial action="/back">${ROOM()}</Dial>`),
  '/back': connectTo('wss://voice.example.com/media/tok-2'),
};
const EVENTS = ['initiated', 'ringing', 'answered', 'completed'];
const ask = (more: object = {}) =>
  client().calls.create({
    ...{ to: PERSON, from: OURS, url: `${PUBLIC}/person`, statusCallback: `${PUBLIC}/person-status` },
    ...{ statusCallbackEvent: EVENTS, timeout: 20, ...more },
  });
const told = () => server.posts.filter(({ path }) => path === '/person-status').map(({ params }) => params);
const valid = (post: FormPost): boolean =>
  twilio.validateRequest(TOKEN, String(post.headers['x-twilio-signature'] ?? ''), PUBLIC + post.path, post.params);

describe('a call to a person', () => {
  test('is queued, rings, is answered and over, and its callbacks say so in order', async () => {
    await start({}, { presses: '2' });
    const made = await ask();
    expect(made).toMatchObject({ status: 'queued', direction: 'outbound-api', to: PERSON, from: OURS });
    const person = await api.person();
    expect(person.callSid).toBe(made.sid);
    const result = await person.ended;
    expect(told().map((params) => [params['CallStatus'], params['SequenceNumber'], params['CallSid']])).toEqual([
      ['initiated', '0', made.sid],
      ['ringing', '1', made.sid],
      ['in-progress', '2', made.sid],
      ['completed', '3', made.sid],
    ]);
    expect(told().at(-1)).toMatchObject({ Direction: 'outbound-api', CallDuration: expect.stringMatching(/^\d+$/) });
    expect(server.posts.every(valid)).toBe(true);
    expect(result).toMatchObject({ callStatus: 'completed', endedBy: 'server', talkedMs: 0, warnings: [] });
    expect(result.keys.map(({ digit }) => digit)).toEqual(['2']);
    expect(await client().calls(made.sid).fetch()).toMatchObject({ status: 'completed', direction: 'outbound-api' });
  });

  test.each([
    ['busy', {}, 'busy', '486'],
    ['failed', {}, 'failed', '404'],
    ['no_answer', {}, 'no-answer', '487'],
    ['yes', { ringMs: 60_000 }, 'no-answer', '487'],
  ] as const)('%s %j ends as %s', async (answers, more, status, code) => {
    await start({}, { answers, ...more });
    await ask({ timeout: 2 });
    const result = await (await api.person()).ended;
    expect(result).toMatchObject({ callStatus: status, endedBy: 'nobody', answeredAtMs: undefined, verbs: [] });
    expect(told().at(-1)).toMatchObject({ CallStatus: status, SipResponseCode: code, CallDuration: '0' });
    expect(told().filter((params) => params['CallStatus'] === 'in-progress')).toEqual([]);
    expect(server.posts.filter(({ path }) => path === '/person')).toEqual([]);
    expect(result.ringMs).toBeLessThan(2_000 / PACE + 200);
  });

  test('tells only its end unless asked for more, and nothing without a callback', async () => {
    await start({}, { answers: 'busy' });
    await ask({ statusCallbackEvent: undefined });
    await (await api.person()).ended;
    expect(told().map((params) => params['CallStatus'])).toEqual(['busy']);
    await ask({ statusCallback: undefined });
    await (await api.person(1)).ended;
    expect(told()).toHaveLength(1);
  });

  test('presses nothing by itself: a mailbox listens to the end', async () => {
    await start();
    await ask();
    const result = await (await api.person()).ended;
    expect(result).toMatchObject({ keys: [], endedBy: 'server', callStatus: 'completed' });
    expect(result.verbs.map(({ name }) => name)).toEqual(['Gather', 'Hangup']);
  });

  test('hangs up in the middle of what it is told', async () => {
    await start({}, { hangsUp: 'during_whisper' });
    await ask();
    const result = await (await api.person()).ended;
    expect(result).toMatchObject({ endedBy: 'person', callStatus: 'completed', keys: [] });
    expect(told().at(-1)).toMatchObject({ CallStatus: 'completed' });
  });

  test('may press the wrong key, and another when asked again', async () => {
    const asked: string[] = [];
    const key = ({ params }: FormPost) => {
      asked.push(params['Digits'] ?? '');
      return response(asked.length === 1 ? '<Redirect>/person</Redirect>' : '<Hangup/>');
    };
    await start({ '/key': key }, { presses: '71' });
    await ask();
    await (await api.person()).ended;
    expect(asked).toEqual(['7', '1']);
  });

  test.each(['canceled', 'completed'] as const)('that rings is called off by %s', async (status) => {
    await start({}, { answers: 'no_answer' });
    const { sid } = await ask({ timeout: 600 });
    await (await api.person()).once('http', { where: ({ path }) => path === '/person-status' });
    await client().calls(sid).update({ status });
    expect(await (await api.person()).ended).toMatchObject({ callStatus: 'canceled', endedBy: 'server' });
    expect(told().at(-1)).toMatchObject({ CallStatus: 'canceled' });
  });

  test('takes a document that comes along', async () => {
    await start();
    await ask({ url: undefined, twiml: response('<Say>Hello</Say>') });
    expect((await (await api.person()).ended).announced).toMatchObject([{ about: 'Hello' }]);
  });

  test('is over when the document cannot be had', async () => {
    await start({}, {});
    await ask({ url: `${PUBLIC}/nowhere` });
    const result = await (await api.person()).ended;
    expect(result).toMatchObject({ callStatus: 'completed', warnings: [{ code: 11200 }] });
  });
});

describe('a caller and a person', () => {
  /** The caller waits in the room; the person was asked. */
  async function meet(script: PersonScript, options: Partial<PhoneOptions> = {}) {
    await start({}, script);
    const phone = call(options);
    const log = new PhoneLog(phone);
    await phone.once('streaming');
    await client()
      .calls(phone.callSid)
      .update({ url: `${PUBLIC}/wait` });
    await phone.once('waiting');
    await ask();
    return { phone, log, person: await api.person() };
  }

  test('meet when the key is pressed; when the person leaves, the caller is back in a stream', async () => {
    const { phone, log, person } = await meet({ presses: '1', talkMs: 6_000 });
    const met = await phone.once('together');
    expect(met).toMatchObject({ room: 'room-1', party: PERSON, callSid: person.callSid });
    expect(api.conferences.find('room-1')).toMatchObject({ status: 'in-progress' });
    await secondStream(phone);
    await streams[1]?.received('media', 3);
    // The second stream is a stream like the first: marks return, sound is heard.
    streams[1]?.media(Buffer.alloc(800, 0x20));
    streams[1]?.mark('m');
    await streams[1]?.received('mark');
    phone.hangUp();
    const result = await phone.ended;
    const left = await person.ended;
    expect(result.verbs.map(({ name }) => name)).toEqual(['Connect', 'Dial', 'Connect']);
    expect(result.warnings).toEqual([]);
    expect(result.streams).toHaveLength(2);
    const [stay] = result.stays;
    expect(stay).toMatchObject({ room: 'room-1', endedBy: 'conference_ended', with: [{ party: PERSON }] });
    const [together] = stay?.with ?? [];
    expect((together?.toMs ?? 0) - (together?.fromMs ?? 0)).toBeGreaterThanOrEqual(6_000 / PACE - 5);
    expect(together?.fromMs).toBeGreaterThan(stay?.fromMs ?? Number.NaN);
    expect(result.heard).toMatchObject([{ durationMs: 100 }]);
    expect(result.heard[0]?.atMs).toBeGreaterThan(stay?.toMs ?? Number.NaN);
    expect(left).toMatchObject({ endedBy: 'person', stays: [{ endedBy: 'left', with: [{ party: '+15005550006' }] }] });
    expect(left.talkedMs).toBeGreaterThanOrEqual(6_000 / PACE - 5);
    expect(server.posts.find(({ path }) => path === '/back')?.params).toMatchObject({
      DialCallStatus: 'answered',
      CallSid: phone.callSid,
      CallStatus: 'in-progress',
    });
    expect(api.conferences.all).toMatchObject([
      { status: 'completed', reason: 'participant-with-end-conference-on-exit-left', endedBy: person.callSid },
    ]);
    const events = log
      .text()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string });
    expect(events.map(({ event }) => event).filter((event) => /waiting|together|left|start|close/.test(event))).toEqual(
      ['start', 'close', 'waiting', 'together', 'left', 'start', 'close'],
    );
    // Both sides are as long as the call, and every stretch of it has a sound or silence.
    expect(phone.callerAudio()).toHaveLength(phone.agentAudio().length);
    const gone = server.posts.filter(({ path }) => path.endsWith('status'));
    expect(gone.every(valid)).toBe(true);
  });

  test('never meet when the person refuses; the caller is taken back by REST', async () => {
    const { phone, person } = await meet({ presses: '2' });
    await person.ended;
    await client()
      .calls(phone.callSid)
      .update({ url: `${PUBLIC}/back` });
    await secondStream(phone);
    phone.hangUp();
    const result = await phone.ended;
    expect(result.stays).toMatchObject([{ endedBy: 'redirected', with: [] }]);
    expect(server.posts.filter(({ path }) => path === '/back')).toHaveLength(1);
    expect(api.conferences.all).toMatchObject([{ status: 'completed', reason: 'last-participant-left', members: [] }]);
  });

  test('the caller who hangs up leaves the person alone, who stays until the end of the talk', async () => {
    const { phone, person } = await meet({ presses: '1', talkMs: 4_000 });
    await phone.once('together');
    phone.hangUp();
    expect(await phone.ended).toMatchObject({ endedBy: 'caller', stays: [{ endedBy: 'left' }] });
    expect(await person.ended).toMatchObject({ endedBy: 'person', stays: [{ with: [{ party: '+15005550006' }] }] });
  });

  test('a person who hangs up right after the key is not met', async () => {
    const key = async () => {
      await (await person).ended;
      return response('');
    };
    await start({ '/key': key }, { presses: '1', hangsUp: 'after_key' });
    const person = api.person();
    const phone = call();
    await phone.once('streaming');
    phone.update({ url: '/wait' });
    await phone.once('waiting');
    await ask();
    expect(await (await person).ended).toMatchObject({ endedBy: 'person', stays: [] });
    phone.hangUp();
    expect((await phone.ended).stays).toMatchObject([{ with: [] }]);
  });

  test('a participant may be told, muted, and taken out; the Dial then asks its action', async () => {
    const { phone, person } = await meet({ presses: '1', talkMs: Number.POSITIVE_INFINITY });
    await phone.once('together');
    const rest = client();
    const [room] = await rest.conferences.list({ friendlyName: 'room-1', status: 'in-progress' });
    expect(room?.sid).toMatch(/^CF/);
    const participants = rest.conferences(room?.sid ?? '').participants;
    expect((await participants.list()).map(({ callSid }) => callSid)).toEqual([phone.callSid, person.callSid]);
    expect(
      await rest
        .conferences(room?.sid ?? '')
        .participants(phone.callSid)
        .update({ muted: true }),
    ).toMatchObject({ muted: true });
    await rest
      .conferences(room?.sid ?? '')
      .participants(phone.callSid)
      .remove();
    await secondStream(phone);
    phone.hangUp();
    expect((await phone.ended).stays).toMatchObject([{ endedBy: 'removed' }]);
    expect(person.callStatus).toBe('in-progress');
    await rest.conferences(room?.sid ?? '').update({ status: 'completed' });
    expect(await person.ended).toMatchObject({ stays: [{ endedBy: 'conference_ended' }] });
  });

  test('people may be called right into a room', async () => {
    await start({}, { talkMs: 3_000 });
    const phone = call();
    await phone.once('streaming');
    phone.update({ url: '/wait' });
    await phone.once('waiting');
    const joined = await client()
      .conferences('room-1')
      .participants.create({ to: PERSON, from: OURS, endConferenceOnExit: true });
    expect(joined).toMatchObject({ status: 'queued', endConferenceOnExit: true });
    expect((await phone.once('together')).callSid).toBe(joined.callSid);
    await secondStream(phone);
  });

  test('a caller whose track goes on hangs up in the room', async () => {
    const steps = [
      { cue: { after: 'previous', waitMs: 60 }, action: { say: Buffer.alloc(4_000, 0x30) } },
      { cue: { after: 'previous', waitMs: 400 }, action: { hangUp: true } },
    ] as const;
    await start({ '/voice': response(`<Dial>${ROOM()}</Dial>`) }, { talkMs: Number.POSITIVE_INFINITY });
    const phone = call({ verbPace: 1, track: { steps } });
    const result = await phone.ended;
    expect(result).toMatchObject({ endedBy: 'caller', stays: [{ endedBy: 'left', with: [] }] });
    expect(result.said).toHaveLength(1);
    expect(Buffer.from(phone.callerAudio()).filter((byte) => byte === 0x30)).toHaveLength(4_000);
  });
});

test('nothing of a call, a person or a room outlives them', async () => {
  let armed = 0;
  const clock = {
    ...realClock,
    at(atMs: number, fire: () => void) {
      armed++;
      let live = true;
      const over = () => {
        if (live) armed--;
        live = false;
      };
      const cancel = realClock.at(atMs, () => {
        over();
        fire();
      });
      return () => {
        over();
        cancel();
      };
    },
  };
  await start({}, { presses: '1', talkMs: 2_000 }, { clock });
  const phone = call({ clock, keepAudio: false });
  await phone.once('streaming');
  phone.update({ url: '/wait' });
  await phone.once('waiting');
  await ask();
  await phone.once('together');
  await (await api.person()).ended;
  phone.hangUp();
  await phone.ended;
  expect(armed).toBe(0);
});

describe('a room', () => {
  const inRoom = (attributes = '') => ({
    '/voice': response(`<Dial action="/after">${ROOM(attributes)}</Dial>`),
    '/after': response('<Hangup/>'),
  });

  test('two callers share a room of their account, and hear who comes', async () => {
    await start({ '/voice': response('<Dial><Conference>room-1</Conference></Dial>') });
    const [first, second] = [call({ from: '+15005550006' }), call({ from: '+15005550007' })];
    await Promise.all([first.once('together'), second.once('together')]);
    second.hangUp();
    await second.ended;
    first.hangUp();
    const result = await first.ended;
    expect(result.stays).toMatchObject([{ with: [{ party: '+15005550007' }] }]);
    expect(result.announced.map(({ about }) => about)).toContain('beep');
  });

  test('does not begin without somebody who may begin it', async () => {
    await start(inRoom('startConferenceOnEnter="false"'));
    const phones = [call(), call({ from: '+15005550007' })];
    await Promise.all(phones.map((phone) => phone.once('waiting')));
    expect(api.conferences.all).toMatchObject([{ status: 'init' }]);
    expect(api.conferences.all[0]?.members).toHaveLength(2);
    for (const phone of phones) phone.hangUp();
    for (const phone of phones) expect((await phone.ended).stays).toMatchObject([{ with: [] }]);
  });

  test.each([
    ['has no name', '<Conference/>', 12200],
    ['is given a word it does not know', '<Conference endConferenceOnExit="yes">r</Conference>', 12200],
  ])('that %s is a fault', async (_, noun, code) => {
    await start({ '/voice': response(`<Dial>${noun}</Dial>`) });
    const phone = call();
    expect(await phone.once('warning')).toMatchObject({ code });
    phone.hangUp();
    await phone.ended;
  });

  test('that is full lets nobody in', async () => {
    await start({
      '/voice': response('<Dial action="/after"><Conference maxParticipants="1">r</Conference></Dial>'),
      '/after': response('<Hangup/>'),
    });
    const first = call();
    await first.once('waiting');
    const second = await call({ from: '+15005550007' }).ended;
    expect(second).toMatchObject({ stays: [], warnings: [{ code: 12200 }] });
    expect(server.posts.find(({ path }) => path === '/after')?.params['DialCallStatus']).toBe('failed');
  });

  test('tells its own callback who came and went', async () => {
    await start(inRoom('statusCallback="/room-status" statusCallbackEvent="start end join leave"'));
    const first = call();
    await first.once('waiting');
    const second = call({ from: '+15005550007' });
    await first.once('together');
    second.hangUp();
    await second.ended;
    first.hangUp();
    await first.ended;
    const seen = server.posts.filter(({ path }) => path === '/room-status').map(({ params }) => params);
    expect(
      seen
        .toSorted((a, b) => Number(a['SequenceNumber']) - Number(b['SequenceNumber']))
        .map((one) => one['StatusCallbackEvent']),
    ).toEqual([
      'participant-join',
      'participant-join',
      'conference-start',
      'participant-leave',
      'participant-leave',
      'conference-end',
    ]);
  });

  test('plays the music of the server while the caller waits', async () => {
    await start({ ...inRoom('waitUrl="/music"'), '/music': response('<Say>Please hold the line.</Say>') });
    const phone = call();
    await phone.once('announced', { where: ({ verb }) => verb === 'Say' });
    await phone.once('announced', { where: ({ verb }) => verb === 'Say' });
    phone.hangUp();
    expect((await phone.ended).announced.filter(({ verb }) => verb === 'Say').length).toBeGreaterThanOrEqual(2);
  });
});

describe('the API', () => {
  const post = async (path: string, form: Record<string, string>) => {
    const answer = await fetch(`${api.origin}/2010-04-01/Accounts/${ACCOUNT}/${path}`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}` },
      body: new URLSearchParams(form),
    });
    return {
      status: answer.status,
      body: (await answer.json()) as { code?: number; message?: string; status?: unknown },
    };
  };
  const CALL = { To: PERSON, From: OURS, Url: `${PUBLIC}/person` };
  const TEXT = { To: PERSON, From: OURS, Body: 'Hello' };

  test.each([
    ['Calls.json', { From: OURS, Url: 'https://x.example' }, 21201],
    ['Calls.json', { To: PERSON, Url: 'https://x.example' }, 21213],
    ['Calls.json', { To: PERSON, From: OURS }, 21205],
    ['Calls.json', { ...CALL, To: '5005550009' }, 21211],
    ['Calls.json', { ...CALL, From: 'me' }, 21212],
    ['Calls.json', { ...CALL, Url: 'ftp://x.example' }, 21205],
    ['Calls.json', { ...CALL, Url: 'no address' }, 21205],
    ['Calls.json', { ...CALL, Method: 'PUT' }, 20001],
    ['Calls.json', { ...CALL, Timeout: 'long' }, 20001],
    ['Calls.json', { ...CALL, Timeout: '601' }, 20001],
    ['Calls.json', { ...CALL, Timeout: '2.5' }, 20001],
    ['Calls.json', { ...CALL, StatusCallbackEvent: 'hung-up' }, 21626],
    ['Calls.json', { ...CALL, Record: 'yes' }, 20001],
    ['Calls.json', { ...CALL, Byoc: 'BY12' }, 20001],
    ['Calls.json', { ...CALL, MachineDetection: 'On' }, 20001],
    ['Calls.json', { To: PERSON, From: OURS, Twiml: 'x'.repeat(4_001) }, 21618],
    ['Messages.json', { From: OURS, Body: 'Hello' }, 21604],
    ['Messages.json', { To: PERSON, Body: 'Hello' }, 21603],
    ['Messages.json', { To: PERSON, From: OURS }, 21602],
    ['Messages.json', { ...TEXT, Body: 'x'.repeat(1_601) }, 21617],
    ['Messages.json', { ...TEXT, To: '+' }, 21211],
    ['Messages.json', { ...TEXT, MessagingServiceSid: 'MG1' }, 20001],
    ['Messages.json', { ...TEXT, ScheduleType: 'soon' }, 20001],
  ] as [string, Record<string, string>, number][])('refuses %s with %j as %d', async (path, form, code) => {
    await start();
    const { status, body } = await post(path, form);
    expect(body).toMatchObject({ code, status: 400, message: expect.any(String), more_info: expect.any(String) });
    expect(status).toBe(400);
    expect(api.people).toEqual([]);
    expect(api.messages).toEqual([]);
  });

  test('refuses a form that is too long, and lives on when a request breaks off', async () => {
    await start();
    expect(await post('Messages.json', { ...TEXT, Body: 'x'.repeat(70_000) })).toMatchObject({ status: 413 });
    const socket = connect(Number(new URL(api.origin).port), '127.0.0.1');
    socket.write('POST /2010-04-01/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nTo=');
    await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    expect((await post('Messages.json', TEXT)).status).toBe(201);
    expect(api.messages).toHaveLength(1);
  });

  test('takes no notice of fields that nobody knows, and tells the tester of them', async () => {
    await start();
    expect((await post('Messages.json', { ...TEXT, Text: 'misspelled' })).status).toBe(201);
    expect(api.requests[0]?.unknown).toEqual(['Text']);
  });

  test('keeps what was sent, and counts its segments as a network does', async () => {
    await start();
    const body = 'Your appointment is on Monday.';
    const sent = await client().messages.create({ to: PERSON, from: OURS, body });
    expect(sent).toMatchObject({ status: 'queued', direction: 'outbound-api', numSegments: '1', price: null });
    expect(await api.message()).toMatchObject({ sid: sent.sid, to: PERSON, from: OURS, body });
    expect(await client().messages(sent.sid).fetch()).toMatchObject({ body });
    const segments = async (text: string) =>
      (await client().messages.create({ to: PERSON, from: OURS, body: text })).numSegments;
    expect(await segments('a'.repeat(161))).toBe('2');
    expect(await segments('\u{1f44d}'.repeat(36))).toBe('2');
    expect(await client().messages.list({ to: PERSON })).toHaveLength(3);
  });

  test('knows its own numbers, and refuses whatever the tester wants refused', async () => {
    const refuse: TwilioApiOptions['refuse'] = ({ params }) =>
      params['To'] === '+15005550004' ? { status: 400, code: 21610, message: 'unsubscribed' } : undefined;
    await start({}, {}, { numbers: [OURS], refuse });
    expect((await post('Calls.json', { ...CALL, From: '+15005550002' })).body.code).toBe(21210);
    expect((await post('Messages.json', { ...TEXT, From: '+15005550002' })).body.code).toBe(21606);
    expect((await post('Messages.json', { ...TEXT, To: '+15005550004' })).body.code).toBe(21610);
    expect((await post('Messages.json', TEXT)).status).toBe(201);
  });

  test.each([
    ['tooMany', 429, 20429],
    ['serverError', 500, 20500],
  ] as const)('fails new endpoints, too: %s does nothing', async (fault, status, code) => {
    await start({}, {}, { faults: { [fault]: 1 } });
    expect(await post('Messages.json', TEXT)).toMatchObject({ status, body: { code } });
    expect(await post('Calls.json', CALL)).toMatchObject({ status, body: { code } });
    expect([api.messages, api.people]).toEqual([[], []]);
    api.faults = {};
    expect((await post('Messages.json', TEXT)).status).toBe(201);
  });

  test('an answer that is lost, or too late for whoever asked, was a call all the same', async () => {
    await start({}, { answers: 'busy' }, { faults: { lost: 1, for: /^POST .*Calls\.json/ } });
    await expect(post('Calls.json', CALL)).rejects.toThrow('fetch failed');
    expect((await api.person()).identity.to).toBe(PERSON);
    expect((await post('Messages.json', TEXT)).status).toBe(201);
    api.faults = { slow: 1, slowMs: 200 };
    const late = fetch(`${api.origin}/2010-04-01/Accounts/${ACCOUNT}/Calls.json`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}` },
      body: new URLSearchParams(CALL),
      signal: AbortSignal.timeout(50),
    });
    await expect(late).rejects.toThrow(/abort/i);
    expect(await api.person(1)).toBeDefined();
  });

  test('ends with calls that still ring', async () => {
    await start({}, { answers: 'no_answer' }, { pace: 1 });
    await ask();
    const person = await api.person();
    await api.close();
    expect(await person.ended).toMatchObject({ callStatus: 'canceled' });
    api = await startTwilioApi({ accountSid: ACCOUNT, authToken: TOKEN });
  });

  test('says so when nobody is called', async () => {
    await start();
    await expect(api.person(0, 20)).rejects.toThrow('no call to a person within 20 ms');
  });
});
