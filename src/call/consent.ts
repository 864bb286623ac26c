// What cannot be undone is done only when the caller has heard it read back, whole, and has agreed since: by a turn of
// theirs, with a yes in its words where words are known, or by the key 1. The model's own word for it counts for nothing,
// and neither do words alone. Pure.
import { change, type Draft } from './draft.ts';
import type { SettledUtterance } from './effect.ts';
import type { Consent, LiveState } from './state.ts';
import { settleTool } from './tool-outcome.ts';

/** Words of a turn that were not known by then will not be waited for. */
export const WORDS_WITHIN_MS = 2_500;
/** Nobody remembers what was read to them longer ago. */
const VALID_MS = 180_000;
const MAX_TURNS = 8;
const MAX_PARTS = 16;
/** Longer arguments are never agreed to: nobody can read them back. */
const MAX_ARGUMENTS = 8_000;
const AGREE_KEY = '1';

/** A tool that cannot be undone was asked for, and is sound: from now on it waits for the caller. */
export function askConsent(d: Draft, tool: string, args: string): void {
  const sorted = canonical(args);
  if (sorted === null) return change(d, { consent: null });
  change(d, {
    consent: {
      ...{ tool, args: sorted, stage: 'asked', readBack: [], sinceMs: d.atMs },
      ...{ turns: [], key: false, refused: false, waiting: null },
    },
  });
}

/**
 * May it run? `none`: nothing is known of it; `wait`: only the caller's words are missing; else why not. `over`: the caller
 * said no, and it has to be read back anew.
 */
export type Verdict = 'none' | 'agreed' | 'wait' | { sentence: string; quietly: boolean; over?: true };

/** What the caller has said to these very arguments. */
export function verdict(state: LiveState, tool: string, args: string, atMs: number): Verdict {
  const { consent, policy, turn } = state;
  if (consent === null || consent.tool !== tool || consent.args !== canonical(args)) return 'none';
  if (atMs - consent.sinceMs > VALID_MS) return 'none';
  if (consent.stage === 'asked')
    return no('the caller has not heard all of it. Read it back once more, then wait for a yes');
  // A model that asks again without waiting: what it said is not said twice.
  if (consent.stage === 'reading')
    return { ...no('the caller is still hearing it. Wait for what they say to it'), quietly: true };
  const { by, transcribes } = policy.errands.consent;
  const { turns, key } = consent;
  const heard = turns.map(({ words }) => (words === null ? null : answerIn(words, policy.errands.consent)));
  if (consent.refused || heard.includes('no'))
    return { ...no('the caller did not agree. Ask what they want instead'), over: true };
  if (by === 'key' && !key) return no('the caller has to agree with a key. Ask them to press 1');
  if (turns.length === 0 && !key)
    return { ...no('the caller has not answered yet. Wait for a plain yes'), quietly: turn.answer?.spoke === true };
  // Who says more is heard out: it may be a "no, wait".
  if (turn.callerSpeaking || (transcribes && heard.includes(null))) return 'wait';
  return key || !transcribes || heard.includes('yes') ? 'agreed' : no(UNCLEAR);
}

const UNCLEAR = 'no clear yes was heard. Ask for a plain yes, or to press 1';

const no = (why: string) => ({ sentence: `Not done: ${why}.`, quietly: false });

/** Words that are not known by now count as none. */
export function withoutWords(d: Draft): void {
  const { consent } = d.state;
  if (consent === null) return;
  put(d, consent, { turns: consent.turns.map(({ turn, words }) => ({ turn, words: words ?? '' })) });
}

/** The first sound of an utterance: it is taken as the read-back, or as one more part of it. */
export function readBackBegins(d: Draft, utterance: string): void {
  const { consent } = d.state;
  if (consent === null || consent.turns.length > 0 || consent.key || consent.refused) return;
  // What we ask for ourselves ("are you still there?") reads nothing back, and a yes to it is a yes to that.
  if (d.state.turn.asked !== null) return put(d, consent, { stage: 'asked', readBack: [] });
  put(d, consent, { stage: 'reading', readBack: [...consent.readBack, utterance].slice(-MAX_PARTS) });
}

