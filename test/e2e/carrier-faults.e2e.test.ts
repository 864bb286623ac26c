// The carrier's side fails in every way it can, over real sockets: the caller is brought back into the same conversation, or
// the call ends by a name; never are two sessions speaking to one caller, and nothing waits for ever.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { newSid } from '../../src/phone/call-params.ts';
import type { PhoneFault } from '../../src/phone/phone-faults.ts';
import type { PhoneCall } from '../../src/phone/phone.ts';
import type { PhoneResult } from '../../src/phone/phone-result.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import { type ApiFaults, startTwilioApi, type TwilioApi } from '../../src/phone/twilio-api.ts';
import type { CallRecord } from '../../src/record/call-record.ts';
import type { Answer, Script } from '../../src/simulator/script.ts';
import { type E2e, type E2eOptions, question, sampleAgent, withE2e, within } from '../support/e2e.ts';
import { longestStallMs } from '../support/stall.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 20 });

const ACCOUNT = newSid('AC');
const TOKEN = 'a'.repeat(32);

const farewell: Answer = { items: [{ say: ['short_ok'] }, { tool: 'end_call', arguments: {} }] };
/** Every answer to nobody's question is four seconds of speech; the caller's question ends the call. */
const script: Script = {
  greeting: { items: [{ stampedMs: 4_000 }] },
  turns: [farewell],
};

/** The caller asks when the agent has said so much and is silent; a caller who was cut off waits for the agent to go on. */
const asksAfter = (minHeardMs: number) =>
  ({
    steps: [
      { cue: { after: 'agent_silent', forMs: 700, minHeardMs, patienceMs: 60_000 }, action: { say: question() } },
    ],
  }) as const;

interface Line {
  e2e: E2e;
  api: TwilioApi;
  call: (options: Partial<PhoneOptions>) => PhoneCall;
}

/** A server that may give orders to a double of the carrier's API, which knows every call. */
async function withApi<T>(options: E2eOptions & { api?: ApiFaults }, body: (line: Line) => Promise<T>): Promise<T> {
  const { api: faults, ...rest } = options;
  const api = await startTwilioApi({ accountSid: ACCOUNT, authToken: TOKEN, ...(faults ? { faults } : {}) });
  const config = { twilioAccountSid: ACCOUNT, twilioAuthToken: TOKEN, twilioApiBaseUrl: api.origin };
  try {
    return await withE2e({ simulator: { script }, ...rest, config }, async (e2e) => {
      const call = (phoneOptions: Partial<PhoneOptions>): PhoneCall => {
        const phone = e2e.call({ accountSid: ACCOUNT, idle: 'silence', ...phoneOptions });
        api.register(phone);
        return phone;
      };
      return body({ e2e, api, call });
    });
  } finally {
    await api.close();
  }
}

const verbs = (phone: PhoneCall) => phone.verbs.map(({ name }) => name);

/** How long the caller heard nothing after the loss. */
const silenceAfter = ({ heard }: PhoneResult, lossMs: number): number =>
  (heard.find(({ atMs }) => atMs > lossMs)?.atMs ?? Number.POSITIVE_INFINITY) - lossMs;

