// What a caller file may hold: who calls, what the caller does and when, over which network, and what is expected. What
// depends on several keys or on other files is decided in caller-file.ts. docs/replay.md describes the same keys; a test
// compares the two.
import { z } from 'zod';
import { expectSchema } from './expect-schema.ts';

const section = <T extends z.core.$ZodLooseShape>(shape: T, what = 'a mapping of keys') =>
  z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : what) });
const within = (min: number, max: number, unit: string) => {
  const expected = `a number of ${unit} from ${min} to ${max}`;
  return z.number(expected).min(min, expected).max(max, expected);
};
const number = (min: number, max: number, unit: string) => within(min, max, unit).optional();
const text = (what: string, pattern = /\S/) => z.string(what).trim().regex(pattern, what);

/** Who calls, or is called; `--from` and `--to` say the same. */
export const partySchema = text(
  'a phone number in E.164, quoted: "+15551234567"; a sip: address; or anonymous',
  /^(\+[1-9]\d{6,14}|sips?:\S+|anonymous)$/,
);

const step = section({
  user: text('the path of a WAV file, seen from this file').optional(),
  from_ms: number(0, 3_600_000, 'milliseconds'),
  to_ms: number(1, 3_600_000, 'milliseconds'),
  dtmf: text('keys in quotes, of 0-9, * and #: "123#"', /^[0-9*#]+$/).optional(),
  hangup: z.literal(true, 'true').optional(),
  at: number(0, 3600, 'seconds'),
  wait: number(0, 3600, 'seconds'),
  when_agent_silent: number(0, 600, 'seconds'),
  interrupt_at: number(0, 600, 'seconds'),
  heard_at_least: number(0, 600, 'seconds'),
  patience: number(0, 600, 'seconds'),
});

/** Somebody whom the server may call. */
const person = section({
  to: text(
    'the number or sip: address that is called, quoted: "+15551234567"; or any',
    /^(\+[1-9]\d{6,14}|sips?:\S+|any)$/,
  ),
  // YAML readers of another age take a bare yes for true.
  answers: z
    .union([z.enum(['yes', 'busy', 'no_answer', 'failed']), z.boolean()], 'one of yes, busy, no_answer, failed')
    .optional(),
  after: number(0, 600, 'seconds'),
  presses: text(
    'keys in quotes, of 0-9, * and #, one for each time that a key is asked for: "1"',
    /^[0-9*#]+$/,
  ).optional(),
  press_after: number(0, 600, 'seconds'),
  hangs_up: z.enum(['during_whisper', 'after_key'], 'one of during_whisper, after_key').optional(),
  talk: number(0, 3600, 'seconds'),
});

/** From one burst to the next, on average. */
export const BURST_EVERY_SECONDS = 5;

/** What the network between carrier and server does; `--delay` and its like say the same. */
export const networkSchema = section({
  delay_ms: number(0, 5000, 'milliseconds'),
  jitter_ms: number(0, 5000, 'milliseconds'),
  burst: section({
    ms: within(20, 30_000, 'milliseconds'),
    every_seconds: within(0.1, 600, 'seconds').default(BURST_EVERY_SECONDS),
  }).optional(),
  lose_socket_at: z
    .union(
      [within(0, 3600, 'seconds'), z.array(within(0, 3600, 'seconds')).min(1)],
      'a number of seconds from 0 to 3600, or a list of them',
    )
    .optional(),
  seed: z.int('a whole number').optional(),
});

export const callerSchema = section({
  from: partySchema.optional(),
  to: partySchema.optional(),
  script: text('the path of a conversation script, seen from this file').optional(),
  max_seconds: number(1, 3600, 'seconds'),
  network: networkSchema.optional(),
  tones: z.boolean('true or false').optional(),
  timeline: z
    .array(z.union([z.literal('hangup'), step], 'a step: user, dtmf, hangup, or a time to wait for'), 'a list of steps')
    .min(1, 'a list with at least one step'),
  people: z.array(person, 'a list of people').min(1, 'a list with at least one person').optional(),
  expect: expectSchema.optional(),
});

/** A caller file whose keys are as they may be. */
export type CallerYaml = z.infer<typeof callerSchema>;
export type PersonYaml = z.infer<typeof person>;
export type StepYaml = z.infer<typeof step>;
export type NetworkYaml = z.infer<typeof networkSchema>;
