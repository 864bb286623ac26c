// Whom `--caller` means: the same person however the number is written, and nobody else.
import { expect, test } from 'vitest';
import type { Party } from '../../src/carrier/carrier.ts';
import { personOf } from '../../src/privacy/person.ts';
import { stands } from '../../src/privacy/search.ts';

const pstn = (value: string): Party => ({ kind: 'pstn', value });
const sip = (value: string): Party => ({ kind: 'sip', value });
const client = (value: string): Party => ({ kind: 'client', value });
const WITHHELD: Party = { kind: 'withheld', value: '' };

test.each(['+15551234567', ' +15551234567 ', '+1 555 123-4567', '+1 (555) 123.4567'])('%s is a number', (given) => {
  const person = personOf(given);
  expect(person.is(pstn('+15551234567'))).toBe(true);
  for (const other of [pstn('+155512345678'), pstn('+1555123456'), pstn('+15551234568'), WITHHELD])
    expect(person.is(other)).toBe(false);
});

test('a number is also whoever calls by SIP or with an app under it', () => {
  const person = personOf('+15551234567');
  for (const uri of ['sip:+15551234567@pbx.example.com', 'sip:15551234567@10.0.0.1:5060', 'sips:%2B15551234567@x;y=z'])
    expect(person.is(sip(uri)), uri).toBe(true);
  expect(person.is(client('+15551234567'))).toBe(true);
  expect(person.is(sip('sip:115551234567@pbx.example.com'))).toBe(false);
});

test('an address is one person whatever its case, port, password and parameters', () => {
  const person = personOf('sip:Alice@PBX.example.com');
  for (const uri of [
    'sip:alice@pbx.example.com',
    'sips:ALICE:secret@pbx.example.com:5061;transport=tls',
    'sip:%61lice@pbx.example.com',
  ])
    expect(person.is(sip(uri)), uri).toBe(true);
  for (const uri of ['sip:alice@example.com', 'sip:bob@pbx.example.com', 'sip:alice@pbx.example.com.evil.example'])
    expect(person.is(sip(uri)), uri).toBe(false);
  expect(person.is(client('alice'))).toBe(false);
});

test('a softphone is known by its name', () => {
  const person = personOf('client:alice');
  expect([person.is(client('alice')), person.is(client('alicia')), person.is(sip('sip:alice@x'))]).toEqual([
    ...[true, false, false],
  ]);
});

test.each([
  ['15551234567', 'a number without its plus'],
  ['alice@pbx.example.com', 'did you mean it with sip: before it?'],
  ['anonymous', 'cannot be told apart'],
  ['+266696687', 'cannot be told apart'],
  ['sip:anonymous@anonymous.invalid', 'cannot be told apart'],
  ['sip:pbx.example.com', '--caller: expected'],
  ['', '--caller: expected'],
  ['*', '--caller: expected'],
])('"%s" is nobody', (given, hint) => {
  expect(() => personOf(given)).toThrow(hint);
});

const standsIn = (given: string, text: string): boolean =>
  personOf(given).marks.some((mark) => stands(text.toLowerCase(), mark));

test.each([
  '"from":{"kind":"pstn","value":"+15551234567"}',
  'From=%2B15551234567&To=%2B15550009999',
  'caller=%2015551234567',
  String.raw`{"value":"\u002b15551234567"}`,
  String.raw`{"value":"\u002015551234567"}`,
  'tel:15551234567',
  'sip:+15551234567@pbx.example.com',
  '15551234567',
])('the number stands in %s', (text) => {
  expect(standsIn('+15551234567', text)).toBe(true);
});

test.each(['+155512345678', '+4915551234567', '115551234567', '+1 555 123 4567', '%4215551234568', ''])(
  'the number does not stand in "%s"',
  (text) => {
    expect(standsIn('+15551234567', text)).toBe(false);
  },
);

test('an address stands for itself only', () => {
  for (const text of ['sip:alice@pbx.example.com;x', 'SIP%3aAlice%40PBX.example.com', '"alice@pbx.example.com".'])
    expect(standsIn('sip:alice@pbx.example.com', text), text).toBe(true);
  for (const text of ['sip:malice@pbx.example.com', 'alice@pbx.example.com.au', 'alice@pbx.example.community', 'alice'])
    expect(standsIn('sip:alice@pbx.example.com', text), text).toBe(false);
  expect(standsIn('client:alice', '"from":{"kind":"client","value":"alice"}')).toBe(true);
  expect(standsIn('client:alice', 'my name is alice')).toBe(false);
});
