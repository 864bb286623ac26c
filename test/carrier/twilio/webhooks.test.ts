import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, test } from 'vitest';
import { ownPhoneProof } from '../../../src/carrier/twilio/signature.ts';
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  CALL_SID,
  type Edge,
  PERSON_SID,
  PUBLIC_URL,
  sign,
  STREAM_SID,
  startEdge,
  TOKEN,
  voiceForm,
} from './edge.ts';

const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '', parseTagValue: false });

/** The status and the TwiML; every answer must be XML of the right type that nobody may cache. */
async function twimlOf(response: Response) {
  expect(response.headers.get('content-type')).toBe('text/xml; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store');
  const body = await response.text();
  expect(XMLValidator.validate(body)).toBe(true);
  return { status: response.status, twiml: parser.parse(body).Response };
}
const REFUSED = { Hangup: '' };

describe('POST /voice', () => {
  test('lets a call in with a stream under its token', async () => {
    const { post, intake, counted } = await startEdge();
    intake.admission = { outcome: 'accepted', callId: 'call-1', token: 'a.b-c_d', facts: { callId: 'call-1' } };
    expect(await twimlOf(await post('/voice', voiceForm()))).toEqual({
      status: 200,
      twiml: {
        Connect: {
          action: `${PUBLIC_URL}/voice/next`,
          method: 'POST',
          Stream: {
            url: 'wss://voice.example.com/media/a.b-c_d',
            statusCallback: `${PUBLIC_URL}/voice/status`,
            statusCallbackMethod: 'POST',
            Parameter: { name: 'callId', value: 'call-1' },
          },
        },
        Hangup: '',
      },
    });
    expect(intake.admitted).toMatchObject([{ carrierCallId: CALL_SID, from: { value: '+15005550006' } }]);
    expect(counted).toEqual(['webhook /voice 200']);
  });

  test('gives the same answer to the same call', async () => {
    const { post } = await startEdge();
    const answers = await Promise.all([post('/voice', voiceForm()), post('/voice', voiceForm())]);
    const [first, second] = await Promise.all(answers.map((answer) => answer.text()));
    expect(first).toBe(second);
  });

  test('refuses a replay', async () => {
    const { post, intake, counted } = await startEdge();
    intake.admission = { outcome: 'replayed' };
    expect(await twimlOf(await post('/voice', voiceForm()))).toEqual({ status: 403, twiml: REFUSED });
    expect(counted).toContain('refused webhook replayed');
  });

  test('answers a call that is not let in as the intake says', async () => {
    const { post, intake } = await startEdge();
    intake.admission = { outcome: 'refused', reason: 'full', answer: { do: 'reject_busy' } };
    expect(await twimlOf(await post('/voice', voiceForm()))).toEqual({
      status: 200,
      twiml: { Reject: { reason: 'busy' } },
    });
    intake.admission = { outcome: 'refused', reason: 'no_agent', answer: { do: 'say_and_hang_up', text: 'A & B' } };
    expect((await twimlOf(await post('/voice', voiceForm()))).twiml).toEqual({ Say: 'A & B', Hangup: '' });
  });

  test('checks the query as it was received', async () => {
    const { post } = await startEdge();
    expect((await post('/voice?b=%41&a=1', voiceForm())).status).toBe(200);
  });

  test('takes a repeated parameter, and any that Twilio may add', async () => {
    const { post, origin } = await startEdge();
    expect((await post('/voice', voiceForm({ Brand_New: 'ü & 💬\n', '': 'x' }))).status).toBe(200);
    const form = voiceForm();
    const body = `${new URLSearchParams(form).toString()}&Twice=b&Twice=a`;
    const signature = sign('/voice', { ...form, Twice: ['b', 'a'] as unknown as string });
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature };
    expect((await fetch(`http://${origin}/voice`, { method: 'POST', body, headers })).status).toBe(200);
  });

  test('lets Twilio try again when the intake fails', async () => {
    const { post, intake, logged } = await startEdge();
    intake.admit = async () => Promise.reject(new Error('disk full'));
    expect(await twimlOf(await post('/voice', voiceForm()))).toEqual({ status: 500, twiml: REFUSED });
    expect(logged).toHaveLength(1);
  });
});

