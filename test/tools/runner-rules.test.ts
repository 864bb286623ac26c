// What may run when, with which arguments, and what the model sees of the answer.
import { expect, test, vi } from 'vitest';
import { modelParameters } from '../../src/tools/parameters.ts';
import { ToolFailure } from '../../src/tools/tool.ts';
import type { Tool, ToolPolicy } from '../../src/tools/tool.ts';
import { tool, workbench } from './workbench.ts';

const echo: Tool['run'] = (args) => args;

test('a tool that needs another runs after its success, not after its failure', async () => {
  let known = false;
  const find: Tool['run'] = () => {
    if (known) return 'found';
    throw new ToolFailure('There is no such patient.');
  };
  const { ask, call } = workbench([tool('find', { effect: 'reads' }, find), tool('book', { needs: ['find'] }, echo)]);
  const refused = { status: 'refused', output: 'book was not run: find must have succeeded in this call first.' };
  expect(await ask('book')).toEqual(refused);
  await ask('find');
  expect(await ask('book')).toEqual(refused);
  known = true;
  await ask('find');
  expect((await ask('book')).status).toBe('ok');
  // Another call knows nothing of it.
  expect(await call('c2').ask('book')).toEqual(refused);
});

const BOOK = {
  type: 'object',
  properties: { patient: { type: 'string' }, slot: { type: 'integer' } },
  required: ['patient', 'slot'],
  additionalProperties: false,
};

function clinic(found: () => unknown, policy: Partial<ToolPolicy> = { effect: 'reads', returns: ['name'] }) {
  const booked: unknown[] = [];
  const book = tool(
    'book',
    { fill: { patient: 'find.patients.0.id' } },
    (args) => {
      booked.push(args);
      return 'booked';
    },
    { parameters: BOOK },
  );
  return { ...workbench([tool('find', policy, found), book]), booked, book };
}

test('an argument is filled from the whole answer of an earlier tool, also from what the model did not see', async () => {
  const { ask, booked } = clinic(() => ({ patients: [{ id: 'p7' }, { id: 'p8' }], name: 'Ann' }));
  expect((await ask('find')).output).toBe('{"name":"Ann"}');
  expect((await ask('book', { slot: 1 })).status).toBe('ok');
  expect(booked).toEqual([{ patient: 'p7', slot: 1 }]);
});

test('the text of a JSON answer fills as well', async () => {
  const { ask, booked } = clinic(() => '{"patients":[{"id":"p7"}]}', { effect: 'reads' });
  await ask('find');
  await ask('book', { slot: 1 });
  expect(booked).toEqual([{ patient: 'p7', slot: 1 }]);
});

test('the model is not asked for what is filled, and cannot choose it', async () => {
  const { ask, booked, book } = clinic(() => ({ patients: [{ id: 'p7' }] }));
  expect(modelParameters(book)).toEqual({
    type: 'object',
    properties: { slot: { type: 'integer' } },
    required: ['slot'],
    additionalProperties: false,
  });
  expect(BOOK.properties).toHaveProperty('patient');
  expect(await ask('book', { slot: 1 })).toEqual({
    status: 'refused',
    output: 'book was not run: call find first, successfully.',
  });
  await ask('find');
  expect(await ask('book', { slot: 1, patient: 'p8' })).toEqual({
    status: 'refused',
    output:
      'book was not run: patient is taken from what find answered and cannot be chosen. Call it again without patient.',
  });
  expect(booked).toEqual([]);
  expect((await ask('book', { slot: 1, patient: 'p7' })).status).toBe('ok');
});

test('a later answer without the field leaves nothing of the earlier one', async () => {
  const answers: unknown[] = [
    { patients: [{ id: 'p7' }] },
    { patients: [] },
    { patients: [{ id: 'x'.repeat(5_000) }] },
  ];
  const { ask, booked } = clinic(() => answers.shift());
  await ask('find');
  for (let n = 0; n < 2; n += 1) {
    await ask('find', {}, `again${n}`);
    expect((await ask('book', { slot: 1 })).output).toBe(
      'book was not run: find did not find what it needs. Call find again first.',
    );
  }
  expect(booked).toEqual([]);
});

