// What the API gives of one call: its turns with the words and every time that is known, its tool runs, its bill.
import { z } from 'zod';
import type { TurnLatency } from '../../metrics/latency.ts';
import type { Bill } from '../../store/queries/calls-bill.ts';
import type { KeptCall } from '../../store/queries/calls.ts';
import { callSummary } from './calls.ts';
import { count, milliseconds, moment, nanoUsd } from './common.ts';

export const callParams = z.strictObject({
  id: z
    .string()
    .regex(/^[\w-]{1,100}$/, 'the id of a call')
    .describe('id of the call'),
});

const wait = z.number().describe('milliseconds');

const latency = z.object({
  turn: z.string(),
  endOfTurnWaitMs: wait
    .nullable()
    .describe("from the caller's last sound until the turn was committed; null: not known"),
  endOfTurnFrom: z.enum(['input_clock', 'configured_silence']).nullable().describe('how that was found'),
  modelMs: wait.describe('from the commit to the first sound of the answer, without tools'),
  toolsMs: wait.describe('the part of the same stretch in which a tool ran'),
  ourMs: wait.describe('from the first sound of the answer until it was handed to the carrier'),
  queuedMs: wait.describe('until it was its turn to sound'),
  carrierMs: wait.nullable().describe('half a round trip to the carrier; null: not known'),
  answerMs: wait.describe("the server's: from the commit until the answer was handed to the carrier"),
  voiceToVoiceMs: wait.nullable().describe("the caller's: from their last sound to the answer as they hear it"),
}) satisfies z.ZodType<TurnLatency>;

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
  sentMs: z.int().nullable(),
  utterance: z.string().nullable(),
  answer: z.string().nullable().describe("the model's answer it belongs to; null: a recorded clip, or the caller"),
  startAtMs: milliseconds.nullable().describe('when the model began it'),
  soundAtMs: milliseconds.nullable().describe('when its first byte was to sound; null: none was sent'),
  whole: z.boolean().nullable().describe('false: stopped while the model was at it, words and sound may not match'),
  turnId: z.string().nullable().describe("the model's id of the caller's turn"),
  speechStartAtMs: milliseconds.nullable(),
  speechStopAtMs: milliseconds.nullable(),
  committedAtMs: milliseconds.nullable(),
  latency: latency.nullable().describe('null: not answered with sound'),
  voiceToVoiceMs: z.number().nullable().describe("from the caller's last sound to the answer as they hear it"),
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
export type CallAnswer = z.infer<typeof call>;

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
export type BillAnswer = z.infer<typeof bill>;
