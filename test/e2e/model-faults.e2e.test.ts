// The model fails in every session of a call, in every way it can: the caller is never left in silence, hears the recorded
// apology where the call cannot go on, and the record names the reason. What fails only once stands in
// model-recovery.e2e.test.ts, what follows instead of the apology in model-fallback.e2e.test.ts, what is merely broken on the
// wire in model-stumbles.e2e.test.ts.
import { describe, expect, test, vi } from 'vitest';
import type { SessionOptions } from '../../src/simulator/options.ts';
import type { Answer, Script } from '../../src/simulator/script.ts';
import { question, withE2e } from '../support/e2e.ts';
import {
  agentTurns,
  expectFailure,
  expectOneBill,
  FILLED_WITHIN_MS,
  listen,
  REASSURED_WITHIN_MS,
} from '../support/fault-call.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 40 });

const farewell: Answer = { items: [{ say: ['short_ok'] }, { tool: 'end_call', arguments: {} }] };
const script: Script = { greeting: { items: [{ say: ['clinic_one_moment'] }] }, turns: [farewell] };

const long: Script = { greeting: { items: [{ say: ['clinic_support_long'] }] }, turns: [] };
const failed: Answer = { items: [], status: 'failed', error: { code: 'server_error' } };

interface Fault {
  what: string;
  options: SessionOptions;
  reason: string;
  /** In words, and never empty. */
  detail: RegExp;
  /** From the start of the stream to the apology, at least and at most. Default: about 8 s. */
  apologyMs?: [number, number];
}

/** At once: nothing is worth waiting for. */
const AT_ONCE: [number, number] = [0, 500];
/** The time that a model is given to be back, or less where its endpoint is given up meanwhile; the last "one moment" is not cut. */
const IN_8_S: [number, number] = [3_500, 10_000];
/** The same, counted from when an answer is overdue: 3.5 s. */
const AFTER_STALL: [number, number] = [11_000, 13_500];

const BEFORE_A_WORD: Fault[] = [
  {
    what: 'refuses with 401',
    options: { refuse: { status: 401 } },
    reason: 'model_refused',
    detail: /^HTTP 401: the API key/,
    apologyMs: AT_ONCE,
  },
  {
    what: 'refuses with 403',
    options: { refuse: { status: 403 } },
    reason: 'model_refused',
    detail: /^HTTP 403: the API key may/,
    apologyMs: AT_ONCE,
  },
  {
    what: 'refuses with 503 for half a minute',
    options: { refuse: { status: 503, retryAfter: 30 } },
    reason: 'model_refused',
    detail: /^HTTP 503: the server is overloaded/,
    apologyMs: AT_ONCE,
  },
  {
    what: 'refuses with 429',
    options: { refuse: { status: 429, retryAfter: 1 } },
    reason: 'model_refused',
    detail: /HTTP 429: the rate limit/,
  },
  {
    what: 'refuses with 500',
    options: { refuse: { status: 500 } },
    reason: 'model_refused',
    detail: /HTTP 500: the server met a fault/,
  },
  {
    what: 'refuses with 503',
    options: { refuse: { status: 503 } },
    reason: 'model_refused',
    detail: /HTTP 503: the server is overloaded/,
  },
  {
    what: 'refuses with 401 after two seconds',
    options: { refuse: { status: 401 }, handshakeDelayMs: 2_000 },
    reason: 'model_refused',
    detail: /^HTTP 401/,
    apologyMs: [2_000, 3_600],
  },
  {
    what: 'never answers the handshake',
    options: { hangHandshake: true },
    reason: 'model_unreachable',
    detail: /handshake|not ready in time/,
  },
  {
    what: 'never confirms the configuration',
    options: { updateDelayMs: 60_000 },
    reason: 'model_unreachable',
    detail: /not ready in time/,
  },
  {
    what: 'refuses the configuration',
    options: { refuseUpdate: { code: 'invalid_value', message: 'No.' } },
    reason: 'model_refused',
    detail: /invalid_value/,
    apologyMs: AT_ONCE,
  },
  {
    what: 'makes no response',
    options: { mute: true },
    reason: 'model_stalled',
    detail: /no sound in time/,
    apologyMs: AFTER_STALL,
  },
  {
    what: 'makes a response without a sound',
    options: { stall: true },
    reason: 'model_stalled',
    detail: /no sound in time/,
    apologyMs: AFTER_STALL,
  },
  {
    what: 'goes away before a word',
    options: { mute: true, dropAfterMs: 1_000 },
    reason: 'model_lost',
    detail: /^1006: the connection broke/,
  },
  {
    what: 'closes each session for a restart',
    options: { mute: true, dropAfterMs: 0, dropCode: 1012, dropReason: 'restart' },
    reason: 'model_lost',
    detail: /^1012: the server restarts/,
  },
];

