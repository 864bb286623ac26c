// What the prefix cache served over a call, and where it was lost.
import { expect, test } from 'vitest';
import { cachedShare, cacheUse } from '../../src/ledger/cache.ts';
import { usageLine } from '../../src/ledger/cost.ts';
import type { LedgerLine } from '../../src/ledger/line.ts';
import { shippedPrices } from '../../src/ledger/load-prices.ts';

interface Answer {
  text: number;
  audio: number;
  cachedText?: number;
  cachedAudio?: number;
  model?: string;
  counted?: 'estimated';
}

const line = (source: string, { text, audio, cachedText = 0, cachedAudio = 0, ...more }: Answer): LedgerLine =>
  usageLine(
    {
      source,
      what: 'answer',
      model: more.model ?? 'gpt-realtime-2.1',
      unit: 'tokens',
      textIn: text,
      audioIn: audio,
      imageIn: 0,
      cachedTextIn: cachedText,
      cachedAudioIn: cachedAudio,
      cachedImageIn: 0,
      textOut: 25,
      audioOut: 120,
    },
    { seller: 'openai', atWallMs: 0, ...(more.counted ? { counted: more.counted } : {}) },
    // Before any price was in force.
    shippedPrices(),
  );
const priced = (source: string, answer: Answer): LedgerLine => ({
  ...line(source, answer),
  unitPrice: {
    per: 'token',
    text: { fresh: 4_000, cached: 400, out: 24_000 },
    audio: { fresh: 32_000, cached: 400, out: 64_000 },
    image: { fresh: 5_000, cached: 500, out: 0 },
  },
});

test('a call whose prefix stays has its share and no break', () => {
  const lines = [
    priced('r1', { text: 1_500, audio: 60 }),
    priced('r2', { text: 1_525, audio: 240, cachedText: 1_500, cachedAudio: 36 }),
    priced('r3', { text: 1_550, audio: 420, cachedText: 1_525, cachedAudio: 139 }),
  ];
  expect(cacheUse(lines)).toEqual({ share: 3_200 / 5_295, breaks: [], costNanoUsd: 0 });
  expect(lines.map(cachedShare)).toEqual([0, 1_536 / 1_765, 1_664 / 1_970]);
});

test('an answer that reads afresh what was cacheable is a break, with what it cost more', () => {
  const { breaks, costNanoUsd } = cacheUse([
    priced('r1', { text: 1_500, audio: 60 }),
    priced('r2', { text: 1_525, audio: 240 }),
    priced('r3', { text: 1_550, audio: 420, cachedText: 1_525, cachedAudio: 240 }),
  ]);
  expect(breaks).toEqual([{ source: 'r2', cacheable: 1_560, cached: 0, costNanoUsd: 1_500 * 3_600 + 60 * 31_600 }]);
  expect(costNanoUsd).toBe(7_296_000);
});

test('a conversation that was cut down from the front breaks its prefix for what is left', () => {
  const { breaks } = cacheUse([
    priced('r1', { text: 2_000, audio: 8_000 }),
    // The prompt is still there; what followed it has moved.
    priced('r2', { text: 1_700, audio: 6_000, cachedText: 1_500 }),
  ]);
  expect(breaks).toEqual([
    { source: 'r2', cacheable: 7_700, cached: 1_500, costNanoUsd: 200 * 3_600 + 6_000 * 31_600 },
  ]);
});

test.each([
  ['is the first', [priced('r1', { text: 5_000, audio: 0 })]],
  [
    'follows one that was too short to be cached',
    [priced('r1', { text: 1_000, audio: 23 }), priced('r2', { text: 5_000, audio: 0 })],
  ],
  [
    'is by another model',
    [priced('r1', { text: 5_000, audio: 0 }), priced('r2', { text: 5_000, audio: 0, model: 'gpt-realtime-mini' })],
  ],
  [
    'was not reported',
    [priced('r1', { text: 5_000, audio: 0 }), priced('r2', { text: 0, audio: 0, counted: 'estimated' })],
  ],
])('an answer is no break that %s', (_, lines) => {
  expect(cacheUse(lines).breaks).toEqual([]);
});

test('what was not reported says nothing about the cache', () => {
  const lines = [priced('r1', { text: 5_000, audio: 0, counted: 'estimated' })];
  expect(cacheUse(lines)).toEqual({ share: null, breaks: [], costNanoUsd: 0 });
  expect(lines.map(cachedShare)).toEqual([null]);
});

test('a break of unknown price is a break', () => {
  const lines = [line('r1', { text: 5_000, audio: 0 }), line('r2', { text: 5_000, audio: 0 })];
  expect(cacheUse(lines)).toEqual({
    share: 0,
    breaks: [{ source: 'r2', cacheable: 5_000, cached: 0, costNanoUsd: null }],
    costNanoUsd: 0,
  });
});
