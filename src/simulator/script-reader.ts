// Finds the next answer in a script: which part of it the session's configuration calls for, and what there is for the occasion.
import { matches } from './pattern.ts';
import type { Answer, BesideAnswer, Part, Script, SessionMatch, TextAnswer, When, WhenAnswer } from './script.ts';
import type { ToolOutput } from './values.ts';

/** Why a response is being made. */
export type Occasion = { why: 'turn' } | { why: 'silence' } | ClientOccasion | BesideOccasion;

/** A `response.create` in the conversation. Asking for what has not been answered settles it. */
export interface ClientOccasion {
  why: 'client';
  instructions: string;
  callerHasSpoken: boolean;
  /** Texts that the client has put into the conversation, oldest first. */
  takeTexts(): string[];
  /** Newest first. */
  takeToolOutputs(): ToolOutput[];
}

/** A `response.create` beside the conversation. */
export interface BesideOccasion {
  why: 'beside';
  instructions: string;
  metadata: Readonly<Record<string, string>>;
  /** Texts of its input, oldest first. */
  input: readonly string[];
  /** The input was given; else it is the conversation. */
  givenInput: boolean;
}

/** What a session is configured as. */
export type Configured = { instructions: string; model: string; tools: readonly { name?: string }[] };

/** An answer, and the answers to the outputs of the calls in it. */
export interface Chosen {
  answer: Answer;
  /** Calls that are not allowed are made as well. */
  unruly: boolean;
  after: AfterCalls | undefined;
}

/** Calls whose outputs are still answered by the turn that made them. */
const MAX_CALLS = 1000;

/** Reads one script, for one session. */
export class ScriptReader {
  #base: PartReader;
  #parts: { match: SessionMatch; reader: PartReader }[];
  #configured: () => Configured;
  #afterCall = new Map<string, AfterCalls>();

  constructor(script: Script, configured: () => Configured) {
    const after = (callId: string): AfterCalls | undefined => this.#afterCall.get(callId);
    this.#base = new PartReader(script, after, false);
    this.#parts = (script.sessions ?? []).map(({ match, part }) => ({
      match,
      reader: new PartReader(part, after, true),
    }));
    this.#configured = configured;
  }

  /** What the caller is taken to have said in the turn that will be answered next. */
  get callerTranscript(): string {
    return this.#reader.callerTranscript;
  }

  /** The answer for this occasion; a caller turn uses up one entry of `turns`. */
  next(occasion: Occasion): Chosen {
    return this.#reader.next(occasion);
  }

  /** A call of `chosen` has been made. */
  called(callId: string, { after }: Chosen): void {
    if (!after) return;
    this.#afterCall.set(callId, after);
    const [oldest] = this.#afterCall.keys();
    if (this.#afterCall.size > MAX_CALLS && oldest !== undefined) this.#afterCall.delete(oldest);
  }

  get #reader(): PartReader {
    const session = this.#configured();
    return this.#parts.find(({ match }) => fitsSession(match, session))?.reader ?? this.#base;
  }
}

function fitsSession({ instructions, tools = [], model }: SessionMatch, session: Configured): boolean {
  if (instructions !== undefined && !matches(instructions, session.instructions)) return false;
  if (model !== undefined && model !== session.model) return false;
  return tools.every((tool) => session.tools.some(({ name }) => name === tool));
}

/** The answers to the outputs of one turn's calls; each is used once, so that no chain of calls is without end. */
class AfterCalls {
  #entries: readonly WhenAnswer[];
  #used = new Set<WhenAnswer>();

  constructor(entries: readonly WhenAnswer[]) {
    this.#entries = entries;
  }

  next(outputs: readonly ToolOutput[]): Answer | undefined {
    const entry = this.#entries.find((one) => !this.#used.has(one) && fitsOutputs(one.when, outputs));
    if (entry) this.#used.add(entry);
    return entry?.answer;
  }
}

const fitsOutputs = (when: When | undefined, outputs: readonly ToolOutput[]): boolean =>
  outputs.some(
    ({ tool, output }) =>
      (when?.tool === undefined || when.tool === tool) && (when?.output === undefined || matches(when.output, output)),
  );

const NOTHING_LEFT: Answer = { items: [{ say: ['sorry_repeat'] }] };
const BESIDE: Answer = { items: [{ say: ['short_ok'] }] };

/** How the server tells the model which keys the caller has pressed. */
const KEYS = /^\[The caller pressed keys: ?(.*)\]$/s;

/** Reads one part from front to back. */
class PartReader {
  #part: Part;
  #afterCall: (callId: string) => AfterCalls | undefined;
  /** It may begin in the middle of a call: its greeting is for the first answer that it gives. */
  #takesOver: boolean;
  #turn = 0;
  #used = new Set<TextAnswer>();

