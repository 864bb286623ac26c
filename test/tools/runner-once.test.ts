// One effect once: the same asked again, in whatever way it ended before.
import { expect, test, vi } from 'vitest';
import { ToolFailure } from '../../src/tools/tool.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { settle, tool, workbench } from './workbench.ts';

const UNSURE = expect.stringContaining('may have had its effect. Check that with another tool') as string;

/** A tool that keeps the keys of its runs and does what it is told to next. */
function recording(...next: (() => unknown)[]) {
  const keys: string[] = [];
  const run: Tool['run'] = (_args, { idempotencyKey }) => {
    keys.push(idempotencyKey);
    return (next.shift() ?? (() => 'done'))();
  };
  return { keys, run };
}

const never = () => new Promise(() => {});
const lost = () => {
  throw new ToolFailure('No answer.', { passing: true });
};

test('the same booking is done once, however its arguments are spelt', async () => {
  const { keys, run } = recording(() => ({ id: 7 }));
  const { ask } = workbench([tool('book', {}, run)]);
  expect((await ask('book', '{"slot":"10:00","name":"Zoë"}')).output).toBe('{"id":7}');
  expect(await ask('book', '{ "name": "Zoe\\u0308", "slot": "10:00" }')).toEqual({
    status: 'ok',
    output: 'Already done in this call: {"id":7}',
  });
  expect(keys).toHaveLength(1);
  expect((await ask('book', { slot: '11:00' })).output).toBe('done');
});

test('the same asked while it runs has the same outcome', async () => {
  const answer = Promise.withResolvers<string>();
  const { keys, run } = recording(() => answer.promise);
  const { ask } = workbench([tool('book', {}, run)]);
  const both = [ask('book'), ask('book'), ask('book', {}, 't1')];
  answer.resolve('booked');
  expect(new Set((await Promise.all(both)).map(({ output }) => output))).toEqual(new Set(['booked']));
  expect(keys).toHaveLength(1);
});

test('one id is one run, also of a tool that only reads', async () => {
  const { keys, run } = recording();
  const { ask } = workbench([tool('find', { effect: 'reads' }, run)]);
  const first = ask('find', {}, 'a');
  expect(await ask('find', { other: true }, 'a')).toBe(await first);
  await ask('find', {}, 'b');
  expect(keys).toHaveLength(2);
});

test('booked, cancelled, and booked again are three deeds; booked again is none', async () => {
  const { keys, run } = recording();
  const { ask } = workbench([tool('book', {}, run), tool('cancel', {}, run)]);
  await ask('book', { slot: 1 });
  await ask('cancel', { slot: 1 });
  expect((await ask('book', { slot: 1 })).output).toBe('done');
  expect((await ask('book', { slot: 1 })).output).toContain('Already done');
  expect((await ask('cancel', { slot: 1 })).output).toBe('done');
  expect(new Set(keys).size).toBe(4);
});

test('what ran beside a booking, or failed, or is only a note, does not make it wanted anew', async () => {
  const answer = Promise.withResolvers<string>();
  const { keys, run } = recording();
  const { ask } = workbench([
    tool('book', {}, run),
    tool('cancel', {}, () => answer.promise),
    tool('drop', {}, () => {
      throw new ToolFailure('There is none.');
    }),
    tool('send_sms', {}, () => 'sent', { kind: 'built_in' }),
  ]);
  const beside = ask('cancel');
  await ask('book');
  answer.resolve('cancelled');
  await beside;
  await ask('drop');
  await ask('send_sms');
  expect((await ask('book')).output).toContain('Already done');
  expect(keys).toHaveLength(1);
});

test('a refusal did nothing: the same may be asked again', async () => {
  const { keys, run } = recording(() => {
    throw new ToolFailure('The doctor is ill.');
  });
  const { ask } = workbench([tool('book', {}, run)]);
  expect(await ask('book')).toEqual({ status: 'failed', output: 'The doctor is ill.', tries: 1 });
  expect((await ask('book')).status).toBe('ok');
  expect(keys).toHaveLength(2);
});

test.each<[string, () => unknown]>([
  ['no answer by the deadline', never],
  ['a lost connection', lost],
  [
    'an error that does not say what was done',
    () => {
      throw new Error('Cannot read properties of undefined');
    },
  ],
])('after %s a booking is not tried again, whatever else is done since', async (_what, end) => {
  const { keys, run } = recording(end);
  const { ask, pass } = workbench([tool('book', {}, run), tool('cancel', {}, () => 'cancelled')]);
  const first = ask('book');
  await pass(8_000);
  expect((await first).output).toMatch(/It may still have had its effect\.$/);
  expect(await ask('book')).toEqual({ status: 'refused', output: UNSURE });
  await ask('cancel');
  expect(await ask('book')).toEqual({ status: 'refused', output: UNSURE });
  expect(keys).toHaveLength(1);
});

test('under a key that the service knows it is tried again, with the same key whatever else is done since', async () => {
  const { keys, run } = recording(lost, lost);
  const { ask, pass } = workbench([tool('pay', { idempotent: true }, run), tool('cancel', {}, () => 'cancelled')]);
  const first = ask('pay');
  await pass(1_000);
  expect((await first).status).toBe('failed');
  await ask('cancel');
  expect((await ask('pay')).status).toBe('ok');
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
});

