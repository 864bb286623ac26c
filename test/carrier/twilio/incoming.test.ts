import { describe, expect, test } from 'vitest';
import {
  parseCallStatus,
  parseDialled,
  parseIncomingCall,
  parseKey,
  parseParent,
  parseParty,
  parsePersonFor,
} from '../../../src/carrier/twilio/incoming.ts';
import { CALL_SID, PERSON_SID, voiceForm } from './edge.ts';
import fc from '../../support/fast-check.ts';

describe('an incoming call', () => {
  test('is read from the form', () => {
    expect(parseIncomingCall(voiceForm({ StirVerstat: 'TN-Validation-Passed-A' }), {})).toEqual({
      carrier: 'twilio',
      carrierCallId: CALL_SID,
      direction: 'inbound',
      from: { kind: 'pstn', value: '+15005550006' },
      to: { kind: 'pstn', value: '+15005550001' },
      attestation: 'TN-Validation-Passed-A',
      sipHeaders: {},
      idempotencyKey: null,
    });
  });

  test.each(['outbound-api', 'outbound-dial'])('that we placed (%s) is outbound', (Direction) => {
    expect(parseIncomingCall(voiceForm({ Direction }), {}).direction).toBe('outbound');
  });

  test('keeps the key that tells retries apart from new calls', () => {
    const headers = { 'i-twilio-idempotency-token': 'abc' };
    expect(parseIncomingCall(voiceForm(), headers).idempotencyKey).toBe('abc');
    const long = { 'i-twilio-idempotency-token': 'x'.repeat(201) };
    expect(parseIncomingCall(voiceForm(), long).idempotencyKey).toBeNull();
  });

  test.each([undefined, '', 'CA', `CA${'0'.repeat(31)}`, `XX${'0'.repeat(32)}`, `CA${'0'.repeat(32)}\n`, [CALL_SID]])(
    'is refused with CallSid %j',
    (CallSid) => {
      const { CallSid: _, ...form } = voiceForm();
      const given = CallSid === undefined ? form : { ...form, CallSid };
      expect(() => parseIncomingCall(given, {})).toThrow(expect.objectContaining({ code: 'TRK_BAD_WEBHOOK' }));
    },
  );

  test('through a SIP domain brings its headers, without Twilio’s prefix', () => {
    const form = voiceForm({
      From: 'sip:alice@pbx.sip.twilio.com;transport=tls',
      To: 'sips:desk@pbx.sip.twilio.com',
      SipDomain: 'pbx.sip.twilio.com',
      'SipHeader_X-Ticket': '4711',
      'SipHeader_User-to-User': 'a=b; c',
      SipHeader___proto__: 'kept as a name',
      SipHeader_: 'no name',
      'SipHeader_X Y': 'no token',
    });
    const call = parseIncomingCall(form, {});
    expect(call.from).toEqual({ kind: 'sip', value: 'sip:alice@pbx.sip.twilio.com;transport=tls' });
    expect(call.to).toEqual({ kind: 'sip', value: 'sips:desk@pbx.sip.twilio.com' });
    expect(Object.entries(call.sipHeaders)).toEqual([
      ['X-Ticket', '4711'],
      ['User-to-User', 'a=b; c'],
      ['__proto__', 'kept as a name'],
    ]);
  });

  test('brings at most 50 SIP headers, none of them long', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`SipHeader_X-${i}`, 'v']));
    expect(Object.keys(parseIncomingCall(voiceForm(many), {}).sipHeaders)).toHaveLength(50);
    const long = { 'SipHeader_X-Long': 'v'.repeat(1025), [`SipHeader_${'X'.repeat(101)}`]: 'v' };
    expect(parseIncomingCall(voiceForm(long), {}).sipHeaders).toEqual({});
  });
});

describe('a party', () => {
  test.each([
    ['+15005550006', 'pstn', '+15005550006'],
    [' +442071838750 ', 'pstn', '+442071838750'],
    ['client:alice', 'client', 'alice'],
    ['client:Anonymous', 'client', 'Anonymous'],
    ['sip:+15005550006@pbx.example.com', 'sip', 'sip:+15005550006@pbx.example.com'],
    ['SIPS:alice@pbx.example.com:5061', 'sip', 'SIPS:alice@pbx.example.com:5061'],
  ])('%s is %s', (given, kind, value) => {
    expect(parseParty(given)).toEqual({ kind, value });
  });

  test.each([
    '',
    'anonymous',
    'Anonymous',
    'RESTRICTED',
    'unavailable',
    'unknown',
    'private',
    '+266696687',
    '266696687',
    '+7378742833',
    '+2562533',
    '+8656696',
    '+86282452253',
    'sip:anonymous@anonymous.invalid',
    'sip:Anonymous@pbx.example.com',
    'sip:anonymous;x=y@pbx.example.com',
    'sip:x@anonymous.invalid;transport=udp',
    'sip:anonymous@anonymous.invalid:5060',
    'sip:+266696687@pbx.example.com',
    'client:',
    'sip:',
    '+0123',
    '+1234567890123456',
    'sip:a b@c',
    `sip:${'x'.repeat(600)}@y`,
    '15005550006',
    '+1<script>',
  ])('%j is withheld', (given) => {
    expect(parseParty(given)).toEqual({ kind: 'withheld', value: '' });
  });

  test('is one of four kinds whatever is written there', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `sip:${text}`),
        ),
        (given) => {
          const { kind, value } = parseParty(given);
          expect(value === '').toBe(kind === 'withheld');
        },
      ),
    );
  });
});

