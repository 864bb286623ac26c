// What the model is told of a tool call, whatever it wrote and whatever the tool did; time is moved by hand.
import { expect, test, vi } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import { createToolRunner } from '../../src/tools/runner.ts';
import type { Tool, ToolCaller, ToolContext } from '../../src/tools/tool.ts';

/** A clock that moves when told. */
function handClock() {
  let now = 0;
  const timers = new Set<{ atMs: number; fire: () => void }>();
  const clock: Clock = {
    nowMs: () => now,
    wallMs: () => now,
    at(atMs, fire) {
      const timer = { atMs, fire };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  };
  const advance = (ms: number) => {
    now += ms;
    for (const timer of timers)
      if (timer.atMs <= now) {
        timers.delete(timer);
        timer.fire();
      }
  };
  return { clock, advance, timers };
}

const LOOKUP = {
  type: 'object',
  properties: { account: { type: 'string', pattern: '^[0-9]{6,20}$' }, day: { type: 'string', format: 'date' } },
  required: ['account'],
  additionalProperties: false,
};

function toolRunner(run: Tool['run'], options: { parameters?: Record<string, unknown>; maxOutputBytes?: number } = {}) {
  const { parameters = { type: 'object', properties: {} }, ...rest } = options;
  const time = handClock();
  const hangUp = new AbortController();
  const tool: Tool = { name: 'lookup', description: 'Looks up.', parameters, policy: { effect: 'reads' }, run };
  const tools = createToolRunner([tool], { clock: time.clock, deadlineMs: 8000, ...rest }).forCall(CALLER);
  let requests = 0;
  const call = (text = '{}', name = 'lookup') =>
    tools.run({ toolCall: `t${(requests += 1)}`, name, arguments: text, agreed: false, signal: hangUp.signal });
  return { ...time, call, hangUp };
}

const CALLER: ToolCaller = {
  callId: 'c1',
  from: { kind: 'pstn', value: '+15550100' },
  to: { kind: 'pstn', value: '+15550199' },
  digits: () => null,
};

test('gives the tool its arguments and its call, and the model the answer as JSON', async () => {
  const run = vi.fn<Tool['run']>(() => ({ balance_usd: 42.5, due: 'June 3' }));
  const { call, timers } = toolRunner(run, { parameters: LOOKUP });
  expect(await call('{"account":"100019021001803"}')).toEqual({
    status: 'ok',
    output: '{"balance_usd":42.5,"due":"June 3"}',
    tries: 1,
  });
  expect(run).toHaveBeenCalledExactlyOnceWith(
    { account: '100019021001803' },
    {
      callId: 'c1',
      toolCall: 't1',
      signal: expect.any(AbortSignal) as AbortSignal,
      idempotencyKey: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      from: CALLER.from,
      to: CALLER.to,
    },
  );
  expect(timers.size).toBe(0);
});

test.each<[string, unknown, string]>([
  ['a text', 'Done.', 'Done.'],
  ['a promise', Promise.resolve([1, 2]), '[1,2]'],
  ['null', null, 'null'],
  ['nothing', undefined, 'lookup is done; it has nothing to report.'],
  ['half a surrogate pair', 'a\ud800', 'a\ufffd'],
])('answers with %s', async (_what, result, output) => {
  const { call } = toolRunner(() => result);
  expect(await call()).toEqual({ status: 'ok', output, tries: 1 });
});

const circular: Record<string, unknown> = {};
circular['self'] = circular;

test.each<[string, unknown]>([
  ['a circular structure', circular],
  ['a BigInt', { cents: 10n }],
  ['a function', () => 1],
  [
    'a toJSON that throws',
    {
      toJSON: () => {
        throw new Error('no');
      },
    },
  ],
])('an answer that is %s is a failure that says the tool was run', async (_what, result) => {
  const { call } = toolRunner(() => result);
  expect(await call()).toEqual({
    status: 'failed',
    output: 'lookup was run, but what it answered cannot be read.',
    tries: 1,
  });
});

test('empty arguments are an empty object', async () => {
  const { call } = toolRunner((args) => args);
  expect(await call('')).toEqual({ status: 'ok', output: '{}', tries: 1 });
});

test('arguments that are not JSON never reach the tool', async () => {
  const run = vi.fn<Tool['run']>();
  const { call } = toolRunner(run);
  expect(await call('{"account":')).toEqual({
    status: 'invalid',
    output: 'The arguments of lookup are not valid JSON. Call it again with a JSON object.',
  });
  expect(run).not.toHaveBeenCalled();
});

test('arguments that do not fit are told in one sentence that can be acted on', async () => {
  const run = vi.fn<Tool['run']>();
  const { call } = toolRunner(run, { parameters: LOOKUP });
  expect(await call('{"account":"12","day":"2025-02-30","sum":1}')).toEqual({
    status: 'invalid',
    output:
      'The arguments of lookup do not fit: the arguments must not have "sum"; account must match pattern "^[0-9]{6,20}$"; ' +
      'day must match format "date". Call it again with corrected arguments.',
  });
  expect((await call('{}')).output).toContain("the arguments must have required property 'account'");
  expect((await call('[]')).output).toContain('the arguments must be object');
  expect((await call('null')).status).toBe('invalid');
  expect(run).not.toHaveBeenCalled();
});

test('names the values that an argument may have, and where it stands', async () => {
  const { call } = toolRunner(() => 1, {
    parameters: {
      type: 'object',
      properties: {
        slots: {
          type: 'array',
          items: { type: 'object', properties: { day: { enum: ['mon', 'tue'] }, ok: { const: true } } },
        },
      },
    },
  });
  expect((await call('{"slots":[{"day":"sun","ok":false}]}')).output).toContain(
    'slots.0.day must be one of ["mon","tue"]; slots.0.ok must be true',
  );
});

test('many violations are told only so far', async () => {
  const names = Array.from({ length: 30 }, (_, i) => `p${i}`);
  const { call } = toolRunner(() => 1, {
    parameters: { type: 'object', properties: Object.fromEntries(names.map((n) => [n, {}])), required: names },
  });
  expect((await call('{}')).output).toMatch(/; and 22 more\. Call it again/);
});

test.each<[string, string[], string[]]>([
  ['date', ['2024-02-29'], ['2025-02-29', '2025-13-01', '1.2.2025']],
  ['time', ['12:30:00Z', '12:30:00.5+02:00'], ['12:30', '25:00:00Z']],
  ['date-time', ['2025-06-03T12:30:00Z'], ['2025-06-03', '2025-06-31T12:30:00Z']],
  ['email', ['ann.lee+x@mail.example.com'], ['ann', 'ann@', 'ann@localhost', 'a b@example.com']],
  ['uuid', ['123e4567-e89b-12d3-a456-426614174000'], ['123e4567']],
])('knows the format %s', async (format, good, bad) => {
  const { call } = toolRunner(() => 1, {
    parameters: { type: 'object', properties: { x: { type: 'string', format } } },
  });
  for (const x of good) expect((await call(JSON.stringify({ x }))).status, x).toBe('ok');
  for (const x of bad) expect((await call(JSON.stringify({ x }))).status, x).toBe('invalid');
});

test('an unknown tool is answered with those that exist', async () => {
  const { call } = toolRunner(() => 1);
  expect(await call('{}', 'lookup_acount')).toEqual({
    status: 'unknown',
    output: 'There is no tool "lookup_acount". Available: lookup.',
  });
  expect((await call('{}', 'x'.repeat(5000))).output.length).toBeLessThan(300);
  expect((await call('{}', 'constructor')).status).toBe('unknown');
  const none = createToolRunner([], { clock: handClock().clock, deadlineMs: 1 }).forCall(CALLER);
  const signal = new AbortController().signal;
  expect((await none.run({ toolCall: 't', name: 'a', arguments: '', agreed: false, signal })).output).toBe(
    'There is no tool "a". There are no tools.',
  );
});

test('a tool that throws, rejects or throws something odd is a failure', async () => {
  const thrown: [unknown, string][] = [
    [new Error('There is no account with this number.'), 'lookup failed: There is no account with this number.'],
    ['out of order', 'lookup failed: out of order.'],
    [undefined, 'lookup failed.'],
    [{ code: 5 }, 'lookup failed.'],
    [new Error(`a\n  b ${'x'.repeat(5000)}`), `lookup failed: a b ${'x'.repeat(195)}…`],
    [
      Object.defineProperty(new Error(), 'message', {
        get: () => {
          throw new Error('trap');
        },
      }),
      'lookup failed.',
    ],
  ];
  for (const [error, output] of thrown) {
    const sync = toolRunner(() => {
      throw error;
    });
    expect(await sync.call()).toEqual({ status: 'failed', output, tries: 1 });
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors
    const late = toolRunner(() => Promise.reject(error));
    expect(await late.call()).toEqual({ status: 'failed', output, tries: 1 });
  }
});

test('a tool that ignores its signal is timed out all the same', async () => {
  let given: ToolContext | undefined;
  const { call, advance, timers } = toolRunner((_args, context) => {
    given = context;
    return new Promise(() => {});
  });
  const outcome = call();
  advance(7999);
  expect(given?.signal.aborted).toBe(false);
  advance(1);
  expect(await outcome).toEqual({
    status: 'timed_out',
    output: 'lookup did not answer within 8 seconds.',
    tries: 1,
  });
  expect(given?.signal.aborted).toBe(true);
  expect(given?.signal.reason).toMatchObject({ name: 'TimeoutError' });
  expect(timers.size).toBe(0);
});

test('what a tool does when it is stopped changes nothing and is not left unhandled', async () => {
  const { call, advance } = toolRunner(
    (_args, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
  );
  const outcome = call();
  advance(8000);
  expect((await outcome).status).toBe('timed_out');
});

test('the end of the call stops the tool', async () => {
  let given: ToolContext | undefined;
  const { call, hangUp, timers } = toolRunner((_args, context) => {
    given = context;
    return new Promise(() => {});
  });
  const outcome = call();
  hangUp.abort();
  expect(await outcome).toEqual({ status: 'aborted', output: 'The call ended before lookup answered.', tries: 1 });
  expect(given?.signal.aborted).toBe(true);
  expect(timers.size).toBe(0);
});

test('nothing is run once the call has ended', async () => {
  const run = vi.fn<Tool['run']>();
  const { call, hangUp } = toolRunner(run);
  hangUp.abort();
  expect(await call()).toEqual({ status: 'aborted', output: 'lookup was not run: the call has ended.' });
  expect(run).not.toHaveBeenCalled();
});

test('long output is cut between characters, within the bound, and says so', async () => {
  const { call } = toolRunner(() => 'é'.repeat(10_000), { maxOutputBytes: 101 });
  const { output } = await call();
  expect(Buffer.byteLength(output)).toBeLessThanOrEqual(101);
  expect(output).toMatch(/^é+ \[cut off: 20000 bytes in all\]$/);
});

test('the default bound is 4 KiB, and nothing goes beyond 16 KiB', async () => {
  const { call } = toolRunner(() => 'x'.repeat(4_096));
  expect((await call()).output).toHaveLength(4_096);
  const { call: longer } = toolRunner(() => 'x'.repeat(4_097));
  expect((await longer()).output).toMatch(/\[cut off: 4097 bytes in all\]$/);
  const { call: greedy } = toolRunner(() => 'x'.repeat(20_000), { maxOutputBytes: 1_000_000 });
  expect((await greedy()).output).toHaveLength(16_384);
});

test('parameters that cannot be checked are refused before any call', () => {
  expect(() => toolRunner(() => 1, { parameters: { type: 'object', properties: { x: { type: 'text' } } } })).toThrow(
    /type/,
  );
  expect(() =>
    toolRunner(() => 1, { parameters: { type: 'object', properties: { x: { type: 'string', format: 'colour' } } } }),
  ).toThrow(/colour/);
});
