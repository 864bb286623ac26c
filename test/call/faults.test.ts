// One call's fault is that call's alone: whatever throws, rejects or hangs around it, it ends with a name, the others go on,
// and its place is free again.
import { expect, test } from 'vitest';
import type { SessionHooks } from '../../src/call/call.ts';
import { Calls, type CallsOptions } from '../../src/call/calls.ts';
import type { CallStore, StoredCall } from '../../src/call/call-store.ts';
import { Feed, type Onlooker } from '../../src/call/feed.ts';
import { Holdings } from '../../src/call/holdings.ts';
import type { CarrierLeg, IncomingCall } from '../../src/carrier/carrier.ts';
import type { CallTools } from '../../src/tools/tool.ts';
import { InProcess } from '../../src/coordination/in-process.ts';
import { SteadyStore } from '../../src/record/steady-store.ts';
import { sampleAgent } from '../support/e2e.ts';
import { free } from '../support/open-admission.ts';
import { FakeClock } from '../support/fake-clock.ts';

const incoming = (id: string): IncomingCall => ({
  carrier: 'twilio',
  carrierCallId: id,
  direction: 'inbound',
  from: { kind: 'pstn', value: '+15550002222' },
  to: { kind: 'pstn', value: '+15550001111' },
  attestation: null,
  sipHeaders: {},
  idempotencyKey: null,
});

const capabilities = { answersTurns: true, detectsTurns: true, restores: true };
const never = <T>(): Promise<T> => new Promise(() => {});
const broken = (): Promise<never> => Promise.reject(new Error('EIO'));
/** Lets everything happen that waits for nothing but a promise. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A leg that is gone as soon as the call closes it. */
function leg(events: {
  sink: ((event: { type: 'leg.closed'; cause: 'closed_by_us'; detail: string }) => void) | null;
}) {
  let closed = false;
  return {
    capabilities: { maxAheadMs: 4_000 },
    play() {},
    mark() {},
    clear() {},
    close() {
      if (closed) return;
      closed = true;
      events.sink?.({ type: 'leg.closed', cause: 'closed_by_us', detail: '' });
    },
  } satisfies CarrierLeg;
}

