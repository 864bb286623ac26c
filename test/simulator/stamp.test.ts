import { expect, test } from 'vitest';
import { MAX_STAMP_ITEM, readStamps, stampedAudio } from '../../src/simulator/stamp.ts';

test('counts every millisecond of an item and names the last', () => {
  expect(readStamps(stampedAudio(7, 1480))).toEqual(new Map([[7, { heardMs: 1480, maxMs: 1479 }]]));
});

test('finds the stamps again behind padding, at any byte, and not the halves of cut ones', () => {
  const audio = stampedAudio(3, 100);
  const heard = Buffer.concat([
    Buffer.alloc(13, 0xff),
    audio.subarray(3, 403), // milliseconds 1..49 whole, 0 and 50 cut
    Buffer.alloc(160, 0xff),
    stampedAudio(4, 5),
    Buffer.alloc(1, 0xff),
  ]);
  expect(readStamps(heard)).toEqual(
    new Map([
      [3, { heardMs: 49, maxMs: 49 }],
      [4, { heardMs: 5, maxMs: 4 }],
    ]),
  );
});

test('counts a millisecond that was played twice once', () => {
  const audio = stampedAudio(1, 20);
  expect(readStamps(Buffer.concat([audio, audio])).get(1)).toEqual({ heardMs: 20, maxMs: 19 });
});

test('never contains 0xff and tells the largest item and millisecond', () => {
  const audio = stampedAudio(MAX_STAMP_ITEM, 65_536);
  expect(audio.includes(0xff)).toBe(false);
  expect(readStamps(audio.subarray(-8)).get(MAX_STAMP_ITEM)?.maxMs).toBe(65_535);
});

test('reads nothing from silence', () => {
  expect(readStamps(Buffer.alloc(1600, 0xff)).size).toBe(0);
});

test('refuses items and lengths it cannot write', () => {
  expect(() => stampedAudio(MAX_STAMP_ITEM + 1, 1)).toThrow(RangeError);
  expect(() => stampedAudio(1, 70_000)).toThrow(RangeError);
});
