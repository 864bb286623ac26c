// Who a caller is: lists, counting, attestation. Callers write their own addresses, so nothing here may throw.
import { describe, expect, test } from 'vitest';
import type { Party } from '../../src/carrier/carrier.ts';
import { attestationOf, attestedAtLeast, callerKey, isListed } from '../../src/call/caller.ts';

const pstn = (value: string): Party => ({ kind: 'pstn', value });
const sip = (value: string): Party => ({ kind: 'sip', value });
const WITHHELD: Party = { kind: 'withheld', value: '' };

describe('lists', () => {
  test.each<[entry: string, caller: Party, listed: boolean]>([
    ['+15551234567', pstn('+15551234567'), true],
    ['+15551234567', pstn('+155512345678'), false],
    ['+1555123456', pstn('+15551234567'), false],
    ['+1900*', pstn('+19005551234'), true],
    ['+1900*', pstn('+1900'), true],
    ['+1900*', pstn('+18005551234'), false],
    ['+1900*', pstn('+4419005551'), false],
    ['+1900*', sip('sip:+19005551234@pbx.example.com;user=phone'), true],
    ['+15551234567', sip('sip:+15551234567@pbx.example.com'), true],
    ['frontdesk', sip('sip:frontdesk@pbx.example.com'), true],
    ['frontdesk', sip('sips:FrontDesk@other.example:5061;transport=tls'), true],
    ['frontdesk', sip('sip:frontdesk:secret@pbx.example.com'), true],
    ['frontdesk', sip('sip:%66rontdesk@pbx.example.com'), true],
    ['frontdesk', sip('sip:frontdesk2@pbx.example.com'), false],
    ['frontdesk', sip('sip:pbx.example.com'), false],
    ['frontdesk', { kind: 'client', value: 'frontdesk' }, true],
    ['frontdesk@pbx.example.com', { kind: 'client', value: 'frontdesk' }, false],
    ['frontdesk@pbx.example.com', sip('sip:frontdesk@PBX.example.com:5060'), true],
    ['frontdesk@pbx.example.com', sip('sip:frontdesk@evil.example'), false],
    ['frontdesk@pbx.example.com', sip('sip:other@pbx.example.com'), false],
    ['@pbx.example.com', sip('sip:anybody@pbx.example.com?header=1'), true],
    ['@pbx.example.com', sip('sip:pbx.example.com'), true],
    ['@pbx.example.com', sip('sip:x@pbx.example.com.evil.example'), false],
    ['@pbx.example.com', sip('sip:@pbx.example.com@evil.example'), false],
    ['@pbx.example.com', pstn('+15551234567'), false],
    ['withheld', WITHHELD, true],
    ['Withheld', WITHHELD, true],
    ['withheld', sip('sip:withheld@pbx.example.com'), false],
    ['+1*', WITHHELD, false],
  ])('%s means %o: %s', (entry, caller, listed) => {
    expect(isListed([entry], caller)).toBe(listed);
    expect(isListed(['+10000000000', entry], caller)).toBe(listed);
  });

  test('an empty list means nobody', () => {
    for (const caller of [WITHHELD, pstn('+15551234567'), sip('sip:a@b')]) expect(isListed([], caller)).toBe(false);
  });

  test.each(['sip:', 'sip:@', 'sip:%', 'sip:%zz@h', 'sip:a@b@c', 'sip:;', 'sip:@@@@', `sip:${'%41'.repeat(200)}`, ''])(
    'an address such as %j throws nothing',
    (uri) => {
      expect(isListed(['frontdesk', '@h', '+1*'], sip(uri))).toBeTypeOf('boolean');
      expect(callerKey(sip(uri))).toBeTypeOf('string');
    },
  );
});

describe('counting', () => {
  test('one caller has one key, however the address is written; others have others', () => {
    expect(callerKey(sip('sip:Alice@PBX.example.com:5060;x=1'))).toBe(callerKey(sip('sips:alice@pbx.example.com')));
    const keys = [
      pstn('+15551234567'),
      sip('sip:+15551234567@pbx.example.com'),
      sip('sip:+15551234567@other.example'),
      { kind: 'client', value: '+15551234567' } as const,
    ].map(callerKey);
    expect(new Set(keys).size).toBe(4);
  });

  test('callers who show no number are nobody', () => {
    expect(callerKey(WITHHELD)).toBeNull();
  });
});

describe('attestation', () => {
  test.each([
    ['TN-Validation-Passed-A', 'A'],
    ['TN-Validation-Passed-B', 'B'],
    ['TN-Validation-Passed-C', 'C'],
    ['TN-Validation-Passed-A-Diverted', 'A'],
    ['TN-Validation-Passed-B-Passthrough', 'B'],
    ['TN-Validation-Passed', 'C'],
    ['TN-Validation-Passed-Diverted', 'C'],
    ['TN-Validation-Failed', null],
    ['TN-Validation-Failed-A', null],
    ['No-TN-Validation', null],
    ['No-TN-Validation-Diverted', null],
    ['something else', null],
    [null, null],
  ])('%s counts as %s', (verdict, level) => {
    expect(attestationOf(verdict)).toBe(level);
  });

  test.each([
    ['A', [true, false, false, false]],
    ['B', [true, true, false, false]],
    ['C', [true, true, true, false]],
  ] as const)('at least %s', (minimum, passed) => {
    const verdicts = ['TN-Validation-Passed-A', 'TN-Validation-Passed-B', 'TN-Validation-Passed-C', null];
    expect(verdicts.map((verdict) => attestedAtLeast(minimum, verdict))).toEqual(passed);
  });
});
