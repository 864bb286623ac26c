// One run of a tool: when it is tried again, what stops it, what it waits for, and when nobody waits for its service any more.
import { expect, test, vi } from 'vitest';
import { ToolFailure } from '../../src/tools/tool.ts';
import type { Tool, ToolContext, ToolPolicy } from '../../src/tools/tool.ts';
import { settle, tool, workbench } from './workbench.ts';

const passing = new ToolFailure('The service is busy.', { passing: true });

/** Throws what is listed, one after the other, then answers. */
function failing(...errors: unknown[]) {
  return vi.fn<Tool['run']>(() => {
    // oxlint-disable-next-line typescript/only-throw-error
    if (errors.length > 0) throw errors.shift();
    return 'there';
  });
}

test.each<[string, Partial<ToolPolicy>, number]>([
  ['reads', { effect: 'reads' }, 2],
  ['writes under a key', { effect: 'writes', idempotent: true }, 2],
  ['writes', { effect: 'writes' }, 1],
  ['cannot be undone', { effect: 'irreversible' }, 1],
  ['writes, and asks for retries all the same', { effect: 'writes', retries: 3 }, 1],
  ['reads, but wants no retries', { effect: 'reads', retries: 0 }, 1],
])('a tool that %s is tried %o %i times in all', async (_what, policy, times) => {
  const run = failing(passing, passing, passing);
  const { ask, pass } = workbench([tool('x', policy, run)]);
  const outcome = ask('x');
  await pass(3_000);
  expect(await outcome).toMatchObject({ status: 'failed', tries: times });
  expect(run).toHaveBeenCalledTimes(times);
});

test('every try has the same key and its own arguments', async () => {
  const seen: [unknown, string][] = [];
  const errors = [passing, passing];
  const run: Tool['run'] = (args, { idempotencyKey }) => {
    seen.push([structuredClone(args), idempotencyKey]);
    args['spoilt'] = true;
    if (errors.length > 0) throw errors.pop() as Error;
    return 'there';
  };
  const { ask, pass, clock } = workbench([tool('x', { idempotent: true, retries: 2 }, run)]);
  const outcome = ask('x', { a: 1 });
  await pass(3_000);
  expect(await outcome).toEqual({ status: 'ok', output: 'there', tries: 3 });
  expect(seen).toEqual([
    [{ a: 1 }, seen[0]![1]],
    [{ a: 1 }, seen[0]![1]],
    [{ a: 1 }, seen[0]![1]],
  ]);
  expect(clock.pending).toBe(0);
});

test('the pauses grow', async () => {
  const run = failing(passing, passing);
  const { ask, clock } = workbench([tool('x', { effect: 'reads', retries: 2 }, run)]);
  const outcome = ask('x');
  const at = async (ms: number, times: number) => {
    await settle();
    clock.advance(ms);
    await settle();
    expect(run).toHaveBeenCalledTimes(times);
  };
  await at(199, 1);
  await at(1, 2);
  await at(399, 2);
  await at(1, 3);
  expect((await outcome).status).toBe('ok');
});

test.each<[string, unknown, number]>([
  ['an error of its own', new Error('bug'), 1],
  ['a refusal', new ToolFailure('There is none.'), 1],
  ['its own time limit', new DOMException('slow', 'TimeoutError'), 2],
])('after %s a tool that reads is tried %i', async (_what, error, times) => {
  const run = failing(error);
  const { ask, pass } = workbench([tool('x', { effect: 'reads' }, run)]);
  const outcome = ask('x');
  await pass(1_000);
  expect((await outcome).tries).toBe(times);
});

test('no try begins when its deadline comes before it', async () => {
  const run = failing(passing, passing);
  const { ask, clock } = workbench([tool('x', { effect: 'reads', deadlineMs: 150 }, run)]);
  // At once: a pause that ends in nothing only delays the news.
  expect(await ask('x')).toEqual({ status: 'failed', output: 'The service is busy.', tries: 1 });
  expect(clock.pending).toBe(0);
});

test('one deadline holds for all tries together', async () => {
  let tries = 0;
  const run: Tool['run'] = () => {
    tries += 1;
    if (tries === 1) throw passing;
    return new Promise(() => {});
  };
  const { ask, clock } = workbench([tool('x', { effect: 'reads', deadlineMs: 1_000 }, run)]);
  const outcome = ask('x');
  await settle();
  clock.advance(200);
  await settle();
  clock.advance(800);
  expect(await outcome).toEqual({ status: 'timed_out', output: 'x did not answer within 1 seconds.', tries: 2 });
  expect(clock.pending).toBe(0);
});

