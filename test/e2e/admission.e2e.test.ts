// Callers who are not let in, as the carrier's side sees them: what each of them gets, that it is counted by reason, and that
// nothing was opened at the model for them.
import { describe, expect, test, vi } from 'vitest';
import type { Agent, AgentAdmission } from '../../src/agent/agent.ts';
import type { RefusalReason } from '../../src/carrier/carrier.ts';
import { rejections } from '../../src/metrics/labels.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import type { PhoneResult } from '../../src/phone/phone-result.ts';
import type { Script } from '../../src/simulator/script.ts';
import { type Cancel, type Clock, realClock } from '../../src/clock.ts';
import { type E2e, type E2eOptions, within, withE2e } from '../support/e2e.ts';

// Most of a call is waiting: they wait together.
vi.setConfig({ maxConcurrency: 20 });

const MINE = '+15005550006';
const OTHER = '+15005550007';
const HUMAN = '+15557654321';

const script: Script = { greeting: { items: [{ stampedMs: 500 }] }, turns: [] };

const admission =
  (part: Partial<Omit<AgentAdmission, 'refused'>> & { refused?: Partial<AgentAdmission['refused']> }) =>
  (sample: Agent) => ({
    admission: { ...sample.admission, ...part, refused: { ...sample.admission.refused, ...part.refused } },
  });

/** What a caller got, in a word. */
function gotBy({ callStatus, verbs, announced }: PhoneResult): string {
  const dialled = verbs.find(({ name }) => name === 'Dial')?.about;
  const said = announced.find(({ verb }) => verb === 'Say')?.about;
  if (verbs.some(({ name }) => name === 'Connect')) return 'let in';
  if (dialled !== undefined) return `forwarded to ${dialled}`;
  return said === undefined ? callStatus : `told: ${said}`;
}

/** One more call, by a caller who hangs up as soon as the agent speaks. */
async function caller(e2e: E2e, options: Partial<PhoneOptions> = {}): Promise<string> {
  const phone = e2e.call({ hangupAfterTrack: 300, track: { steps: [] }, ...options });
  const result = await phone.ended;
  expect(result.warnings).toEqual([]);
  return gotBy(result);
}

/** A call that stays up while `body` runs, and is gone after it. */
async function during(e2e: E2e, body: () => Promise<void>, options: Partial<PhoneOptions> = {}): Promise<void> {
  const phone = e2e.call(options);
  await phone.once('streaming');
  await body();
  phone.hangUp();
  await phone.ended;
  await e2e.record(phone.callSid);
}

/** What was counted, by reason; those without any are left out. */
async function refused(e2e: E2e): Promise<Partial<Record<RefusalReason, number>>> {
  const counts = await Promise.all(
    rejections.all.map(async (reason) => [reason, await e2e.metric('trunkline_sessions_rejected_total', { reason })]),
  );
  return Object.fromEntries(counts.filter(([, count]) => count !== 0)) as Partial<Record<RefusalReason, number>>;
}

/** Every session of the model belongs to a call that was let in, and what was refused left nothing. */
async function check(e2e: E2e, expected: Partial<Record<RefusalReason, number>>): Promise<void> {
  expect(await refused(e2e)).toEqual(expected);
  expect(e2e.simulator.sessions).toHaveLength(e2e.admitted.length);
  expect(await e2e.metric('trunkline_sessions_created_total')).toBe(e2e.admitted.length);
  const logged = e2e.logLines.filter(({ msg }) => msg === 'call refused').map(({ reason }) => `${reason as string}`);
  expect(logged.toSorted()).toEqual(
    Object.entries(expected)
      .flatMap(([reason, count]) => Array.from({ length: count }, () => reason))
      .toSorted(),
  );
}

