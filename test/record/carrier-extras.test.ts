// What a bill says of people who were rung up and of text messages.
import { expect, test } from 'vitest';
import { segments } from '../../src/record/carrier-extras.ts';

test.each([
  ['', 1],
  ['x'.repeat(160), 1],
  ['x'.repeat(161), 2],
  ['x'.repeat(306), 2],
  ['x'.repeat(307), 3],
  // Two units each: escape and sign.
  ['['.repeat(80), 1],
  ['['.repeat(81), 2],
  ['é'.repeat(70), 1],
  ['é'.repeat(71), 2],
  ['😀'.repeat(35), 1],
  ['😀'.repeat(36), 2],
])('%j is so many segments', (text, count) => {
  expect(segments(text)).toBe(count);
});
