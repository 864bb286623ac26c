// Heard text: never more words than were said, never more than the share of the sound that was heard.
import { expect, test } from 'vitest';
import { splitHeard, wordCount } from '../../src/heard-text.ts';
import fc from '../support/fast-check.ts';

test.each([
  ['Your order left on Monday.', 0, '', 'Your order left on Monday.'],
  ['Your order left on Monday.', 0.19, '', 'Your order left on Monday.'],
  ['Your order left on Monday.', 0.2, 'Your', 'order left on Monday.'],
  ['Your order left on Monday.', 0.79, 'Your order left', 'on Monday.'],
  ['Your order left on Monday.', 1, 'Your order left on Monday.', ''],
  ['  Two \n words ', 0.5, 'Two', 'words'],
  ['', 1, '', ''],
  ['您的订单已发货', 0.5, '您的订', '单已发货'],
])('%j at %d: %j was heard, %j was not', (text, fraction, heard, unheard) => {
  expect(splitHeard(text, fraction)).toEqual({ heard, unheard });
});

test('heard words are at most the share of the words, and with the unheard ones they are all of them', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.double({ min: -1, max: 2, noNaN: true }), (text, fraction) => {
      const { heard, unheard } = splitHeard(text, fraction);
      const all = wordCount(text);
      expect(wordCount(heard) + wordCount(unheard)).toBe(all);
      expect(wordCount(heard)).toBe(Math.floor(all * Math.min(1, Math.max(0, fraction))));
    }),
  );
});
