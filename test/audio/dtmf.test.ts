// Touch tones: made as a telephone makes them, found as a receiver finds them, and nowhere else.
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DTMF_KEYS, dtmfTones } from '../../src/audio/dtmf.ts';
import { decodeSample, encodeSample, silence } from '../../src/audio/mulaw.ts';
import { readClip } from '../../src/phone/caller-track.ts';
import { overlay } from '../../src/phone/playback-buffer.ts';
import { seededRandom } from '../../src/phone/seeded-random.ts';
import { voice } from '../replay/synthetic-line.ts';
import { findTones } from '../support/tone-detector.ts';

const CALLERS = new URL('../../src/phone/callers/', import.meta.url);

/** PCMU with white noise of a level added to it. */
function noisy(bytes: Uint8Array, dbm0: number, seed = 1): Uint8Array {
  const random = seededRandom(seed);
  // Rms of a full-scale sine is its peak over the root of two.
  const rms = (32_124 / Math.SQRT2) * 10 ** ((dbm0 - 3.17) / 20);
  const gauss = () => Math.sqrt(-2 * Math.log(random() || 1e-9)) * Math.cos(2 * Math.PI * random());
  return bytes.map((byte) =>
    encodeSample(Math.max(-32_124, Math.min(32_124, Math.round(decodeSample(byte) + rms * gauss())))),
  );
}
const digitsIn = (pcmu: Uint8Array) =>
  findTones(pcmu)
    .map(({ digit }) => digit)
    .join('');

describe('tones', () => {
  test('every key is found, at its time and length', () => {
    const found = findTones(dtmfTones(DTMF_KEYS));
    expect(found.map(({ digit }) => digit).join('')).toBe(DTMF_KEYS);
    for (const [i, { atMs, durationMs }] of found.entries()) {
      expect(Math.abs(atMs - i * 200)).toBeLessThanOrEqual(15);
      expect(Math.abs(durationMs - 100)).toBeLessThanOrEqual(25);
    }
  });

  test('last as long as asked, with a gap after each and the pauses of a dial string', () => {
    expect(dtmfTones('12').length).toBe(400 * 8);
    expect(dtmfTones('1', { toneMs: 80, gapMs: 40 }).length).toBe(120 * 8);
    expect(dtmfTones('1w2W').length).toBe((200 + 500 + 200 + 1_000) * 8);
    expect(dtmfTones('').length).toBe(0);
  });

  test.each(['x', '1 2', '+'])('refuses %s, which is no key', (keys) => {
    expect(() => dtmfTones(keys)).toThrow(RangeError);
  });

  test('are as loud as asked', () => {
    const bytes = dtmfTones('5', { toneMs: 1_000, gapMs: 0, levelDbm0: -20 });
    const mean = bytes.reduce((sum, byte) => sum + decodeSample(byte) ** 2, 0) / bytes.length;
    expect(10 * Math.log10(mean / (32_124 ** 2 / 2)) + 3.17).toBeCloseTo(-20, 0);
  });
});

describe('the detector', () => {
  test.each([
    [-25, -40],
    [-25, -35],
    [-10, -25],
    [-30, -48],
    [0, -60],
  ])('finds tones of %d dBm0 in noise of %d dBm0', (levelDbm0, noiseDbm0) => {
    const keys = '0123456789*#';
    const clean = Buffer.concat([silence(8_000), dtmfTones(keys, { levelDbm0 }), silence(4_000)]);
    for (let seed = 1; seed <= 5; seed++) expect(digitsIn(noisy(clean, noiseDbm0, seed))).toBe(keys);
  });

  test('finds tones of 40 ms, and none in what is shorter than a receiver takes', () => {
    expect(digitsIn(dtmfTones('159#', { toneMs: 45, gapMs: 60 }))).toBe('159#');
    expect(digitsIn(dtmfTones('159#', { toneMs: 20, gapMs: 60 }))).toBe('');
  });

  test('tells a key held for long from a key pressed twice', () => {
    expect(findTones(dtmfTones('7', { toneMs: 900 }))).toMatchObject([{ digit: '7' }]);
    expect(digitsIn(dtmfTones('77', { toneMs: 80, gapMs: 60 }))).toBe('77');
  });

  test('finds a key over a quiet voice', () => {
    const line = Buffer.from(voice(2_000).map((byte) => encodeSample(Math.round(decodeSample(byte) / 30))));
    overlay(line, dtmfTones('4'), 8_000);
    expect(digitsIn(line)).toBe('4');
  });

  test.each(readdirSync(CALLERS).filter((file) => file.endsWith('.wav')))('hears no key in %s', (file) => {
    const speech = readClip(new URL(file, CALLERS).pathname);
    expect(speech.length).toBeGreaterThan(4_000);
    expect(findTones(speech)).toEqual([]);
    const withKey = Buffer.concat([speech, silence(800), dtmfTones('8'), speech]);
    expect(digitsIn(withKey)).toBe('8');
  });

  test.each([
    ['silence', silence(16_000)],
    ['noise', noisy(silence(80_000), -20)],
    ['a beep', Uint8Array.from({ length: 8_000 }, (_, i) => encodeSample(Math.round(9_000 * Math.sin(0.785 * i))))],
    [
      'ringing',
      Uint8Array.from({ length: 16_000 }, (_, i) =>
        encodeSample(Math.round(4_000 * (Math.sin(0.3456 * i) + Math.sin(0.377 * i)))),
      ),
    ],
  ])('hears no key in %s', (_, bytes) => {
    expect(findTones(bytes)).toEqual([]);
  });
});
