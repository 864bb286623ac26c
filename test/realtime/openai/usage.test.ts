// Reading what the API says was used: every documented shape, and each way in which it cannot be right, by name.
import { expect, test } from 'vitest';
import { parseServerMessage } from '../../../src/realtime/openai/messages.ts';
import * as wire from './wire.ts';
import fc from '../../support/fast-check.ts';

const NONE = {
  textIn: 0,
  audioIn: 0,
  imageIn: 0,
  cachedTextIn: 0,
  cachedAudioIn: 0,
  cachedImageIn: 0,
  textOut: 0,
  audioOut: 0,
};

const read = (message: unknown, text = JSON.stringify(message)) => {
  const parsed = parseServerMessage(text);
  if (parsed.kind !== 'known' || !('usage' in parsed.message)) throw new Error(parsed.kind);
  return parsed.message.usage;
};
const answer = (usage: unknown) => read(wire.responseDone('resp_1', { usage }));
const transcription = (usage: unknown) => read(wire.transcribed('item_u1', 'x', usage));

test('is read by modality, cached counts as a part of input', () => {
  expect(answer(wire.USAGE)).toEqual({
    ...NONE,
    textIn: 1410,
    audioIn: 280,
    cachedTextIn: 1408,
    cachedAudioIn: 128,
    textOut: 22,
    audioOut: 100,
  });
});

test.each([null, undefined, 'x', 7, [], {}, { total_tokens: 3 }, { input_tokens: null, output_token_details: null }])(
  'is null where nothing is said: %j',
  (usage) => {
    expect(read({ type: 'response.done', response: { id: 'resp_1', status: 'completed', usage } })).toBeNull();
    expect(read({ type: wire.transcribed('i', '').type, item_id: 'i', transcript: 'x', usage })).toBeNull();
  },
);

const details = (text: unknown, audio: unknown, more = {}) => ({ text_tokens: text, audio_tokens: audio, ...more });
const input = (text: unknown, audio: unknown, more = {}) => ({ input_token_details: details(text, audio, more) });

test.each([
  ['all details', { input_tokens: 9, ...input(4, 5) }, { textIn: 4, audioIn: 5 }],
  ['missing counts', input(undefined, 5), { audioIn: 5 }],
  ['counts that are null', { ...input(null, 5), output_token_details: details(null, null) }, { audioIn: 5 }],
  [
    'pictures',
    input(4, 0, { image_tokens: 3, cached_tokens_details: { image_tokens: 2 } }),
    { textIn: 4, imageIn: 3, cachedImageIn: 2 },
  ],
  [
    'cached details without their total',
    input(4, 5, { cached_tokens_details: details(1, 2) }),
    { textIn: 4, audioIn: 5, cachedTextIn: 1, cachedAudioIn: 2 },
  ],
] as const)('is taken as it is: %s', (_, usage, expected) => {
  expect(answer(usage)).toEqual({ ...NONE, ...expected });
});

const cached = (total: unknown, of: unknown = null) => ({ cached_tokens: total, cached_tokens_details: of });

