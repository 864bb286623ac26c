// `trunkline costs reconcile` as an operator meets it: flags, keys, the table, JSON, progress and exit codes.
import { afterEach, expect, test } from 'vitest';
import { type ReconcileDesk, reconcileWith } from '../../src/reconcile/command.ts';
import { dayNo, FULL, MINI, PRICES } from './ground.ts';
import { asking, keep, NOW, refusal as refusalOf } from './kept.ts';
import { makeMonth } from './month.ts';
import { AUDIO_RISE } from './month-faults.ts';
import { ACCOUNT, ADMIN_KEY, type Reports, serveReports, TOKEN } from './reports.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

interface TestDesk extends ReconcileDesk {
  printed: string[];
  errors: string[];
}

/** A desk over the doubles; its clock moves on by `stepMs` each time it is read. */
function deskOf(
  { openaiUrl, twilioUrl }: Pick<Reports, 'openaiUrl' | 'twilioUrl'>,
  store: ReconcileDesk['open'],
  stepMs = 0,
): TestDesk {
  let nowMs = NOW;
  const printed: string[] = [];
  const errors: string[] = [];
  return {
    open: store,
    env: {
      OPENAI_ADMIN_KEY: ADMIN_KEY,
      OPENAI_BASE_URL: openaiUrl,
      TWILIO_ACCOUNT_SID: ACCOUNT,
      TWILIO_AUTH_TOKEN: TOKEN,
      TWILIO_API_BASE_URL: twilioUrl,
      PUBLIC_URL: 'https://calls.example.com',
    },
    out: (text) => void printed.push(text),
    err: (text) => void errors.push(text),
    wallMs: () => (nowMs += stepMs),
    wait: () => Promise.resolve(),
    columns: 80,
    printed,
    errors,
  };
}

const nowhere = { openaiUrl: 'http://127.0.0.1:9/v1', twilioUrl: 'http://127.0.0.1:9' };
const closed: ReconcileDesk['open'] = () => Promise.reject(new Error('the database is not asked'));

async function deskOfMonth(faults: boolean, stepMs = 0): Promise<{ desk: TestDesk; reports: Reports }> {
  const month = makeMonth({ calls: 600, seed: 4, faults });
  const reports = await serveReports(month.market);
  const db = await keep(month.calls, month.lines);
  open.push(reports, { close: () => db.destroy() });
  return { desk: deskOf(reports, () => Promise.resolve(asking(db)), stepMs), reports };
}

const refusal = async (args: string[], desk: ReconcileDesk): Promise<string> =>
  (await refusalOf(reconcileWith(args, desk))).message;

test.each([
  [['--day', '2026-02-30'], /^--day: expected a day such as 2026-11-20 \(found "2026-02-30"\)\nusage:/],
  [['--day', 'yesterday'], /found "yesterday"/],
  [['--day', new Date(NOW).toISOString().slice(0, 10)], /is not over yet in UTC/],
  [['--seller', 'acme'], /^--seller: expected openai or twilio \(found "acme"\)/],
  [['--csv'], /Unknown option '--csv'/],
])('%j is refused with the usage', async (args, expected) => {
  expect(await refusal(args, deskOf(nowhere, closed))).toMatch(expected);
});

test('--help fits a terminal and asks nobody', async () => {
  const desk = deskOf(nowhere, closed);
  expect(await reconcileWith(['--help'], desk)).toBe(0);
  expect(
    desk.printed
      .join('\n')
      .split('\n')
      .every((line) => line.length <= 80),
  ).toBe(true);
});

test('without any key it says which are missing', async () => {
  const desk = deskOf(nowhere, closed);
  desk.env = {};
  expect(await refusal([], desk)).toBe('There is no seller whose reports could be read.');
  expect(desk.errors).toEqual([
    'openai: left out: OPENAI_ADMIN_KEY is not set (an admin key of the organization)',
    'twilio: left out: TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are not both set',
  ]);
});

