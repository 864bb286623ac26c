// The agent file as YAML: every key, its bounds and its default. What depends on several keys, on other files or on the
// configuration is decided in load.ts. docs/agent-file.md describes the same keys for operators; a test compares the two.
import { z } from 'zod';
import { outboundSchema, toolsSchema } from '../tools/schema.ts';

/** Voices of the model's server (2026-11); others are ids of custom voices, or belong to another endpoint. */
export const VOICES = [
  'alloy',
  'ash',
  'ballad',
  'cedar',
  'coral',
  'echo',
  'marin',
  'sage',
  'shimmer',
  'verse',
] as const;

/** What Node can import, TypeScript included. */
export const TOOL_FILE = /\.[cm]?[jt]s$/;

export const E164 = /^\+[1-9]\d{6,14}$/;
// A SIP user that is not a phone number without its plus: those would silently never match.
const SIP_USER = /^(?!\d{7})[A-Za-z0-9\-_.!~*'()&=+$,;?/%]+$/;
/** A number as it is dialled or written at home, `(555) 123-4567`: no call comes from it or to it. */
const NATIONAL = /^(?=(?:\D*\d){7})[\d()./ -]+$/;

// Each schema carries one text, what was expected, whatever rule of it was broken.
const number = (min: number, max: number, unit = '') => {
  const expected = `a number${unit} from ${min} to ${max}`;
  return z.number(expected).min(min, expected).max(max, expected);
};
const integer = (min: number, max: number, unit = '') => {
  const expected = `a whole number${unit} from ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
};
const text = (what: string, pattern = /\S/) => z.string(what).trim().regex(pattern, what);
const oneOf = <const T extends readonly string[]>(values: T) => z.enum(values, `one of ${values.join(', ')}`);
const flag = () => z.boolean('true or false');
const section = <T extends z.core.$ZodLooseShape>(shape: T) =>
  z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'a mapping of keys') });
const offOr = <T extends z.core.SomeType>(schema: T, what: string) =>
  z.union([z.literal('off'), schema], `off, or ${what}`);

const wav = () => text('the path of a WAV file (8 kHz mu-law)');
const sentence = () => text('a text');
const e164 = 'a phone number in E.164, quoted: "+15551234567"';

export const answersElement = text(`${e164}; a SIP user name; or "*"`).refine(
  (value) =>
    value === '*' || (value.startsWith('+') ? E164.test(value) : SIP_USER.test(value) && !NATIONAL.test(value)),
  `${e164}; a SIP user name; or "*"`,
);

const listed =
  'a phone number in E.164, quoted: "+15551234567"; how numbers begin: "+1900*"; a SIP caller: user, user@host or @host; ' +
  'or withheld';
/** What can only be meant for a SIP user is taken as one; a number or a pattern that would never match is not. */
const LISTED = /^(?:\+[1-9]\d{6,14}|\+[1-9]\d{0,13}\*|(?!\d{7}|\+)[^\s@*:]+|[^\s@*:]*@[^\s@*:]+)$/;
/** Other words for it, and its misspellings, would count as SIP users that never call. */
const MEANT_WITHHELD = /^(?!withheld$)(?:wit?h{0,3}e?ld|anonymous|blocked|private|restricted|unavailable|unknown)$/i;
const isCaller = (word: string) => LISTED.test(word) && !MEANT_WITHHELD.test(word) && !NATIONAL.test(word);
const callerList = () =>
  z
    .array(z.string(listed).trim().refine(isCaller, listed), 'a list of callers')
    .min(1, 'a list with at least one caller')
    .max(10_000, 'a list of at most 10000 callers');

const REFUSED = 'busy, or a mapping with either say (a sentence) or forward_to (a phone number in E.164, quoted)';
const refused = () =>
  z.union(
    [
      z.literal('busy'),
      section({ say: sentence().optional(), forward_to: z.string(e164).regex(E164, e164).optional() }).refine(
        ({ say, forward_to: to }) => (say === undefined) !== (to === undefined),
        { error: REFUSED, when: ({ issues }) => issues.length === 0 },
      ),
    ],
    REFUSED,
  );

const endpoint = () =>
  text('the http or https URL of an API root, without query', /^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/);

const model = section({
  name: text('a model name', /^[\w.:/-]+$/).default('gpt-realtime-2.1'),
  voice: text('a voice name', /^[\w-]+$/).default('marin'),
  speed: number(0.25, 1.5).default(1),
  endpoint: endpoint().optional(),
  max_session_seconds: integer(60, 14_400, ' of seconds').default(3600),
  reasoning_effort: oneOf(['off', 'minimal', 'low', 'medium', 'high', 'xhigh']).default('off'),
  max_output_tokens: integer(1, 4096, ' of tokens').default(1024),
  noise_reduction: oneOf(['off', 'near_field', 'far_field']).default('off'),
  transcription: offOr(
    section({
      model: text('a transcription model', /^[\w.:/-]+$/).default('gpt-transcribe'),
      language: text('a language code such as en or pt-BR', /^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$/).optional(),
    }),
    'a mapping with model and language',
  ).prefault({}),
  truncation: z
    .union(
      [
        z.literal(['auto', 'disabled']),
        section({
          retention_ratio: number(0, 1).default(0.8),
          post_instruction_tokens: z
            .union(
              [z.literal('off'), z.int().min(1).max(1_000_000)],
              'off, or a whole number of tokens from 1 to 1000000',
            )
            .default(8000),
        }),
      ],
      'auto, disabled, or a mapping with retention_ratio and post_instruction_tokens',
    )
    .prefault({}),
});

const foreverOrDays = (min: number) => {
  const days = `a whole number of days from ${min} to 36500`;
  return z.union([z.literal('forever'), integer(min, 36_500, ' of days')], `forever, or ${days}`);
};

/** Less than a cent pays for no answer. */
const dollars = () =>
  offOr(number(0.01, 1_000_000, ' of dollars'), 'a number of dollars from 0.01 to 1000000').default('off');

/** What is said first when the file does not say. */
const GREETING = 'Hello, how can I help you?';

const greeting = offOr(
  section({
    text: sentence().default(GREETING),
    clip: wav().optional(),
    protected: flag().default(false),
  }),
  'a mapping with text, clip and protected',
).prefault({});

const turnTaking = section({
  detection: oneOf(['server_vad', 'semantic_vad', 'none']).default('server_vad'),
  threshold: number(0, 1).default(0.5),
  prefix_padding_ms: integer(0, 5000, ' of milliseconds').default(300),
  silence_ms: integer(100, 10_000, ' of milliseconds').default(500),
  eagerness: oneOf(['low', 'medium', 'high', 'auto']).default('auto'),
  interrupts_by: oneOf(['model', 'trunkline']).optional(),
  answers_by: oneOf(['model', 'trunkline']).optional(),
  interrupt_after_ms: integer(0, 5000, ' of milliseconds').default(0),
});

const NAME = /^[a-z][a-z0-9_]{0,31}$/;
const named = <T extends z.core.SomeType>(what: string, schema: T) =>
  z
    .record(z.string().regex(NAME, `${what}: small letters, digits and _, at most 32`), schema, 'a mapping of names')
    .refine((all) => Object.keys(all).length <= 64, 'at most 64 of them');
const SIP_URI = /^sips?:[^\s@<>"]{1,64}@[^\s@<>"]{1,180}$/i;
const person = `${e164}, or a SIP address: sip:desk@example.com`;

const transferTarget = section({
  to: z.string(person).refine((to) => E164.test(to) || SIP_URI.test(to), person),
  how: oneOf(['cold', 'warm']).default('cold'),
  ring_seconds: integer(5, 120, ' of seconds').default(20),
  when: text('a sentence that tells the agent when'),
});

const keypadField = section({
  what: text('a few words that tell the agent what it is'),
  digits: z.union(
    [
      integer(1, 32, ' of digits'),
      z.tuple([integer(1, 32), integer(1, 32)]).refine(([min, max]) => min <= max, 'fewest first'),
    ],
    'how many digits, from 1 to 32, or [fewest, most]',
  ),
  end_key: z.enum(['#', '*', 'off'], '"#", "*" or off').default('#'),
  timeout_seconds: number(2, 60, ' of seconds').default(8),
  sensitive: flag().default(false),
});

const words = (what: string) =>
  z
    .array(text(`${what}, with a letter or digit in each`, /[\p{L}\p{N}]/u), `a list: ${what}`)
    .min(1, `a list: ${what}`)
    .max(100);

const consent = section({
  by: oneOf(['voice_or_key', 'key']).default('voice_or_key'),
  yes: words('words of a caller who agrees').optional(),
  no: words('words of a caller who does not').optional(),
});

const regular =
  'a regular expression that matches some texts and not all, without a repeated part inside a repeated part, such as (a+)+';
const guardrail = section({
  name: text('a name'),
  watch: oneOf(['speech', 'arguments']),
  pattern: text(regular).refine((pattern) => isRegular(pattern), regular),
  instead: text('a sentence that tells the agent what to do instead'),
});

/** One that repeats inside what repeats can take for ever on a short text, and every call of the process with it. */
function isRegular(pattern: string): boolean {
  try {
    const made = new RegExp(pattern, 'iu');
    // One that matches each of these matches whatever anybody says.
    const matchesAll = ['a', 'z', '0', ' '].every((text) => made.test(text));
    return !made.test('') && !matchesAll && !repeatsRepeated(pattern);
  } catch {
    return false;
  }
}

/** Whether a group that holds a repetition (or a choice) is itself repeated; a reference back counts as well. */
function repeatsRepeated(pattern: string): boolean {
  const plain = pattern.replace(/\\[^1-9k]/g, '_').replace(/\[[^\]]*\]/g, '_');
  if (/\\[1-9k]/.test(plain)) return true;
  const open: boolean[] = [];
  for (let at = 0; at < plain.length; at++) {
    const char = plain[at] as string;
    if (char === '(') open.push(false);
    else if (/[*+{|]/.test(char)) open.fill(true);
    else if (char === ')' && open.pop() === true && /^[*+{]/.test(plain.slice(at + 1))) return true;
  }
  return false;
}

/** What an agent file may hold. */
export const agentSchema = section({
  name: text('a name of at most 64 characters on one line', /^[^\n\r]{1,64}$/).optional(),
  answers: z
    .array(answersElement, 'a list of phone numbers, SIP user names, or "*"')
    .min(1, 'a list with at least one phone number, SIP user name, or "*"'),
  model: model.prefault({}),
  instructions: text('a text: who the agent is and what it does'),
  greeting,
  turn_taking: turnTaking.prefault({}),
  silence: section({
    prompt_after_seconds: number(1, 600, ' of seconds').optional(),
    prompt: sentence().default('Are you still there?'),
    goodbye: sentence().default('I cannot hear you, so I will end this call now. Goodbye.'),
  }).prefault({}),
  limits: section({
    max_call_seconds: integer(1, 14_400, ' of seconds').optional(),
    wrap_up: sentence().default(
      'I am sorry, we have reached the time limit of this call. Thank you for calling, and goodbye.',
    ),
    model_stall_ms: integer(1000, 10_000, ' of milliseconds').default(3500),
    tool_ms: integer(100, 120_000, ' of milliseconds').default(8000),
    max_concurrent_calls: integer(1, 10_000, ' of calls').optional(),
  }).prefault({}),
  admission: section({
    allow: callerList().optional(),
    deny: callerList().optional(),
    attestation: oneOf(['off', 'A', 'B', 'C']).default('off'),
    calls_per_minute_per_caller: offOr(integer(1, 600, ' of calls'), 'a whole number of calls from 1 to 600').default(
      'off',
    ),
    calls_at_once_per_caller: offOr(integer(1, 1000, ' of calls'), 'a whole number of calls from 1 to 1000').default(
      'off',
    ),
    refused: section({
      denied: refused().default({ say: 'I am sorry, this number does not take your call. Goodbye.' }),
      limited: refused().default('busy'),
      full: refused().default('busy'),
      draining: refused().default('busy'),
      budget: refused().default({ say: 'I am sorry, we cannot take more calls today. Goodbye.' }),
    }).prefault({}),
  }).prefault({}),
  budget: section({
    per_call_usd: dollars(),
    per_caller_per_day_usd: dollars(),
    per_day_usd: dollars(),
    nearly: text('a sentence that tells the agent to come to an end').default(
      'Little is left of what this call may cost. Bring the conversation to its end within two short answers.',
    ),
    goodbye: sentence().default('I am sorry, I have to end our call here. Thank you for calling, and goodbye.'),
    forward_to: z.union([z.literal('off'), z.string().regex(E164)], `off, or ${e164}`).default('off'),
  }).prefault({}),
  tools: toolsSchema.optional(),
  outbound: outboundSchema.prefault({}),
  transfer: named('a target', transferTarget).default({}),
  keypad: named('a field', keypadField).default({}),
  consent: consent.prefault({}),
  notes: offOr(
    section({ dispositions: z.array(text('a word or two'), 'a list of what a call may be about').min(1).max(50) }),
    'a mapping with dispositions: what a call may be about',
  ).default('off'),
  send_dtmf: flag().default(false),
  sms: offOr(
    section({ from: z.string(e164).regex(E164, e164).optional(), per_call: integer(1, 10, ' of messages').default(1) }),
    'a mapping with from and per_call',
  ).default('off'),
  hand_off: z
    .record(z.string(), text('a sentence that tells the agent when'), 'a mapping: the name of an agent, and when')
    .default({}),
  guardrails: z
    .array(guardrail, 'a list of guardrails')
    .max(50, 'at most 50 guardrails')
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'each guardrail under a name of its own')
    .default([]),
  filler: section({
    after_ms: integer(500, 30_000, ' of milliseconds').optional(),
    say: offOr(sentence(), 'what the agent is told to say').default('off'),
    music: wav().optional(),
    music_after_ms: integer(0, 60_000, ' of milliseconds').default(2_000),
  }).prefault({}),
  end_call: section({
    enabled: flag().default(true),
    goodbye: sentence().default('Say a short, friendly goodbye.'),
  }).prefault({}),
  failure: section({
    hold: wav().optional(),
    hold_after_ms: integer(500, 10_000, ' of milliseconds').default(1700),
    fallback: offOr(
      section({
        model: text('a model name', /^[\w.:/-]+$/).optional(),
        endpoint: endpoint().optional(),
        voice: text('a voice name', /^[\w-]+$/).optional(),
      }).refine(({ model, endpoint: url }) => model !== undefined || url !== undefined, {
        error: 'a mapping with model, endpoint or both',
        when: ({ issues }) => issues.length === 0,
      }),
      'a mapping with model, endpoint or both',
    ).default('off'),
    apology: wav().optional(),
    apology_text: sentence().default(
      // What the shipped clip says.
      'I am sorry, we have a technical problem right now. Please call again in a few minutes. Goodbye.',
    ),
    forward_to: z.union([z.literal('off'), z.string().regex(E164)], `off, or ${e164}`).default('off'),
    voicemail: offOr(
      section({
        prompt: sentence().default('Nobody can take your call right now. Please leave a message after the tone.'),
        max_seconds: integer(5, 600, ' of seconds').default(120),
      }),
      'a mapping with prompt and max_seconds',
    ).default('off'),
  }).prefault({}),
  recording: offOr(
    section({ disclosure: text('the sentence that tells the caller about the recording') }),
    'a mapping with disclosure: the sentence that tells the caller about the recording',
  ).default('off'),
  retention: section({
    audio_days: foreverOrDays(0).optional(),
    text_days: foreverOrDays(0).optional(),
    // An entry that went with the call's day of admission could not tell a repeated webhook any more.
    metadata_days: foreverOrDays(1).default('forever'),
  }).prefault({}),
});

/** An agent file with its defaults filled in. */
export type AgentFile = z.infer<typeof agentSchema>;