const WHILE_SPEAKING: Omit<Fault, 'apologyMs'>[] = [
  { what: 'without a word (1006)', options: { dropAfterMs: 1_500 }, reason: 'model_lost', detail: /^1006: / },
  {
    what: 'as if all were done (1000)',
    options: { dropAfterMs: 1_500, dropCode: 1000 },
    reason: 'model_lost',
    detail: /^1000: /,
  },
  {
    what: 'for a restart (1001)',
    options: { dropAfterMs: 1_500, dropCode: 1001, dropReason: 'restart' },
    reason: 'model_lost',
    detail: /^1001: /,
  },
  {
    what: 'with an internal error (1011)',
    options: { dropAfterMs: 1_500, dropCode: 1011, dropReason: 'oops' },
    reason: 'model_lost',
    detail: /^1011: /,
  },
  {
    what: 'at the end of its session (1001)',
    options: { expiresInMs: 1_500 },
    reason: 'model_lost',
    detail: /session_expired|longest life/,
  },
];

describe.concurrent('a model that fails in every session', () => {
  test.for(BEFORE_A_WORD)(
    '$what: "one moment", then the apology, and the call ends as $reason',
    { timeout: 40_000 },
    ({ options, reason, detail, apologyMs = IN_8_S }) =>
      withE2e({ simulator: { script, ...options } }, async (e2e) => {
        const phone = e2e.call();
        const result = await phone.ended;
        const ear = listen(result);
        expect(ear.firstAtMs).toBeLessThan(FILLED_WITHIN_MS);
        expect(ear.longestSilenceMs).toBeLessThan(REASSURED_WITHIN_MS);
        expect(ear.apologyAtMs).toBeGreaterThanOrEqual(apologyMs[0]);
        expect(ear.apologyAtMs).toBeLessThan(apologyMs[1]);
        const record = await expectFailure(e2e, phone, result, reason);
        expect(record.end.detail).toMatch(detail);
        expect(result.verbs.map(({ name }) => name)).toEqual(['Connect', 'Hangup']);
        expectOneBill(record, e2e.simulator.sessions);
      }),
  );

  test.for(WHILE_SPEAKING)(
    'goes $what in the middle of each answer: what was sent plays out, then the apology',
    { timeout: 40_000 },
    ({ options, reason, detail }) =>
      withE2e({ simulator: { script: long, ...options } }, async (e2e) => {
        const phone = e2e.call();
        const result = await phone.ended;
        const { apologyAtMs, firstAtMs, longestPauseMs, holdsAtMs } = listen(result);
        expect(firstAtMs).toBeLessThan(FILLED_WITHIN_MS);
        expect(apologyAtMs).toBeGreaterThan(4_500);
        // From then on there is always something to hear, so nobody is asked for a moment.
        expect(longestPauseMs).toBeLessThan(500);
        expect(holdsAtMs).toEqual([]);
        const record = await expectFailure(e2e, phone, result, reason);
        expect(record.end.detail).toMatch(detail);
        const { length } = e2e.simulator.sessions;
        expect(length).toBeGreaterThan(1);
        expect(length).toBeLessThanOrEqual(6);
        // What the record calls heard is what the phone heard until the apology.
        const turns = agentTurns(record).slice(0, -1);
        const heardMs = turns.reduce((sum, turn) => sum + turn.heardMs, 0);
        const pads = turns.length * 20;
        expect(Math.abs((apologyAtMs as number) - (result.firstAudioAtMs as number) - heardMs)).toBeLessThanOrEqual(
          pads,
        );
        // Of the last one not even all that had come was sent.
        expect(turns.at(-1)?.outcome).not.toBe('heard');
        expectOneBill(record, e2e.simulator.sessions);
      }),
  );

  test('fails every answer: asked again, by other sessions too, then the apology', { timeout: 40_000 }, () =>
    withE2e(
      { agent: { greeting: null }, simulator: { script: { turns: [], fallback: failed, greeting: failed } } },
      async (e2e) => {
        const phone = e2e.call({ track: { steps: [{ cue: { atMs: 300 }, action: { say: question() } }] } });
        const result = await phone.ended;
        const record = await expectFailure(e2e, phone, result, 'model_failed');
        expect(record.end.detail).not.toBe('');
        const [first, ...others] = e2e.simulator.sessions.map(({ responses }) => responses.map(({ status }) => status));
        expect(first).toEqual(['failed', 'failed']);
        expect(others.length).toBeGreaterThan(0);
        expect(others.flat()).not.toContain('completed');
        expectOneBill(record, e2e.simulator.sessions);
      },
    ),
  );

  test('fails after it was asked for a goodbye: the caller still hears one', { timeout: 40_000 }, () =>
    withE2e(
      {
        agent: ({ silence }) => ({ silence: { ...silence, promptAfterMs: 1_000, prompt: 'Still there?' } }),
        simulator: {
          script: {
            ...script,
            whenInstructions: [
              { contains: 'still there', answer: failed },
              { contains: 'cannot hear', answer: failed },
            ],
          },
        },
      },
      async (e2e) => {
        const phone = e2e.call();
        const result = await phone.ended;
        expect(listen(result).apologyAtMs).toBeDefined();
        await expectFailure(e2e, phone, result, 'model_failed');
      },
    ),
  );
});