describe('a webhook', () => {
  const routes = ['/voice', '/voice/next', '/voice/status'];

  test.each(routes)('%s is refused unsigned and wrongly signed, before anything is asked', async (route) => {
    const { post, intake, counted, logged } = await startEdge();
    const form = voiceForm();
    const wrong = { 'x-twilio-signature': sign('/other', form) };
    expect(await twimlOf(await post(route, form, {}))).toEqual({ status: 403, twiml: REFUSED });
    expect(await twimlOf(await post(route, form, wrong))).toEqual({ status: 403, twiml: REFUSED });
    expect([intake.admitted, intake.asked, intake.statuses]).toEqual([[], [], []]);
    expect(counted.filter((entry) => entry.startsWith('refused'))).toEqual([
      'refused webhook signature_missing',
      'refused webhook signature_wrong',
    ]);
    expect(logged).toHaveLength(2);
    expect(logged.join()).not.toMatch(/15005550006|CA0|voice.example/);
    expect(logged.join()).not.toContain(wrong['x-twilio-signature']);
  });

  test.each(routes)('%s is refused for another account', async (route) => {
    const { post } = await startEdge();
    const form = voiceForm({ AccountSid: `AC${'f'.repeat(32)}` });
    expect(await twimlOf(await post(route, form))).toEqual({ status: 403, twiml: REFUSED });
  });

  test.each(routes)('%s is refused to a caller of Twilio’s who claims to call from our own page', async (route) => {
    const { post, counted, intake } = await startEdge();
    // Parameters of Twilio's Voice SDK come as they were given, and signed.
    for (const claim of ['browser', '1', ownPhoneProof(AUTH_TOKEN, PERSON_SID), 'é'.repeat(64)]) {
      const answer = await twimlOf(await post(route, voiceForm({ TrunklinePhone: claim })));
      expect(answer).toEqual({ status: 403, twiml: REFUSED });
    }
    expect(counted.filter((word) => word === 'refused webhook own_phone')).toHaveLength(4);
    expect(intake.admitted).toEqual([]);
  });

  test('our own page is believed by its proof', async () => {
    const { post, intake } = await startEdge();
    const form = voiceForm({ TrunklinePhone: ownPhoneProof(AUTH_TOKEN, CALL_SID) });
    expect((await twimlOf(await post('/voice', form))).status).toBe(200);
    expect(intake.admitted).toMatchObject([{ carrier: 'browser', carrierCallId: CALL_SID }]);
  });

  test.each(routes)('%s is refused without a CallSid', async (route) => {
    const { post, counted } = await startEdge();
    const { CallSid: _, ...form } = voiceForm();
    expect(await twimlOf(await post(route, form))).toEqual({ status: 400, twiml: REFUSED });
    expect(counted).toContain('refused webhook bad_webhook');
  });

  test.each(routes)('%s takes only forms', async (route) => {
    const { origin, counted } = await startEdge();
    for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x', 'x']) {
      const headers = { 'content-type': type, 'x-twilio-signature': sign(route) };
      const response = await fetch(`http://${origin}${route}`, { method: 'POST', body: '{}', headers });
      expect(await twimlOf(response)).toEqual({ status: 415, twiml: REFUSED });
    }
    expect(counted).toContain('refused webhook content_type');
  });

  test('of 5 MB is refused without being read', async () => {
    const edge = await startEdge();
    const { status, body } = await postBytes(edge, `a=${'x'.repeat(5_000_000)}`, true);
    expect([status, XMLValidator.validate(body)]).toEqual([413, true]);
    expect(edge.counted).toContain('refused webhook too_large');
  });

  test('of 5 MB that does not say its length is refused too', async () => {
    const edge = await startEdge();
    expect((await postBytes(edge, `a=${'x'.repeat(5_000_000)}`, false)).status).toBe(413);
  });

  test('with thousands of fields is refused before they are hashed', async () => {
    const { origin, counted } = await startEdge();
    for (const body of ['a=&'.repeat(20_000), Array.from({ length: 501 }, (_, i) => `k${i}=`).join('&')]) {
      const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': sign('/voice') };
      expect((await fetch(`http://${origin}/voice`, { method: 'POST', body, headers })).status).toBe(400);
    }
    expect(counted).toContain('refused webhook too_many_fields');
  });

  test.each(['%', '%E0%A4%A', '__proto__=1', 'constructor=1&toString=2', '&&&', '=', 'a', '\u0000'])(
    'with the body %j is refused in peace',
    async (body) => {
      const { origin } = await startEdge();
      const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': sign('/voice') };
      const { status } = await fetch(`http://${origin}/voice`, { method: 'POST', body, headers });
      expect([400, 403]).toContain(status);
    },
  );

  test('by GET is not there', async () => {
    const { origin } = await startEdge();
    expect((await fetch(`http://${origin}/voice`)).status).toBe(404);
  });
});

