// What of a turn and of a tool run is somebody's words, and what is a fact that may stay when the words go. The compiler asks
// for every field that is added.
import type { AgentUtterance, CallerTurn, ToolRecord, Turn } from '../../record/call-record.ts';

const KEEP = Symbol('keep');

/** What comes in the place of each field. */
type Blanks<T> = { [K in keyof Required<T>]: T[K] | typeof KEEP };

const CALLER_TURN: Blanks<CallerTurn> = {
  who: KEEP,
  turn: KEEP,
  speechStartAtMs: KEEP,
  speechStopAtMs: KEEP,
  committedAtMs: KEEP,
  transcript: null,
  latency: KEEP,
};

const UTTERANCE: Blanks<AgentUtterance> = {
  who: KEEP,
  utterance: KEEP,
  answer: KEEP,
  startAtMs: KEEP,
  soundAtMs: KEEP,
  outcome: KEEP,
  heardMs: KEEP,
  sentMs: KEEP,
  receivedMs: KEEP,
  text: '',
  heardText: '',
  unheardText: '',
  whole: KEEP,
};

const TOOL: Blanks<ToolRecord> = {
  toolCall: KEEP,
  name: KEEP,
  atMs: KEEP,
  status: KEEP,
  durationMs: KEEP,
  arguments: '',
  output: null,
};

/** The turn with everything that was said blank. */
export const turnWithoutWords = (turn: Turn): Turn =>
  turn.who === 'caller' ? blanked(turn, CALLER_TURN) : blanked(turn, UTTERANCE);

/** The run without what was asked and answered. */
export const toolWithoutWords = (run: ToolRecord): ToolRecord => blanked(run, TOOL);

/** Records of other versions may lack fields or have more: only what is there and is known is changed. */
function blanked<T extends object>(value: T, blanks: Blanks<T>): T {
  const fields = Object.entries(value).map(([key, now]) => {
    const blank = (blanks as Record<string, unknown>)[key];
    return [key, blank === undefined || blank === KEEP ? now : blank];
  });
  return Object.fromEntries(fields) as T;
}
