// Report APIs that are busy, broken, closed to us, or answer with nonsense: waited for, or refused with a sentence, and never
// half taken.
import { describe, expect, test } from 'vitest';
import { ReportReader } from '../../src/reconcile/reader.ts';
import { reconcileOpenAi, reconcileTwilio } from '../../src/reconcile/run.ts';
import type { Database } from '../../src/store/database.ts';
import { dayNo, FULL, oneCall, plainMarket } from './ground.ts';
import { asking, NOW, openaiReader, refusal, twilioReader, useDoubles, type Waiting, written } from './kept.ts';
import { ACCOUNT, type Fault, serveReports } from './reports.ts';

const { serving, keeping } = useDoubles();
const runOf = (db: Database) => ({ archive: asking(db), day: dayNo(0), wallMs: () => NOW });

async function oneDay() {
  const { calls, lines, market } = oneCall();
  return { lines, reports: await serving(market), db: await keeping({ calls, lines }) };
}

interface UsagePage {
  data: { start_time: number; results: { num_model_requests: number; input_tokens: number }[] }[];
}
interface CostPage {
  data: { results: { amount: { value: unknown; currency: string } }[] }[];
}

describe('a seller is waited for when it is', () => {
  test.each<[string, Fault[], number[]]>([
    ['busy, and says for how long', [{ status: 429, headers: { 'retry-after': '20' } }], [20_000]],
    [
      'busy, and says until when',
      [{ status: 429, headers: { 'retry-after': new Date(NOW + 7_000).toUTCString() } }],
      [7_000],
    ],
    ['busy, and says nothing', [{ status: 429 }, { status: 429 }], [1_000, 2_000]],
    ['broken for a moment', [{ status: 500 }, 'cut', { status: 502 }], [1_000, 2_000, 4_000]],
  ])('%s', async (_, faults, expected) => {
    const { lines, reports, db } = await oneDay();
    faults.forEach((fault, i) => reports.faults.set(i, fault));
    const waiting: Waiting = { waits: [], told: [] };
    const outcome = await reconcileOpenAi(runOf(db), openaiReader(reports, waiting), null);
    expect(waiting.waits).toEqual(expected);
    expect(waiting.told.filter((text) => text.includes('waiting'))).toHaveLength(expected.length);
    expect(outcome.products).toMatchObject([{ product: FULL, residues: [], reportedNanoUsd: lines[0]?.cost_nano_usd }]);
  });
});

describe('OpenAI: the run ends, and nothing is taken, when it sends', () => {
  test.each<[string, Fault, RegExp]>([
    ['401', { status: 401 }, /^OpenAI: answers of 2026-09-01: it answers with HTTP 401: which key it needs$/],
    ['403', { status: 403 }, /HTTP 403: which key it needs$/],
    ['404', { status: 404 }, /there are no reports at this address \(HTTP 404\)/],
    ['500 again and again', { status: 500 }, /it answers with HTTP 500, 6 times; try again later$/],
    ['another place', { status: 302, headers: { location: 'https://elsewhere.example' } }, /HTTP 302$/],
    ['too long a wait', { status: 429, headers: { 'retry-after': '3600' } }, /it asks to come back in 60 minutes$/],
    ['a web page', () => '<html>Sign in</html>', /expected JSON \(found a web page\); is the base URL right\?$/],
    ['cut text', { status: 200, body: '{"object":"page","da' }, /expected JSON \(found other text\)/],
    ['a list', () => [], /expected object.*\(found a list\)/],
    ['another object', () => ({ object: 'list', data: [] }), /object: expected "page" \(found "list"\)/],
    [
      'a negative count',
      (page: UsagePage) => {
        for (const { results } of page.data) for (const result of results) result.num_model_requests = -1;
        return page;
      },
      /results\.0\.num_model_requests: expected no negative count \(found -1\)/,
    ],
    [
      'counts that do not add up',
      (page: UsagePage) => {
        for (const { results } of page.data) for (const result of results) result.input_tokens += 1;
        return page;
      },
      /expected input_tokens and output_tokens to be the sum of their kinds, which is 1440 \(found 1101\)/,
    ],
    [
      'hours that were not asked for',
      (page: UsagePage) => ({ ...page, data: page.data.map((bucket) => ({ ...bucket, start_time: 0 })) }),
      /start_time: expected a time that was asked for \(found 0\)/,
    ],
    ['a page without a next one', (page: object) => ({ ...page, has_more: true }), /next_page: expected another page/],
  ])('%s', async (_, fault, expected) => {
    const { reports, db } = await oneDay();
    for (let i = 0; i < 6; i++) reports.faults.set(i, fault);
    const error = await refusal(reconcileOpenAi(runOf(db), openaiReader(reports), null));
    expect(error.code).toBe('TRK_REPORT');
    expect(error.message).toMatch(expected);
    expect(await written(db)).toMatchObject({ residues: [], reconciliations: [], audit: [] });
  });

  test.each<[string, (page: CostPage) => unknown, RegExp]>([
    [
      'costs in another currency',
      (page) => {
        for (const { results } of page.data) for (const { amount } of results) amount.currency = 'eur';
        return page;
      },
      /amount\.currency: expected usd: .* \(found "eur"\)/,
    ],
    [
      'costs that are no number',
      (page) => {
        for (const { results } of page.data) for (const { amount } of results) amount.value = 'free';
        return page;
      },
      /amount\.value: .*\(found "free"\)/,
    ],
    ['costs of another kind', () => ({ object: 'page', data: {}, has_more: false }), /data: .*\(found an object\)/],
  ])('%s', async (_, change, expected) => {
    const { reports, db } = await oneDay();
    reports.faults.set(2, change);
    const error = await refusal(reconcileOpenAi(runOf(db), openaiReader(reports), null));
    expect(error.message).toMatch(expected);
    expect((await written(db)).lines.map((line) => line.billed_nano_usd)).toEqual([null, null, null]);
  });
});

