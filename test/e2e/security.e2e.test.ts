// Bad input at the carrier's edge, row by row: what nobody may do, what a broken carrier does, and that other calls do not
// notice. Every refusal is one count and one line in the log.
import { describe, expect, test, vi } from 'vitest';
import { type Clock, realClock } from '../../src/clock.ts';
import { newSid } from '../../src/phone/call-params.ts';
import type { PhoneCall } from '../../src/phone/phone.ts';
import type { Script } from '../../src/simulator/script.ts';
import {
  type ByHand,
  type E2e,
  mediaUrl,
  post,
  question,
  startE2e,
  tokensOf,
  upgrade,
  webhookParams,
  withE2e,
} from '../support/e2e.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 20 });

const script: Script = {
  greeting: { items: [{ say: ['short_ok'] }] },
  turns: [{ items: [{ say: ['short_ok'] }, { tool: 'end_call', arguments: {} }] }],
};
const simulator = { script };
const HANG_UP = '<Hangup/>';

const refusals = (e2e: E2e, kind: string, reason: string) =>
  e2e.metric('trunkline_carrier_refused_total', { kind, reason });

/** Exactly this refusal was counted once and told in one warning; nothing was opened. */
async function expectRefused(e2e: E2e, kind: string, reason: string): Promise<void> {
  expect(await refusals(e2e, kind, reason), reason).toBe(1);
  expect(await e2e.metric('trunkline_carrier_refused_total')).toBe(1);
  const told = e2e.warnings().filter(({ msg }) => String(msg).endsWith('refused'));
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({ msg: `${kind === 'media' ? 'media socket' : 'webhook'} refused`, reason });
}

/** A webhook by hand whose call was let in. */
async function admit(e2e: E2e): Promise<{ params: Record<string, string>; url: string; twiml: string }> {
  const params = webhookParams();
  const answer = await post(e2e, '/voice', params);
  expect(answer.status).toBe(200);
  const url = mediaUrl(answer.body);
  e2e.secrets.add(url.split('/').at(-1) as string);
  return { params, url, twiml: answer.body };
}

/** The carrier says that the call is over. */
const hangUp = (e2e: E2e, params: Record<string, string>) =>
  post(e2e, '/voice/status', { ...params, CallStatus: 'completed', CallDuration: '1', SequenceNumber: '0' });

