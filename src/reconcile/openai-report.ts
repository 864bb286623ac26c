// OpenAI's reports of an organization: counts by hour and model, and costs of a day by item. Shapes as `openai` 7.55.0 types
// them; keys beyond these are ignored. Costs are there by day only, counts by the hour, which tells a lost answer from one
// that was written twice on the same day.
import { z } from 'zod';
import { TrunklineError } from '../errors.ts';
import { count, decimalsOf, dollarsOnly, duration, money, toNano } from './amounts.ts';
import { DAY_MS, HOUR_MS, startOf } from './days.ts';
import { type Item, readItemName } from './items.ts';
import { familyOf } from './lines.ts';
import type { Counts } from './match.ts';
import type { ReportReader } from './reader.ts';
import { placeOf, plus, PARTS, REQUESTS, TOKEN_PARTS, type Vector } from './vector.ts';

const tokens = count.nullish().transform((n) => n ?? 0);

const completions = z.looseObject({
  model: z.string().min(1, 'expected a model, as it was grouped by'),
  num_model_requests: count,
  input_tokens: count,
  output_tokens: count,
  input_text_tokens: tokens,
  input_audio_tokens: tokens,
  input_image_tokens: tokens,
  input_cached_text_tokens: tokens,
  input_cached_audio_tokens: tokens,
  input_cached_image_tokens: tokens,
  input_cache_write_tokens: tokens,
  output_text_tokens: tokens,
  output_audio_tokens: tokens,
});

type Completions = z.infer<typeof completions>;

const partsOf = (usage: Completions): number[] => [
  // What is written to a cache is charged as fresh.
  usage.input_text_tokens + usage.input_cache_write_tokens,
  usage.input_cached_text_tokens,
  usage.output_text_tokens,
  usage.input_audio_tokens,
  usage.input_cached_audio_tokens,
  usage.output_audio_tokens,
  usage.input_image_tokens,
  usage.input_cached_image_tokens,
];

const usage = completions.superRefine((found, check) => {
  const parts = partsOf(found);
  const sum = parts.reduce((total, n) => total + n, 0);
  if (sum !== found.input_tokens + found.output_tokens)
    check.addIssue({
      code: 'custom',
      path: ['input_tokens'],
      message: `expected input_tokens and output_tokens to be the sum of their kinds, which is ${sum}`,
    });
});

const transcriptions = z.looseObject({
  model: z.string().min(1, 'expected a model, as it was grouped by'),
  num_model_requests: count,
  seconds: duration,
});

const costs = z.looseObject({
  amount: z.looseObject({ value: money, currency: dollarsOnly }),
  line_item: z.string().nullish(),
  quantity: z.number().nonnegative().nullish(),
  quantity_unit: z.string().nullish(),
});

/** A page of what was asked for: `before` is the cursor that it was asked by, which it must not give again. */
const pageOf = <T extends z.ZodType>(result: T, { fromMs, toMs }: Stretch, before: string | null) =>
  z
    .looseObject({
      object: z.literal('page', 'expected "page"'),
      data: z.array(
        z.looseObject({
          start_time: count.refine(
            (s) => s * 1_000 >= fromMs && s * 1_000 < toMs,
            'expected a time that was asked for',
          ),
          results: z.array(result),
        }),
      ),
      has_more: z.boolean(),
      next_page: z.string().nullish(),
    })
    .refine(({ has_more: more, next_page: next }) => !more || (!!next && next !== before), {
      path: ['next_page'],
      message: 'expected another page, as has_more says',
    });

interface Stretch {
  fromMs: number;
  toMs: number;
}

/** In the order in which they are asked. */
const STEPS = ['answers', 'transcriptions', 'costs'] as const;

/** What was read so far: kept as JSON, so that an interrupted run goes on behind the last page. */
export interface OpenAiReport {
  /** When reading began: what was not over by then is not reported yet. */
  sinceMs: number;
  step: (typeof STEPS)[number] | 'read';
  page: string | null;
  /** Model to hour to counts. */
  answers: Record<string, Record<number, Vector>>;
  transcriptions: Record<string, Record<number, Vector>>;
  items: Item[];
  /** Of the most exact amount. */
  decimals: number;
}

export const newOpenAiReport = (nowMs: number): OpenAiReport => ({
  sinceMs: nowMs,
  step: 'answers',
  page: null,
  answers: {},
  transcriptions: {},
  items: [],
  decimals: 0,
});

export interface OpenAiQuestion {
  day: string;
  /** Null: the whole organization. */
  project: string | null;
}

