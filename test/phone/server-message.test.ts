// How strictly the server's messages are judged.
import { describe, expect, test } from 'vitest';
import { readServerMessage } from '../../src/phone/server-message.ts';

const SID = 'MZ0123456789abcdef0123456789abcdef';
const read = (message: unknown) => readServerMessage(Buffer.from(JSON.stringify(message)), false, SID);

describe('messages of the server', () => {
  test('media, mark and clear are read', () => {
    expect(read({ event: 'media', streamSid: SID, media: { payload: '//9/' } })).toEqual({
      event: 'media',
      bytes: Buffer.from([0xff, 0xff, 0x7f]),
    });
    expect(read({ event: 'mark', streamSid: SID, mark: { name: 'g1:3' } })).toEqual({ event: 'mark', name: 'g1:3' });
    expect(read({ event: 'clear', streamSid: SID })).toEqual({ event: 'clear' });
  });

  test('a binary frame is warning 31950, even with valid JSON in it', () => {
    const data = Buffer.from(JSON.stringify({ event: 'clear', streamSid: SID }));
    expect(readServerMessage(data, true, SID)).toMatchObject({ code: 31950 });
  });

  test.each([
    ['text that is not JSON', 'nonsense'],
    ['an array', []],
    ['an unknown event', { event: 'stop', streamSid: SID }],
    ['another stream', { event: 'clear', streamSid: 'MZother' }],
    ['the snake case id', { event: 'clear', stream_sid: SID }],
    ['an extra field', { event: 'clear', streamSid: SID, sequenceNumber: '1' }],
    ['an extra field inside media', { event: 'media', streamSid: SID, media: { payload: '//9/', track: 'outbound' } }],
    ['a missing payload', { event: 'media', streamSid: SID, media: {} }],
    ['an empty payload', { event: 'media', streamSid: SID, media: { payload: '' } }],
    ['a payload that is not base64', { event: 'media', streamSid: SID, media: { payload: '$$$$' } }],
    ['base64 without padding', { event: 'media', streamSid: SID, media: { payload: '//9' } }],
    ['a mark without a name', { event: 'mark', streamSid: SID, mark: { name: '' } }],
    ['a mark with a number for a name', { event: 'mark', streamSid: SID, mark: { name: 7 } }],
    ['a mark that is a string', { event: 'mark', streamSid: SID, mark: 'm1' }],
  ])('%s is warning 31951', (_, message) => {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    expect(readServerMessage(Buffer.from(text), false, SID)).toMatchObject({ code: 31951 });
  });
});