test('the admin key is not sent unencrypted', async () => {
  const desk = deskOf({ ...nowhere, openaiUrl: 'http://models.internal/v1' }, closed);
  expect(await refusal([], desk)).toMatch(/^OPENAI_BASE_URL: http would show the admin key/);
});

test('a clean day: one row for each product, and nothing to explain', async () => {
  const { desk } = await deskOfMonth(false);
  expect(await reconcileWith(['--day', dayNo(3)], desk)).toBe(0);
  const rows = desk.printed.join('\n').split('\n');
  expect(rows).toContain('openai, 2026-09-04 (UTC)');
  expect(rows).toContain('twilio, 2026-09-04 (UTC)');
  expect(rows.filter((row) => row === 'Everything is explained.')).toHaveLength(2);
  expect(rows.filter((row) => row.startsWith(`${FULL} `))).toEqual([
    expect.stringMatching(/^\S+ +\d+ +(\$\d+\.\d{4}) +\1 +-$/),
  ]);
  expect(rows.every((row) => row.length <= 80)).toBe(true);
  expect(desk.errors).toEqual([]);
});

test('a difference is named with its cause, in the table and in words', async () => {
  const { desk } = await deskOfMonth(true);
  expect(await reconcileWith(['--day', dayNo(AUDIO_RISE.from), '--seller', 'openai'], desk)).toBe(0);
  const text = desk.printed.join('\n');
  expect(text).toMatch(/^ {2}price_change +\+\$0\.\d{4}$/m);
  expect(text).toMatch(
    /^gpt-realtime-2\.1: price_change \+\$0\.\d{4}: \$70\.00 per million, the book says \$64\.00 per million$/m,
  );
  expect(text).not.toContain('twilio');
});

test('JSON holds the same, without the lines', async () => {
  const { desk } = await deskOfMonth(true);
  await reconcileWith(['--day', dayNo(5), '--json'], desk);
  const { day, sellers } = JSON.parse(desk.printed.join('')) as {
    day: string;
    sellers: { seller: string; products: { product: string; residues: object[] }[] }[];
  };
  expect(day).toBe(dayNo(5));
  expect(sellers.map(({ seller }) => seller)).toEqual(['openai', 'twilio']);
  expect(sellers[0]?.products.find(({ product }) => product === MINI)?.residues).toContainEqual(
    expect.objectContaining({ cause: 'free_tier', nanoUsd: -2_000 * (PRICES[MINI]?.[0] ?? 0) }),
  );
  expect(desk.printed.join('')).not.toContain('call_id');
});

test('what cannot be explained gives 2 where it is more than half a per cent', async () => {
  const { desk, reports } = await deskOfMonth(false);
  const dearer = (by: number) => (page: { data: { results: { amount: { value: number } }[] }[] }) => {
    const amount = page.data[0]?.results[0]?.amount;
    if (amount !== undefined) amount.value = amount.value + by;
    return page;
  };
  reports.faults.set(2, dearer(0.1));
  expect(await reconcileWith(['--day', dayNo(3), '--seller', 'openai'], desk)).toBe(2);
  expect(desk.printed.join('\n')).toMatch(/^\d+\.\d\d % of the report is not explained\.$/m);
  reports.faults.set(5, dearer(0.000_000_123));
  expect(await reconcileWith(['--day', dayNo(3), '--seller', 'openai'], desk)).toBe(0);
  expect(desk.printed.at(-1)).toMatch(/^0\.00 % of the report is not explained, which is within 0\.5 %\.$/m);
});

test('a run that takes long tells what it reads, on standard error', async () => {
  const { desk } = await deskOfMonth(false, 1_500);
  await reconcileWith(['--day', dayNo(3), '--seller', 'twilio'], desk);
  expect(desk.errors).toContain('Twilio: usage of 2026-09-05');
  const quick = await deskOfMonth(false);
  await reconcileWith(['--day', dayNo(3), '--seller', 'twilio'], quick.desk);
  expect(quick.desk.errors).toEqual([]);
});
