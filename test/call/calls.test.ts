// The intake: who is let in, what a token is good for, what happens to copies of a webhook, draining.
import { expect, test } from 'vitest';
import type { Agent } from '../../src/agent/agent.ts';
import { type CallsOptions, Calls } from '../../src/call/calls.ts';
import type { CallStore, StoredCall } from '../../src/call/call-store.ts';
import type { CallStatus, CarrierLeg, IncomingCall, NextStep } from '../../src/carrier/carrier.ts';
import type { SessionHooks } from '../../src/call/call.ts';
import { InProcess } from '../../src/coordination/in-process.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { ONLY_TALKS } from '../support/no-errands.ts';
import { free, NO_BUDGET, OPEN_ADMISSION } from '../support/open-admission.ts';

class MemoryStore implements CallStore {
  readonly entries = new Map<string, StoredCall>();
  async put(call: StoredCall): Promise<void> {
    this.entries.set(`${call.carrier}/${call.carrierCallId}`, call);
  }
  async update(carrier: string, id: string, change: (call: StoredCall) => StoredCall): Promise<void> {
    const entry = this.entries.get(`${carrier}/${id}`);
    if (entry) this.entries.set(`${carrier}/${id}`, change(entry));
  }
  async get(carrier: string, id: string): Promise<StoredCall | null> {
    return this.entries.get(`${carrier}/${id}`) ?? null;
  }
}

const agent = (part: Partial<Agent> = {}): Agent =>
  ({
    ...ONLY_TALKS,
    name: 'clinic',
    answers: ['*'],
    greeting: null,
    turnTaking: { interruptAfterMs: 0, detection: { kind: 'none' } },
    silence: { promptAfterMs: 15_000, prompt: '', goodbye: '' },
    limits: { maxCallMs: 60_000, wrapUp: '', modelStallMs: 3_500, toolMs: 1_000, maxConcurrentCalls: 10 },
    endCall: { enabled: false, goodbye: '' },
    admission: OPEN_ADMISSION,
    budget: NO_BUDGET,
    model: { maxSessionMs: 3_600_000 },
    failure: {
      ...{ hold: new Uint8Array(160), holdAfterMs: 1_700, fallback: null, forwardTo: null, voicemail: null },
      ...{ apology: new Uint8Array(160), apologyText: '' },
    },
    tools: [],
    ...part,
  }) as unknown as Agent;

const incoming = (id: string, to = '+15550001111'): IncomingCall => ({
  carrier: 'twilio',
  carrierCallId: id,
  direction: 'inbound',
  from: { kind: 'pstn', value: '+15550002222' },
  to: { kind: 'pstn', value: to },
  attestation: null,
  sipHeaders: {},
  idempotencyKey: null,
});

const COMPLETED: CallStatus = {
  carrierCallId: 'CA1',
  status: 'completed',
  final: true,
  durationSeconds: 3,
  sequence: 0,
};

function desk({ maxConcurrentCalls = 3, ...part }: Partial<CallsOptions> & { maxConcurrentCalls?: number } = {}) {
  const clock = new FakeClock();
  const coordination = new InProcess({ clock, nodeId: 'node1' });
  const store = new MemoryStore();
  const sessions: { hooks: SessionHooks; closed: boolean }[] = [];
  const refused: string[] = [];
  const looped: string[] = [];
  const calls = new Calls({
    nodeId: 'node1',
    clock,
    agents: [agent()],
    leg: { maxAheadMs: 4_000 },
    bounds: { maxConcurrentCalls, maxCallsPerSecond: 100, maxLoopDelayMs: 0, maxNanoUsdPerDay: null },
    coordination,
    meter: free,
    modelHealth: () => [{ circuit: 'closed', throttled: false }],
    loopDelayMs: () => 0,
    journalFull: () => false,
    controls: () => null,
    model: () => ({
      capabilities: { answersTurns: true, detectsTurns: true },
      config: {},
      open: (hooks) => {
        const session = { hooks, closed: false };
        sessions.push(session);
        return {
          capabilities: { answersTurns: true, detectsTurns: true },
          append: () => {},
          appendSilence: () => {},
          request: () => {},
          close: () => {
            session.closed = true;
            hooks.released();
          },
        };
      },
    }),
    tools: () => ({ run: () => new Promise(() => {}) }),
    store,
    onlookers: [],
    watch: {
      admitted: () => {},
      forwardsToItself: (_callId, name) => looped.push(name),
      refused: (reason) => refused.push(reason),
      ended: () => {},
      closed: () => {},
      swept: () => {},
      streamFailed: () => {},
      ordered: () => {},
      fault: (_callId, error) => {
        throw error;
      },
    },
    ...part,
  });
  const admitted = async (id: string) => {
    const admission = await calls.admit(incoming(id));
    if (admission.outcome !== 'accepted') throw new Error(`not accepted: ${admission.outcome}`);
    return admission;
  };
  return { calls, clock, coordination, store, sessions, refused, looped, admitted };
}

