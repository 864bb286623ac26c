// The answers of a script file: what is wrong with them beyond the schema, and what they are for a session.
import type { YamlSource } from '../yaml/source.ts';
import { present } from './present.ts';
import type {
  Answer,
  AnswerItem,
  BesideAnswer,
  Part,
  Said,
  SayItem,
  Script,
  StampedItem,
  WhenAnswer,
} from './script.ts';
import type { AnswerEntry, PartEntry, ScriptFile, SpokenEntry } from './script-schema.ts';

/** An answer, also one of those that hold none to tool outputs. */
type Entry = AnswerEntry & { text?: string | undefined };

/** Every answer of the file, with its path. */
export function answersOf(file: ScriptFile): { path: PropertyKey[]; answer: Entry }[] {
  const parts = [
    { path: [] as PropertyKey[], part: file as PartEntry },
    ...(file.sessions ?? []).map((part, i) => ({ path: ['sessions', i] as PropertyKey[], part: part as PartEntry })),
  ];
  const outer = parts.flatMap(({ path, part }) =>
    inPart(part).map((one) => ({ ...one, path: [...path, ...one.path] })),
  );
  return outer.flatMap((one) => [
    one,
    ...(one.answer.after ?? []).map((answer, i) => ({ path: [...one.path, 'after', i], answer })),
  ]);
}

function inPart(part: PartEntry): { path: PropertyKey[]; answer: Entry }[] {
  const single = (['greeting', 'on_silence', 'fallback'] as const).flatMap((key) =>
    part[key] ? { path: [key], answer: part[key] } : [],
  );
  const oneOrList = (path: PropertyKey[], entry: Entry | readonly Entry[] | undefined) =>
    isList(entry) ? entry.map((answer, i) => ({ path: [...path, i], answer })) : entry ? { path, answer: entry } : [];
  const lists = ['turns', 'when_instructions', 'on_keys', 'on_text', 'out_of_band'] as const;
  const listed = lists.flatMap((key) => oneOrList([key], part[key]));
  const tools = Object.entries(part.after_tool ?? {}).flatMap(([tool, entry]) =>
    oneOrList(['after_tool', tool], entry),
  );
  return [...single, ...listed, ...tools];
}

const isList = <T>(entry: T | readonly T[] | undefined): entry is readonly T[] => Array.isArray(entry);

/** Which `reason` a status has. */
const REASONS: Record<string, readonly string[]> = {
  incomplete: ['max_output_tokens', 'content_filter'],
  cancelled: ['turn_detected', 'client_cancelled'],
};

/** What the schema cannot say: keys that need each other. */
export function checkAnswer(source: YamlSource, path: PropertyKey[], answer: Entry): void {
  for (const key of ['preamble', 'says'] as const)
    for (const [i, entry] of (answer[key] ?? []).entries()) {
      const place = [...path, key, i];
      if (isStamped(entry) && answer[key]?.length !== 1) source.fault(place, 'expected stamped audio to stand alone');
    }
  const only = (key: keyof Entry, where: string): void =>
    source.fault([...path, key], `expected only with ${where}`, 'key');
  if (answer.error && answer.status !== 'failed') only('error', 'status: failed');
  if (answer.reason && !REASONS[answer.status ?? '']?.includes(answer.reason)) {
    const [status] = Object.entries(REASONS).find(([, reasons]) => reasons.includes(answer.reason ?? '')) ?? [];
    only('reason', `status: ${status}`);
  }
  if (answer.stall && !answer.says && !answer.preamble) only('stall', 'says or preamble');
  if (answer.calls_first && !answer.calls) only('calls_first', 'calls');
  if (answer.text !== undefined && answer.says) only('text', 'no says: the words of says are its transcript');
}

/** The script of a file. */
export const scriptOf = (file: ScriptFile): Script => ({
  ...partOf(file),
  ...(file.sessions && {
    sessions: file.sessions.map((entry) => ({ match: present(entry.match), part: partOf(entry) })),
  }),
});