/** The real clock, but for times that nobody waits for. */
class SkippingClock implements Clock {
  #skippedMs = 0;
  nowMs(): number {
    return realClock.nowMs() + this.#skippedMs;
  }
  wallMs(): number {
    return realClock.wallMs() + this.#skippedMs;
  }
  at(atMs: number, fire: () => void): Cancel {
    return realClock.at(atMs - this.#skippedMs, fire);
  }
  skip(ms: number): void {
    this.#skippedMs += ms;
  }
}

const admissionTest = (
  title: string,
  options: E2eOptions,
  expected: Partial<Record<RefusalReason, number>>,
  body: (e2e: E2e) => Promise<void>,
): void =>
  test(title, { timeout: 30_000 }, () =>
    withE2e({ simulator: { script }, ...options }, async (e2e) => {
      await body(e2e);
      await check(e2e, expected);
    }),
  );

describe.concurrent('a caller who is not let in', () => {
  test('every reason is there from the start, with none counted', () =>
    withE2e({}, async (e2e) => {
      const text = await (await fetch(`${e2e.server.origin}/metrics`, { headers: { connection: 'close' } })).text();
      const shown = [...text.matchAll(/^trunkline_sessions_rejected_total\{reason="(\w+)"\} (\d+)$/gm)];
      expect(shown.map(([, reason]) => `${reason}`).toSorted()).toEqual([...rejections.all].toSorted());
      expect(new Set(shown.map(([, , count]) => count))).toEqual(new Set(['0']));
    }));

  admissionTest(
    'on the deny list hears the sentence of the agent file, and others are let in',
    {
      agent: admission({
        deny: ['+15005550006', '+1900*'],
        refused: { denied: { give: 'sentence', text: 'Not you & not now.' } },
      }),
    },
    { caller_denied: 2 },
    async (e2e) => {
      expect(await caller(e2e, { from: MINE })).toBe('told: Not you & not now.');
      expect(await caller(e2e, { from: '+19005551234' })).toBe('told: Not you & not now.');
      expect(await caller(e2e, { from: OTHER })).toBe('let in');
    },
  );

  admissionTest(
    'not on the allow list is forwarded where the agent file says so',
    {
      agent: admission({
        allow: ['@pbx.example.com', 'withheld'],
        refused: { denied: { give: 'forward', to: HUMAN } },
      }),
    },
    { caller_not_allowed: 1 },
    async (e2e) => {
      expect(await caller(e2e)).toBe(`forwarded to ${HUMAN}`);
      expect(await caller(e2e, { from: 'sip:anybody@pbx.example.com:5060' })).toBe('let in');
      expect(await caller(e2e, { from: 'anonymous' })).toBe('let in');
    },
  );

  admissionTest(
    'with too little attestation hears the default sentence',
    { agent: admission({ attestation: 'B' }) },
    { attestation_low: 3 },
    async (e2e) => {
      const verdict = (StirVerstat: string) => caller(e2e, { webhookParams: { StirVerstat } });
      const told = 'told: I am sorry, this number does not take your call. Goodbye.';
      expect(await verdict('TN-Validation-Passed-C')).toBe(told);
      expect(await verdict('TN-Validation-Failed-A')).toBe(told);
      expect(await verdict('')).toBe(told);
      expect(await verdict('TN-Validation-Passed-B-Diverted')).toBe('let in');
    },
  );

  admissionTest(
    'of a number that nobody answers is told so',
    { agent: { answers: ['+15005550001'] } },
    { no_agent: 1 },
    async (e2e) => {
      expect(await caller(e2e, { to: '+15005550009' })).toBe('told: This number is not in service.');
      expect(await caller(e2e)).toBe('let in');
    },
  );

  const late = { ms: 251 };
  admissionTest(
    'of an overloaded server hears a busy tone until the load is gone',
    { config: { maxLoopDelayMs: 250 }, loopDelayMs: () => late.ms },
    { overloaded: 1 },
    async (e2e) => {
      expect(await caller(e2e)).toBe('busy');
      late.ms = 250;
      expect(await caller(e2e)).toBe('let in');
    },
  );

  test('who comes in a burst hears a busy tone', { timeout: 30_000 }, () =>
    withE2e({ simulator: { script }, config: { maxCallsPerSecond: 1 } }, async (e2e) => {
      const got = await Promise.all(Array.from({ length: 20 }, () => caller(e2e)));
      // One at once; how many more depends on how long the machine takes for twenty webhooks.
      const letIn = got.filter((what) => what === 'let in').length;
      expect(letIn).toBeGreaterThanOrEqual(1);
      expect(letIn).toBeLessThan(15);
      expect(got.filter((what) => what === 'busy')).toHaveLength(20 - letIn);
      expect(e2e.admitted).toHaveLength(letIn);
      await check(e2e, { calls_per_second: 20 - letIn });
    }),
  );

  admissionTest(
    'who calls too often is told so; other callers, and those without a number, are not',
    {
      agent: admission({ callsPerMinutePerCaller: 1, refused: { limited: { give: 'sentence', text: 'Too often.' } } }),
    },
    { caller_rate: 2 },
    async (e2e) => {
      expect(await caller(e2e, { from: MINE })).toBe('let in');
      expect(await caller(e2e, { from: MINE })).toBe('told: Too often.');
      expect(await caller(e2e, { from: OTHER })).toBe('let in');
      expect(await caller(e2e, { from: OTHER })).toBe('told: Too often.');
      for (const from of ['anonymous', '+266696687']) expect(await caller(e2e, { from })).toBe('let in');
    },
  );

  admissionTest(
    'who has a call already hears a busy tone until it is over',
    { agent: admission({ callsAtOncePerCaller: 1 }) },
    { caller_at_once: 1 },
    async (e2e) => {
      await during(e2e, async () => {
        expect(await caller(e2e, { from: MINE })).toBe('busy');
        expect(await caller(e2e, { from: OTHER })).toBe('let in');
      });
      expect(await caller(e2e, { from: MINE })).toBe('let in');
    },
  );

  admissionTest(
    'of an agent that has enough calls is forwarded, and not after one of them is over',
    {
      agent: (sample) => ({
        ...admission({ refused: { full: { give: 'forward', to: HUMAN } } })(sample),
        limits: { ...sample.limits, maxConcurrentCalls: 1 },
      }),
    },
    { agent_full: 2 },
    async (e2e) => {
      await during(e2e, async () => {
        for (const from of [MINE, 'anonymous']) expect(await caller(e2e, { from })).toBe(`forwarded to ${HUMAN}`);
      });
      expect(await caller(e2e)).toBe('let in');
    },
  );

  admissionTest(
    'of a server that has enough calls hears a busy tone',
    { config: { maxConcurrentCalls: 1 } },
    { full: 1 },
    async (e2e) => {
      await during(e2e, async () => expect(await caller(e2e, { from: OTHER })).toBe('busy'));
      expect(await caller(e2e, { from: OTHER })).toBe('let in');
    },
  );

  admissionTest(
    'of a server that stops is forwarded where the agent file says so',
    { agent: admission({ refused: { draining: { give: 'forward', to: HUMAN } } }) },
    { draining: 1 },
    async (e2e) => {
      let drained: Promise<void> | undefined;
      await during(e2e, async () => {
        drained = e2e.server.drain(60_000);
        expect(await caller(e2e)).toBe(`forwarded to ${HUMAN}`);
      });
      await drained;
    },
  );

  const read = Promise.withResolvers<void>();
  admissionTest(
    'while the rate limits of the model are nearly used up hears a busy tone; the live call goes on',
    {
      // No answer begins, so the model reports no limits of its own.
      agent: { greeting: null },
      onlookers: [
        () => ({
          input(_atMs, given) {
            if (given.from === 'session' && JSON.stringify(given.input).includes('message_unknown')) read.resolve();
          },
        }),
      ],
    },
    { model_throttled: 1 },
    async (e2e) => {
      await during(e2e, async () => {
        const session = await e2e.session();
        const tokens = { name: 'tokens', limit: 200_000, remaining: 500, reset_seconds: 59.9 };
        session.send({ type: 'rate_limits.updated', rate_limits: [tokens] });
        // Messages are read in order: when this one was, so were the limits.
        session.send({ type: 'something.new' });
        await within(5_000, 'the end of reading', read.promise);
        expect(await caller(e2e)).toBe('busy');
      });
    },
  );

  test('while every model fails is forwarded at once, until a probe finds it well again', {
    timeout: 30_000,
  }, async () => {
    const clock = new SkippingClock();
    let well = false;
    await withE2e(
      {
        clock,
        agent: (sample) => ({ failure: { ...sample.failure, forwardTo: HUMAN } }),
        simulator: () => (well ? { script } : { refuse: { status: 401 } }),
      },
      async (e2e) => {
        const circuit = () => e2e.logLines.filter(({ msg }) => msg === 'circuit of a model').map(({ state }) => state);
        // Each is let in, and finds out that the model refuses.
        await Promise.all(Array.from({ length: 5 }, () => caller(e2e)));
        expect(circuit()).toEqual(['open']);
        expect(e2e.admitted).toHaveLength(5);
        expect(await caller(e2e)).toBe(`forwarded to ${HUMAN}`);
        expect(e2e.admitted).toHaveLength(5);
        expect(await refused(e2e)).toEqual({ model_circuit_open: 1 });
        await vi.waitFor(() => expect(e2e.server.calls.live).toBe(0), { timeout: 10_000 });
        well = true;
        clock.skip(6_001);
        expect(await caller(e2e)).toBe('let in');
        expect(circuit()).toEqual(['open', 'closed']);
        expect(e2e.simulator.sessions).toHaveLength(1);
        expect(await refused(e2e)).toEqual({ model_circuit_open: 1 });
      },
    );
  });

  const voicemail = { prompt: 'Nobody is here. Leave a message.', maxSeconds: 30 };
  test.for([
    {
      what: 'a voicemail',
      failure: { voicemail },
      verbs: ['Say Nobody is here. Leave a message.', 'Record at most 30 s'],
    },
    { what: 'the apology', failure: { apologyText: 'We are down.' }, verbs: ['Say We are down.', 'Hangup '] },
  ])(
    'while every model fails gets $what where the agent file has no number',
    { timeout: 30_000 },
    ({ failure, verbs }) =>
      withE2e(
        {
          agent: (sample) => ({ failure: { ...sample.failure, forwardTo: null, voicemail: null, ...failure } }),
          simulator: { refuse: { status: 401 } },
        },
        async (e2e) => {
          await Promise.all(Array.from({ length: 5 }, () => caller(e2e)));
          const result = await e2e.call({ hangupAfterTrack: 300, track: { steps: [] } }).ended;
          expect(result.verbs.map(({ name, about }) => `${name} ${about}`).slice(0, 2)).toEqual(verbs);
          expect(await refused(e2e)).toEqual({ model_circuit_open: 1 });
        },
      ),
  );
});

test('refusals are answered far within 200 ms', { timeout: 30_000 }, async ({ annotate }) => {
  await withE2e({ agent: admission({ deny: ['+1*'] }) }, async (e2e) => {
    const tookMs: number[] = [];
    for (let i = 0; i < 50; i++) tookMs.push((await e2e.call().ended).webhookMs);
    tookMs.sort((a, b) => a - b);
    await annotate(`refusals answered: p50 ${tookMs[25]?.toFixed(1)} ms, max ${tookMs.at(-1)?.toFixed(1)} ms`);
    // The machine may run everything else at once; half of them are quick all the same.
    expect(tookMs[25]).toBeLessThan(200);
    expect(e2e.simulator.sessions).toEqual([]);
  });
});
