// The play buffer: order, marks to the sample, clears, underruns; held against the carrier double's own model of one.
import { describe, expect, test } from 'vitest';
import { PlaybackBuffer } from '../../../src/phone/playback-buffer.ts';
import { toFloat } from '../../../src/page/mu-law.ts';
import { PlaybackQueue } from '../../../src/page/phone/playback-queue.ts';
import fc from '../../support/fast-check.ts';

const bytes = (length: number, first = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (first + i) & 0xff);
const play = (queue: PlaybackQueue, samples = 128): { line: Float32Array; marks: string[] } => {
  const line = new Float32Array(samples).fill(9);
  return { line, marks: queue.play(line) };
};

describe('the play buffer', () => {
  test('plays what was queued, in order, and silence behind it', () => {
    const queue = new PlaybackQueue();
    queue.append(bytes(100));
    queue.append(bytes(60, 100));
    const [first, second] = [play(queue), play(queue)];
    const heard = [...first.line, ...second.line];
    expect(heard.slice(0, 160)).toEqual([...bytes(160)].map(toFloat));
    expect(heard.slice(160).every((sample) => sample === 0)).toBe(true);
    expect(queue).toMatchObject({ playedSamples: 160, queuedBytes: 0, underruns: 1 });
  });

  test('a mark comes back in the quantum that plays the last sample before it', () => {
    const queue = new PlaybackQueue();
    queue.append(bytes(128));
    expect(queue.mark('a')).toEqual([]);
    queue.append(bytes(129));
    expect(queue.mark('b')).toEqual([]);
    expect([play(queue).marks, play(queue).marks, play(queue).marks]).toEqual([['a'], [], ['b']]);
  });

  test('with nothing before it, a mark comes back at once', () => {
    const queue = new PlaybackQueue();
    expect(queue.mark('a')).toEqual(['a']);
    queue.append(bytes(10));
    play(queue);
    expect(queue.mark('b')).toEqual(['b']);
  });

  test('a clear empties it and gives all marks back, oldest first; nothing of before is heard again', () => {
    const queue = new PlaybackQueue();
    queue.append(bytes(200));
    queue.mark('a');
    queue.append(bytes(200));
    queue.mark('b');
    play(queue);
    expect(queue.clear()).toEqual(['a', 'b']);
    expect(queue.clear()).toEqual([]);
    expect(play(queue).line.every((sample) => sample === 0)).toBe(true);
    expect(queue.playedSamples).toBe(128);
    queue.append(bytes(1, 7));
    expect(play(queue).line[0]).toBe(toFloat(7));
  });

  test('is bounded: what was never asked for is not kept', () => {
    const queue = new PlaybackQueue();
    for (let i = 0; i < 2_000; i++) queue.append(new Uint8Array(8_000));
    expect(queue.queuedBytes).toBe(960_000);
    for (let i = 0; i < 5_000; i++) queue.mark(`${i}`);
    expect(queue.clear()).toHaveLength(4_000);
  });

  test('agrees with the carrier double about what is heard and which marks are back, whatever happens', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('append' as const), size: fc.integer({ min: 1, max: 900 }) }),
      fc.record({ kind: fc.constant('mark' as const) }),
      fc.record({ kind: fc.constant('clear' as const) }),
      fc.record({ kind: fc.constant('play' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new PlaybackQueue();
        const model = new PlaybackBuffer({ keepAudio: false });
        const back: string[] = [];
        const expected: string[] = [];
        let quanta = 0;
        for (const [i, { kind, ...rest }] of steps.entries()) {
          const nowMs = quanta * 16;
          expected.push(...model.takeDueMarks(nowMs));
          if (kind === 'play') {
            back.push(...play(queue).marks);
            quanta++;
          } else if (kind === 'append') {
            const { size } = rest as { size: number };
            queue.append(bytes(size));
            model.push(nowMs, bytes(size));
          } else if (kind === 'mark') {
            back.push(...queue.mark(`${i}`));
            model.mark(nowMs, `${i}`);
          } else {
            back.push(...queue.clear());
            expected.push(...model.clear(nowMs).marks);
          }
          expected.push(...model.takeDueMarks(quanta * 16));
          expect(queue.playedSamples).toBe(model.playedBytes(quanta * 16));
          expect(back).toEqual(expected);
        }
      }),
    );
  });
});
