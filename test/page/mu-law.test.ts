// The page's own mu-law against the package that the server uses: every byte, every sample.
import alawmulaw from 'alawmulaw';
import { expect, test } from 'vitest';
import { decodeSample, encodeSample, SILENCE, toByte, toFloat } from '../../src/page/mu-law.ts';

const { mulaw } = alawmulaw;

test('decodes every byte as G.711 does', () => {
  for (let byte = 0; byte < 256; byte++) expect(decodeSample(byte), `${byte}`).toBe(mulaw.decodeSample(byte) | 0);
});

test('encodes every 16-bit sample as G.711 does', () => {
  const wrong: number[] = [];
  for (let sample = -32_768; sample <= 32_767; sample++)
    if (encodeSample(sample) !== (mulaw.encodeSample(sample) & 0xff)) wrong.push(sample);
  expect(wrong).toEqual([]);
});

test('takes floating-point samples of any size, and what is no number, as a microphone may give them', () => {
  expect(toByte(0)).toBe(SILENCE);
  expect(toByte(Number.NaN)).toBe(SILENCE);
  expect(toByte(7)).toBe(encodeSample(32_767));
  expect(toByte(-7)).toBe(encodeSample(-32_768));
  expect(toByte(Number.POSITIVE_INFINITY)).toBe(encodeSample(32_767));
  for (let byte = 0; byte < 256; byte++) expect(decodeSample(toByte(toFloat(byte)))).toBe(decodeSample(byte));
});
