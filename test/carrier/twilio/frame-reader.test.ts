// Frames read without JSON.parse: what Twilio prints is read this way, and whatever is read this way reads the same as JSON.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { frameReader } from '../../../src/carrier/twilio/frame-reader.ts';
import { parseStreamMessage } from '../../../src/carrier/twilio/messages.ts';
import { mediaMessage, STREAM_SID } from './edge.ts';
import fc from '../../support/fast-check.ts';

const captured = readFileSync(new URL('../../fixtures/twilio/stream.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n');
const FRAME = captured[2] as string;

const read = (text: string, streamSid = STREAM_SID) => frameReader(streamSid)(Buffer.from(text));

/** The same frame by way of JSON; null: it is none, or of another stream. */
function asJson(text: string, streamSid = STREAM_SID) {
  // What is no UTF-8 becomes what a socket would have refused.
  const message = parseStreamMessage(Buffer.from(text).toString());
  if (message.kind !== 'media' || message.streamSid !== streamSid) return null;
  return { type: 'leg.audio', sequence: message.chunk, timestampMs: message.timestampMs, chunk: message.audio };
}

describe('what Twilio prints', () => {
  test('a captured frame is read', () => {
    expect(read(FRAME)).not.toBeNull();
    expect(read(FRAME)).toEqual(asJson(FRAME));
  });

  test('is read with the stream before the audio as well', () => {
    const { event, sequenceNumber, streamSid, media } = mediaMessage(7);
    for (const message of [
      { event, sequenceNumber, streamSid, media },
      { event, sequenceNumber, media, streamSid },
    ])
      expect(read(JSON.stringify(message))).toEqual({
        type: 'leg.audio',
        sequence: 7,
        timestampMs: 275,
        chunk: { payload: media.payload, bytes: 160 },
      });
  });

  test('no other message of a stream is taken for a frame, nor a frame of another stream', () => {
    expect(captured.map((text) => read(text)).filter((frame) => frame !== null)).toHaveLength(1);
    expect(read(FRAME, `MZ${'1'.repeat(32)}`)).toBeNull();
  });

  test('any number of bytes, with its padding', () => {
    for (let bytes = 1; bytes < 400; bytes++) {
      const text = JSON.stringify(mediaMessage(1, Buffer.alloc(bytes, 0xaa).toString('base64')));
      expect(read(text)?.chunk.bytes).toBe(bytes);
    }
  });
});

describe('against JSON', () => {
  const text = fc.string({ unit: 'binary', maxLength: 12 });
  const figure = fc.oneof(
    fc.nat().map(String),
    fc.constantFrom('', '-1', '0.5', '01', '9'.repeat(15), '9'.repeat(16)),
    text,
  );
  const payload = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('base64')),
    fc.constantFrom('', 'AAAA', 'AAA=', 'AA==', 'A===', 'AA==AAAA', 'AAAAA', 'AA A', 'AA\u0122A', 'AA"A', 'AA\\nA'),
    text,
  );
  const message = fc.record({
    event: fc.constantFrom('media', 'mark', 'medium'),
    sequenceNumber: figure,
    streamSid: fc.oneof(
      fc.constantFrom(STREAM_SID, 'MZ', 'M"Z', 'M\\Z'),
      text.filter((id) => id !== ''),
    ),
    media: fc.record({
      track: fc.constantFrom('inbound', 'outbound'),
      chunk: figure,
      timestamp: figure,
      payload,
    }),
  });

  test('whatever is read reads the same', () => {
    fc.assert(
      fc.property(message, fc.boolean(), ({ event, sequenceNumber, streamSid, media }, first) => {
        const printed = JSON.stringify(
          first ? { event, sequenceNumber, streamSid, media } : { event, sequenceNumber, media, streamSid },
        );
        const frame = read(printed, streamSid);
        if (frame !== null) expect(frame).toEqual(asJson(printed, streamSid));
      }),
      { numRuns: 2_000 },
    );
  });

  test('a frame with letters changed, left out or put in reads the same, or is left to JSON', () => {
    const good = [FRAME, JSON.stringify(mediaMessage(3, '//8='))];
    const letter = fc.oneof(
      fc.constantFrom('"', '\\', '\n', '}', ',', '\u0000', 'é', '=', '1'),
      fc.string({ unit: 'binary', maxLength: 2 }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...good), fc.nat(), fc.nat(2), letter, (whole, where, cut, put) => {
        const at = where % whole.length;
        const changed = whole.slice(0, at) + put + whole.slice(at + cut);
        const frame = read(changed);
        if (frame !== null) expect(frame).toEqual(asJson(changed));
      }),
      { numRuns: 5_000 },
    );
  });
});
