// A call that nears the end of its budget, in virtual time with the real dialogue: answers that nobody pays for wait, the
// agent is told, the call ends with a goodbye. And a thousand calls at once on one budget.
import { describe, expect, test } from 'vitest';
import type { DayBudget } from '../../src/call/admission.ts';
import type { Onlooker } from '../../src/call/feed.ts';
import { Spending, type SpendMeter } from '../../src/call/spending.ts';
import { InProcess } from '../../src/coordination/in-process.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { seededRandom } from '../../src/phone/seeded-random.ts';
import { VirtualLine, type VirtualLineOptions } from '../support/virtual-line.ts';

type Change = Parameters<Parameters<Spending['attach']>[0]>[0];

/** A line whose money is in the test's hands. */
function line(options: VirtualLineOptions = {}) {
  let report: (change: Change) => void = () => {};
  let asked = 0;
  const spending = {
    charge: () => {},
    reserve: () => void (asked += 1),
    attach: (told: typeof report) => (report = told),
  };
  const made = new VirtualLine({ ...options, spending });
  made.startMedia();
  made.advance(50);
  const change = (reserved: boolean, share: Change['share']): void => {
    report({ type: 'budget.changed', reserved, share });
    made.advance(10);
  };
  return { line: made, change, asked: () => asked };
}

function callerTurn(on: VirtualLine): void {
  on.model.speechStarted();
  on.advance(500);
  on.model.speechStopped();
  on.advance(20);
}

const sent = (on: VirtualLine, type: string) => on.model.received.filter((message) => message.type === type);
const detection = (on: VirtualLine): unknown => {
  const update = JSON.stringify(sent(on, 'session.update').at(-1));
  return update.includes('"create_response":') ? update.includes('"create_response":true') : undefined;
};

