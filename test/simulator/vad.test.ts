import { expect, test } from 'vitest';
import { levelDbfs, silence } from '../../src/audio/mulaw.ts';
import { Vad } from '../../src/simulator/vad.ts';
import type { VadEvent } from '../../src/simulator/vad.ts';
import recordings from '../fixtures/openai/audio/recordings.json' with { type: 'json' };
import { recorded } from './socket-client.ts';

const settings = { threshold: 0.5, prefixPaddingMs: 0, silenceMs: 500 };

function heard(levels: Iterable<number>, vad = new Vad(settings)): VadEvent[] {
  let clockMs = 0;
  return [...levels].flatMap((level) => vad.windowed(level, (clockMs += 20)) ?? []);
}

function levelsOf(audio: Buffer): number[] {
  const windows = Array.from({ length: audio.length / 160 }, (_, i) => audio.subarray(i * 160, i * 160 + 160));
  return windows.map(levelDbfs);
}

const repeat = (level: number, windows: number): number[] => Array.from({ length: windows }, () => level);

for (const [name, { speechMs }] of Object.entries(recordings)) {
  test(`hears the speech of ${name} start within 100 ms of where it is`, () => {
    const events = heard(levelsOf(Buffer.concat([recorded(name), silence(8000)])));
    expect(events.map((event) => event.type)).toEqual(['started', 'stopped']);
    const [started, stopped] = events as [VadEvent & { startMs: number }, VadEvent & { endMs: number }];
    const [startMs, endMs] = speechMs[0] as [number, number];
    expect(Math.abs(started.startMs - startMs)).toBeLessThanOrEqual(100);
    expect(Math.abs(stopped.endMs - 500 - endMs)).toBeLessThanOrEqual(300);
  });
}

test('does not take a click of 40 ms for speech', () => {
  expect(heard([...repeat(-80, 20), -10, -10, ...repeat(-80, 40)])).toEqual([]);
});

test('does not let a click hold a turn open', () => {
  const events = heard([...repeat(-20, 20), ...repeat(-80, 12), -10, ...repeat(-80, 30)]);
  expect(events).toEqual([
    { type: 'started', startMs: 0 },
    { type: 'stopped', endMs: 900 },
  ]);
});

test('keeps one turn over a pause shorter than the silence asked for', () => {
  expect(heard([...repeat(-20, 10), ...repeat(-80, 24), ...repeat(-20, 10), ...repeat(-80, 25)])).toHaveLength(2);
});

test('puts the padding before the start, but not before the beginning', () => {
  const padded = (windows: number): VadEvent[] =>
    heard([...repeat(-80, windows), ...repeat(-20, 5)], new Vad({ ...settings, prefixPaddingMs: 300 }));
  expect(padded(50)).toEqual([{ type: 'started', startMs: 700 }]);
  expect(padded(5)).toEqual([{ type: 'started', startMs: 0 }]);
});

test('a higher threshold needs a louder caller', () => {
  const speech = repeat(-30, 20);
  expect(heard(speech)).toHaveLength(1);
  expect(heard(speech, new Vad({ ...settings, threshold: 0.8 }))).toHaveLength(0);
});