describe.concurrent('a caller whose media is lost', () => {
  test.for<{ what: string; fault: PhoneFault; withinMs: number }>([
    { what: 'without a word (1006)', fault: { kind: 'socket_lost', atMs: 1_500 }, withinMs: 1_000 },
    {
      what: 'by a half-open socket that the carrier notices',
      fault: { kind: 'half_open', atMs: 1_500, noticedAfterMs: 800 },
      withinMs: 1_800,
    },
    {
      what: 'for the carrier alone, while the old socket lives on',
      fault: { kind: 'stale_socket', atMs: 1_500, forMs: 2_500 },
      withinMs: 1_000,
    },
  ])('$what is back in the same conversation', { timeout: 30_000 }, ({ fault, withinMs }) =>
    withApi({}, async ({ e2e, api, call }) => {
      const phone = call({ track: asksAfter(3_000), faults: [fault] });
      const result = await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.end.reason).toBe('agent_goodbye');
      expect(verbs(phone)).toEqual(['Connect', 'Connect', 'Hangup']);
      expect(silenceAfter(result, fault.atMs)).toBeLessThan(withinMs + 2 * longestStallMs());
      expect(e2e.simulator.sessions).toHaveLength(1);
      expect(e2e.admitted).toHaveLength(1);
      expect(api.requests).toEqual([]);
      expect(e2e.logLines).toContainEqual(
        expect.objectContaining({ msg: 'the carrier reports a broken stream', code: '31903' }),
      );
      await expectNothingStale(e2e);
    }),
  );

  test('is brought back by REST when the carrier does not notice', { timeout: 45_000 }, () =>
    withApi({}, async ({ e2e, api, call }) => {
      const phone = call({ track: asksAfter(3_000), faults: [{ kind: 'half_open', atMs: 1_500 }] });
      const result = await phone.ended;
      expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
      expect(verbs(phone)).toEqual(['Connect', 'Connect', 'Hangup']);
      expect(api.requests.map(({ status }) => status)).toEqual([200]);
      // Ten seconds until the socket counts as dead, three of grace.
      expect(silenceAfter(result, 1_500)).toBeLessThan(14_500);
      expect(e2e.logLines).toContainEqual(
        expect.objectContaining({ msg: 'order to the carrier', order: 'redirect', outcome: 'done' }),
      );
      expect(await e2e.metric('trunkline_carrier_orders_total', { order: 'redirect', outcome: 'done' })).toBe(1);
    }),
  );

  test('is given up by a name when REST is down too', { timeout: 60_000 }, () =>
    withApi({ api: { serverError: 1 } }, async ({ e2e, call }) => {
      const ended = new Promise<CallRecord>((resolve) => void e2e.server.records.onRecord(resolve));
      const phone = call({ faults: [{ kind: 'half_open', atMs: 1_000 }] });
      expect((await within(40_000, 'the end', ended)).end.reason).toBe('media_lost');
      phone.hangUp();
      await phone.ended;
      expect(await e2e.metric('trunkline_carrier_orders_total', { outcome: 'failed' })).toBeGreaterThan(0);
      const failed = e2e.logLines.filter(({ msg }) => msg === 'Twilio did not take an order');
      expect(failed[0]).toMatchObject({ status: 500, code: 20500, tries: 3 });
    }),
  );
});

describe.concurrent('a carrier that does not end a stream as it should', () => {
  test('says stop and never closes: the server does', { timeout: 20_000 }, () =>
    withE2e({ simulator: { script } }, async (e2e) => {
      const phone = e2e.call({ faults: [{ kind: 'stop_without_close', atMs: 1_000 }] });
      expect(await phone.once('closed')).toEqual({ by: 'phone', code: 1000 });
      expect((await e2e.record(phone.callSid)).end.reason).toBe('caller_hung_up');
    }),
  );

  test('closes and never says stop: its status callback tells', { timeout: 20_000 }, () =>
    withE2e({ simulator: { script } }, async (e2e) => {
      const phone = e2e.call({ faults: [{ kind: 'close_without_stop', atMs: 1_000 }] });
      await phone.ended;
      expect((await e2e.record(phone.callSid)).end.reason).toBe('caller_hung_up');
      expect(e2e.server.calls.live).toBe(0);
    }),
  );

  test('is sent elsewhere by somebody else: the call is over, and nobody is brought back', { timeout: 20_000 }, () =>
    withApi({}, async ({ e2e, api, call }) => {
      const update = { twiml: '<Response><Dial>+15005550009</Dial></Response>' };
      const phone = call({ faults: [{ kind: 'update', atMs: 1_000, update }] });
      await phone.ended;
      expect((await e2e.record(phone.callSid)).end.reason).toBe('caller_hung_up');
      expect(verbs(phone)).toEqual(['Connect', 'Dial']);
      expect(api.requests).toEqual([]);
    }),
  );
});

