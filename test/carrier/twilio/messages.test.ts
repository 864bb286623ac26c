import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseStreamMessage, streamPrinter } from '../../../src/carrier/twilio/messages.ts';
import { markMessage, mediaMessage, STREAM_SID, startMessage } from './edge.ts';
import fc from '../../support/fast-check.ts';

const parse = (message: unknown) => parseStreamMessage(JSON.stringify(message));

describe('reading', () => {
  test('reads every message of a whole stream', () => {
    const lines = readFileSync(new URL('../../fixtures/twilio/stream.jsonl', import.meta.url), 'utf8')
      .trim()
      .split('\n');
    const payload = JSON.parse(lines[2] as string).media.payload;
    expect(lines.map(parseStreamMessage)).toEqual([
      { kind: 'connected' },
      {
        kind: 'start',
        streamSid: STREAM_SID,
        accountSid: `AC${'0'.repeat(32)}`,
        callSid: `CA${'0'.repeat(31)}1`,
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
        customParameters: { agent: 'Frontdesk' },
      },
      { kind: 'media', streamSid: STREAM_SID, chunk: 1, timestampMs: 155, audio: { payload, bytes: 160 } },
      { kind: 'dtmf', streamSid: STREAM_SID, digit: '1' },
      { kind: 'mark', streamSid: STREAM_SID, name: '3:17' },
      { kind: 'stop', streamSid: STREAM_SID },
    ]);
  });

  test('reads a start without custom parameters', () => {
    expect(parse(startMessage({ customParameters: undefined }))).toMatchObject({ kind: 'start', customParameters: {} });
  });

  test('takes a custom parameter named __proto__ for a name like any other', () => {
    const text = JSON.stringify(startMessage()).replace(
      '"customParameters":{}',
      '"customParameters":{"__proto__":"x"}',
    );
    const message = parseStreamMessage(text);
    expect(message.kind === 'start' && Object.keys(message.customParameters)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  test.each('0123456789*#ABCD'.split(''))('reads the digit %s', (digit) => {
    expect(parse({ event: 'dtmf', streamSid: 'MZ', dtmf: { digit } })).toMatchObject({ kind: 'dtmf', digit });
  });

  test.each(['E', 'a', '12', '', ' ', null, 1])('takes %j for no digit', (digit) => {
    expect(parse({ event: 'dtmf', streamSid: 'MZ', dtmf: { digit } }).kind).toBe('malformed');
  });

  test('keeps the type of a message it does not know', () => {
    expect(parse({ event: 'weather', sunny: true })).toEqual({ kind: 'unknown', type: 'weather' });
    expect(parse({ event: 'x'.repeat(1000) })).toEqual({ kind: 'unknown', type: 'x'.repeat(40) });
    expect(parse({ event: 'malformed' })).toEqual({ kind: 'unknown', type: 'malformed' });
  });

  test('does not take our own voice for the caller', () => {
    const message = mediaMessage(1);
    expect(parse({ ...message, media: { ...message.media, track: 'outbound' } }).kind).toBe('unknown');
  });

  test.each([
    ['nothing', ''],
    ['no JSON', '{"event":"media"'],
    ['an array', '[]'],
    ['null', 'null'],
    ['a number', '7'],
    ['no event', '{}'],
    ['an event that is no word', '{"event":7}'],
    ['a start without ids', '{"event":"start","start":{}}'],
    ['a stop without streamSid', '{"event":"stop"}'],
    ['a mark without name', '{"event":"mark","streamSid":"MZ","mark":{}}'],
    ['a media without media', '{"event":"media","streamSid":"MZ"}'],
    ['a negative chunk', '{"event":"media","streamSid":"MZ","media":{"chunk":"-1","timestamp":"0","payload":"AAAA"}}'],
    [
      'a fractional time',
      '{"event":"media","streamSid":"MZ","media":{"chunk":"1","timestamp":"0.5","payload":"AAAA"}}',
    ],
    ['an empty payload', '{"event":"media","streamSid":"MZ","media":{"chunk":"1","timestamp":"0","payload":""}}'],
    ['a cut payload', '{"event":"media","streamSid":"MZ","media":{"chunk":"1","timestamp":"0","payload":"AAAAA"}}'],
    ['a quote', '{"event":"media","streamSid":"MZ","media":{"chunk":"1","timestamp":"0","payload":"AA\\"A"}}'],
    ['a line break', '{"event":"media","streamSid":"MZ","media":{"chunk":"1","timestamp":"0","payload":"AA\\nA"}}'],
  ])('calls %s malformed', (_what, text) => {
    expect(parseStreamMessage(text).kind).toBe('malformed');
  });

  test('reads base64 whose slashes are escaped', () => {
    const text = '{"event":"media","streamSid":"MZ","media":{"chunk":"1","timestamp":"0","payload":"\\/\\/\\/\\/"}}';
    expect(parseStreamMessage(text)).toMatchObject({ kind: 'media', audio: { payload: '////', bytes: 3 } });
  });

  test('never throws, whatever comes', () => {
    const kinds = fc.constantFrom('connected', 'start', 'media', 'dtmf', 'mark', 'stop', 'x');
    const near = fc.record(
      { event: kinds, streamSid: fc.jsonValue(), start: fc.jsonValue(), media: fc.jsonValue(), mark: fc.jsonValue() },
      { requiredKeys: [] },
    );
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseStreamMessage(text)));
    fc.assert(fc.property(fc.json(), (text) => void parseStreamMessage(text)));
    fc.assert(fc.property(near, (message) => void parse(message)));
  });

  test('lets no payload through that would break out of the JSON it is printed into', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (payload) => {
        const message = parse(mediaMessage(1, payload.padEnd(Math.ceil(payload.length / 4) * 4, 'A')));
        if (message.kind !== 'media') return;
        expect(JSON.parse(streamPrinter('MZ').media(message.audio.payload)).media.payload).toBe(message.audio.payload);
      }),
    );
  });

  test('reads back any count that Twilio may send', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (chunk, timestamp) => {
        const message = mediaMessage(1);
        const media = { ...message.media, chunk: String(chunk), timestamp: String(timestamp) };
        expect(parse({ ...message, media })).toMatchObject({ chunk, timestampMs: timestamp });
      }),
    );
  });
});

describe('printing', () => {
  test('prints exactly the documented fields', () => {
    const print = streamPrinter(STREAM_SID);
    expect(JSON.parse(print.media('//8='))).toEqual({
      event: 'media',
      streamSid: STREAM_SID,
      media: { payload: '//8=' },
    });
    expect(JSON.parse(print.mark('1:2'))).toEqual({ event: 'mark', streamSid: STREAM_SID, mark: { name: '1:2' } });
    expect(JSON.parse(print.clear)).toEqual({ event: 'clear', streamSid: STREAM_SID });
  });

  test('escapes stream ids and mark names', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary', minLength: 1 }), (streamSid, name) => {
        const print = streamPrinter(streamSid);
        expect(JSON.parse(print.mark(name))).toEqual({ event: 'mark', streamSid, mark: { name } });
        expect(JSON.parse(print.clear).streamSid).toBe(streamSid);
      }),
    );
    expect(parse(markMessage('"\\'))).toMatchObject({ kind: 'mark', name: '"\\' });
  });
});
