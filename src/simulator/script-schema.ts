// The script file as YAML: every key and its bounds. What depends on several keys is decided in script-file.ts. docs/simulator.md describes the same keys for those who write scripts; a test compares the two.
import { z } from 'zod';
import { clipHint, clipNames } from './clips.ts';
import { isPattern } from './pattern.ts';
import { hasPlaceholder } from './values.ts';

// Each schema carries one text, what was expected, whatever rule of it was broken.
const integer = (min: number, max: number, unit: string) => {
  const expected = `a whole number${unit} from ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
};
const number = (min: number, max: number, unit = '') => {
  const expected = `a number${unit} from ${min} to ${max}`;
  return z.number(expected).min(min, expected).max(max, expected);
};
const text = (what: string, pattern = /\S/) => z.string(what).trim().regex(pattern, what);
const oneOf = <const T extends readonly string[]>(values: T) => z.enum(values, `one of ${values.join(', ')}`);
const flag = () => z.boolean('true or false');
const section = <T extends z.core.$ZodLooseShape>(shape: T) =>
  z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'a mapping of keys') });
const orWord = <const W extends string, T extends z.core.SomeType>(word: W, schema: T, what: string) =>
  z.union([z.literal(word), schema], `${word}, or ${what}`);

const PATTERN = 'a text, or a regular expression such as /yes|no/i';
const pattern = () => text(PATTERN).refine(isPattern, PATTERN);

const HOUR_MS = 3_600_000;
const ms = () => integer(0, HOUR_MS, ' of milliseconds');

/** Longest stamped audio: what a stamp can count. */
const MAX_STAMPED_MS = 65_536;

/** Most calls that one entry of `calls` can make. */
const MAX_CALLS = 256;

const clipName = text('the name of a clip').refine((name) => hasPlaceholder(name) || clipNames().includes(name), {
  error: ({ input }) => `the name of a clip; ${clipHint(String(input))}`,
});

const NUMBER = 'digits in quotes, such as "100042", or a value such as "{{find_patient.phone}}"';

const spoken = z.array(
  z.union(
    [
      clipName,
      section({ number: text(NUMBER).refine((digits) => /^\d{1,40}$/.test(digits) || hasPlaceholder(digits), NUMBER) }),
      section({ stamped_ms: integer(1, MAX_STAMPED_MS, ' of milliseconds') }),
    ],
    'the name of a clip, {number: "…"} or {stamped_ms: …}',
  ),
  'a list of clips',
);

const plainKeys = {
  preamble: spoken.optional(),
  says: spoken.optional(),
  transcript: text('a text').optional(),
  calls: z
    .array(
      section({
        tool: text('the name of a tool'),
        with: z
          .union(
            [z.record(z.string(), z.unknown()), z.string()],
            'a mapping of arguments, or a text that is sent as it is',
          )
          .default({}),
        force: flag().optional(),
        call_id: text('an id').optional(),
        times: integer(1, MAX_CALLS, '').optional(),
        pause_ms: ms().optional(),
      }),
      'a list of tool calls',
    )
    .optional(),
  calls_first: flag().optional(),
  first_delay_ms: ms().optional(),
  stall: section({
    after_ms: ms().default(0),
    for_ms: orWord('forever', ms(), 'a whole number of milliseconds'),
  }).optional(),
  status: oneOf(['completed', 'failed', 'incomplete', 'cancelled']).optional(),
  error: section({
    type: text('an error type').optional(),
    code: text('an error code').optional(),
    message: text('a text').optional(),
  }).optional(),
  reason: oneOf(['max_output_tokens', 'content_filter', 'turn_detected', 'client_cancelled']).optional(),
  never: oneOf(['begun', 'ended']).optional(),
};

const when = section({ tool: text('the name of a tool').optional(), output: pattern().optional() });

const answerKeys = {
  ...plainKeys,
  after: z.array(section({ when: when.optional(), ...plainKeys }), 'a list of answers to tool outputs').optional(),
};

const answer = section(answerKeys);

const timing = {
  pace: orWord('instant', number(0.1, 1000), 'a number from 0.1 to 1000').optional(),
  delta_ms: integer(1, 10_000, ' of milliseconds').optional(),
  delta_bytes: z
    .array(integer(1, 1_000_000, ' of bytes'), 'a list of sizes in bytes')
    .min(1, 'a list with at least one size in bytes')
    .optional(),
  first_delay_ms: ms().optional(),
  transcript_delay_ms: ms().optional(),
  handshake_delay_ms: ms().optional(),
  update_delay_ms: orWord('never', ms(), 'a whole number of milliseconds').optional(),
  expires_in_seconds: number(0.001, 86_400, ' of seconds').optional(),
  expiry: oneOf(['error_then_close', 'close']).optional(),
};

const attempt = integer(1, 1_000_000, '');

const eventType = text('the type of a server event, such as response.output_audio.delta', /^[a-z][a-z_.]+$/);

const CLOSE_CODE =
  'a close code that can be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999 (without a code it is 1006)';
const closeCode = z.int(CLOSE_CODE).refine((code) => {
  const standard = code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006);
  return standard || (code >= 3000 && code <= 4999);
}, CLOSE_CODE);

const fault = section({
  connection: z
    .union([attempt, z.array(attempt).min(1)], 'the number of a connection attempt, from 1, or a list of them')
    .optional(),
  handshake_delay_ms: timing.handshake_delay_ms,
  hang_handshake: flag().optional(),
  refuse_handshake: section({
    status: integer(400, 599, ''),
    retry_after: z.union([z.int().min(0), text('')], 'a whole number of seconds, or an HTTP date').optional(),
    code: text('an error code').optional(),
    message: text('a text').optional(),
  }).optional(),
  update_delay_ms: timing.update_delay_ms,
  refuse_update: section({
    code: text('an error code'),
    message: text('a text').default('Refused by the script.'),
  }).optional(),
  mute: flag().optional(),
  stall: flag().optional(),
  late_deltas: integer(0, 1000, '').optional(),
  late_deltas_after_done: integer(0, 1000, '').optional(),
  fail_transcription: flag().optional(),
  expires_in_seconds: timing.expires_in_seconds,
  expiry: timing.expiry,
  drop: section({
    during: orWord('greeting', integer(1, 10_000, ''), 'the number of a turn, from 1').optional(),
    after_ms: ms(),
    code: closeCode.optional(),
    reason: text('a text of at most 123 bytes')
      .refine((reason) => Buffer.byteLength(reason) <= 123, 'a text of at most 123 bytes')
      .optional(),
  }).optional(),
  broken_frames: z
    .array(
      section({
        kind: oneOf([
          'malformed_json',
          'not_an_object',
          'unknown_event',
          'duplicate',
          'out_of_order',
          'huge',
          'binary',
          'bare',
          'nulls',
        ]),
        at: z.union([eventType, z.array(eventType).min(1)], 'the type of a server event, or a list of them'),
        times: integer(1, 1_000_000, '').default(1),
      }),
      'a list of broken frames',
    )
    .optional(),
});

const KEYS = 'keys in quotes, such as "1" or "1234#", or a regular expression such as /^[0-9]{4}$/';

const partKeys = {
  greeting: answer.optional(),
  turns: z
    .array(section({ hears: text('a text').optional(), ...answerKeys }), "a list of answers to the caller's turns")
    .default([]),
  after_tool: z
    .record(
      z.string(),
      z.union([answer, z.array(section({ when: when.optional(), ...answerKeys }))], 'an answer, or a list of answers'),
      'a mapping from the name of a tool to an answer',
    )
    .optional(),
  when_instructions: z
    .array(section({ contains: pattern(), ...answerKeys }), 'a list of answers, each with contains')
    .optional(),
  on_keys: z
    .array(
      section({
        keys: text(KEYS, /^([\d*#\s]+|\/.+)$/)
          .refine(isPattern, KEYS)
          .optional(),
        ...answerKeys,
      }),
      'a list of answers to keys',
    )
    .optional(),
  on_text: z.array(section({ contains: pattern().optional(), ...answerKeys }), 'a list of answers to texts').optional(),
  on_silence: answer.optional(),
  out_of_band: z
    .union(
      [
        answer,
        z.array(
          section({
            metadata: z.record(z.string(), z.string('a text'), 'a mapping of texts').optional(),
            contains: pattern().optional(),
            input: pattern().optional(),
            text: text('a text').optional(),
            ...plainKeys,
          }),
        ),
      ],
      'an answer, or a list of answers',
    )
    .optional(),
  fallback: answer.optional(),
  unruly: flag().optional(),
};

/** What a script file may hold. */
export const scriptSchema = section({
  ...partKeys,
  sessions: z
    .array(
      section({
        match: section({
          instructions: pattern().optional(),
          tools: z.array(text('the name of a tool'), 'a list of tools').optional(),
          model: text('the name of a model').optional(),
        }),
        ...partKeys,
      }),
      'a list of parts, each with match',
    )
    .optional(),
  timing: section(timing).prefault({}),
  faults: z.array(fault, 'a list of faults').default([]),
});

/** A script file with its defaults filled in. */
export type ScriptFile = z.infer<typeof scriptSchema>;
export type AnswerEntry = z.infer<typeof answer>;
/** What the script says for itself, or for sessions of a certain configuration. */
export type PartEntry = Omit<ScriptFile, 'sessions' | 'timing' | 'faults'>;
export type FaultEntry = z.infer<typeof fault>;
export type TimingEntry = ScriptFile['timing'];
export type SpokenEntry = z.infer<typeof spoken>[number];
