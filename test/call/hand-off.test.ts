// Hand-off to another agent in the same call: its policy, tools and session take over in the first pause, with the history.
import { expect, test } from 'vitest';
import type { HandOffAgent } from '../../src/call/state.ts';
import type { VirtualLine } from '../support/virtual-line.ts';
import { NO_ERRANDS } from '../support/no-errands.ts';
import {
  answered,
  callerSays,
  calls,
  did,
  type ErrandLineOptions,
  foldsTheSame,
  hangUp,
  outputsOf,
  says,
  testPolicy,
} from '../support/errand-line.ts';

const RECOVERS = { recoverWithinMs: 8_000, holdBytes: 8_000 };
const capabilities = { answersTurns: true, detectsTurns: true };
const BILLING: HandOffAgent = {
  capabilities,
  policy: testPolicy({
    ...RECOVERS,
    silencePrompt: 'Billing asks.',
    models: 2,
    errands: { ...NO_ERRANDS, handOffs: ['clinic'], dispositions: ['paid'] },
  }),
};
const CLINIC: HandOffAgent = {
  capabilities,
  policy: testPolicy({ ...RECOVERS, errands: { ...NO_ERRANDS, handOffs: ['billing'] } }),
};
const HAND_OFFS = { billing: BILLING, clinic: CLINIC };

const line = (options: ErrandLineOptions = {}): VirtualLine =>
  answered({
    handOffs: HAND_OFFS,
    ...options,
    errands: { handOffs: ['billing'], ...options.errands },
    policy: { ...RECOVERS, ...options.policy },
  });

/** The model hands over, after a word to the caller. */
function handsOver(on: VirtualLine, to = 'billing', callId = 'h1'): void {
  on.model.plans.push({ ...says(400), tools: calls(callId, 'hand_off_to', { agent: to, why: 'A bill.' }).tools! });
  callerSays(on, 'my bill is wrong');
}

const agentOf = ({ call: { state } }: VirtualLine): string | null => (state.phase === 'ended' ? null : state.agent);

function expectClean(on: VirtualLine): void {
  hangUp(on);
  on.advance(4_000);
  expect(on.termination?.reason).toBe('caller_hung_up');
  expect(on.clock.pending).toBe(0);
  expect(on.faults).toEqual([]);
  expect(foldsTheSame(on)).toBe(true);
}

test('the other agent takes over in the pause and speaks first, by its own policy and with the history', () => {
  const on = line();
  handsOver(on);
  on.until(() => agentOf(on) === 'billing', 5_000);
  expect(on.heardMs(1)).toBe(400);
  expect(on.agents).toEqual(['clinic', 'billing']);
  on.advance(2_500);
  expect(on.models[1]?.items).toHaveLength(1);
  expect(on.models[0]?.closed).toBe(true);
  expect(did(on, 'note.handed_off')).toMatchObject([{ to: 'billing' }]);
  const told = JSON.stringify(on.models[1]?.received);
  for (const part of ['my bill is wrong', 'The reason: A bill.', 'handed over to you']) expect(told).toContain(part);
  // Its own tools.
  on.model.plans.push(calls('n1', 'leave_note', { disposition: 'paid', text: 'x' }), says(200));
  callerSays(on);
  on.advance(2_000);
  expect(did(on, 'note.left')).toHaveLength(1);
  on.until(() => did(on, 'session.speak').some(({ say }) => say === 'Billing asks.'), 20_000);
  expectClean(on);
});

test('there and back: each its own session, and the first policy again', () => {
  const on = line();
  handsOver(on);
  on.advance(3_500);
  handsOver(on, 'clinic', 'h2');
  on.advance(3_500);
  expect(on.agents).toEqual(['clinic', 'billing', 'clinic']);
  expect(agentOf(on)).toBe('clinic');
  expect(on.call.state.policy.errands.handOffs).toEqual(['billing']);
  expectClean(on);
});