test.each([
  ['details_missing', 'no details', { input_tokens: 100, output_tokens: 20 }, { textIn: 100, textOut: 20 }],
  [
    'details_missing',
    'details that are null',
    { input_tokens: 100, output_tokens: 20, input_token_details: null, output_token_details: null },
    { textIn: 100, textOut: 20 },
  ],
  ['details_missing', 'a total beyond its details', { input_tokens: 12, ...input(4, 5) }, { textIn: 7, audioIn: 5 }],
  [
    'details_missing',
    'an output beyond its details',
    { output_tokens: 12, output_token_details: details(4, 5) },
    { textOut: 7, audioOut: 5 },
  ],
  [
    'cached_split_unknown',
    'a cached total alone',
    input(100, 50, cached(120)),
    { textIn: 100, audioIn: 50, cachedTextIn: 100, cachedAudioIn: 20 },
  ],
  [
    'cached_split_unknown',
    'a cached total beyond its details',
    input(100, 50, cached(120, details(60, 0))),
    { textIn: 100, audioIn: 50, cachedTextIn: 100, cachedAudioIn: 20 },
  ],
  [
    'cached_exceeds_input',
    'more text cached than read',
    input(10, 50, cached(99, details(99, 0))),
    { textIn: 10, audioIn: 50, cachedTextIn: 10 },
  ],
  [
    'cached_exceeds_input',
    'more cached than read in all',
    input(10, 50, cached(61)),
    { textIn: 10, audioIn: 50, cachedTextIn: 10, cachedAudioIn: 50 },
  ],
  ['absurd_count', 'a negative count', input(-3, 5), { audioIn: 5 }],
  ['absurd_count', 'a text', input('7', 5), { audioIn: 5 }],
  ['absurd_count', 'half a token', input(7.5, 5), { audioIn: 5 }],
  ['absurd_count', '1e15 tokens', input(1e15, 5), { audioIn: 5 }],
  ['absurd_count', '1e15 tokens in all', { input_tokens: 1e15, ...input(4, 5) }, { textIn: 4, audioIn: 5 }],
  ['absurd_count', 'a negative output', { output_token_details: details(4, -1) }, { textOut: 4 }],
  [
    'absurd_count',
    'an absurd count and others',
    { output_tokens: 99, ...input(10, -1, cached(5)) },
    { textIn: 10, cachedTextIn: 5, textOut: 99 },
  ],
] as const)('is doubted as %s: %s', (doubt, _, usage, expected) => {
  expect(answer(usage)).toEqual({ ...NONE, ...expected, doubt });
});

test.each(['1e999', '-1e999', 'true', '{}', '[1]'])('is doubted where a number is %s', (count) => {
  const text = JSON.stringify(wire.responseDone('resp_1', { usage: input('COUNT', 5) })).replace('"COUNT"', count);
  expect(read(null, text)).toEqual({ ...NONE, audioIn: 5, doubt: 'absurd_count' });
});

test('of a transcription comes as seconds or as tokens', () => {
  expect(transcription({ type: 'duration', seconds: 2.4 })).toEqual({ seconds: 2.4 });
  const counts = { type: 'tokens', total_tokens: 22, input_tokens: 13, output_tokens: 9 };
  expect(transcription({ ...counts, ...input(1, 12) })).toEqual({ ...NONE, textIn: 1, audioIn: 12, textOut: 9 });
  expect(transcription(counts)).toEqual({ ...NONE, audioIn: 13, textOut: 9, doubt: 'details_missing' });
});

test.each([-1, null, undefined, '2.4', 1e15])('of a transcription of %j seconds is doubted', (seconds) => {
  expect(transcription({ type: 'duration', seconds })).toEqual({ seconds: 0, doubt: 'absurd_count' });
});

test('never counts more as cached than was read, nor loses what the totals say', () => {
  const count = fc.oneof(fc.nat(10_000), fc.constant(null), fc.constant(undefined));
  const modes = fc.record({ text_tokens: count, audio_tokens: count, image_tokens: count });
  const usages = fc.record({
    input_tokens: count,
    output_tokens: count,
    input_token_details: fc.record({
      text_tokens: count,
      audio_tokens: count,
      image_tokens: count,
      cached_tokens: count,
      cached_tokens_details: fc.oneof(modes, fc.constant(null)),
    }),
    output_token_details: fc.oneof(modes, fc.constant(null)),
  });
  fc.assert(
    fc.property(usages, (usage) => {
      const got = answer(usage);
      if (got === null || 'seconds' in got) throw new Error('no usage');
      const allIn = got.textIn + got.audioIn + got.imageIn;
      expect(got.cachedTextIn).toBeLessThanOrEqual(got.textIn);
      expect(got.cachedAudioIn).toBeLessThanOrEqual(got.audioIn);
      expect(got.cachedImageIn).toBeLessThanOrEqual(got.imageIn);
      expect(allIn).toBeGreaterThanOrEqual(usage.input_tokens ?? 0);
      expect(got.textOut + got.audioOut).toBeGreaterThanOrEqual(usage.output_tokens ?? 0);
      const { cached_tokens: total, cached_tokens_details: split } = usage.input_token_details;
      if (split === null)
        expect(got.cachedTextIn + got.cachedAudioIn + got.cachedImageIn).toBe(Math.min(allIn, total ?? 0));
    }),
  );
});