async function desk(part: Partial<CallsOptions> = {}, store: Partial<CallStore> = {}) {
  const clock = new FakeClock();
  const agent = await sampleAgent();
  const sessions: SessionHooks[] = [];
  const faults: unknown[] = [];
  const ends: string[] = [];
  const holdings = new Holdings();
  const entries = new Map<string, StoredCall>();
  const good: CallStore = {
    put: async (call) => void entries.set(call.carrierCallId, call),
    update: async (_carrier, id, change) => {
      const entry = entries.get(id);
      if (entry) entries.set(id, change(entry));
    },
    get: async (_carrier, id) => entries.get(id) ?? null,
  };
  const failed = (error: unknown): void => void faults.push(error);
  const calls = new Calls({
    nodeId: 'aaaaaaaaaaaa',
    clock,
    agents: [agent],
    leg: { maxAheadMs: 4_000 },
    bounds: { maxConcurrentCalls: 10, maxCallsPerSecond: 100, maxLoopDelayMs: 0, maxNanoUsdPerDay: null },
    meter: free,
    coordination: new InProcess({ clock, nodeId: 'aaaaaaaaaaaa' }),
    modelHealth: () => [{ circuit: 'closed', throttled: false }],
    loopDelayMs: () => 0,
    journalFull: () => false,
    model: () => ({
      capabilities,
      config: {},
      open(hooks) {
        sessions.push(hooks);
        return {
          capabilities,
          append() {},
          appendSilence() {},
          request() {},
          close: () => hooks.released(),
        };
      },
    }),
    tools: () => ({ run: () => never() }),
    store: new SteadyStore({ store: { ...good, ...store }, clock, failed }),
    controls: () => null,
    onlookers: [],
    holdings,
    watch: {
      admitted() {},
      forwardsToItself() {},
      refused() {},
      ended: (_callId, { reason }) => ends.push(reason),
      closed() {},
      swept() {},
      fault: (_callId, error) => failed(error),
      streamFailed() {},
      ordered() {},
    },
    ...part,
  });
  async function admit(id: string) {
    const admission = await calls.admit(incoming(id));
    if (admission.outcome !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(admission)}`);
    return admission;
  }
  /** Admitted, and its media runs. */
  async function live(id: string) {
    const { token, callId } = await admit(id);
    const claim = await calls.claim(token);
    if (typeof claim === 'string') throw new Error(claim);
    const events: Parameters<typeof leg>[0] = { sink: null };
    const sink = calls.attach(claim, leg(events));
    if (!sink) throw new Error('not attached');
    events.sink = sink;
    sink({ type: 'leg.started' });
    sessions.at(-1)?.emit({ type: 'session.ready' });
    return { callId, sink, session: sessions.at(-1) as SessionHooks };
  }
  const hangUp = (sink: Awaited<ReturnType<typeof live>>['sink']): void =>
    sink({ type: 'leg.closed', cause: 'caller_hung_up', detail: 'stop' });
  return { calls, clock, agent, sessions, faults, ends, holdings, entries, admit, live, hangUp };
}

test.each([
  ['fails', broken],
  ['hangs', never],
])('a store that %s: calls are let in, go on, are answered what follows, and end', async (_how, way) => {
  const { calls, clock, ends, live, hangUp, holdings } = await desk({}, { put: way, update: way, get: way });
  const pass = async <T>(asked: Promise<T>): Promise<T> => {
    await settled();
    clock.advance(1_500);
    return asked;
  };
  const { sink } = await pass(live('CA1'));
  // The caller is gone: either is an end, and what matters is that there is an answer.
  expect(['hang_up', 'say_and_hang_up']).toContain((await pass(calls.next('twilio', 'CA1', true))).do);
  hangUp(sink);
  await settled();
  clock.advance(5_000);
  await settled();
  expect(ends).toEqual(['caller_hung_up']);
  expect(calls.live).toBe(0);
  expect(holdings.count()).toBe(0);
});

test.each([
  ['fails', broken, { code: 'TRK_STORE' }],
  ['hangs', never, undefined],
])('a store that %s does not keep a call that its carrier says is over', async (_how, way, answer) => {
  const { calls, clock, ends, live } = await desk({}, { update: way });
  await live('CA1');
  const status = { carrierCallId: 'CA1', status: 'completed', final: true, durationSeconds: 1, sequence: 1 };
  const told = calls.status('twilio', status).catch((error: unknown) => error);
  expect(ends).toEqual(['caller_hung_up']);
  await settled();
  clock.advance(5_000);
  expect(await told).toEqual(answer && expect.objectContaining(answer));
});

test('an onlooker that cannot be made, throws or rejects is told, and its call goes on', async () => {
  const bad: (() => Onlooker)[] = [
    () => {
      throw new Error('made');
    },
    () => ({
      stepped() {
        throw new Error('stepped');
      },
    }),
    () => ({ closed: () => Promise.reject(new Error('closed')) }),
  ];
  const { calls, faults, ends, live, hangUp } = await desk({ onlookers: bad });
  const { sink } = await live('CA1');
  expect(ends).toEqual([]);
  hangUp(sink);
  await settled();
  expect(ends).toEqual(['caller_hung_up']);
  expect(calls.live).toBe(0);
  expect(faults.map((error) => (error as Error).message).toSorted()).toEqual(['closed', 'made', 'stepped']);
});

test('an onlooker that never finishes keeps its call for five seconds, not for ever', async () => {
  const { calls, clock, faults, live, hangUp } = await desk({ onlookers: [() => ({ closed: never })] });
  const { sink } = await live('CA1');
  hangUp(sink);
  await settled();
  clock.advance(4_999);
  await settled();
  expect(calls.live).toBe(1);
  clock.advance(1);
  await settled();
  expect(calls.live).toBe(0);
  expect(faults).toEqual([expect.objectContaining({ code: 'TRK_ONLOOKER_LATE' })]);
});

test('each onlooker has its own five seconds: one that is late keeps no other from being heard', async () => {
  const clock = new FakeClock();
  const failures: unknown[] = [];
  let finish = (): void => {};
  const slow = new Promise<void>((resolve) => (finish = resolve));
  const feed = new Feed([{ closed: never }, { closed: () => slow }], (error) => failures.push(error), clock);
  const closed = feed.closed(0);
  clock.advance(4_000);
  finish();
  await settled();
  clock.advance(1_000);
  await closed;
  expect(failures).toHaveLength(1);
  expect(clock.pending).toBe(0);
});

test('a model that cannot be opened ends its call by name; the next call finds it well', async () => {
  let broke = true;
  const { calls, faults, ends, admit, holdings } = await desk({
    model: () => ({
      capabilities,
      config: {},
      open(hooks) {
        if (broke) throw new Error('no such model');
        return { capabilities, append() {}, appendSilence() {}, request() {}, close: () => hooks.released() };
      },
    }),
  });
  await admit('CA1');
  await settled();
  expect(ends).toEqual(['internal_error']);
  expect(calls.live).toBe(0);
  expect(holdings.count()).toBe(0);
  expect(faults).toEqual([new Error('no such model')]);
  broke = false;
  await admit('CA2');
  await settled();
  expect(calls.live).toBe(1);
});

test.each([
  ['throws', () => fail()],
  ['rejects', () => Promise.reject(new Error('runner'))],
])('a tool runner that %s: the model is told that the tool failed, and the call goes on', async (_how, runTool) => {
  const settledTools: unknown[] = [];
  const { ends, live, faults } = await desk({
    tools: () => ({ run: runTool as CallTools['run'] }),
    onlookers: [
      () => ({
        stepped(event) {
          if (event.type === 'tool.settled') settledTools.push(event.status);
        },
      }),
    ],
  });
  const { session } = await live('CA1');
  session.emit({ type: 'answer.started', answer: 'a1' });
  session.emit({ type: 'tool.called', toolCall: 't1', name: 'look_up', arguments: '{}', answer: 'a1' });
  await settled();
  expect(settledTools).toEqual(['failed']);
  expect(faults).toEqual([new Error('runner')]);
  expect(ends).toEqual([]);
});

function fail(): never {
  throw new Error('runner');
}

test('a throw inside one call ends it as internal_error, and no other hears of it', async () => {
  const { calls, ends, live, faults, clock, holdings } = await desk();
  const one = await live('CA1');
  await live('CA2');
  one.session.fault(new Error('a bug'));
  await settled();
  clock.advance(300);
  await settled();
  expect(ends).toEqual(['internal_error']);
  expect(faults).toEqual([new Error('a bug')]);
  expect(calls.live).toBe(1);
  expect(calls.isLive(one.callId)).toBe(false);
  expect(holdings.count('model_session')).toBe(1);
});

test('a call that ended long ago and is still listed is let go of, once, and keeps no place', async () => {
  let nowMs = 0;
  // Time passes, but no timer fires: no bound of the call itself helps.
  const clock = { nowMs: () => nowMs, wallMs: () => nowMs, at: () => () => {} };
  let finish = (): void => {};
  const slow = new Promise<void>((resolve) => (finish = resolve));
  const { calls, live, hangUp, holdings } = await desk({ clock, onlookers: [() => ({ closed: () => slow })] });
  const { sink, callId } = await live('CA1');
  hangUp(sink);
  nowMs += 10_000;
  expect(calls.letGo()).toEqual([]);
  nowMs += 1;
  expect(calls.letGo()).toEqual([callId]);
  expect(calls.live).toBe(0);
  expect(calls.letGo()).toEqual([]);
  finish();
  await settled();
  expect(calls.live).toBe(0);
  expect(holdings.count('media_token')).toBe(0);
});
