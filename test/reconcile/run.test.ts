// One day: interrupted after any request and gone on with, run again, waited for, and refused.
import { beforeAll, describe, expect, test } from 'vitest';
import { reconcileOpenAi, reconcileTwilio } from '../../src/reconcile/run.ts';
import { TrunklineError } from '../../src/errors.ts';
import type { Database } from '../../src/store/database.ts';
import type { LinesTable } from '../../src/store/schema.ts';
import type { Store } from '../../src/store/store.ts';
import {
  dayNo,
  FIRST,
  FULL,
  LEG,
  lineOf,
  type Month,
  oneCall,
  plainMarket,
  PRICES,
  STREAM,
  tokenLine,
} from './ground.ts';
import {
  asking,
  NOW,
  openaiReader,
  reconcileDay,
  refusal,
  residuesOf,
  twilioReader,
  useDoubles,
  written,
} from './kept.ts';
import { makeMonth } from './month.ts';
import { ACCOUNT, type Market } from './reports.ts';

const { serving, keeping } = useDoubles();

const DAY = dayNo(13);

describe('a day with faults', () => {
  let month: Month;
  let market: Market;
  /** The day and those beside it are enough. */
  beforeAll(() => {
    const whole = makeMonth({ calls: 900, seed: 3, faults: true });
    const near = (ms: number): boolean => Math.abs(ms - (FIRST + 13.5 * 86_400_000)) < 1.6 * 86_400_000;
    month = { ...whole, lines: whole.lines.filter((line) => near(line.at_ms)) };
    market = whole.market;
  });

  test('interrupted after any request and gone on with, it comes to the same result', async () => {
    const reports = await serving(market);
    reports.pageSize = 20;
    const expected = await keeping(month);
    await reconcileDay(expected, DAY, openaiReader(reports), twilioReader(reports));
    const asked = reports.requests.length;
    const result = await written(expected);
    expect(result.residues.length).toBeGreaterThan(2);
    expect(asked).toBeGreaterThan(10);
    for (let stop = 0; stop < asked; stop++) {
      const db = await keeping(month);
      reports.requests.length = 0;
      // As long as the reader tries.
      for (let i = 0; i < 6; i++) reports.faults.set(stop + i, 'cut');
      const error = await refusal(reconcileDay(db, DAY, openaiReader(reports), twilioReader(reports)));
      expect(error.message).toMatch(/cannot be reached \(\w+\), 6 times; try again later$/);
      reports.faults.clear();
      await reconcileDay(db, DAY, openaiReader(reports), twilioReader(reports));
      // OpenAI is done once more if it was done before Twilio broke off; that changes nothing.
      expect(await written(db), `after ${stop} requests`).toEqual(result);
    }
  }, 30_000);

  test('gone on with, it asks for no page twice', async () => {
    const reports = await serving(market);
    reports.pageSize = 20;
    const db = await keeping(month);
    const run = { archive: asking(db), day: DAY, wallMs: () => NOW };
    for (let i = 5; i < 11; i++) reports.faults.set(i, { status: 503 });
    await refusal(reconcileOpenAi(run, openaiReader(reports), null));
    const before = reports.requests.slice(0, 5);
    reports.faults.clear();
    reports.requests.length = 0;
    await reconcileOpenAi(run, openaiReader(reports), null);
    expect(reports.requests.filter((request) => before.includes(request))).toEqual([]);
  });

  test('what was read more than a day ago is read again', async () => {
    const reports = await serving(market);
    const db = await keeping(month);
    reports.faults.set(2, { status: 403 });
    const later = NOW + 25 * 3_600_000;
    await refusal(reconcileOpenAi({ archive: asking(db), day: DAY, wallMs: () => NOW }, openaiReader(reports), null));
    reports.requests.length = 0;
    reports.faults.clear();
    await reconcileOpenAi({ archive: asking(db), day: DAY, wallMs: () => later }, openaiReader(reports), null);
    expect(reports.requests).toHaveLength(3);
  });

  test('a second run gives the same result and changes nothing', async () => {
    const reports = await serving(market);
    const db = await keeping(month);
    const first = await reconcileDay(db, DAY, openaiReader(reports), twilioReader(reports));
    const before = await written(db);
    const second = await reconcileDay(db, DAY, openaiReader(reports), twilioReader(reports), NOW + 1_000);
    expect(second).toEqual(first);
    expect(await written(db)).toEqual(before);
    expect(before.audit).toHaveLength(2);
  });

  test('a line that comes later takes the place of the lost one', async () => {
    const reports = await serving(market);
    const clean = makeMonth({ calls: 900, seed: 3, faults: false });
    const [missing] = clean.lines.filter((line) => line.what === 'answer' && line.day === dayNo(2));
    if (missing === undefined) throw new Error('there is no answer on that day');
    const others = await serving(clean.market);
    const db = await keeping({ calls: clean.calls, lines: clean.lines.filter((line) => line !== missing) });
    await reconcileDay(db, dayNo(2), openaiReader(others), twilioReader(others));
    expect([...(await residuesOf(db))]).toEqual([
      [`${dayNo(2)} openai ${missing.product} lost_event`, missing.cost_nano_usd],
    ]);
    await db.insertInto('lines').values(missing).execute();
    await reconcileDay(db, dayNo(2), openaiReader(others), twilioReader(others));
    expect([...(await residuesOf(db))]).toEqual([]);
    expect(reports.requests).toEqual([]);
  });
});

