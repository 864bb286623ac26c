// The rules of admission in their order, what each refused caller gets, and the gate that takes places and token.
import { describe, expect, test } from 'vitest';
import type { Agent, AgentAdmission } from '../../src/agent/agent.ts';
import type { IncomingCall, NextStep, RefusalReason } from '../../src/carrier/carrier.ts';
import {
  type AdmissionFacts,
  agentBudgetKey,
  answerTo,
  judge,
  limitsOf,
  type ModelHealth,
  type ProcessBounds,
} from '../../src/call/admission.ts';
import { Gate, type GateOptions } from '../../src/call/gate.ts';
import { InProcess } from '../../src/coordination/in-process.ts';
import type { AdmissionLeases } from '../../src/coordination/port.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { ONLY_TALKS } from '../support/no-errands.ts';
import { free, NO_BUDGET, OPEN_ADMISSION } from '../support/open-admission.ts';

const BUSY = { give: 'busy' } as const;
const CALLED = '+15550001111';

type AgentPart = Partial<Omit<AgentAdmission, 'refused'>> & {
  refused?: Partial<AgentAdmission['refused']>;
  failure?: Partial<Agent['failure']>;
  atOnce?: number;
  name?: string;
};

const agent = ({ refused, failure, atOnce = 10, name = 'clinic', ...admission }: AgentPart = {}): Agent =>
  ({
    ...ONLY_TALKS,
    name,
    answers: ['*'],
    limits: { maxConcurrentCalls: atOnce },
    admission: {
      ...OPEN_ADMISSION,
      ...admission,
      refused: { ...OPEN_ADMISSION.refused, ...refused },
    },
    budget: NO_BUDGET,
    failure: { apologyText: 'We are sorry.', forwardTo: null, voicemail: null, ...failure },
  }) as unknown as Agent;

const call = (part: Partial<IncomingCall> = {}): IncomingCall => ({
  ...{ carrier: 'twilio', carrierCallId: 'CA1', direction: 'inbound', to: { kind: 'pstn', value: '+15550001111' } },
  ...{ from: { kind: 'pstn', value: '+15550002222' }, attestation: null, sipHeaders: {}, idempotencyKey: null },
  ...part,
});

const WITHHELD = { kind: 'withheld', value: '' } as const;
const WELL: ModelHealth = { circuit: 'closed', throttled: false };
const FACTS: AdmissionFacts = { draining: false, loopDelayMs: 3, journalFull: false, models: [WELL] };
const BOUNDS: ProcessBounds = {
  ...{ maxConcurrentCalls: 3, maxCallsPerSecond: 100, maxLoopDelayMs: 250, maxNanoUsdPerDay: null },
};

