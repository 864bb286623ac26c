// Base64 as audio travels in it.
import { expect, test } from 'vitest';
import { base64Bytes, isBase64 } from '../../src/audio/base64.ts';
import fc from '../support/fast-check.ts';

const LETTERS = /^[A-Za-z0-9+/]+={0,2}$/;

test('what was encoded is base64 of so many bytes, at every length', () => {
  for (const length of [1, 2, 3, 159, 160, 161, 1_600, 24_575, 24_576, 24_577, 60_000]) {
    const text = Buffer.alloc(length, 0x7f).toString('base64');
    expect([length, isBase64(text), base64Bytes(text)]).toEqual([length, true, length]);
  }
  expect([isBase64(''), base64Bytes('')]).toEqual([false, 0]);
});

test('one wrong letter anywhere is seen, also in a text that is read in parts', () => {
  const text = Buffer.alloc(60_000, 0x55).toString('base64');
  for (const at of [0, 1, 32_767, 32_768, 40_000, text.length - 1])
    for (const letter of ['"', '\\', '\n', ' ', '=', '\u0141', '.', '-', '_'])
      if (!(letter === '=' && at === text.length - 1))
        expect(isBase64(text.slice(0, at) + letter + text.slice(at + 1)), `${JSON.stringify(letter)} at ${at}`).toBe(
          false,
        );
});

test('agrees with its letters about every text', () => {
  const nearly = fc.string({
    unit: fc.constantFrom('A', 'Z', 'a', 'z', '0', '9', '+', '/', '=', '-', '_', '"', '\\', '\n', 'é', '\u0122'),
    maxLength: 24,
  });
  fc.assert(
    fc.property(nearly, (text) => {
      // What the decoder takes holds nothing that could break out of a JSON text.
      if (isBase64(text)) expect(text).toMatch(LETTERS);
    }),
    { numRuns: 5_000 },
  );
});