const today = dayNo(0);
const runOf = (db: Database, nowMs = NOW) => ({ archive: asking(db), day: today, wallMs: () => nowMs });

describe('what is not there yet', () => {
  test('a call without a price stays as it is, is told, and is tried on the next run', async () => {
    const { calls, lines, market } = oneCall();
    const [call] = market.calls;
    if (call === undefined) throw new Error('there is no call');
    call.usd = null;
    const reports = await serving(market);
    const db = await keeping({ calls, lines });
    const soon = FIRST + 26 * 3_600_000;
    const before = await reconcileTwilio(runOf(db, soon), twilioReader(reports), ACCOUNT);
    expect(before.products.find(({ product }) => product === LEG)).toMatchObject({
      waitingLines: 1,
      waitingNanoUsd: 17_000_000,
      reportedNanoUsd: 0,
      residues: [],
    });
    expect((await written(db)).reconciliations).toMatchObject([{ state: 'open' }]);
    call.usd = 0.017;
    await reconcileTwilio(runOf(db, soon), twilioReader(reports), ACCOUNT);
    const after = await written(db);
    expect(after.reconciliations).toMatchObject([{ state: 'done', reported_nano_usd: 25_800_000 }]);
    expect(after.lines.filter(({ what }) => what !== 'answer').map((line) => line.billed_nano_usd)).toEqual([
      17_000_000, 8_800_000,
    ]);
  });

  test('after three days it is not explained', async () => {
    const { calls, lines, market } = oneCall();
    for (const call of market.calls) call.usd = null;
    market.sold.length = 0;
    const reports = await serving(market);
    const db = await keeping({ calls, lines });
    const outcomes = await reconcileDay(db, today, openaiReader(reports), twilioReader(reports));
    expect(Object.fromEntries(await residuesOf(db))).toEqual({
      [`${today} openai ${FULL} unknown`]: -(lines[0]?.cost_nano_usd ?? 0),
      [`${today} twilio ${LEG} unknown`]: -17_000_000,
    });
    expect(outcomes.flatMap(({ products }) => products.map((product) => product.waitingNanoUsd))).toEqual([0, 0, 0]);
  });

  test('the following day has not been reported: a line at its border is not taken for lost', async () => {
    const midnight = FIRST + 86_400_000;
    const tokens = [900, 0, 40, 200, 0, 300, 0, 0];
    const reports = await serving(plainMarket([{ atMs: midnight - 1_000, model: FULL, tokens, seconds: null }]));
    const line = tokenLine('one', 'answer', 'resp_1', FULL, midnight + 2_000, tokens);
    const db = await keeping({ calls: [], lines: [line] });
    await reconcileOpenAi(runOf(db, midnight + 60_000), openaiReader(reports), null);
    expect(Object.fromEntries(await residuesOf(db))).toEqual({
      [`${today} openai ${FULL} clock_boundary`]: line.cost_nano_usd,
    });
  });
});

test('a leg of a forgotten call is matched by its time', async () => {
  const { calls, lines, market } = oneCall();
  const reports = await serving(market);
  const db = await keeping({ calls: calls.map((call) => ({ ...call, carrier_call_id: '' })), lines });
  const outcome = await reconcileTwilio(runOf(db), twilioReader(reports), ACCOUNT);
  expect(outcome.products).toMatchObject([
    { product: LEG, reportedNanoUsd: 17_000_000, residues: [] },
    { product: STREAM, reportedNanoUsd: 8_800_000, residues: [] },
  ]);
});

test('models that others of the organization use are told of, and left out', async () => {
  const { calls, lines, market } = oneCall();
  market.sold.push({ atMs: FIRST + 60_000, model: 'gpt-realtime-9', tokens: [1, 0, 0, 0, 0, 0, 0, 0], seconds: null });
  market.tokenPrice = (model) => [...(PRICES[model] ?? [5_000])];
  const reports = await serving(market);
  const db = await keeping({ calls, lines });
  const outcome = await reconcileOpenAi(runOf(db), openaiReader(reports), null);
  expect(outcome.products.map(({ product }) => product)).toEqual([FULL]);
  expect(outcome.notes).toEqual([expect.stringMatching(/gpt-realtime-9; OPENAI_PROJECT_ID leaves it out$/)]);
  await reconcileOpenAi(runOf(db), openaiReader(reports), 'proj_1');
  expect([...(await residuesOf(db))]).toEqual([[`${today} openai gpt-realtime-9 lost_event`, 5_000]]);
});

