// What the operators' API takes and gives. The only source: requests are held against it, answers hold nothing that is not
// in it, and the OpenAPI description is made of it. The compiler holds it against what the store answers.
import { z } from 'zod';
import { END_REASONS } from '../call/termination.ts';
import type { Bill } from '../store/queries/calls-bill.ts';
import type { CallSummary, KeptCall } from '../store/queries/calls.ts';

const MOST_CALLS = 200;
const STANDARD_CALLS = 50;

const moment = z.int().describe('Unix milliseconds');
const nanoUsd = z.int().describe('nano-dollars: 1,000,000,000 are one US dollar');
const count = z.int().min(0);

/** A day that the calendar has. */
const day = z.iso.date('a day as 2026-11-21').describe('day of the admission, UTC');

/** Not empty, and without a zero, which a database refuses. */
const TEXT = /^[^\0]+$/;

/** `GET /api/calls?…` */
export const callListQuery = z.strictObject({
  day: day.optional(),
  agent: z.string().regex(TEXT, 'the name of an agent').describe('answered by that agent').optional(),
  from: z
    .string()
    .regex(TEXT, 'a number in E.164, or a SIP address')
    .describe('the caller as kept: +15551234567, or a SIP address')
    .optional(),
  reason: z
    .enum(END_REASONS as [string, ...string[]], `one of ${END_REASONS.join(', ')}`)
    .describe('why it ended')
    .optional(),
  limit: z.coerce
    .number(`a whole number from 1 to ${MOST_CALLS}`)
    .int(`a whole number from 1 to ${MOST_CALLS}`)
    .min(1, `a whole number from 1 to ${MOST_CALLS}`)
    .max(MOST_CALLS, `a whole number from 1 to ${MOST_CALLS}`)
    .default(STANDARD_CALLS)
    .describe('calls on a page'),
  cursor: z.string().max(300, 'the `next` of the page before').describe('the `next` of the page before').optional(),
});

export const callParams = z.strictObject({
  id: z
    .string()
    .regex(/^[\w-]{1,100}$/, 'the id of a call')
    .describe('id of the call'),
});

const party = z.object({
  kind: z.string().describe('pstn, sip, client or withheld'),
  value: z.string().nullable().describe('null: forgotten, or gone with the metadata'),
});

const callSummary = z.object({
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
  reason: z.string().nullable(),
  by: z.string().nullable().describe('whose doing the end was'),
  result: z.string().nullable(),
  quality: z.int().nullable().describe('0 to 100; null: nothing was heard that could be judged'),
  cost: z.object({
    nanoUsd,
    lines: count,
    unpricedLines: count.describe('lines whose price is not known: when not 0, the cost is more'),
  }),
}) satisfies z.ZodType<CallSummary>;

export const callList = z.object({
  calls: z.array(callSummary),
  next: z.string().nullable().describe('cursor of the next page; null: there is none'),
});

const milliseconds = z.int().describe('since the media started, or the admission');

const turn = z.object({
  turn: count,
  who: z.string().describe('caller or agent'),
  atMs: milliseconds.nullable(),
  said: z.string().nullable().describe('all words; null: none are known, or they are not kept any more'),
  heard: z.string().nullable().describe("of the agent's words those that the caller heard"),
  unheard: z.string().nullable().describe('and those never heard'),
  outcome: z.string().nullable().describe("how the agent's sound came out"),
  heardMs: z.int().nullable(),
  receivedMs: z.int().nullable(),
  voiceToVoiceMs: z.int().nullable().describe("from the caller's last sound to the answer as they hear it"),
});

const tool = z.object({
  tool: count,
  name: z.string(),
  status: z.string(),
  atMs: milliseconds,
  durationMs: z.int().nullable(),
  arguments: z.string(),
  output: z.string().nullable(),
});

export const call = callSummary.extend({
  carrierCallId: z.string(),
  agentHash: z.string(),
  node: z.string().describe('the process that had its sockets'),
  attestation: z.string().nullable(),
  detail: z.string().nullable(),
  turns: z.array(turn),
  tools: z.array(tool),
}) satisfies z.ZodType<KeptCall>;

const tokens = z.object({ fresh: count, cached: count, out: count });
const quantities = z.discriminatedUnion('unit', [
  z.object({ unit: z.literal('tokens'), text: tokens, audio: tokens, image: tokens }),
  z.object({ unit: z.literal('seconds'), seconds: z.number() }),
  z.object({ unit: z.literal('minutes'), seconds: z.number(), minutes: count.describe('as the carrier rounds') }),
  z.object({ unit: z.literal('count'), count }),
]);

const price = z.object({ fresh: z.number(), cached: z.number(), out: z.number() }).describe('nano-dollars a token');
const unitPrice = z.discriminatedUnion('per', [
  z.object({ per: z.literal('token'), text: price, audio: price, image: price }),
  z.object({ per: z.enum(['hour', 'minute', 'piece']), nanoUsd }),
]);

const linesSum = z.object({
  lines: count,
  nanoUsd: nanoUsd.describe('nano-dollars by the price book'),
  unpricedLines: count,
  billedNanoUsd: nanoUsd.describe('nano-dollars by the sellers, as far as they were asked'),
});

export const bill = z.object({
  callId: z.string(),
  lines: z.array(
    z.object({
      source: z.string().describe("the seller's id of what was billed"),
      what: z.enum([
        ...['answer', 'transcription', 'session', 'leg', 'media_stream'],
        ...['recording', 'message', 'machine_detection', 'tool'],
      ] as Bill['lines'][number]['what'][]),
      seller: z.string(),
      product: z.string(),
      atWallMs: moment,
      quantities,
      unitPrice: unitPrice.nullable().describe('null: not known'),
      costNanoUsd: nanoUsd.nullable().describe('null: no price is known'),
      state: z.enum(['estimated', 'metered', 'billed']),
      priceBook: z.string(),
      doubt: z.string().nullable().describe('why the quantities, as they were reported, cannot be right'),
      billedNanoUsd: nanoUsd.nullable().describe('what the seller says; null: not asked'),
    }),
  ),
  total: linesSum,
  byState: z.object({ estimated: linesSum, metered: linesSum, billed: linesSum }),
}) satisfies z.ZodType<Bill>;

export const failure = z.object({
  error: z.object({ code: z.string(), message: z.string() }).describe('codes are explained in docs/errors.md'),
});

const PLAIN = new Set(['string', 'integer', 'number']);

/** As JSON Schema, for answers and for the description. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'output'): Record<string, unknown> {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, {
    io,
    // An integer is bounded by what a double holds, and a date has its format: neither needs to be spelt out.
    override({ jsonSchema: made }) {
      if (made.format === 'date') delete made.pattern;
      // Of a plain type, null is another type: a choice between schemas is found out by trying each.
      const [only, none] = made.anyOf ?? [];
      if (typeof only?.type === 'string' && none?.type === 'null' && PLAIN.has(only.type)) {
        delete made.anyOf;
        Object.assign(made, { ...only, type: [only.type, 'null'] });
      }
      if (made.minimum === Number.MIN_SAFE_INTEGER) delete made.minimum;
      if (made.maximum === Number.MAX_SAFE_INTEGER) delete made.maximum;
    },
  });
  return plain;
}
