// Values from tool outputs, put where a script asks for them.
import { expect, test } from 'vitest';
import { fill, fillText, lookupIn } from '../../src/simulator/values.ts';

const outputs = [
  { tool: 'find', callId: 'call_1', output: '{"id":7,"name":"Ada","ok":true,"gone":null}' },
  { tool: 'list_slots', callId: 'call_2', output: '{"slots":[{"id":"s-1"},{"id":"s-2"}]}' },
  { tool: 'list_slots', callId: 'call_3', output: 'The service does not answer.' },
  { tool: 'numbers', callId: 'call_4', output: '[1,2,3]' },
];
const lookup = lookupIn(outputs);
const valueOf = (template: unknown): unknown => fill(template, lookup).value;

test('keeps the type of a value that stands alone, and writes it inside other text', () => {
  expect(valueOf({ id: '{{find.id}}', ok: '{{ find.ok }}', all: '{{find}}', none: '{{find.gone}}' })).toEqual({
    id: 7,
    ok: true,
    all: { id: 7, name: 'Ada', ok: true, gone: null },
    none: null,
  });
  expect(valueOf(['no. {{find.id}} for {{find.name}}', 5, null])).toEqual(['no. 7 for Ada', 5, null]);
  expect(fillText('{{list_slots.slots.0}}', lookup).value).toBe('{"id":"s-1"}');
});

test('takes lists by number, from the end too, and the newest output that has the value', () => {
  expect(valueOf('{{list_slots.slots.1.id}}')).toBe('s-2');
  expect(valueOf('{{list_slots.slots.-1.id}}')).toBe('s-2');
  expect(valueOf('{{numbers.2}}')).toBe(3);
  expect(valueOf('{{last.0}}')).toBe(1);
  // Its newest output is a text: as a whole it is the value.
  expect(valueOf('{{list_slots}}')).toBe('The service does not answer.');
});

test('keeps every digit of an output that is too long for a number', () => {
  const long = lookupIn([{ tool: 'find', callId: 'call_1', output: '10001902100180345678' }]);
  expect(fill('{{find}}', long).value).toBe('10001902100180345678');
  expect(fill('{{find}}', lookupIn([{ tool: 'find', callId: 'call_1', output: '42' }])).value).toBe(42);
});

test.each(['{{nobody.id}}', '{{find.nothing}}', '{{find.id.deeper}}', '{{numbers.9}}', '{{last.id}}'])(
  'leaves %s as it is, and says so',
  (template) => {
    expect(fill({ a: template }, lookup)).toEqual({ value: { a: template }, missing: [template] });
    expect(fillText(`so: ${template}`, lookup)).toEqual({ value: `so: ${template}`, missing: [template] });
  },
);

test.each(['{{find.constructor}}', '{{find.__proto__.toString}}', '{{numbers.length}}', '{{constructor.name}}'])(
  'takes nothing from where no tool has put it: %s',
  (template) => expect(fill(template, lookup).missing).toEqual([template]),
);

test.each(['{{', '{{}}', '{{ find id }}', '{"a":{"b":{}}}', '{{not json'])('does not touch %s', (text) => {
  expect(fill(text, lookup)).toEqual({ value: text, missing: [] });
});

test('is not misled by what tools answer: a placeholder in an output stays a text', () => {
  const hostile = lookupIn([{ tool: 'note', callId: 'call_1', output: '{"text":"{{find.id}} $& $1"}' }, ...outputs]);
  expect(fillText('<{{note.text}}>', hostile)).toEqual({ value: '<{{find.id}} $& $1>', missing: [] });
});