describe('Twilio: the run ends, and nothing is taken, when it sends', () => {
  type Calls = { calls: object[] };
  test.each<[string, number, Fault, RegExp]>([
    [
      '401',
      0,
      { status: 401 },
      /^Twilio: calls of 2026-09-01, 0 so far: it answers with HTTP 401: which token it needs$/,
    ],
    ['no account', 0, { status: 404 }, /there is no such account at this address \(HTTP 404\)/],
    [
      'a price that pays us',
      0,
      ({ calls }: Calls) => ({ calls: calls.map((call) => ({ ...call, price: '0.017' })) }),
      /calls\.0\.price: expected a price of 0 or less \(found "0.017"\)/,
    ],
    [
      'a price that is none',
      0,
      ({ calls }: Calls) => ({ calls: calls.map((call) => ({ ...call, price: 'soon' })) }),
      /calls\.0\.price: .*\(found "soon"\)/,
    ],
    [
      'prices in another currency',
      0,
      ({ calls }: Calls) => ({ calls: calls.map((call) => ({ ...call, price_unit: 'EUR' })) }),
      /price_unit: expected usd/,
    ],
    [
      'usage in another currency',
      2,
      ({ usage_records: found }: { usage_records: object[] }) => ({
        usage_records: found.map((record) => ({ ...record, price_unit: 'eur' })),
      }),
      /expected dollars of that day \(found price_unit eur\)/,
    ],
    [
      "another account's pages",
      0,
      (page: object) => ({ ...page, next_page_uri: '/2010-04-01/Accounts/AC0/Calls.json?Page=1' }),
      /expected the next page of the same account/,
    ],
  ])('%s', async (_, request, fault, expected) => {
    const { reports, db } = await oneDay();
    reports.faults.set(request, fault);
    const error = await refusal(reconcileTwilio(runOf(db), twilioReader(reports), ACCOUNT));
    expect(error.code).toBe('TRK_REPORT');
    expect(error.message).toMatch(expected);
    expect((await written(db)).lines.map((line) => line.billed_nano_usd)).toEqual([null, null, null]);
  });
});

test('a server that nobody runs is said to be out of reach, without the key', async () => {
  const reports = await serveReports(plainMarket());
  await reports.close();
  const reader = new ReportReader({
    seller: 'OpenAI',
    baseUrl: reports.openaiUrl,
    authorization: 'Bearer sk-admin-secret',
    refused: '',
    wait: () => Promise.resolve(),
    wallMs: () => NOW,
    progress: () => {},
  });
  const error = await refusal(reconcileOpenAi(runOf(await keeping(oneCall())), reader, null));
  expect(error.message).toMatch(/cannot be reached \(ECONNREFUSED\), 6 times; try again later$/);
  expect(error.message).not.toContain('secret');
});