test('of two look-ups at once the one asked for last counts, whichever answers first', async () => {
  const answers = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()];
  let asked = 0;
  const { ask, booked } = clinic(() => answers[asked++]!.promise);
  const both = [ask('find', { n: 1 }), ask('find', { n: 2 })];
  answers[1]!.resolve({ patients: [{ id: 'second' }] });
  await both[1];
  answers[0]!.resolve({ patients: [{ id: 'first' }] });
  await both[0];
  await ask('book', { slot: 1 });
  expect(booked).toEqual([{ patient: 'second', slot: 1 }]);
});

test.each(['__proto__', '__proto__.x', 'constructor.name', 'patients.length', 'name.0'])(
  'a path reaches own fields only: %s fills nothing',
  async (path) => {
    const book = tool('book', { fill: { patient: `find.${path}` } }, echo, { parameters: BOOK });
    const { ask } = workbench([tool('find', {}, () => ({ patients: {}, name: 'Ann' })), book]);
    await ask('find');
    expect((await ask('book', { slot: 1 })).status).toBe('refused');
  },
);

test('so many runs, wrong guesses too; ten times as many without an answer; parallel ones do not pass the bound together', async () => {
  let fails: Error | null = null;
  const run = vi.fn<Tool['run']>(() => {
    if (fails) throw fails;
    return 'ok';
  });
  const { ask, call } = workbench([tool('find', { effect: 'reads', perCall: 3, retries: 0 }, run)]);
  const outcomes = await Promise.all(Array.from({ length: 6 }, (_, n) => ask('find', { n })));
  expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'refused', 'refused', 'refused']);
  expect(outcomes[5]!.output).toBe('find was not run: it may not be used any more in this call.');
  for (const [callId, failure, times] of [
    ['c2', new Error('No such birthday.'), 3],
    ['c3', new ToolFailure('No such birthday.'), 3],
    // What counts for the circuit is asked of calls far apart.
    ['c4', new ToolFailure('The service is down.', { passing: true }), 5],
  ] as const) {
    fails = failure;
    run.mockClear();
    const { ask: guess } = call(callId);
    for (let n = 0; n < 50; n += 1) await guess('find', { n });
    expect(run, callId).toHaveBeenCalledTimes(times);
  }
});

const PIN = { type: 'object', properties: { pin: { type: 'string', pattern: '^\\d{4,19}$' }, note: {} } };

test('keyed digits are put in where the tool may have them, and stand in no text', async () => {
  const seen: unknown[] = [];
  const check: Tool['run'] = (args) => {
    seen.push(args);
    throw new Error(`PIN ${String(args['pin'])} is wrong, 0 0-4711 too, and 4711.`);
  };
  const { ask } = workbench(
    [tool('check', { digits: ['pin'] }, check, { parameters: PIN }), tool('other', {}, () => 'It was 004711.')],
    {
      digits: { pin: '004711' },
    },
  );
  expect((await ask('check', { pin: 'digits:pin' })).output).toBe(
    'check failed: PIN [digits] is wrong, [digits] too, and [digits]. It may still have had its effect.',
  );
  expect(seen).toEqual([{ pin: '004711' }]);
  expect((await ask('other')).output).toBe('It was [digits].');
});