describe('POST /voice/next', () => {
  test.each([
    [{ do: 'hang_up' }, { Hangup: '' }],
    [{ do: 'reject_busy' }, { Hangup: '' }],
    [
      { do: 'say_and_hang_up', text: 'Bye' },
      { Say: 'Bye', Hangup: '' },
    ],
    [
      { do: 'forward', to: '+15005550009' },
      {
        Dial: {
          ...{ action: `${PUBLIC_URL}/voice/next`, method: 'POST', answerOnBridge: 'true', timeout: '30' },
          Number: '+15005550009',
        },
        Hangup: '',
      },
    ],
  ] as const)('turns %j into TwiML', async (step, twiml) => {
    const { post, intake } = await startEdge();
    intake.following = step;
    expect(await twimlOf(await post('/voice/next', voiceForm()))).toEqual({ status: 200, twiml });
    expect(intake.asked).toEqual([CALL_SID]);
  });

  test('brings a lost call back by a new media URL', async () => {
    const { post, intake } = await startEdge();
    intake.following = { do: 'reconnect', token: 'second-token', facts: { callId: 'call-1' } };
    const { Connect } = (await twimlOf(await post('/voice/next', voiceForm()))).twiml;
    expect(Connect).toMatchObject({
      action: `${PUBLIC_URL}/voice/next`,
      Stream: { url: 'wss://voice.example.com/media/second-token', Parameter: { name: 'callId', value: 'call-1' } },
    });
  });

  test.each([
    ['completed', 'answered'],
    ['answered', 'answered'],
    ['busy', 'busy'],
    ['no-answer', 'no_answer'],
    ['failed', 'failed'],
    ['canceled', 'canceled'],
    ['rejected by the moon', 'failed'],
  ])('after a Dial that ended as %s says so, and does what follows', async (DialCallStatus, outcome) => {
    const { post, intake } = await startEdge();
    intake.afterDial = { do: 'reconnect', token: 'back', facts: {} };
    const form = voiceForm({
      DialCallStatus,
      DialCallSid: PERSON_SID,
      DialCallDuration: '12',
      CallStatus: 'in-progress',
    });
    const { twiml } = await twimlOf(await post('/voice/next', form));
    expect(twiml.Connect.Stream.url).toBe('wss://voice.example.com/media/back');
    expect(intake.dials).toEqual([{ carrierCallId: CALL_SID, outcome }]);
    expect([intake.asked, intake.persons]).toEqual([[], []]);
  });

  test('after a Dial in which the caller hung up keeps what became of it, and ends the call', async () => {
    const { post, intake } = await startEdge();
    intake.afterDial = { do: 'reconnect', token: 'back', facts: {} };
    const form = voiceForm({ DialCallStatus: 'no-answer', CallStatus: 'completed' });
    expect((await twimlOf(await post('/voice/next', form))).twiml).toEqual({ Hangup: '' });
    expect(intake.dials).toEqual([{ carrierCallId: CALL_SID, outcome: 'no_answer' }]);
    expect(intake.over).toEqual([CALL_SID]);
  });

  test('keeps where a message lies, and then ends the call instead of taking another', async () => {
    const { post, intake, logged } = await startEdge();
    intake.following = { do: 'voicemail', say: 'Please leave a message.', maxSeconds: 60 };
    expect((await twimlOf(await post('/voice/next', voiceForm()))).twiml).toMatchObject({ Say: {}, Record: {} });
    const url = `https://api.twilio.com/2010-04-01/Accounts/${ACCOUNT_SID}/Recordings/RE${'0'.repeat(32)}`;
    const recorded = { RecordingUrl: url, RecordingSid: `RE${'0'.repeat(32)}`, RecordingDuration: '12' };
    const hungUp = voiceForm({ ...recorded, Digits: 'hangup', CallStatus: 'completed' });
    expect(await twimlOf(await post('/voice/next', hungUp))).toEqual({ status: 200, twiml: { Hangup: '' } });
    expect(intake.messages).toEqual([{ carrierCallId: CALL_SID, message: { url, seconds: 12 } }]);
    expect(intake.asked).toEqual([CALL_SID]);
    expect(logged).toEqual([]);
  });

  test.each(['', 'javascript:alert(1)', 'no url', `https://x/${'y'.repeat(600)}`])(
    'ends the call all the same when the recording is at %j',
    async (url) => {
      const { post, intake } = await startEdge();
      intake.following = { do: 'voicemail', say: 'x', maxSeconds: 60 };
      const form = voiceForm({ RecordingUrl: url, RecordingSid: `RE${'0'.repeat(32)}` });
      expect((await twimlOf(await post('/voice/next', form))).twiml).toEqual({ Hangup: '' });
      expect(intake.messages).toEqual([]);
    },
  );
});

