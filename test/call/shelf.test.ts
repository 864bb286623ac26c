// The shelf: ranges come out exactly as they went in, undecoded where whole chunks are taken.
import { expect, test } from 'vitest';
import { Shelf } from '../../src/call/shelf.ts';
import fc from '../support/fast-check.ts';

const chunkOf = (bytes: Buffer) => ({ payload: bytes.toString('base64'), bytes: bytes.length });
const joined = (pieces: { payload: string }[]): Buffer =>
  Buffer.concat(pieces.map((p) => Buffer.from(p.payload, 'base64')));

test('whole chunks of whole frames pass as the very string that arrived', () => {
  const shelf = new Shelf();
  const chunk = chunkOf(Buffer.alloc(1_600, 7));
  shelf.put('u1', chunk);
  expect(shelf.take('u1', 0, 1_600, 0)[0]).toBe(chunk);
});

test('any range of any chunks is byte-exact, padded with silence, in pieces of at most a second', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 12 }),
      fc.nat(),
      fc.nat(),
      fc.nat(159),
      (sizes, a, b, pad) => {
        const all = Buffer.from(Array.from({ length: sizes.reduce((x, y) => x + y) }, (_, i) => (i * 31) & 0xff));
        const shelf = new Shelf();
        let at = 0;
        for (const size of sizes) {
          shelf.put('u', chunkOf(all.subarray(at, at + size)));
          at += size;
        }
        const from = a % all.length;
        const to = from + 1 + (b % (all.length - from));
        const pieces = shelf.take('u', from, to, pad);
        expect(joined(pieces)).toEqual(Buffer.concat([all.subarray(from, to), Buffer.alloc(pad, 0xff)]));
        for (const piece of pieces) expect(piece.bytes).toBeLessThanOrEqual(8_000);
      },
    ),
    { numRuns: 200 },
  );
});

test('aligned chunks come out in whole frames whatever range of whole frames is asked for', () => {
  const shelf = new Shelf();
  for (let i = 0; i < 10; i++) shelf.put('u', chunkOf(Buffer.alloc(3_200, i)));
  for (const piece of shelf.take('u', 160 * 7, 160 * 130, 0)) expect(piece.bytes % 160).toBe(0);
});

test('what was dropped is gone, clips stay', () => {
  const shelf = new Shelf(new Map([['clip:apology', new Uint8Array(320).fill(1)]]));
  shelf.put('u1', chunkOf(Buffer.alloc(160)));
  shelf.drop('u1');
  shelf.drop('clip:apology');
  expect(shelf.take('u1', 0, 160, 0)).toEqual([]);
  expect(joined(shelf.take('clip:apology', 160, 320, 0))).toEqual(Buffer.alloc(160, 1));
});