test.each<[string, unknown]>([
  ['an agent that is not on the list', { agent: 'root' }],
  ['a name of an object', { agent: 'constructor' }],
  ['none', {}],
])('to %s: the model is told, nothing opens', (_what, args) => {
  const on = line();
  on.model.plans.push(calls('h1', 'hand_off_to', args), says(200));
  callerSays(on);
  on.advance(3_000);
  expect(outputsOf(on, 'h1')[0]).toContain('must be one of billing');
  expect(on.agents).toEqual(['clinic']);
});

test('the caller speaks meanwhile: answered, and then handed over', () => {
  const on = line({ laterModels: [{ readyAfterMs: 1_500 }] });
  handsOver(on);
  on.advance(1_000);
  on.model.plans.push(says(1_500));
  const model = on.models[0]!;
  model.plans.push(says(1_500));
  model.speechStarted();
  on.advance(2_000);
  expect(agentOf(on)).toBe('clinic');
  model.speechStopped();
  on.advance(1_000);
  expect(agentOf(on)).toBe('clinic');
  on.advance(4_000);
  expect(agentOf(on)).toBe('billing');
  expectClean(on);
});

test('the other one cannot be reached: the present one says so and goes on', () => {
  const on = line({
    refuse: ({ agent }) => (agent === 'billing' ? { cause: 'refused', detail: 'no', retry: false } : null),
  });
  handsOver(on);
  on.advance(4_000);
  expect(agentOf(on)).toBe('clinic');
  expect(did(on, 'session.tell').some(({ text }) => text.includes('billing cannot be reached'))).toBe(true);
  expect(on.models[0]?.items).toHaveLength(2);
  // And may be tried again.
  const model = on.models[0]!;
  model.plans.push({ items: [], thinkMs: 50, tools: calls('h2', 'hand_off_to', { agent: 'billing' }).tools! });
  model.speechStarted();
  on.advance(400);
  model.speechStopped();
  on.advance(500);
  expect(on.agents.filter((name) => name === 'billing')).toHaveLength(2);
  expectClean(on);
});

test('while a tool runs: only after its outcome', () => {
  let settle: ((outcome: { status: 'ok'; output: string }) => void) | null = null;
  const on = line({ runTool: (_name, done) => (settle = done as never) });
  on.model.plans.push({
    ...says(300),
    tools: [...calls('l1', 'look').tools!, ...calls('h1', 'hand_off_to', { agent: 'billing' }).tools!],
  });
  callerSays(on);
  on.advance(5_000);
  expect(agentOf(on)).toBe('clinic');
  settle!({ status: 'ok', output: 'seen' });
  on.until(() => agentOf(on) === 'billing', 8_000);
  expect(JSON.stringify(on.models[1]?.received)).toContain('seen');
  expectClean(on);
});

test('twice at once, and a transfer behind it: one hand-off', () => {
  const on = line({
    errands: { handOffs: ['billing'], targets: { desk: { to: '+15550100001', how: 'cold', ringSeconds: 20 } } },
  });
  on.model.plans.push({
    ...says(300),
    tools: [
      ...calls('h1', 'hand_off_to', { agent: 'billing' }).tools!,
      ...calls('h2', 'hand_off_to', { agent: 'billing' }).tools!,
      ...calls('t1', 'transfer_to', { target: 'desk' }).tools!,
    ],
  });
  callerSays(on);
  on.advance(4_000);
  expect(on.agents).toEqual(['clinic', 'billing']);
  expect([outputsOf(on, 'h2', 0)[0], outputsOf(on, 't1', 0)[0]]).toEqual([
    'Not done: the caller is being handed over already.',
    'Not done: the caller is being handed over already.',
  ]);
  expect(did(on, 'leg.move')).toEqual([]);
  expectClean(on);
});