test('killed between any two questions to the database and gone on with, it comes to the same result', async () => {
  const { calls, lines, market } = oneCall();
  const reports = await serving(market);
  const whole = await keeping({ calls, lines });
  let questions = 0;
  /** An archive that breaks at one question. */
  const breaking = (db: Database, at: number): Pick<Store, 'ask'> => {
    const archive = asking(db);
    questions = 0;
    return {
      ask: (name, question) =>
        questions++ === at ? Promise.reject(new TrunklineError('TRK_STORE', 'killed')) : archive.ask(name, question),
    };
  };
  const both = async (archive: Pick<Store, 'ask'>): Promise<void> => {
    const run = { archive, day: today, wallMs: () => NOW };
    await reconcileOpenAi(run, openaiReader(reports), null);
    await reconcileTwilio(run, twilioReader(reports), ACCOUNT);
  };
  await both(breaking(whole, Number.POSITIVE_INFINITY));
  const all = questions;
  const result = await written(whole);
  expect(all).toBeGreaterThan(15);
  for (let at = 0; at < all; at++) {
    const db = await keeping({ calls, lines });
    expect((await refusal(both(breaking(db, at)))).message).toBe('killed');
    await both(asking(db));
    expect(await written(db), `killed at question ${at}`).toEqual(result);
  }
});

test('what is sold beside legs is billed by the usage records of its category, a surplus by how long each lasted', async () => {
  const { calls, lines, market } = oneCall();
  const atMs = FIRST + 12 * 3_600_000;
  const sold = (what: string, product: string, unit: string, source: string, facts: Partial<LinesTable>): LinesTable =>
    lineOf({
      call_id: 'one',
      what,
      source,
      seller: 'twilio',
      product: `twilio/${product}`,
      at_ms: atMs,
      unit,
      ...facts,
    });
  const perMinute = JSON.stringify({ per: 'minute', nanoUsd: 2_500_000 });
  const perPiece = JSON.stringify({ per: 'piece', nanoUsd: 7_500_000 });
  const recording = (source: string, seconds: number): LinesTable => {
    const pieces = Math.ceil(seconds / 60);
    const facts = { duration_ms: seconds * 1000, pieces, unit_price: perMinute, cost_nano_usd: pieces * 2_500_000 };
    return sold('recording', 'recording', 'minutes', source, facts);
  };
  const detection = { pieces: 1, unit_price: perPiece, cost_nano_usd: 7_500_000 };
  market.extraRecords = (day) =>
    day === today
      ? [
          { category: 'calls-recordings', count: 2, usage: 3, usd: 0.0075 + 0.000_1 },
          { category: 'answering-machine-detection', count: 1, usage: 1, usd: 0.0075 },
          { category: 'taxes', count: 1, usage: 1, usd: 0.25 },
        ]
      : [];
  const reports = await serving(market);
  const more = [
    recording('RE1', 30),
    recording('RE2', 90),
    sold('machine_detection', 'machine_detection', 'count', 'AMD1', detection),
  ];
  const db = await keeping({ calls, lines: [...lines, ...more] });
  await reconcileTwilio(runOf(db), twilioReader(reports), ACCOUNT);
  const billed = new Map((await written(db)).lines.map((line) => [line.source, line.billed_nano_usd]));
  expect([billed.get('RE1'), billed.get('RE2'), billed.get('AMD1')]).toEqual([2_525_000, 5_075_000, 7_500_000]);
  expect(Object.fromEntries(await residuesOf(db))).toEqual({
    [`${today} twilio twilio/recording unknown`]: 100_000,
    [`${today} twilio tax tax`]: 250_000_000,
  });
});

test("another account's calls are not taken for ours", async () => {
  const { market } = oneCall();
  const { calls, lines } = makeMonth({ calls: 400, seed: 1, faults: false });
  const reports = await serving(market);
  const db = await keeping({ calls, lines });
  const error = await refusal(reconcileTwilio(runOf(db), twilioReader(reports), ACCOUNT));
  expect(error.message).toMatch(
    /^Twilio: the account knows none of the 1\d calls of 2026-09-01; is TWILIO_ACCOUNT_SID/,
  );
});

test('a report that counts sessions as requests is compared by its tokens', async () => {
  const { calls, lines, market } = makeMonth({ calls: 600, seed: 2, faults: false });
  const reports = await serving(market);
  const lost = lines.find((line) => line.product === FULL && line.day === dayNo(4));
  const db = await keeping({ calls, lines: lines.filter((line) => line !== lost) });
  reports.faults.set(0, (page: { data: { results: { num_model_requests: number }[] }[] }) => {
    for (const { results } of page.data) for (const result of results) result.num_model_requests = 77;
    return page;
  });
  await reconcileOpenAi({ archive: asking(db), day: dayNo(4), wallMs: () => NOW }, openaiReader(reports), null);
  expect([...(await residuesOf(db))]).toEqual([[`${dayNo(4)} openai ${FULL} lost_event`, lost?.cost_nano_usd]]);
});
