// What a sink sees of a tool's arguments.
import { expect, test } from 'vitest';
import { redactArguments } from '../../src/tools/redaction.ts';
import { tool } from './workbench.ts';

const find = tool('find', { redact: ['reference'], digits: ['pin'] }, () => 1, {
  parameters: {
    type: 'object',
    properties: Object.fromEntries(
      [
        ...[
          'reference',
          'slot',
          'pin',
          'dateOfBirth',
          'card_number',
          'firstName',
          'first_name',
          'apiKey',
          'note',
          'e-mail',
        ],
        ...['shipping', 'pinned', 'order', 'cardinal', 'amount', 'people'],
      ].map((name) => [name, name === 'people' ? { items: { properties: { dob: {}, role: {} } } } : {}]),
    ),
  },
});

const MARKER = /^\[redacted [0-9a-f]{8}\]$/;
const shown = (args: unknown, salt?: string): Record<string, unknown> =>
  JSON.parse(redactArguments(find, JSON.stringify(args), salt)) as Record<string, unknown>;

test.each(['reference', 'pin', 'dateOfBirth', 'card_number', 'firstName', 'first_name', 'apiKey', 'e-mail'])(
  'the value of %s is not shown, whatever it is',
  (name) => {
    for (const value of ['4711', 4711, true, { a: 1 }, ['x']]) expect(shown({ [name]: value })[name]).toMatch(MARKER);
  },
);

test.each(['slot', 'shipping', 'pinned', 'order', 'cardinal', 'amount'])('the value of %s is shown', (name) => {
  expect(shown({ [name]: 'next week' })).toEqual({ [name]: 'next week' });
});

test('equal values have equal markers within a call, and others in another call', () => {
  const marker = shown({ pin: '4711' }, 'c1')['pin'];
  expect(shown({ reference: '4711' }, 'c1')['reference']).toBe(marker);
  expect(shown({ pin: '4712' }, 'c1')['pin']).not.toBe(marker);
  expect(shown({ pin: '4711' }, 'c2')['pin']).not.toBe(marker);
});

test('names that the model made up are not shown either, and lists are looked into', () => {
  const text = redactArguments(
    find,
    '{"Ann Lee, 4 May 1980":true,"people":[{"dob":"1980-05-04","role":"mother","x":7}]}',
  );
  expect(text).not.toMatch(/Ann|1980|"x"|7\b.*:7/);
  expect(text).toContain('"role":"mother"');
});

test('a reference to keyed digits is a name and stays; digits in its place do not', () => {
  expect(shown({ pin: 'digits:pin' })).toEqual({ pin: 'digits:pin' });
  expect(shown({ pin: 'digits:4711' })['pin']).toMatch(MARKER);
});

test.each(['4111 1111 1111 1111', 'card 4111-1111-1111-1111 12/28', 4111111111111111, '378282246310005'])(
  'a payment card is found in any argument: %s',
  (note) => {
    expect(shown({ note })['note']).toMatch(MARKER);
  },
);

test.each(['4111 1111 1111 1112', '+44 20 7946 0958', 'order 100019'])('no card: %s', (note) => {
  expect(shown({ note })).toEqual({ note });
});

test.each<[string, string]>([
  ['{"pin":47', '[redacted: not usable, 9 characters]'],
  ['[4711]', '[redacted: not usable, 6 characters]'],
  [`{"note":${'['.repeat(5_000)}4711`, '[redacted: not usable, 5012 characters]'],
  [`{"note":"${'4711'.repeat(250_000)}"}`, '[redacted: too long, 1000011 characters]'],
  ['{"note":{"__proto__":"4711"}}', '[redacted: not usable, 29 characters]'],
  ['', '{}'],
])('what is no use becomes a marker with its length', (text, expected) => {
  expect(redactArguments(find, text)).toBe(expected);
});

test('of a tool that nobody declared nothing is shown', () => {
  expect(redactArguments(undefined, '{"slot":"4711"}')).toBe('[redacted: unknown tool, 15 characters]');
  expect(redactArguments(undefined, '')).toBe('');
});