describe('POST /voice/next of a person whom we called', () => {
  const PATH = `/voice/next?for=${CALL_SID}`;
  const personForm = (extra: Record<string, string> = {}) =>
    voiceForm({ CallSid: PERSON_SID, Direction: 'outbound-api', CallStatus: 'in-progress', ...extra });

  test('asks them, and then does what their key says', async () => {
    const { post, intake, logged } = await startEdge();
    intake.toPerson = { do: 'ask_to_take', say: 'A caller about an invoice.' };
    const { Gather } = (await twimlOf(await post(PATH, personForm({ AnsweredBy: 'unknown' })))).twiml;
    expect(Gather).toHaveLength(2);
    // The key comes back in the caller's name too.
    expect(Gather[0].action).toBe(`${PUBLIC_URL}${PATH}`);
    intake.toPerson = { do: 'join', room: 'room-1' };
    const { Dial } = (await twimlOf(await post(PATH, personForm({ Digits: '1' })))).twiml;
    expect(Dial.Conference['#text']).toBe('room-1');
    expect(intake.persons).toEqual([
      { carrierCallId: PERSON_SID, key: null },
      { carrierCallId: PERSON_SID, key: '1' },
    ]);
    expect([intake.asked, intake.dials, intake.admitted, logged]).toEqual([[], [], [], []]);
  });

  test('ends a call that is not ours', async () => {
    const { post, intake } = await startEdge();
    expect(await twimlOf(await post(PATH, personForm()))).toEqual({ status: 200, twiml: { Hangup: '' } });
    expect(intake.persons).toHaveLength(1);
  });

  test.each([{ CallStatus: 'completed', Digits: '1' }, { DialCallStatus: 'answered' }])(
    'asks nothing about one who has gone (%j)',
    async (extra) => {
      const { post, intake } = await startEdge();
      intake.toPerson = { do: 'join', room: 'room-1' };
      expect((await twimlOf(await post(PATH, personForm(extra)))).twiml).toEqual({ Hangup: '' });
      expect([intake.persons, intake.dials, intake.asked]).toEqual([[], [], []]);
    },
  );

  test('is refused unsigned, and signed for another caller or for none', async () => {
    const { post, intake, logged } = await startEdge();
    intake.toPerson = { do: 'join', room: 'room-1' };
    const form = personForm({ Digits: '1' });
    const other = `/voice/next?for=CA${'f'.repeat(32)}`;
    for (const signed of [null, sign('/voice/next', form), sign(other, form), sign(PATH, personForm())]) {
      const headers: Record<string, string> = signed === null ? {} : { 'x-twilio-signature': signed };
      expect(await twimlOf(await post(PATH, form, headers))).toEqual({ status: 403, twiml: REFUSED });
    }
    expect(intake.persons).toEqual([]);
    expect(logged.join()).not.toMatch(/"1"|Digits|CA0/);
  });

  test.each([
    ...['', 'x', PERSON_SID, `${CALL_SID}%0A`, `${CALL_SID}&for=${CALL_SID}`, '%00', 'x'.repeat(8_000)],
    ...['../../voice', '%3Cx%3E', '%E0%A4%A'],
  ])('is refused for the caller %j, though signed', async (given) => {
    const { post, intake, logged } = await startEdge();
    for (const route of ['/voice/next', '/voice/status']) {
      const { status } = await twimlOf(await post(`${route}?for=${given}`, personForm({ Digits: '1' })));
      expect(status).toBe(400);
    }
    expect([intake.persons, intake.asked, intake.statuses]).toEqual([[], [], []]);
    // Why, and no more.
    expect(logged.join()).not.toContain(PERSON_SID);
  });

  test('with digits of 1 MB is refused without being read', async () => {
    const edge = await startEdge();
    expect((await postBytes(edge, `Digits=${'1'.repeat(1_000_000)}`, true)).status).toBe(413);
    const { post, intake } = edge;
    intake.toPerson = { do: 'hang_up' };
    await post(PATH, personForm({ Digits: '1'.repeat(50_000) }));
    expect(intake.persons).toEqual([{ carrierCallId: PERSON_SID, key: null }]);
  });

  test('says the same again when it is replayed: what it does is decided by the call', async () => {
    const { post, intake } = await startEdge();
    intake.toPerson = { do: 'join', room: 'room-1' };
    const [first, second] = await Promise.all([
      post(PATH, personForm({ Digits: '1' })),
      post(PATH, personForm({ Digits: '1' })),
    ]);
    expect(await first.text()).toBe(await second.text());
    expect(intake.persons).toHaveLength(2);
  });

  test('a caller’s own question is none of a person’s, wherever the call came from', async () => {
    const { post, intake } = await startEdge();
    await post('/voice/next', voiceForm({ Direction: 'outbound-api', Digits: '1' }));
    expect([intake.asked, intake.persons]).toEqual([[CALL_SID], []]);
  });
});

