// What the API says was used, by modality. Missing counts are 0, and what a total says beyond its details is not lost;
// whatever cannot be right as it came is named as a doubt. Pure.
import type { Usage, UsageDoubt } from '../session.ts';
import { type Json, object } from './json.ts';

/** The tokens of one usage object. */
export type TokenUsage = Omit<Extract<Usage, { unit: 'tokens' }>, 'source' | 'what' | 'model' | 'unit'>;

export interface TimeUsage {
  seconds: number;
  doubt?: UsageDoubt;
}

/** More than any model takes or gives at once. */
const MAX_TOKENS = 1e7;
/** More than any session lasts. */
const MAX_SECONDS = 86_400;

/** The usage of a response; null where nothing is said. */
export const answerUsage = (usage: Json | null): TokenUsage | null => tokenUsage(usage, 'text');

/** The usage of a transcription: by tokens or by time, as its model is sold; null where nothing is said. */
export function transcriptionUsage(usage: Json | null): TokenUsage | TimeUsage | null {
  if (usage?.type !== 'duration') {
    // Only text can come out of it; there are no details for that.
    const output = (usage?.output_tokens ?? null) === null ? null : { text_tokens: usage?.output_tokens };
    return tokenUsage(usage && { ...usage, output_token_details: output }, 'audio');
  }
  const { seconds } = usage;
  const fits = typeof seconds === 'number' && seconds >= 0 && seconds <= MAX_SECONDS;
  return fits ? { seconds } : { seconds: 0, doubt: 'absurd_count' };
}

/** @param rest what input is taken for where it is not said */
function tokenUsage(usage: Json | null, rest: 'text' | 'audio'): TokenUsage | null {
  const said = ['input_tokens', 'output_tokens', 'input_token_details', 'output_token_details'];
  if (!usage || said.every((key) => (usage[key] ?? null) === null)) return null;
  const doubts = new Set<UsageDoubt>();
  const input = object(usage.input_token_details);
  const all = counts(input, doubts);
  const beyond = count(usage.input_tokens, doubts) - all.text - all.audio - all.image;
  if (beyond > 0) {
    all[rest] += beyond;
    doubts.add('details_missing');
  }
  const cached = cachedOf(input, all, doubts);
  const output = object(usage.output_token_details);
  const audioOut = count(output?.audio_tokens, doubts);
  let textOut = count(output?.text_tokens, doubts);
  const outBeyond = count(usage.output_tokens, doubts) - textOut - audioOut;
  if (outBeyond > 0) {
    textOut += outBeyond;
    doubts.add('details_missing');
  }
  const doubt = WORST_FIRST.find((one) => doubts.has(one));
  return {
    textIn: all.text,
    audioIn: all.audio,
    imageIn: all.image,
    cachedTextIn: cached.text,
    cachedAudioIn: cached.audio,
    cachedImageIn: cached.image,
    textOut,
    audioOut,
    ...(doubt ? { doubt } : {}),
  };
}

type Counts = Record<'text' | 'audio' | 'image', number>;

/** Cached counts are a part of input. Where only their total is known it is taken as text first (cheapest error). */
function cachedOf(input: Json | null, all: Counts, doubts: Set<UsageDoubt>): Counts {
  const given = counts(object(input?.cached_tokens_details), doubts);
  let beyond = count(input?.cached_tokens, doubts) - given.text - given.audio - given.image;
  if (beyond > 0) doubts.add('cached_split_unknown');
  const part = (kind: keyof Counts): number => {
    if (given[kind] > all[kind]) doubts.add('cached_exceeds_input');
    const known = Math.min(given[kind], all[kind]);
    const more = Math.max(0, Math.min(beyond, all[kind] - known));
    beyond -= more;
    return known + more;
  };
  const cached = { text: part('text'), audio: part('audio'), image: part('image') };
  if (beyond > 0) doubts.add('cached_exceeds_input');
  return cached;
}

const counts = (details: Json | null, doubts: Set<UsageDoubt>): Counts => ({
  text: count(details?.text_tokens, doubts),
  audio: count(details?.audio_tokens, doubts),
  image: count(details?.image_tokens, doubts),
});

function count(value: unknown, doubts: Set<UsageDoubt>): number {
  if (value === undefined || value === null) return 0;
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TOKENS) return value as number;
  doubts.add('absurd_count');
  return 0;
}

const WORST_FIRST: readonly UsageDoubt[] = [
  'absurd_count',
  'cached_exceeds_input',
  'details_missing',
  'cached_split_unknown',
];
