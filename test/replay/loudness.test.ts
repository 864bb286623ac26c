// Where somebody can be heard: synthetic lines whose truth is known, and the real recordings with the manifest's truth.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { levelDbfs, msToBytes } from '../../src/audio/mulaw.ts';
import type { Span } from '../../src/replay/call-result.ts';
import { CallerLine } from '../../src/phone/caller-line.ts';
import { readClip } from '../../src/phone/caller-track.ts';
import { soundSpans } from '../../src/replay/loudness.ts';
import { overlay } from '../../src/phone/playback-buffer.ts';
import { idleLine, voice } from './synthetic-line.ts';

interface Clip {
  id: string;
  file: string;
  speech_ms: [number, number][];
  tone_events?: { start_ms: number; end_ms: number }[];
}
interface TrackEvent {
  clip: string;
  at_ms: number;
  end_ms: number;
  /** Of the track; missing where nobody speaks in the clip. */
  speech_ms?: [number, number][];
}
const FOLDER = new URL('../fixtures/calls/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('manifest.json', FOLDER), 'utf8')) as {
  clips: Clip[];
  tracks: { id: string; file: string; events: TrackEvent[] }[];
};
const read = (file: string) => readClip(readFileSync(new URL(file, FOLDER)));

/** Edges are good to about 60 ms on the manifest's side and to 20 ms on ours. */
const TOLERANCE_MS = 100;
/** Recordings with more stretches are minutes long. */
const MANY = 10;
/** Onsets where the manifest's detector (of the recordings before their conversion) found sound and the file has none. */
const SILENT_ONSETS = ['order-multislot', 'es-customer-question'];
/** The manifest calls its own segments of this one unreliable. */
const UNRELIABLE = ['noisy-jackhammer'];

describe('on lines of known truth', () => {
  test('finds a voice to 20 ms, and nothing on an idle line', () => {
    const line = idleLine(5_000);
    expect(soundSpans(line)).toEqual([]);
    overlay(line, voice(700), msToBytes(1_003));
    overlay(line, voice(1_200), msToBytes(3_117));
    const spans = soundSpans(line);
    expect(spans).toHaveLength(2);
    for (const [i, [from, to]] of [[1_003, 1_703] as const, [3_117, 4_317] as const].entries()) {
      expect(Math.abs((spans[i]?.fromMs ?? 0) - from)).toBeLessThanOrEqual(20);
      expect(Math.abs((spans[i]?.toMs ?? 0) - to)).toBeLessThanOrEqual(20);
    }
  });

  test('the phone’s own idle noise and digital silence are nobody', () => {
    const line = new CallerLine('noise');
    expect(soundSpans(Buffer.concat(Array.from({ length: 500 }, () => line.takeFrame())))).toEqual([]);
    expect(soundSpans(Buffer.alloc(80_000, 0xff))).toEqual([]);
    expect(soundSpans(new Uint8Array())).toEqual([]);
  });

  test('a pause of 280 ms is inside a word, one of 400 ms is between two', () => {
    const line = idleLine(4_000);
    overlay(line, voice(500), msToBytes(500));
    overlay(line, voice(500), msToBytes(1_280));
    overlay(line, voice(500), msToBytes(2_180));
    expect(soundSpans(line)).toHaveLength(2);
  });

  test('a click is nobody', () => {
    const line = idleLine(2_000);
    overlay(line, voice(30), msToBytes(900));
    expect(soundSpans(line)).toEqual([]);
  });

  test('a quiet voice after a loud one is heard all the same', () => {
    const line = idleLine(4_000);
    overlay(line, voice(800, 12_000), msToBytes(500));
    overlay(line, voice(800, 900), msToBytes(2_500));
    expect(soundSpans(line)).toHaveLength(2);
  });

  test('breath and leaking talk, 30 dB below the voice of the line, are nobody speaking', () => {
    const line = idleLine(4_000);
    overlay(line, voice(800, 12_000), msToBytes(500));
    overlay(line, voice(800, 300), msToBytes(2_500));
    expect(soundSpans(line)).toHaveLength(1);
  });
});

describe('on real recordings', () => {
  const judged = manifest.clips.filter(({ id, speech_ms }) => speech_ms.length > 0 && !UNRELIABLE.includes(id));

  function expectSpeech(
    id: string,
    line: Uint8Array,
    spans: readonly Span[],
    truth: readonly [number, number][],
  ): void {
    expect(spans).toHaveLength(truth.length);
    for (const [i, [from, to]] of truth.entries()) {
      const span = spans[i] ?? { fromMs: Number.NaN, toMs: Number.NaN };
      expect(Math.abs(span.toMs - to)).toBeLessThanOrEqual(TOLERANCE_MS);
      if (i === 0 && SILENT_ONSETS.includes(id)) {
        const disputed = line.subarray(msToBytes(from), msToBytes(span.fromMs - 20));
        const spoken = line.subarray(msToBytes(span.fromMs), msToBytes(span.toMs));
        expect(levelDbfs(disputed)).toBeLessThan(levelDbfs(spoken) - 20);
      } else expect(Math.abs(span.fromMs - from)).toBeLessThanOrEqual(TOLERANCE_MS);
    }
  }

  test.each(judged.filter(({ speech_ms }) => speech_ms.length <= MANY))('$id: every stretch of speech', (clip) => {
    const line = read(clip.file);
    expectSpeech(clip.id, line, soundSpans(line), clip.speech_ms);
  });

  test.each(manifest.tracks)('$id: the speech of every clip, whatever lies around it', ({ file, events }) => {
    const line = read(file);
    const spans = soundSpans(line);
    for (const { clip, at_ms, end_ms, speech_ms: truth = [] } of events) {
      const id = clip.replace('.wav', '');
      const own = spans.filter(({ fromMs, toMs }) => fromMs >= at_ms - 20 && toMs <= end_ms + 20);
      if (truth.length > 0 && !UNRELIABLE.includes(id)) expectSpeech(id, line, own, truth);
      else expect(own.length).toBeGreaterThan(0);
    }
  });

  // Over minutes a pause of just about 300 ms is bridged by one detector and not by the other: time is compared, not count.
  test.each(judged.filter(({ speech_ms }) => speech_ms.length > MANY))('$id: the same time is speech', (clip) => {
    const line = read(clip.file);
    const spans = soundSpans(line);
    const inside = (ms: number, stretches: readonly (readonly [number, number])[]) =>
      stretches.some(([from, to]) => ms >= from && ms < to);
    const ours = spans.map(({ fromMs, toMs }) => [fromMs, toMs] as const);
    const moments = Array.from({ length: line.length / 160 }, (_, i) => i * 20 + 10);
    const same = moments.filter((ms) => inside(ms, ours) === inside(ms, clip.speech_ms));
    expect(same.length / moments.length).toBeGreaterThan(0.97);
  });

  test('steady tones are sound, though they have no noise around them', () => {
    const clip = manifest.clips.find(({ id }) => id === 'dtmf-1234-pound');
    const [first, last] = [clip?.tone_events?.[0], clip?.tone_events?.at(-1)];
    const spans = soundSpans(read('dtmf-1234-pound.wav'));
    // The pauses of 200 ms are bridged.
    expect(spans).toHaveLength(1);
    expect(Math.abs((spans[0]?.fromMs ?? 0) - (first?.start_ms ?? 0))).toBeLessThanOrEqual(20);
    expect(Math.abs((spans[0]?.toMs ?? 0) - (last?.end_ms ?? 0))).toBeLessThanOrEqual(20);
  });
});