describe('POST /voice/status of a person’s leg', () => {
  test('says whose it is, whether a Dial or we placed it, before and after that call’s end', async () => {
    const { post, intake } = await startEdge();
    const dialled = { CallSid: PERSON_SID, ParentCallSid: CALL_SID, Direction: 'outbound-dial' };
    await post('/voice/status', voiceForm({ ...dialled, CallStatus: 'in-progress', SequenceNumber: '2' }));
    await post('/voice/status', voiceForm({ CallStatus: 'completed' }));
    await post('/voice/status', voiceForm({ ...dialled, CallStatus: 'completed', SequenceNumber: '3' }));
    const placed = voiceForm({ CallSid: PERSON_SID, Direction: 'outbound-api', CallStatus: 'busy' });
    expect((await post(`/voice/status?for=${CALL_SID}`, placed)).status).toBe(204);
    expect(intake.statuses).toMatchObject([
      { carrierCallId: PERSON_SID, parentCallId: CALL_SID, answered: true, final: false },
      { carrierCallId: CALL_SID, final: true },
      { carrierCallId: PERSON_SID, parentCallId: CALL_SID, final: true },
      { carrierCallId: PERSON_SID, parentCallId: CALL_SID, final: true, status: 'busy' },
    ]);
    expect(intake.statuses[1]).not.toHaveProperty('parentCallId');
  });
});

