// Names of items as real cost reports write them, and which parts they charge for.
import { expect, test } from 'vitest';
import { chargesOf, readItemName } from '../../src/reconcile/items.ts';
import type { Prices } from '../../src/reconcile/price.ts';
import { PARTS, type Part, type Vector } from '../../src/reconcile/vector.ts';

test.each([
  ['gpt-realtime-2.1 audio, output', { model: 'gpt-realtime-2.1', kind: 'audio', way: 'out' }],
  ['gpt-realtime-2.1 text, cached input', { model: 'gpt-realtime-2.1', kind: 'text', way: 'cached' }],
  ['gpt-audio-mini-2025-12-15 audio, input', { model: 'gpt-audio-mini', kind: 'audio', way: 'fresh' }],
  ['gpt-5.5-2026-04-23, cached input', { model: 'gpt-5.5', kind: null, way: 'cached' }],
  ['gpt-6-astra, input_tokens', { model: 'gpt-6-astra', kind: null, way: 'fresh' }],
  ['priority | gpt-5.6-sol, output, long context', { model: 'gpt-5.6-sol', kind: null, way: 'out' }],
  ['whisper-1', { model: 'whisper-1', kind: null, way: null }],
  ['whisper-1, audio', { model: 'whisper-1', kind: null, way: null }],
  ['web search tool calls', null],
  ['Vector storage', null],
  ['Sales tax', null],
  ['', null],
])('%j', (name, expected) => {
  expect(readItemName(name)).toEqual(expected);
});

const used = (parts: Partial<Record<Part, number>>): Vector => [...PARTS.map((part) => parts[part] ?? 0), 1];
const prices: Prices = {
  text_fresh: { nanoUsd: 4_000, unit: 'token' },
  text_cached: { nanoUsd: 400, unit: 'token' },
  audio_fresh: { nanoUsd: 32_000, unit: 'token' },
  audio_cached: { nanoUsd: 400, unit: 'token' },
};
const item = (name: string, nanoUsd: number, quantity: number | null = null) => ({ name, nanoUsd, quantity });

test('items of one name are summed', () => {
  const items = [item('m-1 text, input', 3_000_000, 750), item('m-1 text, input', 1_000_000, 250)];
  expect(chargesOf(items, used({ text_fresh: 1_000 }), prices)).toEqual([
    expect.objectContaining({ parts: ['text_fresh'], nanoUsd: 4_000_000, quantity: 1_000 }),
  ]);
});

test('cached audio without an item is in that of cached text, where the money says so', () => {
  const counts = used({ text_cached: 1_000, audio_cached: 500 });
  expect(chargesOf([item('m-1 text, cached input', 600_000)], counts, prices)).toMatchObject([
    { parts: ['text_cached', 'audio_cached'], nanoUsd: 600_000 },
  ]);
  expect(chargesOf([item('m-1 text, cached input', 400_000)], counts, prices)).toMatchObject([
    { parts: ['text_cached'], nanoUsd: 400_000 },
    { parts: ['audio_cached'], nanoUsd: 0 },
  ]);
});

test('an item without a kind charges for what no other item does', () => {
  const items = [item('m-1, input', 5), item('m-1 audio, input', 7)];
  expect(chargesOf(items, used({ text_fresh: 1, audio_fresh: 1 }), prices)).toMatchObject([
    { parts: ['audio_fresh'], nanoUsd: 7 },
    { parts: ['text_fresh', 'image_fresh'], nanoUsd: 5 },
  ]);
});