test('a tool that reads stops at once when the caller hangs up, also between two tries', async () => {
  const run = failing(passing);
  const { ask, hangUp, clock } = workbench([tool('x', { effect: 'reads' }, run)]);
  const outcome = ask('x');
  await settle();
  expect(clock.pending).toBe(2);
  hangUp.abort();
  expect(await outcome).toMatchObject({ status: 'aborted', output: 'The call ended before x answered.' });
  expect(run).toHaveBeenCalledTimes(1);
  expect(clock.pending).toBe(0);
});

test('a tool that writes goes on when the caller hangs up, and what became of it is told', async () => {
  const contexts: ToolContext[] = [];
  const answer = Promise.withResolvers<string>();
  const { ask, hangUp, clock } = workbench([
    tool('book', {}, (_args, context) => {
      contexts.push(context);
      return answer.promise;
    }),
  ]);
  const outcome = ask('book');
  hangUp.abort();
  await settle();
  expect(contexts[0]!.signal.aborted).toBe(false);
  answer.resolve('booked');
  expect(await outcome).toEqual({ status: 'ok', output: 'booked', tries: 1 });
  expect(await ask('book', { other: 1 })).toEqual({
    status: 'aborted',
    output: 'book was not run: the call has ended.',
  });
  expect(contexts).toHaveLength(1);
  expect(clock.pending).toBe(0);
});

test('a tool that writes and never answers ends by its deadline, caller or not', async () => {
  const { ask, hangUp, pass } = workbench([tool('book', { deadlineMs: 2_000 }, () => new Promise(() => {}))]);
  const outcome = ask('book');
  hangUp.abort();
  await pass(2_000);
  expect(await outcome).toEqual({
    status: 'timed_out',
    output: 'book did not answer within 2 seconds. It may still have had its effect.',
    tries: 1,
  });
});

test('a few runs wait for their place, more are told at once', async () => {
  const answers: PromiseWithResolvers<string>[] = [];
  const run = vi.fn<Tool['run']>(() => {
    const answer = Promise.withResolvers<string>();
    answers.push(answer);
    return answer.promise;
  });
  const { ask, clock } = workbench([tool('x', { effect: 'reads', atOnce: 2 }, run)]);
  const outcomes = Array.from({ length: 23 }, () => ask('x'));
  expect(await outcomes[22]).toEqual({
    status: 'unavailable',
    output: 'x was not run: too many others are using it. Try once more later.',
  });
  expect(run).toHaveBeenCalledTimes(2);
  for (let n = 0; n < 22; n += 1) {
    await settle();
    expect(run.mock.calls.length - n).toBeLessThanOrEqual(2);
    answers[n]!.resolve('a');
  }
  expect((await Promise.all(outcomes.slice(0, 22))).every(({ status }) => status === 'ok')).toBe(true);
  expect(clock.pending).toBe(0);
});

test('who waits for a place leaves at the deadline or when the caller hangs up, and was never run', async () => {
  const run = vi.fn<Tool['run']>(() => new Promise(() => {}));
  const { ask, call, clock } = workbench([tool('book', { atOnce: 1, deadlineMs: 1_000 }, run)]);
  const first = ask('book');
  const other = call('c2');
  const hungUp = other.ask('book', { b: 1 });
  clock.advance(500);
  const late = ask('book', { c: 1 });
  other.hangUp.abort();
  expect(await hungUp).toEqual({ status: 'aborted', output: 'book was not run: the call has ended.' });
  await settle();
  clock.advance(500);
  expect((await first).status).toBe('timed_out');
  await settle();
  // The third got the place that the first left.
  expect(run).toHaveBeenCalledTimes(2);
  clock.advance(500);
  expect((await late).status).toBe('timed_out');
  expect(clock.pending).toBe(0);
});

test('who stops waiting gives no place away', async () => {
  const run = vi.fn<Tool['run']>(() => new Promise(() => {}));
  const { call } = workbench([tool('x', { atOnce: 1 }, run)]);
  const [, , third] = ['c1', 'c2', 'c3'].map((callId) => {
    const caller = call(callId);
    return { ...caller, outcome: caller.ask('x') };
  });
  third!.hangUp.abort();
  expect((await third!.outcome).status).toBe('aborted');
  await settle();
  expect(run).toHaveBeenCalledTimes(1);
});

