// How much of what an agent said was heard, in words. Pure.

/** A word: a run without spaces; in scripts that write none, a character. */
const WORD = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]|[^\s\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]+/gu;

export interface SplitText {
  heard: string;
  unheard: string;
}

/** Splits a text at the words heard by `fraction` of its sound, rounded down to whole words. */
export function splitHeard(text: string, fraction: number): SplitText {
  const words = [...text.matchAll(WORD)];
  const count = Math.floor(words.length * Math.min(1, Math.max(0, fraction)));
  const last = words[count - 1];
  if (last === undefined) return { heard: '', unheard: text.trim() };
  const end = last.index + last[0].length;
  return { heard: text.slice(0, end).trim(), unheard: text.slice(end).trim() };
}

/** How many words a text has. */
export const wordCount = (text: string): number => text.match(WORD)?.length ?? 0;
