// What holds where a declaration says nothing, and what it may not say.
import { expect, test } from 'vitest';
import { checkTool, toolSetFaults } from '../../src/tools/declaration.ts';
import { policyFaults, policyOf } from '../../src/tools/policy.ts';
import { tool } from './workbench.ts';

test('a tool that says nothing writes, is tried once, and shows 4 KiB', () => {
  expect(policyOf({ ...tool('x', {}, () => 1) }, { deadlineMs: 8_000 })).toEqual({
    effect: 'writes',
    deadlineMs: 8_000,
    retries: 0,
    idempotent: false,
    atOnce: 50,
    perCall: null,
    needs: [],
    fill: {},
    digits: [],
    returns: null,
    maxOutputBytes: 4_096,
    onFailure: null,
    redact: [],
  });
});

test('what it says holds; its output never goes beyond 16 KiB', () => {
  const policy = { effect: 'reads', deadlineMs: 500, retries: 3, maxOutputBytes: 1_000_000 } as const;
  expect(
    policyOf(
      tool('x', policy, () => 1),
      { deadlineMs: 8_000 },
    ),
  ).toMatchObject({ ...policy, maxOutputBytes: 16_384 });
  expect(
    policyOf(
      tool('x', { deadlineMs: null }, () => 1),
      { deadlineMs: 7 },
    ).deadlineMs,
  ).toBe(7);
});

test.each<[unknown, string]>([
  [[], 'tool x: expected policy to be an object (found [])'],
  [{ effect: 'write' }, 'tool x: expected policy.effect to be reads, writes or irreversible (found "write")'],
  [{ efect: 'reads' }, 'tool x: policy has no "efect"; there are effect, deadlineMs, '],
  [{ toString: 1 }, 'tool x: policy has no "toString"'],
  [{ deadlineMs: '8s' }, 'tool x: expected policy.deadlineMs to be milliseconds from 100 to 120000 (found "8s")'],
  [{ deadlineMs: Number.NaN }, 'tool x: expected policy.deadlineMs'],
  [{ effect: 'reads', retries: 6 }, 'tool x: expected policy.retries to be a whole number from 0 to 5 (found 6)'],
  [{ retries: 1 }, 'tool x: it writes, so it is tried again only if its service knows the idempotency key'],
  [{ effect: 'irreversible', retries: 1 }, 'tool x: it is irreversible, so'],
  [{ idempotent: 1 }, 'tool x: expected policy.idempotent to be true or false (found 1)'],
  [{ atOnce: 0 }, 'tool x: expected policy.atOnce'],
  [{ perCall: 1.5 }, 'tool x: expected policy.perCall'],
  [{ needs: 'find' }, 'tool x: expected policy.needs to be a list of tool names (found "find")'],
  [{ fill: { slot: 'find' } }, 'tool x: expected policy.fill'],
  [{ fill: { slot: 'find..id' } }, 'tool x: expected policy.fill'],
  [{ fill: { patient: 'find.id' } }, 'tool x: policy.fill names "patient", which is not among the properties'],
  [{ digits: [7] }, 'tool x: expected policy.digits'],
  [{ returns: ['a b'] }, 'tool x: expected policy.returns'],
  [{ maxOutputBytes: 1_000_000 }, 'tool x: expected policy.maxOutputBytes to be bytes from 64 to 16384'],
  [{ onFailure: '' }, 'tool x: expected policy.onFailure'],
  [{ redact: [''] }, 'tool x: expected policy.redact'],
  [{ perCall: 10n }, 'tool x: expected policy.perCall to be a whole number from 1 to 1000 (found bigint)'],
])('%o is told with the name of the tool', (policy, fault) => {
  const parameters = { type: 'object', properties: { slot: {} } };
  const checked = checkTool({ ...tool('x', {}, () => 1, { parameters }), policy });
  expect(checked).toEqual({ faults: [expect.stringContaining(fault) as string] });
});

test("a whole policy passes, nulls and all, and is the agent's own copy", () => {
  const policy = {
    ...policyOf(
      tool('x', {}, () => 1),
      { deadlineMs: 100 },
    ),
    deadlineMs: null,
    fill: { slot: 'find.slots.0' },
    needs: ['find'],
  };
  const parameters = { type: 'object', properties: { slot: {} } };
  const checked = checkTool({ ...tool('x', {}, () => 1, { parameters, kind: 'http' }), policy });
  expect(checked).toMatchObject({ tool: { kind: 'http', policy } });
  policy.needs.push('other');
  expect(checked).toMatchObject({ tool: { policy: { needs: ['find'] } } });
  expect(policyFaults(undefined, 'tool x')).toEqual([]);
});

test("nobody else's tool is built in", () => {
  expect(checkTool({ ...tool('x', {}, () => 1), kind: 'built_in' })).toEqual({
    faults: ['tool x: expected kind to be left out (found "built_in")'],
  });
});

test('rules that name tools which are not there, or go in a circle, are told', () => {
  const run = () => 1;
  expect(
    toolSetFaults([
      tool('a', { needs: ['b'] }, run),
      tool('b', { fill: { x: 'c.id' } }, run),
      tool('c', { needs: ['a'] }, run),
      tool('d', { needs: ['a', 'e'] }, run),
      tool('f', { needs: ['f'] }, run),
    ]),
  ).toEqual([
    'tool a: its policy needs that it has succeeded before itself',
    'tool b: its policy needs that it has succeeded before itself',
    'tool c: its policy needs that it has succeeded before itself',
    'tool d: its policy needs e, which this agent does not have',
    'tool f: its policy needs that it has succeeded before itself',
  ]);
  expect(toolSetFaults([tool('a', { needs: ['b'] }, run), tool('b', {}, run)])).toEqual([]);
});