test.each<[string, readonly string[], unknown, RegExp]>([
  ['a tool that takes none', [], { pin: 'digits:pin' }, /keyed digits may not be given to it/],
  ['another spelling for a tool that takes none', [], { note: { a: [' DIGITS: pin '] } }, /may not be given/],
  ['a field that is not listed', ['pin'], { pin: 'digits:card' }, /takes only digits:pin, written exactly so/],
  ['another spelling', ['pin'], { pin: 'Digits:pin' }, /written exactly so/],
  ['a number of its own making', ['pin'], { pin: 'digits:pin#1' }, /written exactly so/],
  ['a field that the caller has not keyed in', ['card'], { pin: 'digits:card' }, /has not keyed in card yet/],
])('digits are refused: %s', async (_what, digits, args, output) => {
  const run = vi.fn<Tool['run']>();
  const { ask } = workbench([tool('check', { digits }, run, { parameters: PIN })], { digits: { pin: '4711' } });
  expect(await ask('check', args)).toEqual({ status: 'refused', output: expect.stringMatching(output) as string });
  expect(run).not.toHaveBeenCalled();
});

test('digits that do not fit are told without saying them', async () => {
  const { ask } = workbench([tool('check', { digits: ['pin'] }, echo, { parameters: PIN })], {
    digits: { pin: '471' },
  });
  const { status, output } = await ask('check', { pin: 'digits:pin' });
  expect(status).toBe('invalid');
  expect(output).not.toContain('471');
});

test('the same field keyed in anew is another effect; keyed in as before it is not', async () => {
  const digits: Record<string, string> = { pin: '1111' };
  const run = vi.fn<Tool['run']>(() => 'ok');
  const { ask } = workbench([tool('pay', { digits: ['pin'] }, run, { parameters: PIN })], { digits });
  await ask('pay', { pin: 'digits:pin' });
  digits['pin'] = '2222';
  await ask('pay', { pin: 'digits:pin' });
  digits['pin'] = '1111';
  expect((await ask('pay', { pin: 'digits:pin' })).output).toContain('Already done');
  expect(run).toHaveBeenCalledTimes(2);
});

