// How values are written on the page.
import { expect, test } from 'vitest';
import { loudness, pretty } from '../../src/page/format.ts';

test('JSON is laid out, anything else stays as it is', () => {
  expect(pretty('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(pretty('{"cut":"of')).toBe('{"cut":"of');
  expect(pretty('')).toBe('');
});

test('a level is shown as ears have it', () => {
  expect([0, 0.001, 0.0316, 1, 7].map((level) => Math.round(100 * loudness(level)))).toEqual([0, 0, 50, 100, 100]);
});