  constructor(part: Part, afterCall: (callId: string) => AfterCalls | undefined, takesOver: boolean) {
    this.#part = part;
    this.#afterCall = afterCall;
    this.#takesOver = takesOver;
  }

  get callerTranscript(): string {
    return (this.#part.turns[this.#turn] ?? this.#fallback).callerTranscript ?? '';
  }

  next(occasion: Occasion): Chosen {
    switch (occasion.why) {
      case 'silence':
        return this.#chosen(this.#part.onSilence ?? this.#fallback);
      case 'beside':
        return this.#chosen(this.#beside(occasion));
      case 'client':
        return this.#asked(occasion);
      default:
        return this.#nextTurn();
    }
  }

  #asked(occasion: ClientOccasion): Chosen {
    const part = this.#part;
    const told = part.whenInstructions?.find(({ contains }) => matches(contains, occasion.instructions));
    if (told) return this.#chosen(told.answer);
    const texts = occasion.takeTexts();
    const read = this.#reads(texts);
    if (read) return this.#chosen(read.answer);
    if (this.#takesOver && part.greeting) {
      this.#takesOver = false;
      // What was recalled has been answered by whoever had the call before.
      occasion.takeToolOutputs();
      return this.#chosen(part.greeting);
    }
    const outputs = occasion.takeToolOutputs();
    if (outputs.length > 0) return this.#afterTools(outputs);
    if (!occasion.callerHasSpoken) return this.#chosen(part.greeting ?? this.#fallback);
    return this.#nextTurn();
  }

  #nextTurn(): Chosen {
    this.#takesOver = false;
    return this.#chosen(this.#part.turns[this.#turn++] ?? this.#fallback);
  }

  /** What there is for the newest text that there is something for; what was not said yet goes first. */
  #reads(texts: readonly string[]): TextAnswer | undefined {
    const { onKeys = [], onText = [] } = this.#part;
    for (const text of texts.toReversed()) {
      const keys = KEYS.exec(text)?.[1]?.replaceAll(/\s/g, '');
      const fitting =
        keys === undefined
          ? onText.filter(({ contains }) => contains === undefined || matches(contains, text))
          : onKeys.filter(({ contains }) => contains === undefined || fitsKeys(contains, keys));
      const entry = fitting.find((one) => !this.#used.has(one)) ?? fitting.at(-1);
      if (entry) this.#used.add(entry);
      if (entry) return entry;
    }
    return undefined;
  }

  #afterTools(outputs: readonly ToolOutput[]): Chosen {
    for (const after of new Set(outputs.map(({ callId }) => this.#afterCall(callId)))) {
      const answer = after?.next(outputs.filter(({ callId }) => this.#afterCall(callId) === after));
      if (answer) return this.#chosen(answer, after);
    }
    for (const output of outputs) {
      const named = own(this.#part.afterTool, output.tool);
      const answer = isList(named) ? named.find(({ when }) => fitsOutputs(when, [output]))?.answer : named;
      // A chain that it goes on with is still that turn's.
      if (answer) return this.#chosen(answer, this.#afterCall(output.callId));
    }
    return this.#chosen(this.#fallback);
  }

  #beside({ instructions, metadata, input, givenInput }: BesideOccasion): Answer {
    const { outOfBand } = this.#part;
    if (outOfBand !== undefined && !isList(outOfBand)) return outOfBand;
    const fits = (entry: BesideAnswer): boolean =>
      Object.entries(entry.metadata ?? {}).every(([key, value]) => own(metadata, key) === value) &&
      (entry.contains === undefined || matches(entry.contains, instructions)) &&
      (entry.input === undefined || matches(entry.input, input.join('\n')));
    const entry = outOfBand?.find(fits);
    if (entry) return entry.answer;
    return givenInput ? { items: [{ text: inShort(input) }] } : BESIDE;
  }

  #chosen(answer: Answer, after?: AfterCalls): Chosen {
    const unruly = this.#part.unruly ?? false;
    return { answer, unruly, after: answer.after ? new AfterCalls(answer.after) : after };
  }

  get #fallback(): Answer {
    return this.#part.fallback ?? NOTHING_LEFT;
  }
}

/** Keys as they were written in the script, or an expression. */
const fitsKeys = (pattern: string, keys: string): boolean =>
  pattern.startsWith('/') ? matches(pattern, keys) : pattern.replaceAll(/\s/g, '') === keys;

const MAX_SHORT = 400;

const inShort = (texts: readonly string[]): string =>
  `${texts.length} item${texts.length === 1 ? '' : 's'}: ${texts.join(' / ')}`.slice(0, MAX_SHORT);

const isList = <One, Entry>(value: One | readonly Entry[]): value is readonly Entry[] => Array.isArray(value);

/** A property of its own: names of tools and of metadata are the client's. */
const own = <T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined =>
  record && Object.hasOwn(record, key) ? record[key] : undefined;