describe.concurrent('a webhook', () => {
  test.for([
    { what: 'without a signature', by: { token: null }, reason: 'signature_missing' },
    { what: 'signed with another token', by: { token: 'f'.repeat(32) }, reason: 'signature_wrong' },
    { what: 'with something else for a signature', by: { signature: 'no signature' }, reason: 'signature_wrong' },
    { what: 'with the signature of another body', by: { body: 'CallSid=CAx' }, reason: 'signature_wrong' },
  ] satisfies { what: string; by: ByHand; reason: string }[])(
    '$what gets 403 on every route',
    async ({ by, reason }) => {
      for (const path of ['/voice', '/voice/next', '/voice/status'])
        await withE2e({ simulator }, async (e2e) => {
          const answer = await post(e2e, path, webhookParams(), by);
          expect(answer).toMatchObject({ status: 403, type: expect.stringContaining('text/xml') });
          expect(answer.body).toContain(HANG_UP);
          await expectRefused(e2e, 'webhook', reason);
          expect(e2e.admitted).toEqual([]);
          expect(e2e.simulator.sessions).toEqual([]);
        });
    },
  );

  test.for([
    { what: 'as JSON', status: 415, reason: 'content_type', by: { contentType: 'application/json', body: '{}' } },
    { what: 'as XML', status: 415, reason: 'content_type', by: { contentType: 'text/xml', body: '<a/>' } },
    { what: 'of 5 MB', status: 413, reason: 'too_large', by: { body: `CallSid=${'a'.repeat(5 * 1024 * 1024)}` } },
    { what: 'with 10,000 fields', status: 400, reason: 'too_many_fields', by: { body: 'a=1&'.repeat(10_000) } },
  ] satisfies { what: string; status: number; reason: string; by: ByHand }[])(
    '$what gets $status and a document that ends the call',
    ({ status, reason, by }) =>
      withE2e({ simulator }, async (e2e) => {
        const answer = await post(e2e, '/voice', webhookParams(), by);
        expect(answer).toMatchObject({ status, type: expect.stringContaining('text/xml') });
        expect(answer.body).toContain(HANG_UP);
        await expectRefused(e2e, 'webhook', reason);
        expect(e2e.admitted).toEqual([]);
      }),
  );

  test.for(['', 'CA123', `CA${'g'.repeat(32)}`])('with the CallSid "%s" gets 400', (callSid) =>
    withE2e({ simulator }, async (e2e) => {
      const answer = await post(e2e, '/voice', { ...webhookParams(), CallSid: callSid });
      expect(answer).toMatchObject({ status: 400, type: expect.stringContaining('text/xml') });
      expect(answer.body).toContain(HANG_UP);
      await expectRefused(e2e, 'webhook', 'bad_webhook');
      expect(e2e.admitted).toEqual([]);
    }),
  );

  test('of another account gets 403', () =>
    withE2e({ simulator, config: { twilioAccountSid: newSid('AC') } }, async (e2e) => {
      expect((await post(e2e, '/voice', webhookParams())).status).toBe(403);
      await expectRefused(e2e, 'webhook', 'account');
    }));

  test('sent again before its token is used gets the same answer and no second session', () =>
    withE2e({ simulator }, async (e2e) => {
      const params = webhookParams();
      const answers = await Promise.all([1, 2, 3].map(() => post(e2e, '/voice', params)));
      answers.push(await post(e2e, '/voice', params));
      expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size).toBe(1);
      e2e.secrets.add(
        mediaUrl(answers[0]?.body ?? '')
          .split('/')
          .at(-1) as string,
      );
      expect(e2e.admitted).toHaveLength(1);
      expect(e2e.simulator.sessions.length).toBeLessThanOrEqual(1);
      await hangUp(e2e, params);
    }));

  test('sent again after its token was used is refused and opens nothing, during the call and after it', () =>
    withE2e({ simulator }, async (e2e) => {
      const params = webhookParams();
      const phone = e2e.call({ callSid: params.CallSid as string });
      await phone.once('streaming');
      expect((await post(e2e, '/voice', params)).status).toBe(403);
      await expectRefused(e2e, 'webhook', 'replayed');
      phone.hangUp();
      await phone.ended;
      await e2e.record(phone.callSid);
      expect((await post(e2e, '/voice', params)).status).toBe(403);
      expect(e2e.admitted).toHaveLength(1);
      expect(e2e.simulator.sessions).toHaveLength(1);
      expect(await refusals(e2e, 'webhook', 'replayed')).toBe(2);
    }));

  test('that the carrier sends twice is one call', { timeout: 20_000 }, () =>
    withE2e({ simulator }, async (e2e) => {
      const phone = e2e.call({ retryWebhook: true, track: goodbye });
      await phone.ended;
      expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
      expect(e2e.simulator.sessions).toHaveLength(1);
    }),
  );
});