const silentLeg = (): CarrierLeg => ({
  capabilities: { maxAheadMs: 4_000 },
  play: () => {},
  mark: () => {},
  clear: () => {},
  close: () => {},
});

test('copies of a webhook before the token is used get the same answer and open one session', async () => {
  const { calls, sessions } = desk();
  const [one, two] = await Promise.all([calls.admit(incoming('CA1')), calls.admit(incoming('CA1'))]);
  const three = await calls.admit(incoming('CA1'));
  expect(two).toEqual(one);
  expect(three).toEqual(one);
  expect(sessions).toHaveLength(1);
});

test('a copy after the token was used is a replay and opens nothing, also after the call is over', async () => {
  const { calls, clock, sessions, admitted } = desk();
  const { token } = await admitted('CA1');
  expect(await calls.claim(token)).toMatchObject({ carrierCallId: 'CA1' });
  expect(await calls.admit(incoming('CA1'))).toEqual({ outcome: 'replayed' });
  clock.advance(10_001);
  await new Promise(setImmediate);
  expect(calls.live).toBe(0);
  expect(await calls.admit(incoming('CA1'))).toEqual({ outcome: 'replayed' });
  expect(sessions).toHaveLength(1);
});

test('a token is good once, here, for a while', async () => {
  const { calls, admitted } = desk();
  const { token } = await admitted('CA1');
  expect(await calls.claim('node1.nonsense')).toBe('unknown');
  expect(await calls.claim('node2.whatever')).toBe('foreign');
  expect(await calls.claim(token)).toMatchObject({ carrierCallId: 'CA1' });
  expect(await calls.claim(token)).toBe('used');
});

test('a token of a call that waited too long is void and its session is closed', async () => {
  const { calls, clock, coordination, sessions, admitted } = desk();
  const { token } = await admitted('CA1');
  clock.advance(10_001);
  expect(sessions[0]?.closed).toBe(true);
  expect(await calls.claim(token)).toBeTypeOf('string');
  await new Promise(setImmediate);
  expect(coordination.tokens.size).toBe(0);
});

test('a second leg for a live call is refused', async () => {
  const { calls, admitted } = desk();
  const { token } = await admitted('CA1');
  const claim = await calls.claim(token);
  if (typeof claim === 'string') throw new Error(claim);
  expect(calls.attach(claim, silentLeg())).toBeTypeOf('function');
  expect(calls.attach(claim, silentLeg())).toBeNull();
});

test('what does not fit is refused with an answer for the carrier, and counted by reason', async () => {
  const { calls, refused, sessions } = desk({ maxConcurrentCalls: 2 });
  await calls.admit(incoming('CA1'));
  await calls.admit(incoming('CA2'));
  expect(await calls.admit(incoming('CA3'))).toMatchObject({ outcome: 'refused', answer: { do: 'reject_busy' } });
  expect(refused).toEqual(['full']);
  expect(sessions).toHaveLength(2);
});

test('simultaneous webhooks do not get past the bound together', async () => {
  const { calls, sessions } = desk({ maxConcurrentCalls: 5 });
  const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => calls.admit(incoming(`CA${i}`))));
  expect(outcomes.filter((o) => o.outcome === 'accepted')).toHaveLength(5);
  expect(sessions).toHaveLength(5);
});

test('an agent has a bound of its own, and a number that no agent answers is told so', async () => {
  const { calls } = desk({
    agents: [agent({ answers: ['+15550001111'], limits: { ...agent().limits, maxConcurrentCalls: 1 } })],
  });
  await calls.admit(incoming('CA1'));
  expect(await calls.admit(incoming('CA2'))).toMatchObject({ outcome: 'refused', reason: 'agent_full' });
  expect(await calls.admit(incoming('CA3', '+19990000000'))).toMatchObject({
    outcome: 'refused',
    reason: 'no_agent',
    answer: { do: 'say_and_hang_up' },
  });
});