describe('the rules that need no count', () => {
  test('let a caller in with the first model when nothing speaks against it', () => {
    expect(judge(call(), agent(), FACTS, BOUNDS)).toEqual({ refusal: null, target: 0 });
  });

  test('are asked in their order: what is listed first answers when everything is wrong', () => {
    const strict = agent({ allow: ['+1999*'], deny: ['+1555*'], attestation: 'A' });
    const bad: AdmissionFacts = {
      draining: true,
      loopDelayMs: 900,
      journalFull: true,
      models: [{ circuit: 'open', throttled: true }],
    };
    const asked: (RefusalReason | null)[] = [];
    // One rule after the other is satisfied.
    let [who, of, facts] = [call(), strict, bad];
    const ask = () => asked.push(judge(who, of, facts, BOUNDS).refusal);
    ask();
    facts = { ...facts, draining: false };
    ask();
    of = agent({ allow: ['+1999*'], attestation: 'A' });
    ask();
    of = agent({ allow: ['+1555*'], attestation: 'A' });
    ask();
    who = call({ attestation: 'TN-Validation-Passed-A' });
    ask();
    facts = { ...facts, loopDelayMs: 250 };
    ask();
    facts = { ...facts, journalFull: false };
    ask();
    facts = { ...facts, models: [{ circuit: 'closed', throttled: true }] };
    ask();
    facts = { ...facts, models: [WELL] };
    ask();
    expect(asked).toEqual([
      'draining',
      'caller_denied',
      'caller_not_allowed',
      'attestation_low',
      'overloaded',
      'journal_full',
      'model_circuit_open',
      'model_throttled',
      null,
    ]);
  });

  test('a denied caller stays denied when also allowed', () => {
    const both = agent({ allow: ['+15550002222'], deny: ['+15550002222'] });
    expect(judge(call(), both, FACTS, BOUNDS).refusal).toBe('caller_denied');
  });

  test('withheld callers can be allowed and denied', () => {
    const withheld = call({ from: WITHHELD });
    expect(judge(withheld, agent({ deny: ['withheld'] }), FACTS, BOUNDS).refusal).toBe('caller_denied');
    expect(judge(withheld, agent({ allow: ['withheld'] }), FACTS, BOUNDS).refusal).toBeNull();
    expect(judge(withheld, agent({ allow: ['+1*'] }), FACTS, BOUNDS).refusal).toBe('caller_not_allowed');
  });

  test('attestation is asked of telephone numbers, shown or withheld, and of nobody else', () => {
    const strict = agent({ attestation: 'C' });
    const of = (from: IncomingCall['from'], attestation: string | null) =>
      judge(call({ from, attestation }), strict, FACTS, BOUNDS).refusal;
    expect(of({ kind: 'pstn', value: '+15550002222' }, null)).toBe('attestation_low');
    expect(of({ kind: 'pstn', value: '+15550002222' }, 'TN-Validation-Failed-A')).toBe('attestation_low');
    expect(of({ kind: 'pstn', value: '+15550002222' }, 'TN-Validation-Passed-C')).toBeNull();
    expect(of(WITHHELD, null)).toBe('attestation_low');
    expect(of(WITHHELD, 'TN-Validation-Passed-B')).toBeNull();
    expect(of({ kind: 'sip', value: 'sip:a@b' }, null)).toBeNull();
    expect(of({ kind: 'client', value: 'alice' }, null)).toBeNull();
  });

  test('calls that we placed are not refused for who is called', () => {
    const strict = agent({ allow: ['+1999*'], deny: ['+1555*'], attestation: 'A' });
    expect(judge(call({ direction: 'outbound' }), strict, FACTS, BOUNDS).refusal).toBeNull();
  });

  test('a bound of 0 lets the event loop be as late as it likes', () => {
    expect(
      judge(call(), agent(), { ...FACTS, loopDelayMs: 9_999 }, { ...BOUNDS, maxLoopDelayMs: 0 }).refusal,
    ).toBeNull();
  });

  test.each<[string, ModelHealth[], ReturnType<typeof judge>]>([
    ['half open: this call is the probe', [{ circuit: 'half_open', throttled: false }], { refusal: null, target: 0 }],
    ['open, with a fallback that works', [{ circuit: 'open', throttled: false }, WELL], { refusal: null, target: 1 }],
    [
      'open, and the fallback too',
      [
        { circuit: 'open', throttled: false },
        { circuit: 'open', throttled: false },
      ],
      { refusal: 'model_circuit_open' },
    ],
    [
      'open, and the fallback throttled',
      [
        { circuit: 'open', throttled: false },
        { circuit: 'closed', throttled: true },
      ],
      { refusal: 'model_throttled' },
    ],
    [
      'throttled, whatever the fallback does',
      [{ circuit: 'closed', throttled: true }, WELL],
      { refusal: 'model_throttled' },
    ],
    [
      'open and throttled, with a fallback that works',
      [{ circuit: 'open', throttled: true }, WELL],
      { refusal: null, target: 1 },
    ],
  ])('the model is %s', (_what, models, judged) => {
    expect(judge(call(), agent(), { ...FACTS, models }, BOUNDS)).toEqual(judged);
  });
});

