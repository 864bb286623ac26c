// What the simulated model says and when: the script of one session, and the reader that finds the next answer in it.

/** Audio from clips, said one after the other, as one message item. */
export interface SayItem {
  say: string[];
  /** What the transcript events carry; the clips' texts when absent. */
  transcript?: string;
  /** Generation pauses once, `stallMs` long, after this much audio of the item. */
  stallAfterMs?: number;
  stallMs?: number;
}

/** A message item of audio whose every millisecond says which it is (see stamp.ts). */
export interface StampedItem {
  stampedMs: number;
  transcript?: string;
  stallAfterMs?: number;
  stallMs?: number;
}

/** A function call; left out when the session defines no such tool or `tool_choice` is `none`. */
export interface ToolItem {
  tool: string;
  /** A string is sent as it is, so it may be invalid JSON. */
  arguments: object | string;
}

/** One output item of an answer. */
export type AnswerItem = SayItem | StampedItem | ToolItem;

/** One response. */
export interface Answer {
  items: AnswerItem[];
  /** What the transcription of the caller's turn before this answer says; default empty. */
  callerTranscript?: string;
  /** How the response ends; default `completed`. Its last item is then `incomplete`, like the response. */
  status?: 'completed' | 'failed' | 'incomplete';
  /** `status_details.error` of a failed response. */
  error?: { type?: string; code?: string; message?: string };
  /** `status_details.reason` of an incomplete one; default `max_output_tokens`. */
  reason?: 'max_output_tokens' | 'content_filter';
  /** Time before the first output item; default the session's `firstDelayMs`. */
  firstDelayMs?: number;
  /** The connection ends once this much of the answer's audio has gone out; without `code` there is no close frame. */
  drop?: { afterMs: number; code?: number; reason?: string };
}

/** Everything one simulated model has to say. */
export interface Script {
  /** Answers a `response.create` that comes before any caller turn. */
  greeting?: Answer;
  /** Answers to the caller's turns, in order. */
  turns: Answer[];
  /** Answers a `response.create` that follows the output of this tool; of several the newest that is named here. */
  afterTool?: Record<string, Answer>;
  /** Answers a `response.create` whose `instructions` contain this text (any case); the first match wins, before all else. */
  whenInstructions?: { contains: string; answer: Answer }[];
  /** Answers a caller silence found by `idle_timeout_ms`. */
  onSilence?: Answer;
  /** Answers a `response.create` with `conversation: "none"`; default `short_ok`. */
  outOfBand?: Answer;
  /** Answers when nothing else is left; default `sorry_repeat`. */
  fallback?: Answer;
}

/** Why a response is being made. */
export type Occasion =
  | { why: 'turn' }
  | { why: 'silence' }
  | {
      why: 'client';
      instructions: string;
      outOfBand: boolean;
      callerHasSpoken: boolean;
      /** The tools whose outputs have not been answered yet, newest first; asking settles them. */
      takeToolOutputs(): string[];
    };

const NOTHING_LEFT: Answer = { items: [{ say: ['sorry_repeat'] }] };
const BESIDE: Answer = { items: [{ say: ['short_ok'] }] };

/** Reads one script from front to back. */
export class ScriptReader {
  #script: Script;
  #turn = 0;

  constructor(script: Script) {
    this.#script = script;
  }

  /** What the caller is taken to have said in the turn that will be answered next. */
  get callerTranscript(): string {
    return (this.#script.turns[this.#turn] ?? this.#fallback).callerTranscript ?? '';
  }

  /** The answer for this occasion; a caller turn uses up one entry of `turns`. */
  next(occasion: Occasion): Answer {
    const script = this.#script;
    if (occasion.why === 'silence') return script.onSilence ?? this.#fallback;
    if (occasion.why === 'client') {
      const wanted = occasion.instructions.toLowerCase();
      const told = script.whenInstructions?.find(({ contains }) => wanted.includes(contains.toLowerCase()));
      if (told) return told.answer;
      if (occasion.outOfBand) return script.outOfBand ?? BESIDE;
      const tools = occasion.takeToolOutputs();
      const answered = tools.find((tool) => script.afterTool?.[tool]);
      if (tools.length > 0) return script.afterTool?.[answered ?? ''] ?? this.#fallback;
      if (!occasion.callerHasSpoken) return script.greeting ?? this.#fallback;
    }
    return script.turns[this.#turn++] ?? this.#fallback;
  }

  get #fallback(): Answer {
    return this.#script.fallback ?? NOTHING_LEFT;
  }
}