test('draining lets nobody in and ends when the last call is over', async () => {
  const { calls, clock, admitted } = desk();
  await admitted('CA1');
  let drained = false;
  const drain = calls.drain(clock.nowMs() + 60_000).then(() => {
    drained = true;
  });
  expect(await calls.admit(incoming('CA2'))).toMatchObject({ outcome: 'refused', reason: 'draining' });
  expect(drained).toBe(false);
  await calls.status('twilio', COMPLETED);
  await drain;
  expect(calls.live).toBe(0);
});

test('a carrier that knows nothing of the call it is to bring back has no caller any more', async () => {
  const orders: string[] = [];
  const ended: string[] = [];
  const { calls, clock, admitted } = desk({
    controls: () => ({
      redirect: async (id) => {
        orders.push(`redirect ${id}`);
        return 'gone';
      },
      hangUp: async (id) => {
        orders.push(`hang up ${id}`);
        return 'gone';
      },
      call: () => Promise.reject(new Error('nobody is called here')),
      message: () => Promise.reject(new Error('nothing is sent here')),
    }),
    onlookers: [
      () => ({
        stepped: (_event, effects) => {
          for (const effect of effects)
            if (effect.do === 'call.end') ended.push(`${effect.termination.reason}: ${effect.termination.detail}`);
        },
      }),
    ],
  });
  const { token } = await admitted('CA1');
  const claim = await calls.claim(token);
  if (typeof claim === 'string') throw new Error(claim);
  const tell = calls.attach(claim, silentLeg());
  tell?.({ type: 'leg.started' });
  // The carrier had been silent for so long that it is asked at once.
  tell?.({ type: 'leg.closed', cause: 'socket_lost', detail: '1006', silentMs: 3_000 });
  await new Promise(setImmediate);
  expect(ended).toEqual(['caller_hung_up: the carrier says that the call is over']);
  expect(calls.live).toBe(0);
  // Nothing more is asked of the carrier, and nothing waited for.
  clock.advance(60_000);
  await new Promise(setImmediate);
  expect(orders).toEqual(['redirect CA1']);
  await calls.drain(clock.nowMs());
});

test.each([
  ['by its callback', (calls: Calls) => calls.status('twilio', COMPLETED)],
  ['with its question', (calls: Calls) => calls.next('twilio', 'CA1', true)],
])('a caller who hangs up while the call is being let in leaves nothing behind: told %s', async (_how, tell) => {
  const { calls, sessions } = desk();
  const [admission] = await Promise.all([calls.admit(incoming('CA1')), tell(calls)]);
  expect(admission).toMatchObject({ outcome: 'accepted' });
  await new Promise(setImmediate);
  expect(calls.live).toBe(0);
  expect(sessions).toMatchObject([{ closed: true }]);
});

test('a webhook that comes behind the end of its call opens nothing', async () => {
  const { calls, sessions } = desk();
  await calls.status('twilio', COMPLETED);
  expect(await calls.admit(incoming('CA1'))).toEqual({ outcome: 'replayed' });
  expect(sessions).toEqual([]);
});

test('a callback about a call that could not be let in is noted all the same', async () => {
  const { calls } = desk({
    model: () => {
      throw new Error('no such model');
    },
  });
  const admission = calls.admit(incoming('CA1'));
  const noted = calls.status('twilio', COMPLETED);
  await expect(admission).rejects.toThrow('no such model');
  await expect(noted).resolves.toBeUndefined();
});

test('what follows the media is answered from the store, by any process', async () => {
  const { calls, store, admitted, clock } = desk();
  await admitted('CA1');
  clock.advance(10_001);
  await new Promise(setImmediate);
  const other = desk({ store });
  expect(await other.calls.next('twilio', 'CA1', false)).toEqual({ do: 'hang_up' });
  expect((await store.get('twilio', 'CA1'))?.termination?.reason).toBe('media_never_started');
  expect(await calls.next('twilio', 'CA-unknown', false)).toEqual({ do: 'hang_up' });
});

test('a caller whose process died while a person was rung up is told, and not left without a word', async () => {
  const { store, admitted } = desk();
  await admitted('CA1');
  const otherwise = { do: 'say_and_hang_up', text: 'We are sorry.' } as const;
  await store.update('twilio', 'CA1', (c) => ({
    ...c,
    next: { do: 'transfer', to: '+15550100001', ringSeconds: 20, otherwise },
  }));
  const other = desk({ store });
  expect(await other.calls.dialled('twilio', 'CA1', 'no_answer')).toEqual(otherwise);
  expect(await other.calls.dialled('twilio', 'CA1', 'answered')).toEqual({ do: 'hang_up' });
});