test('digits that stand far into a huge answer, or hide between invisible characters, are left out', async () => {
  const answers = [`47\u200b11 ${'x'.repeat(4_070)} 47\u200b11`, '4711'.repeat(3_000_000)];
  const { ask } = workbench(
    [tool('pay', { digits: ['pin'] }, () => 'ok', { parameters: PIN }), tool('look', {}, () => answers.shift())],
    { digits: { pin: '4711' } },
  );
  await ask('pay', { pin: 'digits:pin' });
  expect((await ask('look', { n: 1 })).output).toMatch(/^\[digits\] x+ \[digits\]$/);
  const { output } = await ask('look', { n: 2 });
  expect(output).toMatch(/^(\[digits\])+\[?[a-z]* \[cut off: 12000000 bytes in all\]$/);
  expect(Buffer.byteLength(output)).toBeLessThanOrEqual(4_096);
});

test('the bound of a tool cuts its answers, not our own sentences', async () => {
  const { ask } = workbench([
    tool('x', { maxOutputBytes: 64 }, () => 'y'.repeat(100)),
    tool('z', { maxOutputBytes: 64, needs: ['w'] }, () => 1),
  ]);
  expect(Buffer.byteLength((await ask('x')).output)).toBe(64);
  expect((await ask('x')).output).toMatch(/^Already done in this call: y+ \[cut off: 100 bytes in all\]$/);
  expect((await ask('z')).output).toBe('z was not run: w must have succeeded in this call first.');
});

test('a card number that a service writes back in groups is left out', async () => {
  const { ask } = workbench(
    [tool('pay', { digits: ['pin'] }, () => ({ card: '4111 1111-1111 1111', ends: '1111' }), { parameters: PIN })],
    { digits: { pin: '4111111111111111' } },
  );
  expect((await ask('pay', { pin: 'digits:pin' })).output).toBe('{"card":"[digits]","ends":"1111"}');
});

test.each<[unknown, readonly string[], string]>([
  [{ slots: [{ start: 1, room: 2 }, { start: 3 }], page: 9 }, ['slots.start'], '{"slots":[{"start":1},{"start":3}]}'],
  [[{ a: 1, b: 2 }, { b: 3 }], ['a'], '[{"a":1}]'],
  [{ a: { b: { c: 1 }, d: 2 } }, ['a.b', 'a.d'], '{"a":{"b":{"c":1},"d":2}}'],
  [{ a: { b: 1 } }, ['a', 'a.b'], '{"a":{"b":1}}'],
  ['{"a":1,"b":2}', ['a'], '{"a":1}'],
  [{ a: null, b: 2 }, ['a'], '{"a":null}'],
  [{ b: 2 }, ['a', '__proto__', 'constructor'], 'x is done; its answer has none of the expected fields.'],
  ['Internal Server Error', ['a'], 'x is done; its answer has none of the expected fields.'],
])('of %j the model sees %j', async (answer, returns, output) => {
  const { ask } = workbench([tool('x', { returns }, () => answer)]);
  expect((await ask('x')).output).toBe(output);
});

test('a sentence of the operator stands instead of the technical text, but doubt is told', async () => {
  const run: Tool['run'] = ({ deed }) => {
    if (deed === 'declined') throw new ToolFailure('HTTP 409 at http://10.0.0.7/x');
    if (deed === 'broken') throw new Error('ECONNRESET');
    return new Promise(() => {});
  };
  const { ask, pass } = workbench([tool('book', { onFailure: 'Offer a call-back.' }, run)]);
  expect((await ask('book', { deed: 'declined' })).output).toBe('Offer a call-back.');
  expect((await ask('book', { deed: 'broken' })).output).toBe('Offer a call-back. It may still have had its effect.');
  const late = ask('book', { deed: 'late' });
  await pass(8_000);
  expect(await late).toMatchObject({
    status: 'timed_out',
    output: 'Offer a call-back. It may still have had its effect.',
  });
});

test('what nobody speaks is left out of an answer', async () => {
  const { ask } = workbench([tool('x', {}, () => 'a\u0000b\u202ec\u{e0041}d\te\nf')]);
  expect((await ask('x')).output).toBe('abcd\te\nf');
});

const deep = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;

test.each<[string, string, RegExp]>([
  [
    'a megabyte',
    `{"a":"${'x'.repeat(1_048_576)}"}`,
    /^The arguments of x are 1048584 characters long; at most 32768 are taken\.$/,
  ],
  ['17 lists in each other', deep(17), /nested more than 16 deep/],
  ['16,000 lists in each other', deep(16_000), /nested more than 16 deep/],
  ['__proto__', '{"a":{"__proto__":{"admin":true}}}', /have a key that is not allowed/],
  ['constructor.prototype', '{"constructor":{"prototype":{"admin":true}}}', /have a key that is not allowed/],
  ['a list', '[1]', /must be object/],
  ['a number', '1e999', /must be object/],
  ['nothing closed', '{"a":', /not valid JSON/],
  ['a NUL', '{"a":"\u0000"}', /not valid JSON/],
])('arguments that are %s never reach the tool', async (_what, args, output) => {
  const run = vi.fn<Tool['run']>();
  const { ask } = workbench([tool('x', {}, run)]);
  expect(await ask('x', args)).toEqual({ status: 'invalid', output: expect.stringMatching(output) as string });
  expect(run).not.toHaveBeenCalled();
});

test('a caller whose digits cannot be read gets an answer all the same', async () => {
  const { clock } = workbench([]);
  const { createToolRunner } = await import('../../src/tools/runner.ts');
  const { PARTIES } = await import('./workbench.ts');
  const tools = createToolRunner([tool('x', { digits: ['pin'] }, echo)], { clock, deadlineMs: 1_000 }).forCall({
    callId: 'c',
    ...PARTIES,
    digits() {
      throw new Error('4711');
    },
  });
  const signal = new AbortController().signal;
  const request = { toolCall: 't', name: 'x', arguments: '{"pin":"digits:pin"}', agreed: true, signal };
  expect(await tools.run(request)).toEqual({ status: 'failed', output: 'x failed.' });
});
