// Twilio's reports of an account: its calls with their prices, and usage records of whole days by category. Shapes are those
// of Twilio's OpenAPI document (2010-04-01). A call's `price` is a negative decimal string and covers connectivity only; it
// comes some time after the call. Usage records of parents include those of their children: no sum is made of both.
import { z } from 'zod';
import { TrunklineError } from '../errors.ts';
import { countText, decimalsOf, dollarsOnly, duration, money, toNano } from './amounts.ts';
import { dayAfter, DAY_MS, startOf } from './days.ts';
import type { ReportReader } from './reader.ts';

/** Category of usage records for each of our products; legs have prices of their own. */
export const CATEGORIES: Readonly<Record<string, string>> = {
  'calls-media-stream-minutes': 'media_stream',
  'calls-recordings': 'recording',
  'answering-machine-detection': 'machine_detection',
  sms: 'sms',
};

const callSid = /^CA[0-9a-f]{32}$/i;
const moment = z
  .string()
  .refine((text) => !Number.isNaN(Date.parse(text)), 'expected a date')
  .transform((text) => Date.parse(text));

const call = z
  .looseObject({
    sid: z.string().regex(callSid, 'expected a call SID'),
    status: z.string(),
    end_time: moment.nullish(),
    duration: countText.nullish(),
    price: money.nullish(),
    price_unit: z.string().nullish(),
  })
  .superRefine((found, check) => {
    const price = found.price ?? null;
    if (price === null) return;
    if (price > 0) check.addIssue({ code: 'custom', path: ['price'], message: 'expected a price of 0 or less' });
    const unit = dollarsOnly.safeParse(found.price_unit ?? '');
    if (!unit.success)
      check.addIssue({
        code: 'custom',
        path: ['price_unit'],
        message: unit.error.issues[0]?.message ?? 'expected usd',
      });
  });

const record = z.looseObject({
  category: z.string().min(1, 'expected a category'),
  start_date: z.string(),
  end_date: z.string(),
  count: countText.nullish(),
  usage: countText.nullish(),
  price: duration.nullish(),
  price_unit: z.string().nullish(),
});

const next = z.string().startsWith('/', 'expected a path').nullish();
const calls = z.looseObject({ calls: z.array(call), next_page_uri: next });
const records = z.looseObject({ usage_records: z.array(record), next_page_uri: next });

/** A call as the carrier sees it. */
export interface CarrierCall {
  sid: string;
  /** Null: it has no price yet. Never negative. */
  nanoUsd: number | null;
  /** Null: it is not over. */
  endMs: number | null;
  seconds: number;
  /** Busy, failed, cancelled, not answered: nothing will ever be charged. */
  free: boolean;
}

/** A day's use of one category. */
export interface CarrierUsage {
  count: number;
  /** Minutes, of what is sold by them. */
  usage: number;
  usd: number;
}

export interface TwilioReport {
  sinceMs: number;
  step: 'calls' | 'usage' | 'read';
  /** The next page of this step; null: the first. */
  page: string | null;
  /** Days after the one before which usage is asked for next, 0 to 2. */
  usageDay: number;
  calls: CarrierCall[];
  /** Day to product to usage; a day that is not reported yet is absent. */
  usage: Record<string, Record<string, CarrierUsage>>;
  /** Of the most exact amount of usage. */
  decimals: number;
  /** Legs that were looked up one by one; null: there is no such call. */
  single: Record<string, CarrierCall | null>;
}

export const newTwilioReport = (nowMs: number): TwilioReport => ({
  sinceMs: nowMs,
  step: 'calls',
  page: null,
  usageDay: 0,
  calls: [],
  usage: {},
  decimals: 0,
  single: {},
});

export interface TwilioQuestion {
  day: string;
  accountSid: string;
}

const PAGE_SIZE = '1000';
const FREE = new Set(['busy', 'failed', 'no-answer', 'canceled']);

/** One more page; `report` is changed. @throws TrunklineError TRK_REPORT */
export async function readTwilio(reader: ReportReader, question: TwilioQuestion, report: TwilioReport): Promise<void> {
  if (report.step === 'calls') return readCalls(reader, question, report);
  if (report.step === 'usage') return readUsage(reader, question, report);
}

const rootOf = (accountSid: string): string => `/2010-04-01/Accounts/${accountSid}`;

