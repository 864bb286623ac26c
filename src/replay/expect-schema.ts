// What an expectation may hold: the file of `--expect` and the part `expect` of a caller file. Every key is one thing that a
// caller or an operator would notice. docs/replay.md describes the same keys; a test compares the two.
import { z } from 'zod';
import { END_REASONS } from '../call/termination.ts';

const section = <T extends z.core.$ZodLooseShape>(shape: T) =>
  z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'a mapping of keys'),
  });
const amount = () => z.number('a number, 0 or more').min(0, 'a number, 0 or more');

/** A lone number is the most, or exactly that many: `what` says which. What would let every number pass is refused. */
function bounds(what: string) {
  return numberOrBounds(boundsText(what)).optional();
}

const boundsText = (what: string): string =>
  `a number (${what}), or a mapping with min above 0, max or both, min not above max`;

function numberOrBounds(expected: string) {
  const both = section({ min: amount().optional(), max: amount().optional() }).refine(
    ({ min = 0, max }) => (max === undefined ? min > 0 : min <= max),
    {
      error: expected,
      // Of a misspelled key only that is told.
      when: ({ issues }) => issues.length === 0,
    },
  );
  return z.union([z.number(expected).min(0, expected), both], expected);
}
const atMost = () => bounds('the most');
const exactly = () => bounds('exactly so many');

function oneOrMore<const T extends readonly string[]>(values: T) {
  const expected = `one of ${values.join(', ')}, or a list of them`;
  const value = z.enum(values, `one of ${values.join(', ')}`);
  return z.union([value, z.array(value).min(1, expected)], expected).optional();
}

/** `/…/` with flags is a regular expression, everything else is plain text. */
const REGULAR = /^\/(.+)\/([a-z]*)$/s;

/** The regular expression that a text stands for; null for plain text. Case never counts. */
export function regularOf(text: string): RegExp | null {
  const [, source, flags] = REGULAR.exec(text) ?? [];
  return source === undefined ? null : new RegExp(source, [...new Set(`${flags}iu`)].join(''));
}

/** What is wrong with a text between slashes; null where nothing is, and for plain text. */
export function regularFault(text: string): string | null {
  // They make a search depend on where the one before ended.
  if (/[gy]/.test(REGULAR.exec(text)?.[2] ?? '')) return 'a regular expression without the flags g and y';
  try {
    regularOf(text);
    return null;
  } catch {
    return 'a regular expression that is valid';
  }
}

const matchesNothing = (text: string): boolean => regularFault(text) === null && regularOf(text)?.test('') === true;

const phrase = () =>
  z
    .string('a text, or a regular expression between slashes')
    .regex(/\S/, 'a text, or a regular expression between slashes')
    .refine((text) => regularFault(text) === null, { error: ({ input }) => regularFault(String(input)) ?? undefined })
    .refine(
      (text) => !matchesNothing(text),
      'a regular expression that does not fit an empty text: it would fit every call',
    );
const phrases = () => {
  const expected = 'a text, or a list of texts';
  return z.union([phrase(), z.array(phrase(), expected).min(1, expected)], expected).optional();
};
const words = () => section({ contains: phrases(), never: phrases() }).optional();

const tool = section({
  name: z.string('the name of a tool').min(1, 'the name of a tool'),
  arguments: z.record(z.string(), z.unknown(), 'a mapping: the arguments that must be among those given').optional(),
  status: z.string('how the tool ended, such as ok').optional(),
  output: phrase().optional(),
});

/** How a transfer may end. */
const OUTCOMES = ['answered', 'busy', 'no_answer', 'failed', 'canceled', 'refused'] as const;
const SOUND_TEXT = `none, ${boundsText('the most')}`;

export const expectSchema = section({
  end: section({
    reason: oneOrMore(END_REASONS),
    by: z.enum(['caller', 'server'], 'caller or server').optional(),
    status: oneOrMore(['completed', 'busy', 'no-answer', 'failed']),
    result: z.enum(['success', 'failure'], 'success or failure').optional(),
    timed_out: z.boolean('true or false').optional(),
  }).optional(),
  duration_seconds: atMost(),
  first_sound_ms: z.union([z.literal('none'), numberOrBounds(SOUND_TEXT)], SOUND_TEXT).optional(),
  turns: exactly(),
  answers: exactly(),
  answer_ms: z
    .union(
      [amount(), section({ p50: amount().optional(), p95: amount().optional(), max: amount().optional() })],
      'a number (the most for every answer), or a mapping with p50, p95, max',
    )
    .optional(),
  unanswered: exactly(),
  dead_air_seconds: z
    .number('a number of seconds, 2 or more: shorter pauses are none')
    .min(2, 'a number of seconds, 2 or more: shorter pauses are none')
    .optional(),
  talk_over_ms: atMost(),
  barge_ins: section({
    count: exactly(),
    stop_ms: atMost(),
    clear_ms: atMost(),
    truncation_error_ms: atMost(),
    spoken_on: exactly(),
  }).optional(),
  heard: words(),
  said: words(),
  tools: z
    .union(
      [
        z.literal('none'),
        z.array(z.union([z.string().min(1), tool], 'the name of a tool, or a mapping with name')).min(1),
      ],
      'none, or a list of tools in their order',
    )
    .optional(),
  other_tools: z.literal(false, 'false: no tools but those in tools').optional(),
  verbs: z
    .array(
      z
        .string('a verb of TwiML, alone or with what it is about: Hangup, or "Dial +15005550009"')
        .regex(
          /^[A-Z]\w*(\s+\S.*)?$/s,
          'a verb of TwiML, alone or with what it is about: Hangup, or "Dial +15005550009"',
        ),
      'a list of verbs in their order',
    )
    .min(1, 'a list with at least one verb')
    .optional(),
  transfers: z
    .union(
      [
        z.literal('none'),
        z
          .array(
            section({
              to: z.string('a number, quoted').regex(/^\S+$/, 'a number, quoted').optional(),
              outcome: oneOrMore(OUTCOMES),
            }),
          )
          .min(1, 'a list with at least one transfer'),
      ],
      'none, or a list of all transfers in their order',
    )
    .optional(),
  messages: z
    .union(
      [
        z.literal('none'),
        z
          .array(
            section({
              to: z.string('a number, quoted').regex(/^\S+$/, 'a number, quoted').optional(),
              contains: phrases(),
            }),
          )
          .min(1, 'a list with at least one message'),
      ],
      'none, or a list of all messages in their order',
    )
    .optional(),
  warnings: z
    .union(
      [z.literal('none'), z.array(z.int('a number of the carrier, such as 31951')).min(1)],
      'none, or a list of the carrier’s numbers that must come, and no others',
    )
    .optional(),
  cost_usd: atMost(),
});

/** One expectation, checked. */
export type Expected = z.infer<typeof expectSchema>;