/** What became of an utterance: a read-back counts only when all of it was heard. */
export function readBackSettled(d: Draft, { outcome, utterance }: SettledUtterance): void {
  const { consent } = d.state;
  if (consent === null || !consent.readBack.includes(utterance)) return;
  if (outcome !== 'heard') return put(d, consent, { stage: 'asked', readBack: [] });
  const readBack = consent.readBack.filter((one) => one !== utterance);
  put(d, consent, { stage: readBack.length === 0 ? 'heard' : 'reading', readBack });
}

/** The answer broke off: what is here of it may sound to its end, and is not all of it. */
export function readBackLost(d: Draft): void {
  const { consent } = d.state;
  if (consent?.stage === 'reading') put(d, consent, { stage: 'asked', readBack: [] });
}

/** The caller's turn is over: it answers what was read back before. */
export function turnTaken(d: Draft, turn: string): void {
  const { consent } = d.state;
  if (consent?.stage !== 'heard') return;
  const { waiting } = consent;
  put(d, consent, {
    turns: [...consent.turns.slice(1 - MAX_TURNS), { turn, words: null }],
    // A "no" that follows at once is waited for as long as what came before it.
    waiting: waiting === null ? null : { ...waiting, sinceMs: d.atMs },
  });
}

/** The words of a turn are known. */
export function wordsKnown(d: Draft, turn: string, words: string): void {
  const { consent } = d.state;
  if (consent === null || !consent.turns.some((one) => one.turn === turn)) return;
  put(d, consent, { turns: consent.turns.map((one) => (one.turn === turn ? { turn, words } : one)) });
}

/** A key: 1 agrees to what was heard, every other refuses. */
export function keyTaken(d: Draft, key: string): void {
  const { consent } = d.state;
  if (consent?.stage !== 'heard') return;
  // What was said before it is overruled; what is said after it still counts.
  if (key === AGREE_KEY) put(d, consent, { key: true, turns: [] });
  else put(d, consent, { refused: true });
}

function put(d: Draft, consent: Consent, part: Partial<Consent>): void {
  change(d, { consent: { ...consent, ...part } });
}

/** A yes, a no (which weighs more), or neither; whole words, however they are written. */
function answerIn(words: string, { yes, no: refusing }: { yes: readonly string[]; no: readonly string[] }) {
  const said = plain(words);
  // "That isn't right" is no yes, whichever of the many such words it is.
  if (holds(said, refusing) || /\p{L}n't /u.test(said)) return 'no';
  // "Okay, and what does it cost?" agrees to nothing.
  return holds(plain(words.replace(/[^.!?\uff1f]*[?\uff1f]/gu, ' ')), yes) ? 'yes' : 'unclear';
}

const holds = (said: string, list: readonly string[]): boolean => list.some((word) => said.includes(plain(word)));

/** Between blanks: small letters, composed, with the one apostrophe that lists are written with; transcripts have others. */
const plain = (words: string): string =>
  ` ${words
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\u2018\u2019\u02bc\uff07`\u00b4]/g, "'")
    .replace(/[^\p{L}\p{N}']+/gu, ' ')
    .trim()} `;

/** JSON text with its keys in order; null where it is none, or too long. */
export function canonical(args: string): string | null {
  if (args.length > MAX_ARGUMENTS) return null;
  try {
    return JSON.stringify(sorted(args.trim() === '' ? {} : (JSON.parse(args) as unknown)));
  } catch {
    return null;
  }
}

function sorted(value: unknown): unknown {
  // No list may look like the members of an object.
  if (Array.isArray(value)) return ['[', ...value.map(sorted)];
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return ['{', ...entries.map(([key, one]) => [key, sorted(one)])];
}

/** A tool waits for nothing but the caller's words. */
export function waitForWords(d: Draft, toolCall: string): void {
  const { consent } = d.state;
  if (consent !== null) put(d, consent, { waiting: { toolCall, sinceMs: d.atMs } });
}

/** What was read back does not count any more: a tool that waits for an answer to it is told why. */
export function dropConsent(d: Draft, why: string, quietly = false): void {
  const { consent, tools } = d.state;
  if (consent === null) return;
  change(d, { consent: null });
  const toolCall = consent.waiting?.toolCall;
  if (toolCall !== undefined && tools[toolCall] === 'asking') settleTool(d, toolCall, `Not done: ${why}.`, quietly);
}
