// What the API takes and gives about the list of calls: by what it is narrowed and sorted, its rows, its sums.
import { z } from 'zod';
import { END_REASONS } from '../../call/termination.ts';
import type { CallSummary } from '../../store/queries/calls.ts';
import { count, moment, nanoUsd } from './common.ts';

const MOST_CALLS = 200;
const STANDARD_CALLS = 50;
const MOST_SECONDS = 1_000_000;
const MOST_USD = 1_000_000;
const MOST_MS = 10_000_000;
/** Year 9999. */
const LAST_MS = 253_402_300_799_999;

/** Not empty, and without a zero, which a database refuses. */
const TEXT = /^[^\0]{1,200}$/;
const REASONS = END_REASONS.join('|');

/** Nothing at all would be taken for 0. */
const stated = (value: unknown): unknown => (value === '' ? Number.NaN : value);

function whole(from: number, to: number, expected = `a whole number from ${from} to ${to}`) {
  return z.preprocess(stated, z.coerce.number(expected).int(expected).min(from, expected).max(to, expected));
}

function amount(to: number, expected = `a number from 0 to ${to}`) {
  return z.preprocess(stated, z.coerce.number(expected).min(0, expected).max(to, expected));
}

const MOMENT = 'Unix milliseconds, or a time as 2026-11-21T09:00:00Z';
const when = z
  .string()
  .regex(/^(?:\d{1,15}|\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[ +-]\d\d:\d\d))$/, MOMENT)
  // A plus that was not escaped has become a space.
  .transform((text) => (/^\d+$/.test(text) ? Number(text) : Date.parse(text.replace(' ', '+'))))
  .refine((ms) => Number.isFinite(ms) && ms <= LAST_MS, MOMENT)
  .describe(MOMENT);

const number = '2 to 20 digits; with a plus before them, how the number begins';

/** By what a list is narrowed. */
const filter = {
  since: when.describe(`let in then or later: ${MOMENT}`).optional(),
  until: when.describe(`let in before then: ${MOMENT}`).optional(),
  day: z.iso.date('a day as 2026-11-21').describe('day of the admission, UTC').optional(),
  agent: z.string().regex(TEXT, 'the name of an agent').describe('answered by that agent').optional(),
  direction: z.enum(['inbound', 'outbound'], 'inbound or outbound').describe('who placed the call').optional(),
  from: z
    .string()
    .regex(TEXT, 'a number in E.164, or a SIP address')
    .describe('the caller as kept: +15551234567, or a SIP address')
    .optional(),
  number: z
    .string()
    .regex(/^[ +]?(?:[ ().-]*\d){2,20}[ ().-]*$/, number)
    .describe(`of either party: ${number}`)
    .optional(),
  reason: z
    .string()
    .regex(
      new RegExp(`^(?:${REASONS})(?:,(?:${REASONS}))*$`),
      `one of ${END_REASONS.join(', ')}; or several with commas`,
    )
    .describe('why it ended; several with commas between')
    .optional(),
  result: z.enum(['success', 'failure'], 'success or failure').describe('whether it ended as it should').optional(),
  min_seconds: amount(MOST_SECONDS).describe('from the start of the media to the end').optional(),
  max_seconds: amount(MOST_SECONDS).describe('no longer than that').optional(),
  min_usd: amount(MOST_USD).describe('by the price book').optional(),
  max_usd: amount(MOST_USD).describe('no more than that').optional(),
  min_latency_ms: whole(0, MOST_MS).describe('median of the answered turns, voice to voice').optional(),
  max_latency_ms: whole(0, MOST_MS).describe('no slower than that').optional(),
  disposition: z.string().regex(TEXT, 'a disposition of an agent file').describe('what the call was about').optional(),
  words: z
    .string()
    .regex(TEXT, 'words, at most 200 characters')
    .describe('all of them were said in the call; the last may be the beginning of one')
    .optional(),
};

const order = {
  sort: z
    .enum(['admitted', 'duration', 'cost', 'latency', 'quality'], 'admitted, duration, cost, latency or quality')
    .default('admitted')
    .describe('calls without that value come last'),
  order: z.enum(['asc', 'desc'], 'asc or desc').default('desc').describe('asc: the least first'),
};

/** `GET /api/calls/stats?…` */
export const callFilterQuery = z.strictObject(filter);
export type CallFilterQuery = z.infer<typeof callFilterQuery>;

/** `GET /api/calls.csv?…` and `/api/calls.json?…` */
export const callExportQuery = z.strictObject({ ...filter, ...order });

/** `GET /api/calls?…` */
export const callListQuery = z.strictObject({
  ...filter,
  ...order,
  limit: whole(1, MOST_CALLS).describe('calls on a page').prefault(STANDARD_CALLS),
  cursor: z.string().max(500, 'the `next` of the page before').describe('the `next` of the page before').optional(),
});

const party = z.object({
  kind: z.string().describe('pstn, sip, client or withheld'),
  value: z.string().nullable().describe('null: forgotten, or gone with the metadata'),
});

export const callSummary = z.object({
  callId: z.string(),
  agent: z.string(),
  model: z.string().describe('the one that the call began with'),
  carrier: z.string(),
  direction: z.string(),
  from: party,
  to: party,
  admittedWallMs: moment,
  mediaStartedWallMs: moment.nullable().describe('null: no media came'),
  endedWallMs: moment.nullable().describe('null: it lives, or its process died'),
  durationMs: z.int().nullable().describe('from the start of the media to the end; null: not known'),
  reason: z.string().nullable(),
  by: z.string().nullable().describe('whose doing the end was'),
  result: z.string().nullable(),
  disposition: z.string().nullable().describe('what it was about; null: the agent noted nothing'),
  quality: z.int().nullable().describe('0 to 100; null: nothing was heard that could be judged'),
  latencyMs: z.int().nullable().describe('median of the answered turns, voice to voice; null: none, or not known'),
  turnCount: z.int().nullable().describe('of both sides; null: not known'),
  bargeIns: z.int().nullable().describe('how often the caller spoke over the agent; null: not known'),
  cost: z.object({
    nanoUsd,
    lines: count,
    unpricedLines: count.describe('lines whose price is not known: when not 0, the cost is more'),
  }),
}) satisfies z.ZodType<CallSummary>;

export const callList = z.object({
  calls: z.array(callSummary),
  next: z.string().nullable().describe('cursor of the next page; null: there is none'),
  count: count.describe('calls that fit, on all pages, when the first page was asked for'),
});
export type CallList = z.infer<typeof callList>;

const quantile = z.number().nullable().describe('null: no call has it');

export const callStats = z.object({
  calls: count,
  ended: count,
  successes: count,
  failures: count,
  cost: z.object({
    nanoUsd: nanoUsd.describe('nano-dollars of all of them'),
    p50: quantile,
    p95: quantile,
    unpricedCalls: count.describe('with lines whose price is not known: when not 0, the sum is more'),
  }),
  latencyMs: z.object({ p50: quantile, p95: quantile, calls: count.describe('that have one') }),
  durationMs: z.object({ p50: quantile, p95: quantile }),
});
export type CallStats = z.infer<typeof callStats>;

export const callFacets = z.object({
  agents: z.array(z.string()),
  reasons: z.array(z.string()),
  dispositions: z.array(z.string()),
});
