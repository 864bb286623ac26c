// A call's ledger: each thing charged once, and a total that is the sum of its lines.
import { expect, test } from 'vitest';
import { formatUsd, Ledger } from '../../src/ledger/ledger.ts';
import type { LedgerLine } from '../../src/ledger/line.ts';
import { shippedPrices } from '../../src/ledger/load-prices.ts';
import type { Usage } from '../../src/realtime/session.ts';
import fc from '../support/fast-check.ts';

const AT = Date.UTC(2026, 10, 20, 12);
const CHARGED = { seller: 'openai', atWallMs: AT };

const count = fc.nat({ max: 200_000 });
const facts = {
  source: fc.constantFrom('resp_1', 'resp_2', 'item_1', 'item_2'),
  what: fc.constantFrom('answer' as const, 'transcription' as const),
  model: fc.constantFrom(...shippedPrices().layers.flatMap(({ models }) => [...models.keys()]), 'unheard-of'),
};
const usages: fc.Arbitrary<Usage> = fc.oneof(
  fc.record({
    ...facts,
    unit: fc.constant('seconds' as const),
    seconds: fc.double({ min: 0, max: 3_600, noNaN: true }),
  }),
  fc.record({
    ...facts,
    unit: fc.constant('tokens' as const),
    textIn: count,
    audioIn: count,
    imageIn: count,
    cachedTextIn: count,
    cachedAudioIn: count,
    cachedImageIn: count,
    textOut: count,
    audioOut: count,
  }),
);

test('the total is the sum of the lines, in whole nano-dollars, and unpriced lines are counted', () => {
  fc.assert(
    fc.property(fc.array(usages, { maxLength: 20 }), fc.double({ min: 0, max: 4_000, noNaN: true }), (all, seconds) => {
      const told: LedgerLine[] = [];
      const ledger = new Ledger({ charged: (line) => told.push(line) });
      for (const usage of all) ledger.charge(usage, CHARGED);
      ledger.chargeCarrier({ source: 'l1', what: 'leg', carrier: 'twilio', line: 'sip', seconds, atWallMs: AT });
      const sum = ledger.lines.reduce((total, line) => total + (line.costNanoUsd ?? 0), 0);
      const unpricedLines = ledger.lines.filter(({ costNanoUsd }) => costNanoUsd === null).length;
      expect(ledger.total).toEqual({ nanoUsd: sum, unpricedLines, doubtedLines: 0 });
      for (const { costNanoUsd } of ledger.lines) {
        expect(costNanoUsd === null || (Number.isSafeInteger(costNanoUsd) && costNanoUsd >= 0)).toBe(true);
      }
      // Whoever only listens knows the same lines: the last that was told of each.
      const heard = new Map(told.map((line) => [`${line.what} ${line.source}`, line]));
      expect([...heard.values()]).toEqual(ledger.lines);
    }),
  );
});

test('charging again changes nothing, in whatever order and however often', () => {
  fc.assert(
    fc.property(fc.array(usages, { minLength: 1, maxLength: 12 }), fc.array(fc.nat({ max: 11 })), (all, again) => {
      const ledger = new Ledger();
      // What the first report of a source came to stays, unless it was partly our guess.
      const sure = all.filter((usage) => usage.what === 'answer');
      for (const usage of sure) ledger.charge(usage, CHARGED);
      const [lines, total] = [ledger.lines, ledger.total];
      for (const index of sure.length > 0 ? again : [])
        expect(ledger.charge(sure[index % sure.length] as Usage, CHARGED)).toBeNull();
      expect(ledger.lines).toEqual(lines);
      expect(ledger.total).toEqual(total);
      expect(lines.length).toBe(new Set(sure.map((u) => `${u.what} ${u.source}`)).size);
    }),
  );
});

test('an answer and a transcription with the same source are two lines', () => {
  const ledger = new Ledger();
  const usage = { source: 'x', model: 'whisper-1', unit: 'seconds', seconds: 1 } as const;
  expect(ledger.charge({ ...usage, what: 'answer' }, CHARGED)).not.toBeNull();
  expect(ledger.charge({ ...usage, what: 'transcription' }, CHARGED)).not.toBeNull();
  expect(ledger.lines.map((line) => line.what)).toEqual(['answer', 'transcription']);
});

test('the time of a session counts up: the most that was reported counts, in whatever order it comes', () => {
  const told: number[] = [];
  const ledger = new Ledger({ charged: ({ costNanoUsd }) => told.push(costNanoUsd ?? Number.NaN) });
  for (const seconds of [12, 60, 36, 60, 90])
    ledger.charge({ source: 'live_1', what: 'session', model: 'gpt-live-1', unit: 'seconds', seconds }, CHARGED);
  expect(told).toEqual([10_000_000, 50_000_000, 75_000_000]);
  expect(ledger.lines).toHaveLength(1);
  expect(ledger.total.nanoUsd).toBe(75_000_000);
});

test('what was estimated makes way for what its seller counts, not the other way round', () => {
  const ledger = new Ledger();
  const usage = { source: 'x', what: 'transcription', model: 'whisper-1', unit: 'seconds' } as const;
  ledger.charge({ ...usage, seconds: 3 }, { ...CHARGED, counted: 'estimated', doubt: 'usage_missing' });
  expect(ledger.total).toEqual({ nanoUsd: 300_000, unpricedLines: 0, doubtedLines: 1 });
  ledger.charge({ ...usage, seconds: 2 }, CHARGED);
  expect(ledger.charge({ ...usage, seconds: 9 }, { ...CHARGED, counted: 'estimated' })).toBeNull();
  expect(ledger.total).toEqual({ nanoUsd: 200_000, unpricedLines: 0, doubtedLines: 0 });
});

test.each([
  [0, '$0.0000'],
  [12_414_400, '$0.0124'],
  [1_437_400_000, '$1.4374'],
])('%d nano-dollars read as %s', (nano, text) => {
  expect(formatUsd(nano)).toBe(text);
});