describe('an answer that nothing is set aside for', () => {
  test('waits until it is allowed, then the next one waits again', () => {
    const { line: on, change, asked } = line();
    change(false, 'low');
    expect(detection(on)).toBe(false);
    callerTurn(on);
    on.advance(500);
    expect({ asked: asked(), items: on.model.items.length }).toEqual({ asked: 1, items: 0 });
    change(false, 'low');
    on.advance(1_500);
    expect(on.model.items).toHaveLength(1);
    callerTurn(on);
    on.advance(500);
    expect({ asked: asked(), items: on.model.items.length }).toEqual({ asked: 2, items: 1 });
    // Money is there again: what waits is answered. A server told to answer by itself again might miss the next turn.
    change(true, 'low');
    on.advance(1_500);
    expect(on.model.items).toHaveLength(2);
    callerTurn(on);
    change(true, 'low');
    on.advance(1_500);
    expect({ asked: asked(), items: on.model.items.length }).toEqual({ asked: 3, items: 3 });
    expect(sent(on, 'session.update')).toHaveLength(2);
    expect(on.model.errors).toEqual([]);
  });

  test('waits also where we ask for every answer, without a word to the server', () => {
    const { line: on, change, asked } = line({ answers: false });
    change(false, 'low');
    callerTurn(on);
    on.advance(500);
    expect({ asked: asked(), items: on.model.items.length }).toEqual({ asked: 1, items: 0 });
    change(false, 'low');
    on.advance(1_500);
    expect(on.model.items).toHaveLength(1);
    expect(sent(on, 'session.update')).toHaveLength(1);
  });

  test('after a tool too', () => {
    const settles: ((outcome: { status: 'ok'; output: string }) => void)[] = [];
    const { line: on, change, asked } = line({ runTool: (_name, settle) => void settles.push(settle as never) });
    on.model.plans.push({ items: [], tools: [{ callId: 'c1', name: 'look', arguments: '{}' }], thinkMs: 20 });
    callerTurn(on);
    on.advance(100);
    change(false, 'low');
    expect(settles).toHaveLength(1);
    on.call.receive({ type: 'tool.settled', toolCall: 'c1', status: 'ok', output: 'x' });
    on.advance(500);
    expect({ asked: asked(), items: on.model.items.length }).toEqual({ asked: 1, items: 0 });
    change(false, 'near');
    on.advance(1_500);
    expect(on.model.items).toHaveLength(1);
  });

  test('that the server began just before is the answer to the turn', () => {
    const { line: on, change } = line();
    on.model.plans.push({ items: [{ ms: 500 }], thinkMs: 30 });
    on.model.speechStarted();
    on.advance(500);
    on.model.speechStopped();
    change(false, 'low');
    on.advance(2_000);
    change(true, 'low');
    on.advance(2_000);
    expect(on.model.items).toHaveLength(1);
  });

  test('and was allowed, of a model that then makes no sound: the next session answers, once it is allowed again', () => {
    const { line: on, change, asked } = line({ policy: { recoverWithinMs: 8_000, holdBytes: 8_000 } });
    change(false, 'low');
    on.model.plans.push({ items: [{ ms: 500 }], thinkMs: 1e9 });
    callerTurn(on);
    change(false, 'low');
    on.until(() => on.opened.length === 2, 6_000);
    on.until(() => asked() === 2, 2_000);
    expect(on.model.items).toHaveLength(0);
    change(false, 'low');
    on.until(() => on.model.items.length === 1, 2_000);
    on.advance(1_500);
    expect(on.heardMs(1_001)).toBe(1_000);
    expect({ errors: on.model.errors, faults: on.faults }).toEqual({ errors: [], faults: [] });
  });

  test('waits over a rollover, and over a lost media socket', () => {
    const {
      line: on,
      change,
      asked,
    } = line({ policy: { rolloverAfterMs: 5_000, recoverWithinMs: 8_000, resumeWithinMs: 9_000 } });
    change(false, 'low');
    on.until(() => on.call.state.on.session === 's2', 20_000);
    expect(detection(on)).toBe(false);
    callerTurn(on);
    on.advance(300);
    expect({ asked: asked(), items: on.model.items.length }).toEqual({ asked: 1, items: 0 });
    on.report({ type: 'leg.closed', cause: 'socket_lost', detail: 'gone' });
    change(false, 'low');
    on.advance(700);
    on.startMedia();
    on.until(() => asked() === 2, 1_000);
    change(false, 'low');
    on.until(() => on.model.items.length === 1, 2_000);
  });

  test('is not given to a caller who hangs up, nor begun by one who talks over the wait', () => {
    const { line: on, change, asked } = line();
    change(false, 'low');
    callerTurn(on);
    callerTurn(on);
    change(false, 'low');
    on.advance(1_500);
    expect({ asked: asked(), items: on.model.items.length }).toEqual({ asked: 2, items: 1 });
    callerTurn(on);
    on.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: '' });
    change(false, 'low');
    on.advance(5_000);
    expect({ items: on.model.items.length, pending: on.clock.pending }).toEqual({ items: 1, pending: 0 });
  });

  test('of a session that takes over waits too', () => {
    const { line: on, change } = line({ policy: { recoverWithinMs: 8_000, holdBytes: 8_000 } });
    change(false, 'low');
    on.model.lose();
    on.advance(200);
    expect(on.opened).toHaveLength(2);
    expect(detection(on)).toBe(false);
    callerTurn(on);
    on.advance(500);
    expect(on.model.items).toHaveLength(0);
  });
});

test('when little is left the agent is told, once', () => {
  const { line: on, change } = line();
  change(true, 'near');
  change(true, 'near');
  expect(JSON.stringify(sent(on, 'conversation.item.create'))).toContain('Come to an end.');
  expect(sent(on, 'conversation.item.create')).toHaveLength(1);
});

