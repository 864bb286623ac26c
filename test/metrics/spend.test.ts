// Lines of bills as metrics: every dollar of a line under one kind, tokens by cached or not, unknown prices counted.
import { expect, test } from 'vitest';
import type { LedgerLine } from '../../src/ledger/line.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { FakeClock } from '../support/fake-clock.ts';

const LINE: LedgerLine = {
  ...{ source: 'r1', what: 'answer', seller: 'openai', product: 'gpt-realtime-2.1', atWallMs: 0, state: 'metered' },
  quantities: {
    unit: 'tokens',
    text: { fresh: 100, cached: 1_000, out: 20 },
    audio: { fresh: 60, cached: 600, out: 120 },
    image: { fresh: 0, cached: 0, out: 0 },
  },
  unitPrice: {
    per: 'token',
    text: { fresh: 4_000, cached: 400, out: 24_000 },
    audio: { fresh: 32_000, cached: 400, out: 64_000 },
    image: { fresh: 5_000, cached: 500, out: 0 },
  },
  costNanoUsd: 11_120_000,
  priceBook: 'test',
  doubt: null,
};

async function values(lines: LedgerLine[]): Promise<Record<string, number>> {
  const metrics = createMetrics({ clock: new FakeClock(), version: '0' });
  for (const line of lines) metrics.charged(line);
  metrics.kept({ lagMs: 2_500, journalBytes: 10, lost: 0, aside: 0 });
  const text = await metrics.text();
  metrics.close();
  const found = text.matchAll(
    /^trunkline_(spend_usd_total|input_tokens_total|unpriced_\w+|journal_\w+|facts_\w+)(\{.*\})? (\S+)$/gm,
  );
  return Object.fromEntries([...found].map(([, name, of = '', value]) => [`${name}${of}`, Number(value)]));
}

test('the kinds of a line are all of its cost', async () => {
  const found = await values([LINE, LINE]);
  const spent = Object.entries(found).filter(([name]) => name.startsWith('spend_usd_total'));
  const cost = LINE.costNanoUsd ?? 0;
  expect(spent.reduce((sum, [, usd]) => sum + usd, 0)).toBeCloseTo((2 * cost) / 1e9, 12);
  expect(found['spend_usd_total{kind="audio_out"}']).toBeCloseTo((2 * 120 * 64_000) / 1e9, 12);
  expect(found['input_tokens_total{cached="yes"}']).toBe(3_200);
  expect(found['input_tokens_total{cached="no"}']).toBe(320);
});

test('minutes, seconds and tools have a kind of their own', async () => {
  const minutes: LedgerLine = {
    ...{ ...LINE, what: 'leg', product: 'twilio/inbound_local', costNanoUsd: 17_000_000 },
    ...{ quantities: { unit: 'minutes', seconds: 61, minutes: 2 }, unitPrice: { per: 'minute', nanoUsd: 8_500_000 } },
  };
  const words: LedgerLine = {
    ...{ ...LINE, what: 'transcription', costNanoUsd: 75_000 },
    ...{ quantities: { unit: 'seconds', seconds: 1 }, unitPrice: { per: 'hour', nanoUsd: 270_000_000 } },
  };
  const found = await values([minutes, words]);
  expect(found['spend_usd_total{kind="carrier"}']).toBe(0.017);
  expect(found['spend_usd_total{kind="transcription"}']).toBe(0.000075);
});

test('without a price it is counted as such, and its tokens all the same', async () => {
  const found = await values([{ ...LINE, unitPrice: null, costNanoUsd: null }]);
  expect(found).toMatchObject({ unpriced_lines_total: 1, 'input_tokens_total{cached="yes"}': 1_600 });
  expect(found['spend_usd_total{kind="audio_out"}']).toBe(0);
});

test('the journal is shown as it is', async () => {
  expect(await values([])).toMatchObject({
    journal_lag_seconds: 2.5,
    journal_bytes: 10,
    facts_lost: 0,
    facts_aside: 0,
  });
});