describe.concurrent('a media socket', () => {
  test.for([
    { what: 'without a signature', by: { token: null }, reason: 'signature_missing' },
    { what: 'signed with another token', by: { token: 'f'.repeat(32) }, reason: 'signature_wrong' },
  ] satisfies { what: string; by: ByHand; reason: string }[])(
    '$what is refused before the 101 and leaves the token as it was',
    ({ by, reason }) =>
      withE2e({ simulator }, async (e2e) => {
        const { params, url } = await admit(e2e);
        expect((await upgrade(e2e, url, by)).status).toBe(403);
        await expectRefused(e2e, 'media', reason);
        const good = await upgrade(e2e, url);
        expect(good.status).toBe(101);
        good.socket?.terminate();
        await hangUp(e2e, params);
      }),
  );

  test('with a token nobody gave out is refused', () =>
    withE2e({ simulator }, async (e2e) => {
      const { params, url } = await admit(e2e);
      const unknown = url.replace(/\.[^./]+$/, `.${'A'.repeat(32)}`);
      expect(unknown).not.toBe(url);
      expect((await upgrade(e2e, unknown)).status).toBe(403);
      await expectRefused(e2e, 'media', 'token_unknown');
      await hangUp(e2e, params);
    }));

  test('with the token of another process is refused by name', async () => {
    const other = await startE2e({ simulator });
    try {
      await withE2e({ simulator }, async (e2e) => {
        const theirs = await admit(other);
        const url = theirs.url.replace(
          other.server.origin.replace('http', 'ws'),
          e2e.server.origin.replace('http', 'ws'),
        );
        expect((await upgrade(e2e, url)).status).toBe(403);
        await expectRefused(e2e, 'media', 'token_foreign');
        await hangUp(other, theirs.params);
      });
      await other.close();
    } finally {
      await other.abandon();
    }
  });

  test('with a token that is too old is refused', async () => {
    let skippedMs = 0;
    // A server whose clock jumps before any timer fires: only then does a token live longer than the wait for media.
    const clock: Clock = {
      ...realClock,
      nowMs: () => realClock.nowMs() + skippedMs,
      at: (atMs, fire) => realClock.at(atMs - skippedMs, fire),
    };
    await withE2e({ simulator, clock }, async (e2e) => {
      const { params, url } = await admit(e2e);
      skippedMs = 16_000;
      expect((await upgrade(e2e, url)).status).toBe(403);
      await expectRefused(e2e, 'media', 'token_expired');
      await hangUp(e2e, params);
    });
  });

  test('with a token whose call is over is refused', () =>
    withE2e({ simulator }, async (e2e) => {
      const { params, url } = await admit(e2e);
      await hangUp(e2e, params);
      expect((await upgrade(e2e, url)).status).toBe(403);
      await expectRefused(e2e, 'media', 'token_unknown');
    }));

  test('beside the one of a live call is refused, and the call goes on', { timeout: 20_000 }, () =>
    withE2e({ simulator }, async (e2e) => {
      const phone = e2e.call();
      await phone.once('firstAudio');
      const [token] = tokensOf(phone);
      const second = await upgrade(e2e, `${e2e.server.origin.replace('http', 'ws')}/media/${token}`);
      expect(second.status).toBe(403);
      await expectRefused(e2e, 'media', 'token_used');
      phone.say(question());
      await phone.ended;
      expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
    }),
  );

  test('whose start names another call is closed with 1008', () =>
    withE2e({ simulator }, async (e2e) => {
      const phone = e2e.call({ startCallSid: newSid('CA') });
      expect(await phone.once('closed')).toEqual({ by: 'server', code: 1008 });
      await phone.ended;
      expect((await e2e.record(phone.callSid)).end).toMatchObject({ reason: 'carrier_protocol', by: 'carrier' });
      expect(await refusals(e2e, 'media', 'protocol_violation')).toBe(1);
    }));

  test('is not opened by a plain request', () =>
    withE2e({ simulator }, async (e2e) => {
      const { params, url } = await admit(e2e);
      expect((await fetch(url.replace('ws', 'http'))).status).toBe(426);
      expect((await upgrade(e2e, `${url}/more`)).status).toBe(404);
      await hangUp(e2e, params);
    }));
});

/** "What's the weather like?" as soon as the greeting is over; the model then says goodbye. */
const goodbye = { steps: [{ cue: { after: 'agent_silent', forMs: 300 }, action: { say: question() } }] } as const;

/** A socket's misbehaviour after its call has begun, and how it is closed. */
const MISCHIEF: { what: string; code: number; reason: string; does: (phone: PhoneCall) => void }[] = [
  {
    what: 'garbage',
    code: 1008,
    reason: 'protocol_violation',
    does: (phone) => repeat(101, () => phone.sendRaw('{"event":')),
  },
  {
    what: 'text that is no object',
    code: 1008,
    reason: 'protocol_violation',
    does: (phone) => repeat(101, () => phone.sendRaw('[]')),
  },
  {
    what: 'binary messages',
    code: 1008,
    reason: 'protocol_violation',
    does: (phone) => repeat(101, () => phone.sendRaw(Buffer.from([1, 2, 3]))),
  },
  {
    what: 'a message of 65 KiB',
    code: 1009,
    reason: 'protocol_violation',
    does: (phone) => phone.sendRaw(`{"event":"${'x'.repeat(65 * 1024)}"}`),
  },
  {
    what: 'a flood',
    code: 1008,
    reason: 'protocol_violation',
    does: (phone) => repeat(3_000, () => phone.sendRaw('{"event":"x"}')),
  },
];