describe.concurrent('a carrier that does not ask what follows', () => {
  test('is told to say the goodbye that nobody heard, and to end the call', { timeout: 40_000 }, () =>
    withApi({}, async ({ e2e, api, call }) => {
      const phone = call({});
      await phone.once('firstAudio');
      phone.strike({ kind: 'half_open' });
      e2e.server.calls.endAll('drained');
      const { announced, ...ended } = await phone.ended;
      expect(ended).toMatchObject({ endedBy: 'server', callStatus: 'completed' });
      expect(announced).toMatchObject([{ verb: 'Say', about: 'Stamped audio 2.' }]);
      expect((await e2e.record(phone.callSid)).end.reason).toBe('drained');
      expect(api.requests).toMatchObject([{ params: { Twiml: expect.stringContaining('<Hangup/>') }, status: 200 }]);
      expect(await e2e.metric('trunkline_carrier_orders_total', { order: 'redirect', outcome: 'done' })).toBe(1);
    }),
  );

  test(
    'because it has stopped reading is found by its marks, and brings the caller back when told to',
    () =>
      withApi(
        { simulator: { script: { ...script, greeting: { items: [{ stampedMs: 12_000 }] } } } },
        async ({ e2e, api, call }) => {
          const phone = call({ faults: [{ kind: 'stops_reading', atMs: 1_000 }] });
          const resumed = () => e2e.metric('trunkline_troubles_total', { what: 'caller_resumed' });
          await vi.waitFor(async () => expect(await resumed()).toBe(1), { timeout: 20_000, interval: 100 });
          phone.hangUp();
          expect((await phone.ended).streams).toHaveLength(2);
          expect((await e2e.record(phone.callSid)).end.reason).toBe('caller_hung_up');
          expect(api.requests).toMatchObject([{ status: 200 }]);
        },
      ),
    40_000,
  );
});

test.concurrent(
  'a second socket with the same token is refused, and the call does not notice',
  { timeout: 30_000 },
  () =>
    withE2e({ simulator: { script } }, async (e2e) => {
      const phone = e2e.call({ track: asksAfter(0), faults: [{ kind: 'duplicate_socket', atMs: 1_000 }] });
      const result = await phone.ended;
      expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
      const upgrades = result.http.filter(({ path }) => path.startsWith('/media/')).map(({ status }) => status);
      expect(upgrades).toEqual([403, 101]);
      expect(result.streams).toHaveLength(1);
      expect(await e2e.metric('trunkline_carrier_refused_total', { kind: 'media', reason: 'token_used' })).toBe(1);
    }),
);

test.concurrent('a caller leaves a message where the model cannot be had', { timeout: 30_000 }, async () => {
  const { failure } = await sampleAgent();
  const voicemail = { prompt: 'Nobody can take your call. Please leave a message.', maxSeconds: 30 };
  const agent = { failure: { ...failure, forwardTo: null, voicemail } };
  await withE2e({ agent, simulator: { refuse: { status: 401 } } }, async (e2e) => {
    const phone = e2e.call({ track: asksAfter(0), idle: 'silence', verbPace: 4 });
    const result = await phone.ended;
    expect(verbs(phone)).toEqual(['Connect', 'Say', 'Record', 'Hangup']);
    expect(result.announced.map(({ about }) => about)).toEqual([voicemail.prompt, 'beep']);
    const [recording] = result.recordings;
    expect(recording?.bytes.includes(Buffer.from(question().subarray(4_000, 4_800)))).toBe(true);
    const path = join(e2e.config.dataDir, 'entries', `twilio-${phone.callSid}.json`);
    const entry = JSON.parse(await readFile(path, 'utf8'));
    expect(entry.voicemail).toEqual({ url: recording?.url, seconds: 1 });
    e2e.secrets.add(recording?.url ?? '');
  });
});

test.concurrent('a caller whom nobody answers leaves a message instead', { timeout: 30_000 }, async () => {
  const { failure } = await sampleAgent();
  const voicemail = { prompt: 'Nobody is at the desk. Please leave a message.', maxSeconds: 30 };
  const agent = { failure: { ...failure, forwardTo: '+15005550009', voicemail } };
  await withE2e({ agent, simulator: { refuse: { status: 401 } } }, async (e2e) => {
    const dial = { status: 'busy', ringMs: 200 } as const;
    const phone = e2e.call({ track: asksAfter(0), idle: 'silence', verbPace: 4, dial });
    const result = await phone.ended;
    expect(verbs(phone)).toEqual(['Connect', 'Dial', 'Say', 'Record', 'Hangup']);
    e2e.secrets.add(result.recordings[0]?.url ?? '');
  });
});

/** The loud tone of a stale socket is in nothing that the model was given. */
async function expectNothingStale(e2e: E2e): Promise<void> {
  const loud = Buffer.alloc(60, 0x80).toString('base64');
  const { clientEvents } = await e2e.session();
  const heard = clientEvents.filter(({ event }) => JSON.stringify(event).includes(loud));
  expect(heard, 'audio of a stale socket').toEqual([]);
}