/** One more page; `report` is changed. @throws TrunklineError TRK_REPORT */
export async function readOpenAi(reader: ReportReader, { day, project }: OpenAiQuestion, report: OpenAiReport) {
  const { step, page } = report;
  if (step === 'read') return;
  const from = startOf(day);
  // Hours are asked of the days beside, too: what is counted there instead was not lost.
  const stretch =
    step === 'costs'
      ? { fromMs: from, toMs: from + DAY_MS }
      : { fromMs: from - DAY_MS, toMs: lastHour(day, report.sinceMs) };
  const query = new URLSearchParams([
    ['start_time', String(stretch.fromMs / 1_000)],
    ['end_time', String(stretch.toMs / 1_000)],
    ['bucket_width', step === 'costs' ? '1d' : '1h'],
    ['limit', step === 'costs' ? '1' : '72'],
    ['group_by[]', step === 'costs' ? 'line_item' : 'model'],
  ]);
  if (project !== null) query.append('project_ids[]', project);
  if (page !== null) query.set('page', page);

  const ask = async <T extends z.ZodType>(path: string, result: T) => {
    const found = await reader.page(path, query, pageOf(result, stretch, page), `${step} of ${day}`);
    if (found !== null) return found;
    const why = 'there are no reports at this address (HTTP 404); is OPENAI_ADMIN_BASE_URL right?';
    throw new TrunklineError('TRK_REPORT', `OpenAI: ${why}`);
  };
  let next: string | null;
  if (step === 'costs') {
    const found = await ask('/organization/costs', costs);
    for (const { results } of found.data) for (const result of results) takeCost(report, result);
    next = nextOf(found);
  } else if (step === 'transcriptions') {
    const found = await ask('/organization/usage/audio_transcriptions', transcriptions);
    for (const { start_time: start, results } of found.data)
      for (const { model, num_model_requests: requests, seconds } of results) {
        const used = PARTS.map((part) => (part === 'time' ? Math.round(seconds * 1_000) : 0));
        take(report.transcriptions, model, start, [...used, requests]);
      }
    next = nextOf(found);
  } else {
    const found = await ask('/organization/usage/completions', usage);
    for (const { start_time: start, results } of found.data)
      for (const result of results)
        take(report.answers, result.model, start, [...partsOf(result), 0, 0, 0, result.num_model_requests]);
    next = nextOf(found);
  }
  report.page = next;
  if (next === null) report.step = STEPS[STEPS.indexOf(step) + 1] ?? 'read';
}

const nextOf = ({ has_more: more, next_page: next }: { has_more: boolean; next_page?: string | null | undefined }) =>
  more ? (next ?? null) : null;

function take(into: OpenAiReport['answers'], model: string, startSeconds: number, used: Vector): void {
  const family = familyOf(model);
  const hours = (into[family] ??= {});
  const hour = Math.floor((startSeconds * 1_000) / HOUR_MS);
  hours[hour] = plus(hours[hour] ?? used.map(() => 0), used);
}

function takeCost(
  report: OpenAiReport,
  { amount, line_item: name, quantity, quantity_unit: unit }: z.infer<typeof costs>,
) {
  report.decimals = Math.max(report.decimals, decimalsOf(amount.value));
  const scale = SCALES[unit ?? ''];
  report.items.push({
    name: name ?? '',
    nanoUsd: toNano(amount.value),
    quantity: typeof quantity !== 'number' || scale === undefined ? null : Math.round(quantity * scale),
  });
}

/** Units of quantities, in tokens and milliseconds. */
const SCALES: Record<string, number> = {
  tokens: 1,
  '1000_tokens': 1_000,
  duration_seconds: 1_000,
  duration_minutes: 60_000,
  duration_hours: HOUR_MS,
};

/** End of what can have been reported: whole hours that are over, at most to the end of the following day. */
const lastHour = (day: string, nowMs: number): number =>
  Math.min(startOf(day) + 2 * DAY_MS, Math.floor(nowMs / HOUR_MS) * HOUR_MS);

/** Counts of a model, by hours; null: none are reported. */
export function countsOf(report: OpenAiReport, day: string, model: string, tokensOnly: boolean): Counts | null {
  const answers = report.answers[model];
  const found = answers ?? report.transcriptions[model];
  if (found === undefined) return null;
  const byStretch = new Map<number, Vector>();
  const nothing = [...PARTS.map(() => 0), 0];
  const first = (startOf(day) - DAY_MS) / HOUR_MS;
  for (let hour = first; hour < lastHour(day, report.sinceMs) / HOUR_MS; hour++)
    byStretch.set(hour, found[hour] ?? nothing);
  const tokenPlaces = TOKEN_PARTS.map(placeOf);
  // Seconds of what we count in tokens cannot be compared.
  const places =
    answers !== undefined ? [...tokenPlaces, REQUESTS] : tokensOnly ? [REQUESTS] : [placeOf('time'), REQUESTS];
  const sharp = answers !== undefined;
  return { places, byStretch, stretchMs: HOUR_MS, sharp, strongTwins: sharp };
}

/** Items of a model. */
export const itemsOf = ({ items }: OpenAiReport, model: string): Item[] =>
  items.filter(({ name }) => readItemName(name)?.model === model);