test.each([0, 1_200])(
  'the present session is lost meanwhile (the other is ready after %i ms): the other one takes over at once, and speaks',
  (readyAfterMs) => {
    const on = line({ laterModels: [{ readyAfterMs }] });
    on.model.plans.push({ ...says(3_000), tools: calls('h1', 'hand_off_to', { agent: 'billing' }).tools! });
    callerSays(on, 'my bill');
    on.until(() => on.agents.length === 2, 3_000);
    on.advance(300);
    expect(agentOf(on)).toBe('clinic');
    on.models[0]?.lose();
    expect(agentOf(on)).toBe('billing');
    on.advance(6_000);
    expect(on.agents).toEqual(['clinic', 'billing']);
    expect(on.models[1]?.items.length).toBe(1);
    expectClean(on);
  },
);

test.each([0, 400, 2_500])(
  'the media is lost while the other one is got ready (%i ms), and comes back: it speaks once, to a caller who hears it',
  (readyAfterMs) => {
    const on = line({ laterModels: [{ readyAfterMs }], policy: { resumeWithinMs: 9_000 } });
    handsOver(on);
    on.until(() => on.agents.length === 2, 3_000);
    on.report({ type: 'leg.closed', cause: 'socket_lost', detail: '' });
    on.advance(2_000);
    on.startMedia();
    on.until(() => agentOf(on) === 'billing', 5_000);
    on.advance(5_000);
    expect(on.agents).toEqual(['clinic', 'billing']);
    expect(on.models[0]?.closed).toBe(true);
    expect(on.models[1]?.items.map(({ stamp }) => on.heardMs(stamp))).toEqual([1_000]);
    expectClean(on);
  },
);

test('the media is lost while the other one is got ready, and never comes back: both sessions are let go', () => {
  const on = line({ laterModels: [{ readyAfterMs: 400 }], policy: { resumeWithinMs: 9_000 } });
  handsOver(on);
  on.until(() => on.agents.length === 2, 3_000);
  on.report({ type: 'leg.closed', cause: 'socket_lost', detail: '' });
  on.advance(15_000);
  expect(on.termination?.reason).toBe('media_lost');
  expect(on.models.map(({ closed }) => closed)).toEqual([true, true]);
  expect(on.clock.pending).toBe(0);
  expect(on.faults).toEqual([]);
  expect(foldsTheSame(on)).toBe(true);
});

test("the other one's model fails later: its own fallback is used", () => {
  const on = line();
  handsOver(on);
  on.advance(3_500);
  for (let i = 0; i < 12 && on.opened.at(-1)?.target === 0; i++) {
    on.model.lose();
    on.advance(1_500);
  }
  expect(on.agents.slice(1).every((name) => name === 'billing')).toBe(true);
  expect(on.opened.at(-1)).toMatchObject({ target: 1 });
});

test('a consent given to the one is none to the other', () => {
  const done: string[] = [];
  const on = line({
    runTool: (_name, settle, _signal, run) => {
      if (run.agreed) done.push(run.toolCall);
      settle(run.agreed ? { status: 'ok', output: 'x' } : { status: 'unconfirmed', output: 'Read it back.' });
    },
  });
  on.model.plans.push(calls('c1', 'cancel', { id: 1 }), says(800));
  callerSays(on, 'cancel it');
  on.advance(2_500);
  handsOver(on);
  on.advance(3_500);
  on.model.plans.push(calls('c2', 'cancel', { id: 1 }), says(200));
  callerSays(on, 'yes');
  on.advance(3_000);
  expect(done).toEqual([]);
  expect(did(on, 'tool.run').map(({ agent }) => agent)).toEqual(['clinic', 'billing']);
});

test.each<[string, (on: VirtualLine) => void, string]>([
  ['the caller hangs up', hangUp, 'caller_hung_up'],
  ['a drain', (on) => on.call.receive({ type: 'call.asked_to_end', reason: 'drained' }), 'drained'],
])('%s while the other one opens: its session goes as well', (_what, happens, reason) => {
  const on = line({ laterModels: [{ readyAfterMs: 2_000 }] });
  handsOver(on);
  on.advance(700);
  expect(on.agents).toHaveLength(2);
  happens(on);
  on.advance(20_000);
  expect(on.termination?.reason).toBe(reason);
  expect(on.models.every(({ closed }) => closed)).toBe(true);
  expect(on.clock.pending).toBe(0);
});
