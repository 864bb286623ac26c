// The items of a scripted answer as they will be produced: values from tool outputs put in, calls repeated.
import { clip, clipNames } from './clips.ts';
import type { Call } from './output-item.ts';
import type { AnswerItem, Said, SayItem, StampedItem, TextItem, ToolItem } from './script.ts';
import { fill, fillText, hasPlaceholder } from './values.ts';
import type { Lookup } from './values.ts';

/** Speech of which every word is known. */
export type ReadySpeech = (Omit<SayItem, 'say'> & { say: readonly string[] }) | StampedItem;

export type ReadyCall = Call & { force: boolean };

export type ReadyItem = ReadySpeech | TextItem | ReadyCall;

/** What is said in a place for which there is a value, and no sound. */
const WORDLESS = 'short_ok';

/** Digits of one value that are said: tools may answer with anything. */
const MAX_DIGITS = 40;

/**
 * Puts values in. What has none is sent as it was written, as a model does that makes values up.
 * @param missing told of each placeholder without a value, and of each clip that there is not
 */
export function readyItems(items: readonly AnswerItem[], lookup: Lookup, missing: (what: string) => void): ReadyItem[] {
  const text = (template: string, where: Lookup = lookup): string => {
    const filled = fillText(template, where);
    filled.missing.forEach(missing);
    return filled.value;
  };
  return items.flatMap((item): ReadyItem[] => {
    if ('tool' in item) return readyCalls(item, lookup, missing, text);
    if ('text' in item) return [{ text: text(item.text) }];
    const transcript = item.transcript === undefined ? {} : { transcript: text(item.transcript) };
    return [{ ...('say' in item ? spoken(item, missing, text) : item), ...transcript }];
  });
}

type Text = (template: string, where?: Lookup) => string;

function readyCalls(item: ToolItem, lookup: Lookup, missing: (what: string) => void, text: Text): ReadyCall[] {
  const { tool, times = 1, callId, pauseMs, force = false } = item;
  return Array.from({ length: times }, (_, i) => {
    const counted: Lookup = (path) => (path.length === 1 && path[0] === 'n' ? i + 1 : lookup(path));
    const filled = fill(item.arguments, counted);
    filled.missing.forEach(missing);
    const { value } = filled;
    return {
      tool,
      arguments: typeof value === 'string' ? value : JSON.stringify(value),
      force,
      ...(callId !== undefined && { callId: text(callId, counted) }),
      ...(pauseMs !== undefined && { pauseMs }),
    };
  });
}

/** The clips of one item. Where something has none, the transcript still says it. */
function spoken(item: SayItem, missing: (what: string) => void, text: Text): ReadySpeech & { say: readonly string[] } {
  const pieces = item.say.map((said) => pieceOf(said, missing, text));
  const say = pieces.flatMap(({ clips }) => clips);
  const whole = pieces.every(({ clips }) => clips.length > 0);
  return {
    ...item,
    ...(!whole && item.transcript === undefined && { transcript: pieces.map(({ words }) => words).join(' ') }),
    say: say.length === 0 && item.say.length > 0 ? [WORDLESS] : say,
  };
}

function pieceOf(said: Said, missing: (what: string) => void, text: Text): { clips: string[]; words: string } {
  if (typeof said !== 'string') {
    const digits = text(said.number);
    // A number that stayed a placeholder may hold digits of its path.
    const clips = hasPlaceholder(digits)
      ? []
      : (digits.match(/\d/g) ?? []).slice(0, MAX_DIGITS).map((digit) => `digit_${digit}`);
    if (clips.length === 0 && !hasPlaceholder(digits)) missing(`digits in ${said.number}`);
    return { clips, words: clips.length > 0 ? clips.map((name) => clip(name).text).join(' ') : digits };
  }
  if (!hasPlaceholder(said)) return { clips: [said], words: clip(said).text };
  const filled = text(said);
  const name = filled.toLowerCase().replaceAll(/[^a-z\d]+/g, '_');
  if (!hasPlaceholder(filled) && clipNames().includes(name)) return { clips: [name], words: clip(name).text };
  if (!hasPlaceholder(filled)) missing(`a clip called ${said}`);
  return { clips: [], words: filled };
}