test('a hang-up in any moment around which a place becomes free: run and told so, or not run', async () => {
  const seen = new Set<string>();
  for (let moments = 0; moments < 20; moments += 1) {
    const answer = Promise.withResolvers<string>();
    const run = vi.fn<Tool['run']>(() => answer.promise);
    const { ask, call } = workbench([tool('book', { atOnce: 1 }, run)]);
    const first = ask('book');
    const other = call('c2');
    const second = other.ask('book', { b: 1 });
    answer.resolve('booked');
    for (let moment = 0; moment < moments; moment += 1) await Promise.resolve();
    other.hangUp.abort();
    await first;
    const { status, output } = await second;
    expect(run.mock.calls.length === 2 ? 'booked' : 'book was not run: the call has ended.').toBe(output);
    seen.add(status);
  }
  expect(seen).toEqual(new Set(['aborted', 'ok']));
});

test('after five failures in a row nobody waits for the service, until one try shows that it is back', async () => {
  const states: string[] = [];
  let down = true;
  const run = vi.fn<Tool['run']>(() => {
    if (down) throw passing;
    return 'there';
  });
  const { ask, call, clock } = workbench(
    [tool('x', { effect: 'reads', retries: 0, onFailure: 'Offer to call back.' }, run)],
    {
      watch: { circuit: (name, state) => states.push(`${name} ${state}`) },
    },
  );
  for (let n = 0; n < 5; n += 1) await call(`c${n}`).ask('x');
  expect(await ask('x')).toEqual({
    status: 'unavailable',
    output: 'x was not run: its service has failed repeatedly in the last moments. Offer to call back.',
  });
  expect(run).toHaveBeenCalledTimes(5);
  clock.advance(9_999);
  expect((await ask('x')).status).toBe('unavailable');
  clock.advance(1);
  expect((await ask('x')).status).toBe('failed');
  expect((await ask('x')).status).toBe('unavailable');
  down = false;
  clock.advance(10_000);
  const deciding = ask('x');
  // Nobody waits for another's try.
  const beside = ask('x');
  expect((await beside).status).toBe('unavailable');
  expect((await deciding).status).toBe('ok');
  expect((await ask('x')).status).toBe('ok');
  expect(states).toEqual(['x open', 'x half_open', 'x open', 'x half_open', 'x closed']);
});

test.each([-3_600_000, 3_600_000])(
  'a clock of the host that jumps by %i ms opens and closes nothing',
  async (jumpMs) => {
    const { ask, clock } = workbench([
      tool('x', { effect: 'reads', retries: 0 }, failing(passing, passing, passing, passing, passing)),
    ]);
    for (let n = 0; n < 5; n += 1) await ask('x');
    const jumped = Date.now() + jumpMs;
    const host = vi.spyOn(Date, 'now').mockReturnValue(jumped);
    try {
      clock.advance(9_999);
      expect((await ask('x')).status).toBe('unavailable');
      clock.advance(1);
      expect((await ask('x')).status).toBe('ok');
    } finally {
      host.mockRestore();
    }
  },
);

test('what a model or a caller does wrong opens no circuit for others', async () => {
  const run = failing(...Array.from({ length: 20 }, () => new Error('There is no such account.')));
  const { ask } = workbench([tool('x', { effect: 'reads' }, run)]);
  for (let n = 0; n < 20; n += 1) expect((await ask('x')).status).toBe('failed');
  expect((await ask('x')).status).toBe('ok');
});

test('a hang-up during the deciding try opens the circuit again', async () => {
  let run: Tool['run'] = () => {
    throw passing;
  };
  const { ask, call, clock } = workbench([tool('x', { effect: 'reads', retries: 0 }, (...given) => run(...given))]);
  for (let n = 0; n < 5; n += 1) await ask('x');
  clock.advance(10_000);
  run = () => new Promise(() => {});
  const caller = call('c2');
  const deciding = caller.ask('x');
  caller.hangUp.abort();
  expect((await deciding).status).toBe('aborted');
  await settle();
  expect((await ask('x')).status).toBe('unavailable');
});

test('tells metrics of tries and outcomes, without names that the model made up; what they throw changes nothing', async () => {
  const told: unknown[] = [];
  const { ask, pass } = workbench([tool('x', { effect: 'reads' }, failing(passing))], {
    watch: {
      tried: (name) => {
        told.push(name);
        throw new Error('metrics');
      },
      settled: (settled) => {
        told.push(settled);
        throw new Error('metrics');
      },
    },
  });
  const outcome = ask('x');
  await pass(1_000);
  expect((await outcome).status).toBe('ok');
  await ask('made_up');
  expect(told).toEqual([
    'x',
    'x',
    { name: 'x', status: 'ok', tookMs: 200, tries: 2 },
    { name: null, status: 'unknown', tookMs: 0, tries: 0 },
  ]);
});