test('the places of a call are free again when it is closed, and not before', async () => {
  const { calls, clock, coordination, admitted } = desk({ maxConcurrentCalls: 1 });
  await admitted('CA1');
  expect(await calls.admit(incoming('CA2'))).toMatchObject({ outcome: 'refused', reason: 'full' });
  expect(coordination.leases.leases).toBe(1);
  clock.advance(10_001);
  await new Promise(setImmediate);
  expect(coordination).toMatchObject({ leases: { leases: 0 }, tokens: { size: 0 } });
  await admitted('CA3');
});

test('a call whose model cannot be had at all keeps no place and no token', async () => {
  const { calls, coordination, clock } = desk({
    maxConcurrentCalls: 1,
    model: () => {
      throw new Error('no such model');
    },
  });
  for (const id of ['CA1', 'CA2']) await expect(calls.admit(incoming(id))).rejects.toThrow('no such model');
  expect(coordination).toMatchObject({ leases: { leases: 0 }, tokens: { size: 0 } });
  expect({ live: calls.live, timers: clock.pending }).toEqual({ live: 0, timers: 0 });
});

test('with the first model out of order the call begins with the fallback', async () => {
  const targets: number[] = [];
  const { admitted } = desk({
    modelHealth: () => [
      { circuit: 'open', throttled: false },
      { circuit: 'closed', throttled: false },
    ],
    onlookers: [
      ({ opening }) => {
        targets.push(opening.target ?? 0);
        return null;
      },
    ],
  });
  await admitted('CA1');
  expect(targets).toEqual([1]);
});

test('an agent that would forward to the number it was called under does not, before a call or after it, and it is told', async () => {
  const own = '+15550001111';
  const refused = { ...OPEN_ADMISSION.refused, draining: { give: 'forward', to: own } as const };
  const { failure } = agent();
  const circular = agent({
    admission: { ...OPEN_ADMISSION, refused },
    failure: { ...failure, forwardTo: own, apologyText: 'Sorry.' },
    budget: { ...NO_BUDGET, forwardTo: own },
  });
  const opened: Record<string, NextStep>[] = [];
  const { calls, store, looped } = desk({
    agents: [circular],
    onlookers: [
      ({ opening: { policy } }) => {
        opened.push({ failed: policy.afterFailure, spent: policy.budget.next });
        return null;
      },
    ],
  });
  const next = async (id: string, to: string) => {
    await calls.admit(incoming(id, to));
    return (await store.get('twilio', id))?.next;
  };
  expect(await next('CA1', 'sip:+15550001111@clinic.example.com')).toEqual({ do: 'say_and_hang_up', text: 'Sorry.' });
  expect(await next('CA2', '+15550009999')).toEqual({ do: 'forward', to: own });
  expect(opened).toEqual([
    { failed: { do: 'hang_up' }, spent: { do: 'hang_up' } },
    { failed: { do: 'forward', to: own }, spent: { do: 'forward', to: own } },
  ]);
  void calls.drain(60_000);
  expect(await calls.admit(incoming('CA3', own))).toMatchObject({ answer: { do: 'reject_busy' } });
  expect(await calls.admit(incoming('CA4', '+15550009999'))).toMatchObject({ answer: { do: 'forward', to: own } });
  expect(looped).toEqual(['clinic', 'clinic']);
});

// --- operators

test('an operator acts on a live call; what cannot be is refused in words, and nothing throws', async () => {
  const { calls } = desk();
  const admission = await calls.admit(incoming('CA1'));
  if (admission.outcome !== 'accepted') throw new Error('not let in');
  const { callId } = admission;
  expect(calls.operate('nobody', { type: 'operator.said', text: 'x' })).toEqual({ outcome: 'gone' });
  expect(calls.operate(callId, { type: 'operator.said', text: 'x' })).toMatchObject({ outcome: 'refused' });
  expect(calls.operate(callId, { type: 'operator.transfers', target: 'desk' })).toMatchObject({ outcome: 'refused' });
  expect(calls.operate(callId, { type: 'operator.whispered', text: 'be brief' })).toEqual({ outcome: 'done' });
  expect(calls.operate(callId, { type: 'call.asked_to_end', reason: 'operator_ended' })).toEqual({ outcome: 'done' });
  expect(calls.operate(callId, { type: 'call.asked_to_end', reason: 'operator_ended' })).toEqual({ outcome: 'gone' });
});
