// The model fails once in a call: the caller hears something within two seconds, another session takes up the conversation
// with its history, and the call ends well.
import { describe, expect, test, vi } from 'vitest';
import { clip } from '../../src/simulator/clips.ts';
import type { SessionOptions } from '../../src/simulator/options.ts';
import type { Answer, Script } from '../../src/simulator/script.ts';
import { question, withE2e } from '../support/e2e.ts';
import * as fault from '../support/fault-call.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 40 });

const failed: Answer = {
  callerTranscript: 'What is the weather like?',
  items: [],
  status: 'failed',
  error: { code: 'server_error' },
};

/** What the caller is to hear once, however often the model was lost before. */
const GREETING = clip('clinic_ask_account').text;

const greets: Script = { greeting: { items: [{ say: ['clinic_ask_account'] }] }, turns: [fault.FAREWELL] };

interface First {
  what: string;
  first: SessionOptions;
  /** Sessions (not attempts) that the call opens. Default 2. */
  sessions?: number;
}

const BEFORE_A_WORD: First[] = [
  { what: 'answers the handshake after 3 s', first: { handshakeDelayMs: 3_000 }, sessions: 1 },
  { what: 'refuses with 429, for one second', first: { refuse: { status: 429, retryAfter: 1 } }, sessions: 1 },
  { what: 'refuses with 500', first: { refuse: { status: 500 } }, sessions: 1 },
  { what: 'refuses with 503, until a date', first: { refuse: { status: 503, retryAfter: inSeconds(2) } }, sessions: 1 },
  { what: 'never answers the handshake', first: { hangHandshake: true }, sessions: 1 },
  { what: 'never confirms the configuration', first: { updateDelayMs: 60_000 } },
  { what: 'makes no response', first: { mute: true } },
  { what: 'makes a response without a sound', first: { stall: true } },
  { what: 'goes away before a word (1006)', first: { mute: true, dropAfterMs: 500 } },
  { what: 'goes away before a word (1013)', first: { mute: true, dropAfterMs: 500, dropCode: 1013 } },
];

function inSeconds(seconds: number): string {
  return new Date(Date.now() + seconds * 1_000).toUTCString();
}

describe.concurrent('a model that fails once before its first word', () => {
  test.for(BEFORE_A_WORD)('$what: one greeting, and the call goes on', { timeout: 40_000 }, ({ first, sessions = 2 }) =>
    withE2e({ simulator: (n) => ({ script: greets, ...(n === 1 ? first : {}) }) }, async (e2e) => {
      const phone = e2e.call({ track: { steps: [fault.says(question(), 4_200)] } });
      const result = await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.end).toMatchObject(fault.WELL_DONE);
      const ear = fault.listen(result);
      expect(ear.firstAtMs).toBeLessThan(fault.FILLED_WITHIN_MS);
      expect(ear.longestSilenceMs).toBeLessThan(fault.REASSURED_WITHIN_MS);
      expect(ear.apologyAtMs).toBeUndefined();
      expect(fault.heardWords(record)).toEqual([GREETING, clip('farewell').text]);
      expect(e2e.simulator.sessions).toHaveLength(sessions);
      fault.expectOneBill(record, e2e.simulator.sessions);
      expect(result).toMatchObject({ unplayedBytes: 0, warnings: [], callStatus: 'completed' });
    }),
  );
});

/** How the first session fails the caller's question. */
const ASKED: { what: string; answer: Partial<Answer>; options?: SessionOptions; partial?: RegExp; waitMs?: number }[] =
  [
    ...[undefined, 1000, 1001, 1011, 1013].map((code) => ({
      what: `goes away in the middle of the answer (${code ?? 1006})`,
      answer: { drop: { afterMs: 1_500, ...(code === undefined ? {} : { code, reason: 'gone' }) } },
      partial: /^assistant: I can help with that\./,
    })),
    ...(['error_then_close', 'close'] as const).map((expiry) => ({
      what: `reaches the end of its session in the middle of the answer (${expiry})`,
      answer: { firstDelayMs: 0 },
      options: { expiresInMs: 5_500, expiry, pace: 1 },
      partial: /^assistant: I can help with that\./,
    })),
    { what: 'stalls before the answer', answer: { firstDelayMs: 60_000 }, waitMs: 4_000 },
    {
      what: 'stalls in the middle of the answer',
      answer: { items: [{ say: ['clinic_support_long'], stallAfterMs: 1_000, stallMs: 60_000 }] },
      partial: /^assistant: /,
      waitMs: 4_000,
    },
  ];

