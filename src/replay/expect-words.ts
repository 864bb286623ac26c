// Judges the words of a call: what the caller heard, and what was understood of the caller. Pure.
import type { CallResult } from './call-result.ts';
import type { Finding } from './expect.ts';
import { type Expected, regularOf } from './expect-schema.ts';
import { type Match, matchWithin, REGULAR_WITHIN_MS } from './match-within.ts';

/**
 * What the caller heard of the agent, or said.
 * @param unknown what to say when no record tells of words
 */
export function judgeWords(
  key: 'heard' | 'said',
  wanted: Expected['heard'],
  { turns, callId }: CallResult,
  unknown: string,
): Finding[] {
  if (wanted === undefined) return [];
  const who = key === 'heard' ? 'agent' : 'caller';
  const texts = turns.flatMap((turn) => (turn.who === who && turn.text !== null ? [turn.text] : []));
  const untold = texts.length === 0 && callId === null;
  const all = plain(texts.join(' '));
  return (['contains', 'never'] as const).flatMap((rule) => {
    const phrases = wanted[rule];
    if (phrases === undefined) return [];
    const asList = typeof phrases === 'string' ? [phrases] : phrases;
    return asList.map((phrase, i): Finding => {
      const place = placeOf(phrase, all);
      const late = place === 'too long';
      const has = place !== null;
      return {
        path: [key, rule, ...(typeof phrases === 'string' ? [] : [i])],
        ok: !untold && !late && has === (rule === 'contains'),
        expected: `${rule === 'contains' ? '' : 'never '}${JSON.stringify(phrase)}`,
        found: untold ? unknown : late ? TOO_LONG : all === '' ? 'no words' : excerpt(all, place),
      };
    });
  });
}

const TOO_LONG = `a regular expression that had not ended after ${REGULAR_WITHIN_MS} ms`;

/** With single blanks. */
export const plain = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** Where a phrase stands in a text; case and the width of blanks do not count. */
function placeOf(phrase: string, text: string): Match | null | 'too long' {
  const regular = regularOf(phrase);
  if (regular) return matchWithin(regular, text, REGULAR_WITHIN_MS);
  const at = text.toLowerCase().indexOf(plain(phrase).toLowerCase());
  return at < 0 ? null : { at, length: phrase.length };
}

const EXCERPT_CHARS = 160;

/** What surrounds the place, or the end of the text: what was said last is where the missing words would have been. */
function excerpt(text: string, place: Match | null): string {
  if (text.length <= EXCERPT_CHARS) return JSON.stringify(text);
  const from = Math.max(0, place ? place.at - 40 : text.length - EXCERPT_CHARS);
  const to = place ? Math.min(text.length, place.at + place.length + 40) : text.length;
  return JSON.stringify(`${from > 0 ? '…' : ''}${text.slice(from, to)}${to < text.length ? '…' : ''}`);
}