test('a payment whose lost answer comes with a second try undoes no booking made meanwhile', async () => {
  const { run } = recording(lost, lost);
  const { keys, run: book } = recording();
  const { ask, pass } = workbench([tool('pay', { idempotent: true }, run), tool('book', {}, book)]);
  const paying = ask('pay');
  await pass(1_000);
  await paying;
  await ask('book');
  expect((await ask('pay')).status).toBe('ok');
  expect((await ask('book')).output).toContain('Already done');
  expect(keys).toHaveLength(1);
});

test('a refusal of what may have been done leaves the doubt, and the key', async () => {
  const { keys, run } = recording(lost, lost, () => {
    throw new ToolFailure('Busy with it.');
  });
  const { ask, pass } = workbench([tool('pay', { idempotent: true }, run), tool('cancel', {}, () => 'cancelled')]);
  const first = ask('pay');
  await pass(1_000);
  await first;
  expect((await ask('pay')).status).toBe('failed');
  await ask('cancel');
  await ask('pay');
  expect(keys).toHaveLength(4);
  expect(new Set(keys).size).toBe(1);
});

test('a refusal after a lost answer leaves the doubt', async () => {
  const { run } = recording(lost, () => {
    throw new ToolFailure('Paid already?');
  });
  const { ask, pass } = workbench([tool('pay', { idempotent: true }, run)]);
  const outcome = ask('pay');
  await pass(1_000);
  expect(await outcome).toMatchObject({
    status: 'failed',
    output: 'Paid already? It may still have had its effect.',
    tries: 2,
  });
});

test('an answer after the deadline clears the doubt', async () => {
  const answer = Promise.withResolvers<string>();
  const { keys, run } = recording(() => answer.promise);
  const { ask, pass } = workbench([tool('book', {}, run), tool('after', { needs: ['book'] }, () => 'so')]);
  const first = ask('book');
  await pass(8_000);
  expect((await first).status).toBe('timed_out');
  answer.resolve('booked as 7');
  await settle();
  expect((await ask('book')).output).toBe('Already done in this call: booked as 7');
  expect((await ask('after')).status).toBe('ok');
  expect(keys).toHaveLength(1);
});

test('an answer after the deadline of a cancellation that began before a booking undoes nothing', async () => {
  const answer = Promise.withResolvers<string>();
  const { keys, run } = recording();
  const { ask, pass } = workbench([tool('book', {}, run), tool('cancel', {}, () => answer.promise)]);
  const cancelling = ask('cancel');
  await pass(8_000);
  await cancelling;
  await ask('book');
  answer.resolve('cancelled');
  await settle();
  expect((await ask('book')).output).toContain('Already done');
  expect(keys).toHaveLength(1);
});

test('a tool that never began may be asked again', async () => {
  const { keys, run } = recording(never);
  const { ask, call, pass } = workbench([tool('book', { atOnce: 1, deadlineMs: 1_000 }, run)]);
  void call('c2').ask('book');
  const crowdedOut = ask('book');
  await pass(1_000);
  expect((await crowdedOut).status).toBe('unavailable');
  expect((await ask('book')).status).toBe('ok');
  expect(keys).toHaveLength(2);
});

test('keys are equal in another process, and differ between calls, tools and arguments', async () => {
  const key = async (callId: string, name: string, args: unknown) => {
    const { keys, run } = recording();
    const { call } = workbench([tool(name, {}, run)]);
    await call(callId).ask(name, args);
    return keys[0];
  };
  const one = await key('c1', 'book', { a: 1, b: 2 });
  expect(await key('c1', 'book', { b: 2, a: 1 })).toBe(one);
  const others = [
    key('c2', 'book', { a: 1, b: 2 }),
    key('c1', 'move', { a: 1, b: 2 }),
    key('c1', 'book', { a: 1, b: 3 }),
  ];
  expect(new Set([one, ...(await Promise.all(others))]).size).toBe(4);
});

test('digits are not in a key', async () => {
  const key = async (pin: string) => {
    const { keys, run } = recording();
    const { ask } = workbench([tool('pay', { digits: ['pin'] }, run)], { digits: { pin } });
    await ask('pay', { pin: 'digits:pin' });
    return keys[0];
  };
  expect(await key('4711')).toBe(await key('4712'));
});

test('after 200 different effects nothing more is written in a call, and none is forgotten', async () => {
  const run = vi.fn<Tool['run']>(() => 'done');
  const { ask } = workbench([tool('book', {}, run)]);
  for (let n = 0; n < 200; n += 1) await ask('book', { n });
  expect((await ask('book', { n: 200 })).status).toBe('refused');
  expect((await ask('book', { n: 0 })).output).toBe('Already done in this call: done');
  expect(run).toHaveBeenCalledTimes(200);
});

test('what cannot be undone is not run before the caller agreed, nor remembered as asked', async () => {
  const { keys, run } = recording();
  const { call } = workbench([tool('cancel', { effect: 'irreversible' }, run), tool('book', {}, run)]);
  const { ask } = call('c1', false);
  expect(await ask('cancel', {}, 'a')).toEqual({
    status: 'unconfirmed',
    output: expect.stringContaining('was not run yet') as string,
  });
  expect((await ask('cancel', {}, 'a')).status).toBe('unconfirmed');
  expect((await ask('book')).status).toBe('ok');
  expect(keys).toHaveLength(1);
  expect((await ask('cancel', {}, 'a', true)).status).toBe('ok');
  expect(keys).toHaveLength(2);
});

test('a refusal of a rule comes before the question to the caller', async () => {
  const { run } = recording();
  const { call } = workbench([tool('cancel', { effect: 'irreversible', needs: ['find'] }, run), tool('find', {}, run)]);
  expect((await call('c1', false).ask('cancel')).status).toBe('refused');
});