describe('a status callback', () => {
  test.each(['completed', 'busy', 'failed', 'no-answer', 'canceled'])('%s is final', (CallStatus) => {
    expect(parseCallStatus(voiceForm({ CallStatus })).final).toBe(true);
  });

  test.each(['queued', 'initiated', 'ringing', 'in-progress'])('%s is not', (CallStatus) => {
    expect(parseCallStatus(voiceForm({ CallStatus })).final).toBe(false);
  });

  test('brings seconds and its place in the order', () => {
    const form = voiceForm({ CallStatus: 'completed', CallDuration: '61', Duration: '2', SequenceNumber: '0' });
    expect(parseCallStatus(form)).toEqual({
      carrierCallId: CALL_SID,
      status: 'completed',
      final: true,
      durationSeconds: 61,
      sequence: 0,
    });
    expect(parseCallStatus(voiceForm({ CallDuration: 'x' }))).toMatchObject({ durationSeconds: null, sequence: null });
  });

  test('without a status is refused', () => {
    expect(() => parseCallStatus(voiceForm({ CallStatus: '' }))).toThrow(/CallStatus/);
  });

  test('of a leg that a Dial of ours placed names the call that it was placed for', () => {
    const form = voiceForm({ CallSid: PERSON_SID, ParentCallSid: CALL_SID, CallStatus: 'in-progress' });
    expect(parseCallStatus(form)).toMatchObject({ carrierCallId: PERSON_SID, parentCallId: CALL_SID, answered: true });
  });

  test('of a leg that we placed names the caller of its URL', () => {
    const form = voiceForm({
      CallSid: PERSON_SID,
      CallStatus: 'no-answer',
      AnsweredBy: 'human',
      SipResponseCode: '487',
    });
    expect(parseCallStatus(form, { for: CALL_SID })).toEqual({
      ...{ carrierCallId: PERSON_SID, parentCallId: CALL_SID, status: 'no-answer', final: true },
      ...{ durationSeconds: null, sequence: null },
    });
  });

  test.each(['queued', 'initiated', 'ringing', 'completed', 'busy', 'failed'])(
    '%s is nobody answering',
    (CallStatus) => {
      expect(parseCallStatus(voiceForm({ CallStatus }))).not.toHaveProperty('answered');
    },
  );

  test.each(['x', PERSON_SID, `${CALL_SID}\n`, [CALL_SID, CALL_SID]])(
    'of a child of %j is refused',
    (ParentCallSid) => {
      const form = { ...voiceForm({ CallSid: PERSON_SID }), ParentCallSid };
      expect(() => parseCallStatus(form)).toThrow(expect.objectContaining({ code: 'TRK_BAD_WEBHOOK' }));
    },
  );
});

describe('the caller for whom a person was called', () => {
  const form = voiceForm({ CallSid: PERSON_SID });

  test('stands in the query', () => {
    expect(parsePersonFor({ for: CALL_SID }, form)).toBe(CALL_SID);
    for (const query of [undefined, null, {}, { other: 'x' }]) expect(parsePersonFor(query, form)).toBeNull();
  });

  test.each([
    ...['', 'CA', `${CALL_SID}x`, ` ${CALL_SID}`, '../', `${CALL_SID}&x=1`, 'CA'.repeat(100_000), '\u0000', PERSON_SID],
    ...[[CALL_SID], [CALL_SID, CALL_SID], { toString: () => CALL_SID }, 1, true],
  ])('is refused as %j', (given) => {
    const expected = expect.objectContaining({ code: 'TRK_BAD_WEBHOOK' });
    expect(() => parsePersonFor({ for: given }, form)).toThrow(expected);
    expect(() => parseParent({ for: given }, form)).toThrow(expected);
  });

  test('goes before what Twilio says of parents', () => {
    const other = `CA${'0'.repeat(31)}3`;
    expect(parseParent({ for: CALL_SID }, { ...form, ParentCallSid: other })).toBe(CALL_SID);
  });
});

describe('what follows a Dial or a Gather', () => {
  test.each([
    ['completed', 'answered'],
    ['answered', 'answered'],
    ['busy', 'busy'],
    ['no-answer', 'no_answer'],
    ['failed', 'failed'],
    ['canceled', 'canceled'],
    ['a word of tomorrow', 'failed'],
    ['constructor', 'failed'],
    ['COMPLETED', 'failed'],
  ])('the Dial that Twilio calls %s is %s', (DialCallStatus, outcome) => {
    expect(parseDialled(voiceForm({ DialCallStatus }))).toBe(outcome);
  });

  test('there may have been no Dial, and two are a failed one', () => {
    expect(parseDialled(voiceForm())).toBeNull();
    expect(parseDialled(voiceForm({ DialCallStatus: '' }))).toBeNull();
    expect(parseDialled({ ...voiceForm(), DialCallStatus: ['completed', 'busy'] })).toBe('failed');
  });

  test('the key is one key', () => {
    for (const Digits of '0123456789*#') expect(parseKey(voiceForm({ Digits }))).toBe(Digits);
    for (const Digits of ['', '12', 'hangup', ' 1', '1\n', '١', 'A', '1'.repeat(50_000)])
      expect(parseKey(voiceForm({ Digits }))).toBeNull();
    expect(parseKey({ ...voiceForm(), Digits: ['1', '1'] })).toBeNull();
    expect(parseKey(voiceForm())).toBeNull();
  });
});
