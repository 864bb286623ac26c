// The protocol of the page's phone, read by the server's own parser: whatever it says must be what a carrier would say.
import { describe, expect, test } from 'vitest';
import type { AudioChunk } from '../../../src/audio/chunk.ts';
import { parseStreamMessage } from '../../../src/carrier/twilio/messages.ts';
import { readPhoneFrame } from '../../../src/dashboard/phone/phone-messages.ts';
import { MediaStreamClient, type Playback } from '../../../src/page/phone/media-stream-client.ts';

const ids = { accountSid: `AC${'1'.repeat(32)}`, callSid: `CA${'2'.repeat(32)}`, streamSid: `MZ${'3'.repeat(32)}` };

function opened() {
  const sent: string[] = [];
  const heard: unknown[] = [];
  const playback: Playback = {
    append: (bytes) => heard.push([...bytes]),
    mark: (name) => heard.push(`mark ${name}`),
    clear: () => heard.push('clear'),
  };
  const client = new MediaStreamClient(ids, (text) => sent.push(text), playback);
  client.begin({ callId: 'one', __proto__: 'x' });
  return { client, sent, heard, messages: () => sent.map((text) => parseStreamMessage(text)) };
}

describe('the caller’s side of a media stream', () => {
  test('begins as a carrier does', () => {
    const { messages } = opened();
    expect(messages()).toMatchObject([
      { kind: 'connected' },
      {
        ...{ kind: 'start', ...ids, customParameters: { callId: 'one' } },
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
      },
    ]);
  });

  test('numbers chunks and messages from 1, and times frames of any length by where they were spoken', () => {
    const { client, sent, messages } = opened();
    for (const [size, at] of [
      [160, 5_000],
      [128, 5_160],
      [1, 5_288],
      [160, 9_000],
    ] as const)
      client.frame(new Uint8Array(size).fill(0x7f), at);
    client.frame(new Uint8Array(0), 9_160);
    expect(messages().slice(2)).toMatchObject([
      { kind: 'media', chunk: 1, timestampMs: 0 },
      { kind: 'media', chunk: 2, timestampMs: 20 },
      { kind: 'media', chunk: 3, timestampMs: 36 },
      { kind: 'media', chunk: 4, timestampMs: 500 },
    ]);
    const numbers = sent.slice(1).map((text) => (JSON.parse(text) as { sequenceNumber: string }).sequenceNumber);
    expect(numbers).toEqual(['1', '2', '3', '4', '5']);
    // The server tells audio by its first letters.
    for (const text of sent.slice(2))
      expect(readPhoneFrame(text)).toEqual({ kind: 'stream', event: 'media', digit: '' });
  });

  test('every byte arrives as it was', () => {
    const { client, messages } = opened();
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    client.frame(all, 0);
    const { audio } = messages()[2] as { audio: AudioChunk };
    expect([...Buffer.from(audio.payload, 'base64')]).toEqual([...all]);
  });

  test('sends keys, and refuses what is none', () => {
    const { client, messages } = opened();
    for (const digit of '0*#D') client.press(digit);
    expect(messages().slice(2)).toMatchObject([{ digit: '0' }, { digit: '*' }, { digit: '#' }, { digit: 'D' }]);
    for (const digit of ['', 'x', '12', 'd']) expect(() => client.press(digit)).toThrow(RangeError);
  });

  test('plays what is for this stream, and nothing else', () => {
    const { client, heard } = opened();
    const { streamSid } = ids;
    const payload = Buffer.from([1, 2, 255]).toString('base64');
    expect(client.take({ event: 'media', streamSid, media: { payload } })).toBe(true);
    expect(client.take({ event: 'mark', streamSid, mark: { name: 'm' } })).toBe(true);
    expect(client.take({ event: 'clear', streamSid })).toBe(true);
    for (const message of [
      { event: 'media', streamSid: 'MZ-other', media: { payload } },
      { event: 'media', streamSid, media: { payload: '%%%' } },
      { event: 'media', streamSid, media: { payload: 7 } },
      { event: 'media', streamSid },
      { event: 'mark', streamSid, mark: {} },
      { event: 'stream', streamSid },
      {},
    ])
      expect(client.take(message), JSON.stringify(message)).toBe(false);
    expect(heard).toEqual([[1, 2, 255], 'mark m', 'clear']);
  });

  test('after stop nothing goes up, and nothing is played', () => {
    const { client, sent, heard, messages } = opened();
    client.stop();
    client.stop();
    client.frame(new Uint8Array(160), 0);
    client.press('1');
    client.markReturned('m');
    expect(client.take({ event: 'clear', streamSid: ids.streamSid })).toBe(false);
    expect(messages().at(-1)).toMatchObject({ kind: 'stop', streamSid: ids.streamSid });
    expect(sent).toHaveLength(3);
    expect(heard).toEqual([]);
  });
});
