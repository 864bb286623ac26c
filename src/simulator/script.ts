// What the simulated model says and when: the script of a session. Texts may hold values from tool outputs (values.ts), patterns
// are words in any case or `/expressions/` (pattern.ts).

/** One piece of speech: the name of a clip, or digits said one by one. */
export type Said = string | { number: string };

/** Audio from clips, said one after the other, as one message item. */
export interface SayItem {
  say: readonly Said[];
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

/** A message item of text; where the response is audio, its transcript. */
export interface TextItem {
  text: string;
}

/** A function call; left out when the session defines no such tool or `tool_choice` is `none`. */
export interface ToolItem {
  tool: string;
  /** A string is sent as it is, so it may be invalid JSON. */
  arguments: object | string;
  /** Called whether the session allows it or not. */
  force?: boolean;
  /** Default a fresh one. */
  callId?: string;
  /** So many calls of it, parallel; `{{n}}` counts them from 1. Default 1. */
  times?: number;
  /** A pause in the middle of its arguments. */
  pauseMs?: number;
}

/** One output item of an answer. */
export type AnswerItem = SayItem | StampedItem | TextItem | ToolItem;

/** One response. */
export interface Answer {
  items: AnswerItem[];
  /** What the transcription of the caller's turn before this answer says; default empty. */
  callerTranscript?: string;
  /** How the response ends; default `completed`. Its last item is then `incomplete`, like the response. */
  status?: 'completed' | 'failed' | 'incomplete' | 'cancelled';
  /** `status_details.error` of a failed response. */
  error?: { type?: string; code?: string; message?: string };
  /** `status_details.reason` of an incomplete one (default `max_output_tokens`), or of a cancelled one (`turn_detected`). */
  reason?: 'max_output_tokens' | 'content_filter' | 'turn_detected' | 'client_cancelled';
  /** Time before the first output item; default the session's `firstDelayMs`. */
  firstDelayMs?: number;
  /** The connection ends once this much of the answer's audio has gone out; without `code` there is no close frame. */
  drop?: { afterMs: number; code?: number; reason?: string };
  /** Never `begun`: there is no response at all. Never `ended`: it is created and says nothing until it is cancelled. */
  never?: 'begun' | 'ended';
  /** Answers to the outputs of its calls, and of the calls that these answers make; each is used once. */
  after?: readonly WhenAnswer[];
}

/** Which tool outputs an answer is for: one of those that have not been answered must fit. */
export interface When {
  tool?: string;
  /** A pattern. */
  output?: string;
}

export interface WhenAnswer {
  when?: When;
  answer: Answer;
}

/** An answer to a text with this pattern. */
export interface TextAnswer {
  contains?: string;
  answer: Answer;
}

/** An answer beside the conversation; what is absent fits all. */
export interface BesideAnswer {
  /** Pairs that the response's metadata must have. */
  metadata?: Readonly<Record<string, string>>;
  /** A pattern in the instructions. */
  contains?: string;
  /** A pattern in the texts of the input. */
  input?: string;
  answer: Answer;
}

/** What one simulated agent has to say. */
export interface Part {
  /** Answers a `response.create` that comes before any caller turn. */
  greeting?: Answer;
  /** Answers to the caller's turns, in order. */
  turns: Answer[];
  /**
   * Answers a `response.create` that follows the output of this tool; of several the newest that is named here. Of a list the
   * first that fits.
   */
  afterTool?: Readonly<Record<string, Answer | readonly WhenAnswer[]>>;
  /** Answers a `response.create` whose `instructions` fit; the first match wins, before all else. */
  whenInstructions?: readonly { contains: string; answer: Answer }[];
  /** Answers keys that the caller has pressed; the pattern is for the keys, without spaces. */
  onKeys?: readonly TextAnswer[];
  /** Answers any other text that the client has put into the conversation as user or system. */
  onText?: readonly TextAnswer[];
  /** Answers a caller silence found by `idle_timeout_ms`. */
  onSilence?: Answer;
  /** Answers a `response.create` with `conversation: "none"`; default what its input says in short. */
  outOfBand?: Answer | readonly BesideAnswer[];
  /** Answers when nothing else is left; default `sorry_repeat`. */
  fallback?: Answer;
  /** Every call is made, whether the session allows it or not. */
  unruly?: boolean;
}

/** Which configuration of a session a part is for; what is absent fits all. */
export interface SessionMatch {
  /** A pattern in the instructions. */
  instructions?: string;
  /** Tools that there must be. */
  tools?: readonly string[];
  model?: string;
}

/** Everything one simulated model has to say. */
export interface Script extends Part {
  /** Parts for sessions of a certain configuration; where none fits, the script itself speaks. */
  sessions?: readonly { match: SessionMatch; part: Part }[];
}
