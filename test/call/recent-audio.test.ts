// The caller's latest audio comes out as it went in, whatever the frames' lengths.
import { expect, test } from 'vitest';
import { RecentAudio } from '../../src/call/recent-audio.ts';
import fc from '../support/fast-check.ts';

const chunkOf = (bytes: Uint8Array) => ({ payload: Buffer.from(bytes).toString('base64'), bytes: bytes.length });

test('the latest frames come out in order and as they were, long ones among them', () => {
  const frames = fc.array(
    fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 160 }), fc.uint8Array({ minLength: 161, maxLength: 400 })),
    {
      maxLength: 25,
    },
  );
  fc.assert(
    fc.property(frames, fc.nat(12), (given, asked) => {
      const recent = new RecentAudio(10);
      const chunks = given.map(chunkOf);
      for (const chunk of chunks) recent.put(chunk);
      const most = Math.min(asked, 10);
      expect(recent.latest(asked)).toEqual(most === 0 ? [] : chunks.slice(-most));
    }),
  );
});