describe('broken media sockets beside a call that goes on', () => {
  test('are closed one by one, and the other call hears and is heard', { timeout: 40_000 }, () =>
    withE2e({ simulator, agent: ({ limits }) => ({ limits: { ...limits, modelStallMs: 10_000 } }) }, async (e2e) => {
      const bystander = e2e.call();
      const session = await e2e.session();
      await bystander.once('firstAudio');

      const neverStarting = e2e.call({ sendStart: false });
      for (const { what, code, reason, does } of MISCHIEF) {
        const before = await refusals(e2e, 'media', reason);
        const phone = e2e.call();
        await phone.once('streaming');
        does(phone);
        expect(await phone.once('closed'), what).toEqual({ by: 'server', code });
        await phone.ended;
        expect((await e2e.record(phone.callSid)).end, what).toMatchObject({
          reason: 'carrier_protocol',
          result: 'failure',
        });
        expect(await refusals(e2e, 'media', reason), what).toBe(before + 1);
      }

      // Kinds that nobody knows are counted, and no fault: the carrier may add some at any time.
      const novel = e2e.call();
      await novel.once('streaming');
      repeat(300, () => novel.sendRaw(`{"event":"novelty","streamSid":"MZ"}`));
      await novel.once('firstAudio');
      novel.hangUp();
      await novel.ended;
      expect((await e2e.record(novel.callSid)).end.reason).toBe('caller_hung_up');
      expect(await e2e.metric('trunkline_messages_total', { side: 'carrier', kind: 'unknown' })).toBeGreaterThanOrEqual(
        300,
      );

      expect(await neverStarting.once('closed', { withinMs: 12_000 })).toEqual({ by: 'server', code: 1008 });
      await neverStarting.ended;
      expect((await e2e.record(neverStarting.callSid)).end.reason).toBe('media_never_started');
      expect(await refusals(e2e, 'media', 'never_started')).toBe(1);

      bystander.say(question());
      const { framesSent } = await bystander.ended;
      const record = await e2e.record(bystander.callSid);
      expect(record.end.reason).toBe('agent_goodbye');
      expect(record.audio).toMatchObject({ filledMs: { gap: 0, stall: 0 }, underruns: 0 });
      // What was on its way when the call ended is all that may be missing.
      expect(framesSent - session.appendedBytes / 160).toBeLessThanOrEqual(10);
    }),
  );
});

function repeat(times: number, act: () => void): void {
  for (let i = 0; i < times; i++) act();
}

describe.concurrent('callers of other kinds', () => {
  test.for([
    {
      who: 'a SIP caller',
      from: 'sip:alice@pbx.example.com',
      to: 'sip:frontdesk@harbor.sip.twilio.com',
      party: { kind: 'sip', value: 'sip:alice@pbx.example.com' },
    },
    {
      who: 'a SIP caller who hides',
      from: 'sip:anonymous@anonymous.invalid',
      to: '+15005550001',
      party: { kind: 'withheld', value: '' },
    },
    { who: 'a caller without a number', from: '', to: '+15005550001', party: { kind: 'withheld', value: '' } },
    {
      who: 'a caller whose number is the word for it',
      from: '+266696687',
      to: '+15005550001',
      party: { kind: 'withheld', value: '' },
    },
    { who: 'a client', from: 'client:tom', to: '+15005550001', party: { kind: 'client', value: 'tom' } },
  ])('$who is answered and said goodbye to', { timeout: 20_000 }, ({ from, to, party }) =>
    withE2e({ simulator }, async (e2e) => {
      const webhookParams = { 'SipHeader_X-Account': 'A-17', 'SipHeader_User-to-User': 'c2VjcmV0' };
      const phone = e2e.call({ from, to, track: goodbye, ...(party.kind === 'sip' ? { webhookParams } : {}) });
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record).toMatchObject({ from: party, end: { reason: 'agent_goodbye' } });
      if (party.kind === 'sip')
        expect({ ...e2e.admitted[0]?.incoming.sipHeaders }).toEqual({
          'X-Account': 'A-17',
          'User-to-User': 'c2VjcmV0',
        });
      for (const line of e2e.logLines) expect(JSON.stringify(line)).not.toMatch(/alice|c2VjcmV0|A-17/);
    }),
  );
});
