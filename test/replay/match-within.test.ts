// A regular expression within a time: what it finds, and one that would never end.
import { expect, test } from 'vitest';
import { matchWithin } from '../../src/replay/match-within.ts';

test('finds the first place, or none', () => {
  expect(matchWithin(/forty.two/iu, 'It costs Forty-two dollars, forty two.', 1_000)).toEqual({ at: 9, length: 9 });
  expect(matchWithin(/never/u, 'It costs forty-two dollars.', 1_000)).toBeNull();
});

test('an expression that would take for ever is given up', () => {
  // 2^60 ways to part the letters, none of which ends the text.
  expect(matchWithin(/^(a+)+$/u, `${'a'.repeat(60)}!`, 50)).toBe('too long');
  // And the next one is found again.
  expect(matchWithin(/a!$/u, `${'a'.repeat(60)}!`, 1_000)).toEqual({ at: 59, length: 2 });
});
