// The folders of `--out`: one per call, never outside of it, never another call's.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CallInput } from '../../src/replay/replay-inputs.ts';
import { KeptCalls } from '../../src/replay/replay-keep.ts';

const inputAt = (path: string): CallInput => ({
  kind: 'call',
  path,
  caller: { track: { steps: [] }, network: {}, people: [], expectation: null, leastMs: 0 },
});

function foldersOf(paths: string[], callers = 1): string[] {
  const inputs = paths.map(inputAt);
  const kept = new KeptCalls('out', inputs, callers);
  return inputs.map((input) => kept.folder({ input, nth: callers }));
}

test('every file has a folder of its own, whatever the others are called', () => {
  expect(foldersOf(['x/a.wav', 'x/a-2.wav', 'y/a.wav', 'z/A.wav'])).toEqual(
    ['a', 'a-2', 'a-3', 'A-4'].map((name) => join('out', name)),
  );
  expect(foldersOf(['a.wav', 'a.wav'], 3)).toEqual([join('out', 'a', '3'), join('out', 'a-2', '3')]);
});

test('no name leads out of the folder', () => {
  expect(foldersOf(['x/..yaml', 'x/...yaml', '/'])).toEqual(
    ['call', 'call-2', 'call-3'].map((name) => join('out', name)),
  );
});

test('a recording that was kept is not replaced by its own replay', () => {
  expect(foldersOf(['out/stereo/stereo.wav'])).toEqual([join('out', 'stereo-2')]);
});