describe('when all is spent', () => {
  test('what is being said is heard to its end, then the carrier says goodbye', () => {
    const { line: on, change } = line();
    on.model.plans.push({ items: [{ ms: 3_000 }], thinkMs: 50 });
    callerTurn(on);
    on.advance(300);
    change(true, 'spent');
    on.until(() => on.termination !== null, 6_000);
    expect(on.heardMs(1)).toBe(3_000);
    expect(on.termination).toMatchObject({ reason: 'budget_spent', by: 'operator', result: 'success' });
    expect(on.nexts).toEqual([{ do: 'say_and_hang_up', text: 'We have to stop here.' }]);
    on.advance(3_000);
    expect({ pending: on.clock.pending, faults: on.faults }).toEqual({ pending: 0, faults: [] });
  });

  test('in silence it ends at once, and leads on where the agent file says so', () => {
    const next = { do: 'forward', to: '+15550009999' } as const;
    const { line: on, change } = line({ policy: { budget: { nearly: '', goodbye: 'Bye.', next } } });
    change(false, 'spent');
    expect(on.termination?.reason).toBe('budget_spent');
    expect(on.nexts).toEqual([next]);
  });

  test('an answer that is due is not given any more', () => {
    const { line: on, change } = line();
    change(false, 'near');
    callerTurn(on);
    on.advance(500);
    change(false, 'spent');
    expect(on.termination?.reason).toBe('budget_spent');
    expect(on.model.items).toHaveLength(0);
  });

  test('the caller who speaks up gets no further answer', () => {
    const { line: on, change } = line();
    on.model.plans.push({ items: [{ ms: 5_000 }], thinkMs: 50 });
    callerTurn(on);
    on.advance(500);
    change(false, 'spent');
    callerTurn(on);
    on.until(() => on.termination !== null, 8_000);
    expect(on.model.items).toHaveLength(1);
  });

  test('before the caller is there the call does not begin', () => {
    let report: (change: Change) => void = () => {};
    const on = new VirtualLine({
      spending: { reserve: () => {}, attach: (told: typeof report) => (report = told) },
    });
    on.advance(50);
    report({ type: 'budget.changed', reserved: false, share: 'spent' });
    expect(on.termination?.reason).toBe('budget_spent');
    on.advance(5_000);
    expect(on.clock.pending).toBe(0);
  });
});

describe('a thousand calls at once on one budget', () => {
  const WORST = 1_000;
  /** The bill of a call: each answer costs something. */
  const billing = (spending: Spending, cost: () => number): Onlooker => ({
    stepped(_event, effects) {
      for (const effect of effects)
        if (effect.do === 'ledger.charge' && effect.usage.what === 'answer')
          spending.charged({
            ...{
              source: effect.usage.source,
              what: 'answer',
              seller: 's',
              product: 'm',
              atWallMs: 0,
              state: 'metered',
            },
            ...{
              quantities: { unit: 'count', count: 1 },
              unitPrice: null,
              costNanoUsd: cost(),
              priceBook: '',
              doubt: null,
            },
          });
    },
  });
  const microtasks = () => new Promise((resolve) => setImmediate(resolve));

  test.each([1, 2])('overshoot at most one answer per live call, and stop (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    const { budgets } = new InProcess({ clock: new FakeClock(), nodeId: 'n1' });
    const limitNanoUsd = 2_500 * WORST;
    const day: DayBudget<'agent_budget'> = { refusal: 'agent_budget', key: 'agent', limitNanoUsd };
    const meter: SpendMeter = {
      read() {},
      nextAnswerNanoUsd: () => WORST,
      carriedNanoUsd: () => 0,
    };
    const lines: VirtualLine[] = [];
    for (let n = 0; n < 1_000; n++) {
      const spending = new Spending({ clock: new FakeClock(), budgets, meter, call: null, days: [day] });
      expect(await spending.open()).toBeNull();
      const made = new VirtualLine({
        spending,
        onlookers: [billing(spending, () => Math.ceil(random() * WORST))],
        model: { answer: { items: [{ ms: 200 }], thinkMs: 20 } },
      });
      made.startMedia();
      made.advance(50);
      lines.push(made);
    }
    const live = (): VirtualLine[] => lines.filter(({ termination }) => termination === null);
    let turns = 0;
    for (; live().length > 0 && turns < 40; turns++) {
      for (const on of live()) on.model.speechStarted();
      for (const on of live()) on.model.speechStopped();
      for (let ms = 0; ms < 1_500; ms += 250) {
        for (const on of live()) on.advance(250);
        await microtasks();
      }
    }
    const { spentNanoUsd } = budgets.read('agent');
    expect(live()).toEqual([]);
    expect(lines.every(({ termination }) => termination?.reason === 'budget_spent')).toBe(true);
    expect(spentNanoUsd).toBeGreaterThanOrEqual(limitNanoUsd);
    expect(spentNanoUsd).toBeLessThanOrEqual(limitNanoUsd + 1_000 * WORST);
    expect(lines.flatMap(({ faults }) => faults)).toEqual([]);
    expect(turns).toBeGreaterThan(2);
  });
});
