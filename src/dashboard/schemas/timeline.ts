// What the API gives of a call's files: the levels that a waveform is drawn of, and what went over both sockets.
import { z } from 'zod';
import { count } from './common.ts';

/** `GET /api/calls/:id/levels?buckets=…` */
export const levelsQuery = z.strictObject({
  buckets: z.coerce
    .number('50 to 4000')
    .int('50 to 4000')
    .min(50, '50 to 4000')
    .max(4_000, '50 to 4000')
    .default(1_200),
});

export const levels = z.object({
  from: z
    .enum(['audio', 'tape', 'turns'])
    .describe('audio: measured on the recording; tape, turns: drawn by who spoke when'),
  durationMs: z.int(),
  bucketMs: z.number(),
  caller: z.array(z.number()).describe('0 to 1 per bucket, the highest level in it'),
  agent: z.array(z.number()),
});
export type Levels = z.infer<typeof levels>;

/** `GET /api/calls/:id/events?…`: the lines of the tape, frames of audio gathered. */
export const eventsQuery = z.strictObject({
  after: z.coerce
    .number('the `next` of the page before')
    .int('the `next` of the page before')
    .min(0, 'the `next` of the page before')
    .default(0)
    .describe('the `next` of the page before'),
  limit: z.coerce.number('1 to 1000').int('1 to 1000').min(1, '1 to 1000').max(1_000, '1 to 1000').default(300),
  from: z
    .enum(['carrier', 'model', 'call', 'to_model'], 'one of carrier, model, call, to_model')
    .optional()
    .describe('which side; default all'),
  text: z
    .string()
    .max(200, 'at most 200 characters')
    .optional()
    .describe('only lines that contain this, whatever the case'),
});

export const tapeEvents = z.object({
  events: z.array(
    z.object({
      line: count.describe('of the tape file'),
      atMs: z.number().describe('since the media started; before it below zero'),
      from: z
        .enum(['carrier', 'model', 'call', 'to_model'])
        .describe('call: what the core decided; to_model: what was sent there'),
      name: z.string().describe('media, input_audio_buffer.speech_started, response.create, …'),
      count: count.describe('how many lines like this, of audio on its way, were gathered to this one'),
      body: z.string().describe('the line itself, JSON; cut where it is longer than 4,000 characters'),
    }),
  ),
  next: count.nullable().describe('null: there is no more'),
  complete: z.boolean().describe('the tape says that the call is over'),
});
export type TapeEvents = z.infer<typeof tapeEvents>;

/** `GET /api/calls/:id/agent`: the agent file as it was when the call came in. */
export const agentFile = z.object({ name: z.string(), file: z.string(), hash: z.string(), text: z.string() });