describe('POST /voice/status', () => {
  test('keeps the status and answers nothing', async () => {
    const { post, intake } = await startEdge();
    const form = voiceForm({ CallStatus: 'completed', CallDuration: '61', SequenceNumber: '3' });
    const response = await post('/voice/status', form);
    expect([response.status, await response.text()]).toEqual([204, '']);
    expect(intake.statuses).toEqual([
      { carrierCallId: CALL_SID, status: 'completed', final: true, durationSeconds: 61, sequence: 3 },
    ]);
  });
});

describe('POST /voice/status of a stream', () => {
  const streamForm = (extra: Record<string, string>) => ({
    AccountSid: ACCOUNT_SID,
    CallSid: CALL_SID,
    StreamSid: STREAM_SID,
    StreamName: STREAM_SID,
    Timestamp: '2026-11-20T00:09:39.602648368Z',
    ...extra,
  });

  test.each([
    [{ StreamEvent: 'stream-started' }, { event: 'started', error: null }],
    [{ StreamEvent: 'stream-stopped' }, { event: 'stopped', error: null }],
    [
      { StreamEvent: 'stream-error', StreamError: 'Stream - Broken pipe (31903) +15005550006' },
      { event: 'failed', error: '31903' },
    ],
    [
      { StreamEvent: 'stream-error', StreamError: '' },
      { event: 'failed', error: 'unknown' },
    ],
  ])('reads %j', async (form, read) => {
    const { post, intake } = await startEdge();
    expect((await post('/voice/status', streamForm(form))).status).toBe(204);
    expect(intake.streamStatuses).toEqual([{ carrierCallId: CALL_SID, streamId: STREAM_SID, ...read }]);
    expect(intake.statuses).toEqual([]);
  });

  test('is taken in peace where the event is one that we do not know', async () => {
    const { post, intake } = await startEdge();
    for (const StreamEvent of ['stream-rested', 'constructor', ''])
      expect((await post('/voice/status', streamForm({ StreamEvent }))).status).toBe(204);
    expect([intake.streamStatuses, intake.statuses]).toEqual([[], []]);
  });

  test('is refused without a usable stream', async () => {
    const { post, counted } = await startEdge();
    const form = streamForm({ StreamSid: 'MZ1', StreamEvent: 'stream-started' });
    expect((await post('/voice/status', form)).status).toBe(400);
    expect(counted).toContain('refused webhook bad_webhook');
  });
});

test('leaves other routes their parsers, errors and content types', async () => {
  const { app } = await startEdge({}, (root) => root.post('/json', async ({ body }) => body));
  const response = await app.inject({ method: 'POST', url: '/json', payload: { a: 1 } });
  expect(response.json()).toEqual({ a: 1 });
  expect((await app.inject({ method: 'GET', url: '/healthz' })).headers['cache-control']).toBeUndefined();
});

test('media under another prefix is announced there', async () => {
  const { post } = await startEdge({ mediaPathPrefix: '/streams' });
  const { twiml } = await twimlOf(await post('/voice', voiceForm()));
  expect(twiml.Connect.Stream.url).toBe(`wss://voice.example.com/streams/${TOKEN}`);
});

test('an http origin announces ws, for a phone on the same machine', async () => {
  const { post } = await startEdge({ publicUrl: 'http://127.0.0.1:3000' });
  const { twiml } = await twimlOf(await post('/voice', voiceForm()));
  expect(twiml.Connect.Stream.url).toBe(`ws://127.0.0.1:3000/media/${TOKEN}`);
});

/** Reads the answer even though the server stops reading. */
async function postBytes({ origin }: Edge, body: string, withLength: boolean) {
  const sending = request(`http://${origin}/voice`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-twilio-signature': sign('/voice'),
      ...(withLength ? { 'content-length': body.length } : { 'transfer-encoding': 'chunked' }),
    },
  });
  sending.on('error', () => {});
  sending.end(body);
  const [response] = await once(sending, 'response');
  return { status: response.statusCode, body: await text(response) };
}
