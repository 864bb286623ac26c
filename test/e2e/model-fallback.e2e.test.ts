// No session of the model can be had: the agent's other model, a person or a message follows, as its file says. An address
// that leads nowhere is explained in words.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { clip } from '../../src/simulator/clips.ts';
import type { Answer, Script } from '../../src/simulator/script.ts';
import { question, sampleAgent, startE2e, withE2e } from '../support/e2e.ts';
import {
  agentTurns,
  expectFailure,
  expectOneBill,
  FILLED_WITHIN_MS,
  listen,
  REASSURED_WITHIN_MS,
  says,
} from '../support/fault-call.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 40 });

const { failure } = await sampleAgent();

const NUMBER = '+15005550009';

const farewell: Answer = { items: [{ say: ['short_ok'] }, { tool: 'end_call', arguments: {} }] };
const greets: Script = { greeting: { items: [{ say: ['clinic_greeting'] }] }, turns: [farewell] };

describe.concurrent('what follows where no session of the model can be had', () => {
  const fallback = { name: 'gpt-realtime-mini', endpoint: null, voice: 'cedar' };

  test.for([
    { what: 'refuses', options: { refuse: { status: 401 } }, greetedMs: 1_000 },
    { what: 'never answers the handshake', options: { hangHandshake: true }, greetedMs: 10_500 },
    { what: 'makes no response', options: { mute: true }, greetedMs: 14_000 },
  ])(
    'the other model, where the agent file names one and the first $what',
    { timeout: 40_000 },
    ({ options, greetedMs }) => {
      // The simulator does not know before the handshake for which model an attempt is; the call does.
      let turnedToFallback = false;
      return withE2e(
        {
          agent: { failure: { ...failure, fallback } },
          simulator: () => ({ script: greets, ...(turnedToFallback ? {} : options) }),
          onlookers: [
            () => ({
              stepped: (_event, effects) => {
                turnedToFallback ||= effects.some((effect) => effect.do === 'session.open' && effect.target === 1);
              },
            }),
          ],
        },
        async (e2e) => {
          const phone = e2e.call({ track: { steps: [says(question(), 4_200, 500)] } });
          const result = await phone.ended;
          const record = await e2e.record(phone.callSid);
          expect(record.end).toMatchObject({ reason: 'agent_goodbye', result: 'success' });
          const ear = listen(result);
          expect(ear.firstAtMs).toBeLessThan(FILLED_WITHIN_MS);
          expect(ear.longestSilenceMs).toBeLessThan(REASSURED_WITHIN_MS);
          expect(ear.apologyAtMs).toBeUndefined();
          const spoke = agentTurns(record).filter(({ answer }) => answer !== null);
          expect(spoke.map(({ text }) => text)).toEqual([clip('clinic_greeting').text, clip('short_ok').text]);
          expect(spoke[0]?.soundAtMs).toBeLessThan(greetedMs);
          const models = e2e.simulator.sessions.map(({ model }) => model);
          expect(models.filter((model) => model === fallback.name)).toHaveLength(1);
          expect(models.at(-1)).toBe(fallback.name);
          expectOneBill(record, e2e.simulator.sessions);
        },
      );
    },
  );

  test('a person, where the agent file names one', { timeout: 25_000 }, () =>
    withE2e(
      { agent: { failure: { ...failure, forwardTo: NUMBER } }, simulator: { refuse: { status: 401 } } },
      async (e2e) => {
        const phone = e2e.call();
        const result = await phone.ended;
        expect(listen(result).apologyAtMs).toBeLessThan(500);
        const [connect, dial] = result.verbs;
        expect([connect?.name, dial?.name]).toEqual(['Connect', 'Dial']);
        expect(JSON.stringify(dial)).toContain(NUMBER);
        const record = await expectFailure(e2e, phone, result, 'model_refused');
        expect(record.end.next).toEqual({ do: 'forward', to: NUMBER });
      },
    ),
  );

  test('a person, also when the carrier drops the media meanwhile', { timeout: 25_000 }, () =>
    withE2e(
      { agent: { failure: { ...failure, forwardTo: NUMBER } }, simulator: { refuse: { status: 401 } } },
      async (e2e) => {
        const phone = e2e.call();
        await phone.once('firstAudio');
        phone.dropSocket();
        const { verbs } = await phone.ended;
        expect(verbs.map(({ name }) => name)).toEqual(['Connect', 'Dial', 'Hangup']);
      },
    ),
  );

  test('a message, where the agent file takes one', { timeout: 25_000 }, () => {
    const voicemail = { prompt: 'Please leave a message after the tone.', maxSeconds: 30 };
    return withE2e(
      { agent: { failure: { ...failure, voicemail } }, simulator: { refuse: { status: 401 } } },
      async (e2e) => {
        const phone = e2e.call();
        const result = await phone.ended;
        expect(listen(result).apologyAtMs).toBeLessThan(500);
        expect(result.verbs.map(({ name }) => name).slice(0, 3)).toEqual(['Connect', 'Say', 'Record']);
        const record = await expectFailure(e2e, phone, result, 'model_refused');
        expect(record.end.next).toMatchObject({ do: 'voicemail' });
      },
    );
  });
});

describe.concurrent('a model whose address leads nowhere', () => {
  test.for([
    {
      what: 'a host name that cannot be resolved',
      url: 'https://model.invalid/v1',
      detail: /(ENOTFOUND|EAI_AGAIN): the name/,
    },
    { what: 'TLS towards a plain port', url: 'https', detail: /TLS|encryption/ },
    { what: 'a port where nobody listens', url: 'http://127.0.0.1:1/v1', detail: /ECONNREFUSED: nobody listens/ },
  ])('$what: "one moment", the apology, and words for it', { timeout: 25_000 }, async ({ url, detail }) => {
    const plain = createServer().listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const openaiBaseUrl = url === 'https' ? `https://127.0.0.1:${(plain.address() as AddressInfo).port}/v1` : url;
    const e2e = await startE2e({ config: { openaiApiKey: 'sk-none', openaiBaseUrl } });
    try {
      const phone = e2e.call();
      const result = await phone.ended;
      const ear = listen(result);
      expect(ear.firstAtMs).toBeLessThan(FILLED_WITHIN_MS);
      expect(ear.apologyAtMs).toBeLessThan(10_000);
      const { end } = await e2e.record(phone.callSid);
      expect(end).toMatchObject({ reason: 'model_unreachable', by: 'model', result: 'failure' });
      expect(end.detail).toMatch(detail);
    } finally {
      await e2e.abandon();
      plain.close();
    }
  });
});
