// A call's ledger: each thing charged once, and a total that is the sum of its lines.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LedgerLine } from '../../src/ledger/cost.ts';
import { formatUsd, Ledger } from '../../src/ledger/ledger.ts';
import { PRICE_BOOK } from '../../src/ledger/prices.ts';
import type { Usage } from '../../src/realtime/session.ts';

const count = fc.nat({ max: 200_000 });
const facts = {
  source: fc.constantFrom('resp_1', 'resp_2', 'item_1', 'item_2'),
  what: fc.constantFrom('answer' as const, 'transcription' as const),
  model: fc.constantFrom(...Object.keys(PRICE_BOOK.models), 'unheard-of'),
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
      const unpriced: LedgerLine[] = [];
      const ledger = new Ledger({ unpriced: (line) => unpriced.push(line) });
      for (const usage of all) ledger.charge(usage);
      ledger.chargeCarrier({ source: 'l1', what: 'leg', carrier: 'twilio', line: 'sip', seconds });
      const sum = ledger.lines.reduce((total, line) => total + (line.costNanoUsd ?? 0), 0);
      expect(ledger.total).toEqual({ nanoUsd: sum, unpricedLines: unpriced.length });
      for (const { costNanoUsd } of ledger.lines) {
        expect(costNanoUsd === null || (Number.isSafeInteger(costNanoUsd) && costNanoUsd >= 0)).toBe(true);
      }
    }),
  );
});

test('charging again changes nothing, in whatever order and however often', () => {
  fc.assert(
    fc.property(fc.array(usages, { minLength: 1, maxLength: 12 }), fc.array(fc.nat({ max: 11 })), (all, again) => {
      const ledger = new Ledger();
      for (const usage of all) ledger.charge(usage);
      const [lines, total] = [ledger.lines, ledger.total];
      for (const index of again) expect(ledger.charge(all[index % all.length] as Usage)).toBeNull();
      expect(ledger.lines).toEqual(lines);
      expect(ledger.total).toEqual(total);
      expect(lines.length).toBe(new Set(all.map((u) => `${u.what} ${u.source}`)).size);
    }),
  );
});

test('an answer and a transcription with the same source are two lines', () => {
  const ledger = new Ledger();
  const usage = { source: 'x', model: 'whisper-1', unit: 'seconds', seconds: 1 } as const;
  expect(ledger.charge({ ...usage, what: 'answer' })).not.toBeNull();
  expect(ledger.charge({ ...usage, what: 'transcription' })).not.toBeNull();
  expect(ledger.lines.map((line) => line.what)).toEqual(['answer', 'transcription']);
});

test('every price says where it was read and when', () => {
  const priced = [
    ...Object.values(PRICE_BOOK.models),
    ...Object.values(PRICE_BOOK.carriers).flatMap((c) => Object.values(c)),
  ];
  for (const price of priced) {
    expect(price.source).toMatch(/\w+\.\w+/);
    expect(price.asOf).toMatch(/^2026(-\d\d-\d\d)?$/);
  }
});

test('every token price is a whole number of nano-dollars', () => {
  for (const { tokens } of Object.values(PRICE_BOOK.models)) {
    for (const price of Object.values(tokens ?? {})) expect(Object.values(price).every(Number.isInteger)).toBe(true);
  }
});

test.each([
  [0, '$0.0000'],
  [12_414_400, '$0.0124'],
  [1_437_400_000, '$1.4374'],
])('%d nano-dollars read as %s', (nano, text) => {
  expect(formatUsd(nano)).toBe(text);
});