function partOf(entry: PartEntry): Part {
  const { greeting, turns, after_tool, when_instructions, on_keys, on_text, on_silence, out_of_band, fallback } = entry;
  return {
    ...(greeting && { greeting: answerOf(greeting) }),
    turns: turns.map(({ hears, ...answer }) => ({ ...(hears && { callerTranscript: hears }), ...answerOf(answer) })),
    ...(after_tool && {
      afterTool: Object.fromEntries(
        Object.entries(after_tool).map(([tool, answer]) => [
          tool,
          Array.isArray(answer) ? answer.map(whenAnswerOf) : answerOf(answer),
        ]),
      ),
    }),
    ...(when_instructions && {
      whenInstructions: when_instructions.map(({ contains, ...answer }) => ({ contains, answer: answerOf(answer) })),
    }),
    ...(on_keys && {
      onKeys: on_keys.map(({ keys, ...answer }) => ({ ...present({ contains: keys }), answer: answerOf(answer) })),
    }),
    ...(on_text && {
      onText: on_text.map(({ contains, ...answer }) => ({ ...present({ contains }), answer: answerOf(answer) })),
    }),
    ...(on_silence && { onSilence: answerOf(on_silence) }),
    ...(out_of_band && {
      outOfBand: Array.isArray(out_of_band) ? out_of_band.map(besideAnswerOf) : answerOf(out_of_band),
    }),
    ...(fallback && { fallback: answerOf(fallback) }),
    ...present({ unruly: entry.unruly }),
  };
}

type ListedBeside = Extract<NonNullable<PartEntry['out_of_band']>, readonly unknown[]>[number];

const besideAnswerOf = ({ metadata, contains, input, ...answer }: ListedBeside): BesideAnswer => ({
  ...present({ metadata, contains, input }),
  answer: answerOf(answer),
});

const whenAnswerOf = ({ when, ...answer }: NonNullable<AnswerEntry['after']>[number] & AnswerEntry): WhenAnswer => ({
  ...(when && { when: present(when) }),
  answer: answerOf(answer),
});

function answerOf(entry: Entry): Answer {
  const { first_delay_ms, status, error, reason, never, after } = entry;
  return {
    items: itemsOf(entry),
    ...present({ firstDelayMs: first_delay_ms, status, reason, never }),
    ...(error && { error: present(error) }),
    ...(after && { after: after.map(whenAnswerOf) }),
  };
}

function itemsOf({ preamble, says, transcript, text, calls = [], calls_first, stall }: Entry): AnswerItem[] {
  const said: AnswerItem[] = [];
  if (preamble) said.push(spokenItem(preamble));
  if (says) said.push({ ...spokenItem(says), ...(transcript && { transcript }) });
  // A pause in generation belongs to what is said last.
  if (stall) {
    const forMs = stall.for_ms === 'forever' ? Number.POSITIVE_INFINITY : stall.for_ms;
    Object.assign(said.at(-1) ?? {}, { stallAfterMs: stall.after_ms, stallMs: forMs });
  }
  if (text !== undefined) said.push({ text });
  const called = calls.map(({ tool, with: args, force, call_id, times, pause_ms }) => ({
    ...{ tool, arguments: args },
    ...present({ force, callId: call_id, times, pauseMs: pause_ms }),
  }));
  return calls_first ? [...called, ...said] : [...said, ...called];
}

function spokenItem(entries: readonly SpokenEntry[]): SayItem | StampedItem {
  const [first] = entries;
  if (isStamped(first)) return { stampedMs: first.stamped_ms };
  return { say: entries.flatMap((entry) => (typeof entry === 'string' ? entry : saidOf(entry))) };
}

const isStamped = (entry: SpokenEntry | undefined): entry is { stamped_ms: number } =>
  typeof entry === 'object' && 'stamped_ms' in entry;

/** Digits that are known are clips at once. */
function saidOf(entry: Exclude<SpokenEntry, string>): Said[] {
  if (!('number' in entry)) return [];
  if (/^\d+$/.test(entry.number)) return entry.number.split('').map((digit) => `digit_${digit}`);
  return [entry];
}