async function readCalls(
  reader: ReportReader,
  { day, accountSid }: TwilioQuestion,
  report: TwilioReport,
): Promise<void> {
  const root = rootOf(accountSid);
  // By their end: that is when our line of a leg is charged. Both bounds are days, and inclusive.
  const first = new URLSearchParams([
    ['EndTime>', day],
    ['EndTime<', dayAfter(day, 1)],
    ['PageSize', PAGE_SIZE],
  ]);
  const { path, query } = follow(report.page, `${root}/Calls.json`, first);
  const page = present(await reader.page(path, query, calls, `calls of ${day}, ${report.calls.length} so far`));
  const from = startOf(day);
  for (const found of page.calls) {
    const known = carrierCall(found);
    if (known.endMs !== null && known.endMs >= from && known.endMs < from + DAY_MS) report.calls.push(known);
  }
  report.page = nextPage(page.next_page_uri, root, report.page);
  if (report.page === null) report.step = 'usage';
}

/** Usage of the day and of those beside it, as far as they are over. */
async function readUsage(
  reader: ReportReader,
  { day, accountSid }: TwilioQuestion,
  report: TwilioReport,
): Promise<void> {
  const root = rootOf(accountSid);
  const asked = dayAfter(day, report.usageDay - 1);
  if (startOf(asked) + DAY_MS > report.sinceMs) {
    report.step = 'read';
    return;
  }
  const first = new URLSearchParams([
    ['StartDate', asked],
    ['EndDate', asked],
    ['PageSize', PAGE_SIZE],
  ]);
  const { path, query } = follow(report.page, `${root}/Usage/Records.json`, first);
  const page = present(await reader.page(path, query, records, `usage of ${asked}`));
  const usage = (report.usage[asked] ??= {});
  for (const found of page.usage_records) {
    report.decimals = Math.max(report.decimals, decimalsOf(found.price ?? 0));
    const product = CATEGORIES[found.category] ?? (/tax/i.test(found.category) ? `tax ${found.category}` : undefined);
    if (product === undefined) continue;
    const unit = dollarsOnly.safeParse(found.price_unit ?? (found.price ? '' : 'usd'));
    const days = found.start_date === asked && found.end_date === asked;
    if (!unit.success || !days) {
      const what = unit.success
        ? `the dates ${found.start_date} to ${found.end_date}`
        : `price_unit ${found.price_unit}`;
      throw new TrunklineError('TRK_REPORT', `Twilio: usage of ${asked}: expected dollars of that day (found ${what})`);
    }
    usage[product] = { count: found.count ?? 0, usage: found.usage ?? 0, usd: found.price ?? 0 };
  }
  report.page = nextPage(page.next_page_uri, root, report.page);
  if (report.page !== null) return;
  report.usageDay += 1;
  if (report.usageDay > 2) report.step = 'read';
}

/** One call; null: the account has no such call. @throws TrunklineError TRK_REPORT */
export async function readCall(reader: ReportReader, accountSid: string, sid: string): Promise<CarrierCall | null> {
  const path = `${rootOf(accountSid)}/Calls/${writtenId(sid)}.json`;
  const found = await reader.page(path, new URLSearchParams(), call, 'a single call');
  return found === null ? null : carrierCall(found);
}

/** Ids are compared in small letters; Twilio writes them so behind `CA`. */
export const writtenId = (id: string): string => `CA${id.slice(2)}`;

function carrierCall({ sid, price, end_time: endMs, duration: seconds, status }: z.infer<typeof call>): CarrierCall {
  const free = FREE.has(status);
  return {
    sid: sid.toLowerCase(),
    nanoUsd: priceOf(price ?? null, free),
    endMs: endMs ?? null,
    seconds: seconds ?? 0,
    free,
  };
}

/** What was not answered is never charged. */
function priceOf(usd: number | null, free: boolean): number | null {
  if (usd !== null) return Math.abs(toNano(usd));
  return free ? 0 : null;
}

function present<T>(page: T | null): T {
  if (page !== null) return page;
  const why =
    'there is no such account at this address (HTTP 404); are TWILIO_ACCOUNT_SID and TWILIO_API_BASE_URL right?';
  throw new TrunklineError('TRK_REPORT', `Twilio: ${why}`);
}

function follow(page: string | null, path: string, first: URLSearchParams): { path: string; query: URLSearchParams } {
  if (page === null) return { path, query: first };
  const [onto = '', query = ''] = page.split('?');
  return { path: onto, query: new URLSearchParams(query) };
}

/** The auth token goes to no other account's pages, and nowhere twice. */
function nextPage(uri: string | null | undefined, root: string, before: string | null): string | null {
  if (uri === null || uri === undefined) return null;
  if (uri.startsWith(`${root}/`) && !uri.includes('..') && uri !== before) return uri;
  throw new TrunklineError('TRK_REPORT', 'Twilio: expected the next page of the same account, as next_page_uri');
}