describe('the limits', () => {
  const refusals = (incoming: IncomingCall, of: Agent) =>
    limitsOf('n1', incoming, of, BOUNDS).map(({ refusal }) => refusal);

  test('are asked in their order', () => {
    expect(refusals(call(), agent({ callsPerMinutePerCaller: 5, callsAtOncePerCaller: 2 }))).toEqual([
      'calls_per_second',
      'caller_rate',
      'caller_at_once',
      'agent_full',
      'full',
    ]);
  });

  test('a caller is limited only where the agent file says so, and only if there is a number to count', () => {
    const strict = agent({ callsPerMinutePerCaller: 5, callsAtOncePerCaller: 2 });
    const everybody = ['calls_per_second', 'agent_full', 'full'];
    expect(refusals(call(), agent())).toEqual(everybody);
    expect(refusals(call({ from: WITHHELD }), strict)).toEqual(everybody);
    expect(refusals(call({ direction: 'outbound' }), strict)).toEqual(everybody);
  });

  test('callers are counted per agent, agents by name, the process by itself', () => {
    const of = (name: string, node = 'n1', from = '+15550002222') =>
      limitsOf(
        node,
        call({ from: { kind: 'pstn', value: from } }),
        agent({ name, callsAtOncePerCaller: 1 }),
        BOUNDS,
      ).map(({ refusal, key }) => `${refusal} ${key}`);
    const mine = new Set(of('clinic'));
    expect(of('shop').filter((limit) => mine.has(limit))).toEqual(['calls_per_second node/n1', 'full node/n1']);
    expect(of('clinic', 'n2').filter((limit) => !mine.has(limit))).toEqual([
      'calls_per_second node/n2',
      'full node/n2',
    ]);
    expect(of('clinic', 'n1', '+15559999999').filter((limit) => !mine.has(limit))).toHaveLength(1);
  });
});

describe('what a refused caller gets', () => {
  const sentence = (text: string) => ({ give: 'sentence', text }) as const;
  const spoken = agent({
    refused: {
      denied: sentence('denied'),
      limited: sentence('limited'),
      full: sentence('full'),
      draining: sentence('draining'),
    },
  });

  test.each<[RefusalReason, string]>([
    ['draining', 'draining'],
    ['caller_denied', 'denied'],
    ['caller_not_allowed', 'denied'],
    ['attestation_low', 'denied'],
    ['overloaded', 'full'],
    ['model_throttled', 'full'],
    ['calls_per_second', 'full'],
    ['caller_rate', 'limited'],
    ['caller_at_once', 'limited'],
    ['agent_full', 'full'],
    ['full', 'full'],
  ])('%s is answered by the line of %s', (reason, text) => {
    expect(answerTo(reason, spoken, CALLED)).toEqual({ do: 'say_and_hang_up', text });
  });

  test.each<[AgentAdmission['refused']['full'], NextStep]>([
    [BUSY, { do: 'reject_busy' }],
    [sentence('No.'), { do: 'say_and_hang_up', text: 'No.' }],
    [
      { give: 'forward', to: '+15557654321' },
      { do: 'forward', to: '+15557654321' },
    ],
  ])('%o', (full, step) => {
    expect(answerTo('full', agent({ refused: { full } }), CALLED)).toEqual(step);
  });

  test('nobody is forwarded to the number that was dialled: a busy tone, the voicemail or the apology instead', () => {
    const own = { give: 'forward', to: CALLED } as const;
    expect(answerTo('full', agent({ refused: { full: own } }), CALLED)).toEqual({ do: 'reject_busy' });
    const voicemail = { prompt: 'Leave a message.', maxSeconds: 60 };
    const refuses = (failure: Partial<Agent['failure']>) => answerTo('model_circuit_open', agent({ failure }), CALLED);
    expect(refuses({ forwardTo: CALLED, voicemail })).toEqual({
      do: 'voicemail',
      say: 'Leave a message.',
      maxSeconds: 60,
    });
    expect(refuses({ forwardTo: CALLED })).toEqual({ do: 'say_and_hang_up', text: 'We are sorry.' });
  });

  test('without an agent there is a sentence of ours', () => {
    expect(answerTo('no_agent', null, CALLED)).toEqual({
      do: 'say_and_hang_up',
      text: 'This number is not in service.',
    });
  });

  test('without a model the caller gets what the agent file says of failures: a human, a voicemail, the apology', () => {
    const voicemail = { prompt: 'Leave a message.', maxSeconds: 60 };
    expect(
      answerTo('model_circuit_open', agent({ failure: { forwardTo: '+15557654321', voicemail } }), CALLED),
    ).toEqual({
      ...{ do: 'forward', to: '+15557654321' },
      otherwise: { do: 'voicemail', say: 'Leave a message.', maxSeconds: 60 },
    });
    expect(answerTo('model_circuit_open', agent({ failure: { voicemail } }), CALLED)).toEqual({
      ...{ do: 'voicemail', say: 'Leave a message.', maxSeconds: 60 },
    });
    expect(answerTo('model_circuit_open', agent(), CALLED)).toEqual({ do: 'say_and_hang_up', text: 'We are sorry.' });
  });
});

