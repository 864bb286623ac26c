// The carrier's play buffer: what is played when, marks, clear, underruns.
import { describe, expect, test } from 'vitest';
import { PlaybackBuffer } from '../../src/phone/playback-buffer.ts';
import fc from '../support/fast-check.ts';

const audio = (ms: number, byte = 0x55): Buffer => Buffer.alloc(ms * 8, byte);

describe('the play buffer', () => {
  test('plays a burst in order and in real time', () => {
    const buffer = new PlaybackBuffer();
    for (let i = 0; i < 5; i++) buffer.push(1000, audio(20, i));
    expect(buffer.endMs).toBe(1100);
    expect(buffer.playedBytes(1050)).toBe(400);
    expect(buffer.queuedBytes(1050)).toBe(400);
    expect(buffer.heard(1030)).toEqual([
      { atMs: 1000, durationMs: 30, bytes: Buffer.concat([audio(20, 0), audio(10, 1)]) },
    ]);
  });

  test('starts late audio when it arrives and counts the gap as an underrun', () => {
    const buffer = new PlaybackBuffer();
    buffer.push(0, audio(100));
    buffer.push(130, audio(20));
    expect(buffer.underruns).toEqual([{ atMs: 100, gapMs: 30 }]);
    expect(buffer.heard(1000).map(({ atMs, durationMs }) => [atMs, durationMs])).toEqual([
      [0, 100],
      [130, 20],
    ]);
  });

  test('echoes a mark when everything before it was played, or at once when nothing is queued', () => {
    const buffer = new PlaybackBuffer();
    expect(buffer.mark(5, 'early')).toBe(5);
    buffer.push(10, audio(20));
    expect(buffer.mark(11, 'first')).toBe(30);
    buffer.push(12, audio(20));
    expect(buffer.mark(13, 'second')).toBe(50);
    expect(buffer.takeDueMarks(29.999)).toEqual(['early']);
    expect(buffer.nextMarkDueMs).toBe(30);
    expect(buffer.takeDueMarks(30)).toEqual(['first']);
    expect(buffer.takeDueMarks(60)).toEqual(['second']);
    expect(buffer.nextMarkDueMs).toBeUndefined();
  });

  test('drops what was not played on clear and gives every pending mark back', () => {
    const buffer = new PlaybackBuffer();
    buffer.push(0, audio(100));
    buffer.mark(0, 'a');
    buffer.push(0, audio(100));
    buffer.mark(0, 'b');
    expect(buffer.takeDueMarks(100)).toEqual(['a']);
    expect(buffer.clear(130)).toEqual({ marks: ['b'], droppedBytes: 560, playedBytesTotal: 1040 });
    expect(buffer.heard(500).map(({ durationMs }) => durationMs)).toEqual([130]);
    expect(buffer.queuedBytes(130)).toBe(0);
  });

  test('plays at once after a clear, and does not call the wait an underrun', () => {
    const buffer = new PlaybackBuffer();
    buffer.push(0, audio(1000));
    buffer.clear(300);
    buffer.push(400, audio(20));
    expect(buffer.endMs).toBe(420);
    expect(buffer.underruns).toEqual([]);
  });

  test('clears an empty buffer without effect', () => {
    const buffer = new PlaybackBuffer();
    expect(buffer.clear(10)).toEqual({ marks: [], droppedBytes: 0, playedBytesTotal: 0 });
  });

  test('renders what was heard on a timeline with silence around it', () => {
    const buffer = new PlaybackBuffer();
    buffer.push(10, audio(10, 1));
    buffer.push(25, audio(10, 2));
    const line = buffer.render(5, 30);
    expect(line).toEqual(Buffer.concat([audio(5, 0xff), audio(10, 1), audio(5, 0xff), audio(5, 2)]));
  });

  test('bridges short gaps into one talk spurt', () => {
    const buffer = new PlaybackBuffer();
    buffer.push(0, audio(100));
    buffer.push(1000, audio(100));
    buffer.push(1200, audio(100));
    expect(buffer.talkSpurt(1250)).toEqual({ startMs: 1000, endMs: 1300 });
    expect(buffer.talkSpurt(999)).toEqual({ startMs: 0, endMs: 100 });
    expect(buffer.talkSpurt(-1)).toBeUndefined();
  });

  test('forgets the oldest audio beyond its bound but not how much was played', () => {
    const buffer = new PlaybackBuffer({ maxHistoryBytes: 1600 });
    for (let i = 0; i < 5; i++) buffer.push(i * 1000, audio(100));
    expect(buffer.heard(9000)).toHaveLength(2);
    expect(buffer.playedBytes(9000)).toBe(4000);
  });

  test('keeps no audio when told so, and the same times', () => {
    const buffer = new PlaybackBuffer({ keepAudio: false });
    buffer.push(0, audio(100));
    expect(buffer.clear(40).droppedBytes).toBe(480);
    expect(buffer.heard(100)).toEqual([{ atMs: 0, durationMs: 40, bytes: Buffer.alloc(0) }]);
  });

  test('loses no byte: pushed equals played plus dropped, and marks return once and in order', () => {
    const step = fc.record({
      waitMs: fc.double({ min: 0, max: 80, noNaN: true }),
      what: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constant('mark' as const), fc.constant('clear' as const)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const buffer = new PlaybackBuffer();
        let nowMs = 0;
        let pushed = 0;
        let dropped = 0;
        const sent: string[] = [];
        const echoed: string[] = [];
        for (const { waitMs, what } of steps) {
          nowMs += waitMs;
          echoed.push(...buffer.takeDueMarks(nowMs));
          if (what === 'mark') {
            sent.push(`m${sent.length}`);
            buffer.mark(nowMs, sent.at(-1) ?? '');
          } else if (what === 'clear') {
            const cleared = buffer.clear(nowMs);
            dropped += cleared.droppedBytes;
            echoed.push(...cleared.marks);
          } else {
            pushed += what;
            buffer.push(nowMs, Buffer.alloc(what));
          }
        }
        const endMs = Math.max(nowMs, buffer.endMs ?? 0) + 1;
        echoed.push(...buffer.takeDueMarks(endMs));
        expect(buffer.playedBytes(endMs) + dropped).toBe(pushed);
        expect(echoed).toEqual(sent);
        const heard = buffer.heard(endMs);
        expect(heard.reduce((sum, segment) => sum + segment.bytes.length, 0)).toBe(pushed - dropped);
      }),
    );
  });
});