describe.concurrent('a model that fails once while it owes an answer', () => {
  const LONG: Answer = { callerTranscript: 'What is the weather like?', items: [{ say: ['clinic_support_long'] }] };
  const after: Script = {
    // Heard only if the next session should greet again.
    greeting: { items: [{ say: ['sorry_repeat'] }] },
    turns: [{ items: [{ say: ['weather_answer'] }] }, fault.FAREWELL],
  };
  const before = (answer: Partial<Answer>): Script => ({
    greeting: { items: [{ say: ['go_on'] }] },
    turns: [{ ...LONG, ...answer }],
  });
  const GO_ON = `assistant: ${clip('go_on').text}`;
  const ASKS = 'user: What is the weather like?';

  test.for(ASKED)('$what: the thought is taken up', { timeout: 40_000 }, ({ answer, options = {}, partial }) =>
    withE2e(
      { simulator: (n) => (n === 1 ? { script: before(answer), ...options } : { script: after }) },
      async (e2e) => {
        const told = fault.watchSessions(e2e);
        const phone = e2e.call({
          track: { steps: [fault.says(question(), 1_000), fault.says(fault.thanks(), 2_700, 1_300)] },
        });
        const result = await phone.ended;
        const record = await e2e.record(phone.callSid);
        expect(record.end).toMatchObject(fault.WELL_DONE);
        const ear = fault.listen(result);
        expect(ear.apologyAtMs).toBeUndefined();
        // The caller's own question is in the longest silence: 1.3 s, and half a second until it counts as over.
        expect(ear.longestSilenceMs).toBeLessThan(700 + 1_300 + 500 + fault.FILLED_WITHIN_MS);
        fault.expectTakenOver(told[1] ?? [], ...[GO_ON, ASKS, ...(partial ? [partial] : [])]);
        const words = fault.heardWords(record);
        expect(words[0]).toBe(clip('go_on').text);
        expect(words.slice(-2)).toEqual([clip('weather_answer').text, clip('farewell').text]);
        expect(words).toHaveLength(partial ? 4 : 3);
        expect(words.join(' ')).not.toContain(clip('sorry_repeat').text);
        // What the next session is told of the cut answer is what was heard of it.
        const cut = told[1]?.find((one) => partial?.test(one) && one !== GO_ON);
        if (partial) expect(cut).toBe(`assistant: ${words[1]}`);
        expect(e2e.simulator.sessions).toHaveLength(2);
        fault.expectOneBill(record, e2e.simulator.sessions);
        expect(result).toMatchObject({ unplayedBytes: 0, warnings: [] });
      },
    ),
  );

  test('goes away before the words were understood: they are asked for again', { timeout: 40_000 }, () =>
    withE2e(
      {
        simulator: (n) =>
          n === 1
            ? { script: before({ drop: { afterMs: 0 } }), transcriptDelayMs: 5_000 }
            : { script: { ...after, turns: [...after.turns] } },
      },
      async (e2e) => {
        const told = fault.watchSessions(e2e);
        const steps = [
          fault.says(question(), 1_000),
          fault.says(question(), 1_500),
          fault.says(fault.thanks(), 2_500, 1_300),
        ];
        const phone = e2e.call({ track: { steps } });
        await phone.ended;
        const record = await e2e.record(phone.callSid);
        expect(record.end).toMatchObject(fault.WELL_DONE);
        fault.expectTakenOver(told[1] ?? [], GO_ON);
        expect(told[1]?.join(' ')).toContain('The last words of the caller were lost: ask to hear them again.');
        expect(fault.heardWords(record)).toEqual(
          ['go_on', 'sorry_repeat', 'weather_answer', 'farewell'].map((name) => clip(name).text),
        );
      },
    ),
  );

  test('fails two answers in a row (server error): the next session answers', { timeout: 40_000 }, () =>
    withE2e(
      {
        simulator: (n) =>
          n === 1
            ? { script: { greeting: { items: [{ say: ['go_on'] }] }, turns: [failed, failed] } }
            : { script: after },
      },
      async (e2e) => {
        const told = fault.watchSessions(e2e);
        const phone = e2e.call({
          track: { steps: [fault.says(question(), 1_000), fault.says(fault.thanks(), 2_700, 1_300)] },
        });
        await phone.ended;
        const record = await e2e.record(phone.callSid);
        expect(record.end).toMatchObject(fault.WELL_DONE);
        fault.expectTakenOver(told[1] ?? [], GO_ON, ASKS);
        expect(e2e.simulator.sessions[0]?.responses.map(({ status }) => status)).toEqual([
          'completed',
          'failed',
          'failed',
        ]);
        fault.expectOneBill(record, e2e.simulator.sessions);
      },
    ),
  );
});