describe('the gate', () => {
  function gate(part: Partial<GateOptions> = {}) {
    const clock = new FakeClock();
    const { leases, tokens, budgets } = new InProcess({ clock, nodeId: 'n1' });
    const opened: string[] = [];
    const state = { draining: false };
    const made = new Gate({
      ...{
        nodeId: 'n1',
        leases,
        tokens,
        bounds: BOUNDS,
        draining: () => state.draining,
        loopDelayMs: () => 0,
        journalFull: () => false,
      },
      modelHealth: () => [WELL],
      ...{ clock, budgets, meter: free },
      ...part,
    });
    const pass = (callId: string, of: Agent | null = agent(), incoming = call()) =>
      made.pass(callId, incoming, of, (_agent, ticket) => {
        opened.push(callId);
        return ticket;
      });
    return { clock, leases, tokens, budgets, opened, state, gate: made, pass };
  }

  test('sets aside what the first answer can cost, or refuses by the budget that has not got it', async () => {
    const dear = () => ({ read() {}, nextAnswerNanoUsd: () => 400, carriedNanoUsd: () => 0 });
    const { budgets, leases, tokens, pass } = gate({
      meter: dear,
      bounds: { ...BOUNDS, maxNanoUsdPerDay: 1_000 },
    });
    const of = (
      perDayNanoUsd: number | null,
      perCallerDayNanoUsd: number | null,
      perCallNanoUsd: number | null = null,
    ) => ({ ...agent(), budget: { ...NO_BUDGET, perDayNanoUsd, perCallerDayNanoUsd, perCallNanoUsd } }) as Agent;
    const passage = await pass('call-1', of(500, 900));
    if (passage.refusal !== null) throw new Error(passage.refusal);
    expect(budgets.read(agentBudgetKey('clinic'))).toMatchObject({ reservedNanoUsd: 400 });
    expect(await pass('call-2', of(500, 900))).toMatchObject({
      refusal: 'agent_budget',
      answer: { do: 'reject_busy' },
    });
    expect(await pass('call-3', of(null, 700))).toMatchObject({ refusal: 'caller_budget' });
    expect(await pass('call-4', of(null, null, 399))).toMatchObject({ refusal: 'call_budget' });
    expect(await pass('call-5', of(null, null))).toMatchObject({ refusal: null });
    expect(await pass('call-6', of(null, null))).toMatchObject({ refusal: 'total_budget' });
    // Who was refused holds nothing.
    expect({ leases: leases.leases, tokens: tokens.size }).toEqual({ leases: 2, tokens: 2 });
    await passage.admitted.spending?.close();
    expect(await pass('call-7', of(500, 900))).toMatchObject({ refusal: null });
  });

  test('gives a call its places, its token and its model', async () => {
    const { leases, tokens, pass } = gate({ modelHealth: () => [{ circuit: 'open', throttled: false }, WELL] });
    const passage = await pass('call-1');
    if (passage.refusal !== null) throw new Error(passage.refusal);
    expect(passage.admitted.target).toBe(1);
    expect(tokens.claim(passage.admitted.token)).toEqual({ callId: 'call-1' });
    expect(leases.leases).toBe(1);
  });

  test('a number that nobody answers takes nothing', async () => {
    const { leases, tokens, opened, pass } = gate();
    expect(await pass('call-1', null)).toMatchObject({ refusal: 'no_agent' });
    expect({ opened, leases: leases.leases, tokens: tokens.size }).toEqual({ opened: [], leases: 0, tokens: 0 });
  });

  test('counts the limits, and refuses by the first that is full', async () => {
    const { opened, pass } = gate();
    const busy = agent({ atOnce: 2 });
    await pass('call-1', busy);
    await pass('call-2', busy);
    expect(await pass('call-3', busy)).toEqual({ refusal: 'agent_full', answer: { do: 'reject_busy' } });
    await pass('call-4', agent({ name: 'shop' }));
    expect(await pass('call-5', agent({ name: 'shop' }))).toMatchObject({ refusal: 'full' });
    expect(opened).toEqual(['call-1', 'call-2', 'call-4']);
  });

  test('limits one caller in rate and at once, and no other', async () => {
    const { clock, pass } = gate({ bounds: { ...BOUNDS, maxConcurrentCalls: 100 } });
    const strict = agent({ callsPerMinutePerCaller: 2, callsAtOncePerCaller: 5 });
    const outcome = async (from: string) =>
      (await pass('c', strict, call({ from: { kind: 'pstn', value: from } }))).refusal;
    expect([await outcome('+15550000001'), await outcome('+15550000001')]).toEqual([null, null]);
    expect(await outcome('+15550000001')).toBe('caller_rate');
    expect(await outcome('+15550000002')).toBeNull();
    clock.advance(30_000);
    expect(await outcome('+15550000001')).toBeNull();
    clock.advance(600_000);
    expect([await outcome('+15550000001'), await outcome('+15550000001')]).toEqual([null, null]);
    clock.advance(600_000);
    expect(await outcome('+15550000001')).toBe('caller_at_once');
  });

  test('a call that cannot be opened gives everything back', async () => {
    const { leases, tokens, gate: made } = gate();
    const failing = made.pass('call-1', call(), agent(), () => {
      throw new Error('no memory');
    });
    await expect(failing).rejects.toThrow('no memory');
    expect({ leases: leases.leases, tokens: tokens.size }).toEqual({ leases: 0, tokens: 0 });
  });

  test('a stop that comes while the places are asked for refuses the call and gives everything back', async () => {
    const asked = Promise.withResolvers<void>();
    const { clock, tokens, state } = gate();
    const { leases } = new InProcess({ clock, nodeId: 'n1' });
    const slow: AdmissionLeases = {
      async acquire(limits) {
        await asked.promise;
        return leases.acquire(limits);
      },
    };
    const { opened, pass } = gate({ leases: slow, tokens, draining: () => state.draining });
    const passing = pass('call-1');
    state.draining = true;
    asked.resolve();
    expect(await passing).toMatchObject({ refusal: 'draining' });
    expect({ opened, leases: leases.leases, tokens: tokens.size }).toEqual({ opened: [], leases: 0, tokens: 0 });
  });

  test('decides in a fraction of a millisecond, also with long lists', async () => {
    const { pass } = gate({ bounds: { ...BOUNDS, maxConcurrentCalls: 1e6, maxCallsPerSecond: 1e6 } });
    const deny = Array.from({ length: 10_000 }, (_, i) => `+4${1_000_000_000 + i}`);
    const long = agent({ deny, callsPerMinutePerCaller: 600, atOnce: 1e6 });
    const startMs = performance.now();
    for (let i = 0; i < 50; i++)
      await pass(`call-${i}`, long, call({ from: { kind: 'pstn', value: `+1${5550000000 + i}` } }));
    // 200 ms are allowed for one.
    expect((performance.now() - startMs) / 50).toBeLessThan(200);
  });
});
