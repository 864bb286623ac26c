// The ear of chaos: which clips were heard whole, and for which silences nobody gave a reason.
import { expect, test } from 'vitest';
import { hearCall } from '../../src/chaos/heard-call.ts';
import { aCall, CLIPS, lineOf, type Sounding } from './a-call.ts';

function heard(
  soundings: Sounding[],
  { lengthMs = 10_000, said = [] as { atMs: number; endMs: number }[], announced = [] as Announced[] } = {},
) {
  const { result } = aCall({ lengthMs, said, result: { announced } });
  const call = hearCall(result, lineOf(lengthMs, soundings), CLIPS);
  // Edges of sounds are known to some 20 ms.
  return { ...call, silences: call.silences.filter(({ unexplainedMs }) => unexplainedMs > 50) };
}
type Announced = { verb: string; about: string; atMs: number; durationMs: number };

test('knows clips by their end, and one that was broken off not at all', () => {
  const { clips } = heard([
    { name: 'words', atMs: 500 },
    { name: 'hold', atMs: 3_000, forMs: 700 },
    { name: 'farewell', atMs: 6_000 },
  ]);
  expect(clips).toEqual([
    { name: 'words', endMs: 1_500 },
    { name: 'farewell', endMs: 7_000 },
  ]);
});

test('a caller waits from the start until the agent is heard', () => {
  const { silences } = heard([{ name: 'words', atMs: 3_000 }]);
  expect(silences).toMatchObject([{ after: 'the start', fromMs: 0 }]);
  expect(silences[0]?.unexplainedMs).toBeGreaterThan(2_900);
  expect(silences[0]?.unexplainedMs).toBeLessThan(3_100);
});

test('a caller waits after own words, from the last of them', () => {
  const { silences, longestUnexplainedMs } = heard(
    [
      { name: 'words', atMs: 0 },
      { name: 'words', atMs: 7_000 },
    ],
    { said: [{ atMs: 2_000, endMs: 4_000 }] },
  );
  expect(silences).toMatchObject([{ after: 'the caller', fromMs: 3_900 }]);
  expect(longestUnexplainedMs).toBeGreaterThan(3_000);
  expect(longestUnexplainedMs).toBeLessThan(3_200);
});

test('who has heard a sentence to its end waits for nothing', () => {
  expect(heard([{ name: 'words', atMs: 0 }]).longestUnexplainedMs).toBeLessThan(100);
});

test('who hears the agent break off waits', () => {
  const { silences, cutOff } = heard([{ name: 'words', atMs: 0, forMs: 600 }]);
  expect(silences).toMatchObject([{ after: 'a broken-off agent', toMs: 10_000 }]);
  expect(silences[0]?.unexplainedMs).toBeGreaterThan(9_300);
  expect(cutOff).toBe(true);
});

test('an agent that broke off and went on was not cut off', () => {
  const { cutOff } = heard([
    { name: 'words', atMs: 0, forMs: 600 },
    { name: 'words', atMs: 2_000 },
  ]);
  expect(cutOff).toBe(false);
});

test('a call in which nobody but the caller was heard was cut off', () => {
  expect(heard([], { said: [{ atMs: 2_000, endMs: 4_000 }] })).toMatchObject({ cutOff: true, lastSoundMs: 0 });
});

test('a request to wait explains six seconds and no more', () => {
  expect(heard([{ name: 'hold', atMs: 0 }], { lengthMs: 6_500 }).silences).toEqual([]);
  const { silences } = heard([{ name: 'hold', atMs: 0 }], { lengthMs: 10_000 });
  expect(silences).toMatchObject([{ after: 'a request to wait' }]);
  expect(silences[0]?.unexplainedMs).toBeGreaterThan(2_800);
  expect(silences[0]?.unexplainedMs).toBeLessThan(3_100);
});

test('a caller who speaks after the request to wait waits anew', () => {
  const { silences } = heard([{ name: 'hold', atMs: 0 }], { said: [{ atMs: 2_000, endMs: 4_100 }], lengthMs: 8_000 });
  expect(silences).toMatchObject([{ after: 'the caller', fromMs: 4_000, toMs: 8_000, unexplainedMs: 4_000 }]);
});

test('a caller who was asked to wait while speaking has been told', () => {
  const said = [{ atMs: 500, endMs: 4_100 }];
  expect(heard([{ name: 'hold', atMs: 2_500 }], { said, lengthMs: 9_000 }).silences).toMatchObject([
    { after: 'the start' },
  ]);
  // Six seconds from the end of the request, not of the caller's words.
  const { silences } = heard([{ name: 'hold', atMs: 2_500 }], { said, lengthMs: 12_000 });
  expect(silences.at(-1)).toMatchObject({ after: 'a request to wait', fromMs: 4_000, unexplainedMs: 2_500 });
});

test('what the carrier lets the caller hear is the agent, and nothing is owed after it', () => {
  const { silences, lastSoundMs, cutOff } = heard([{ name: 'words', atMs: 0 }], {
    announced: [{ verb: 'Say', about: 'Goodbye.', atMs: 6_000, durationMs: 1_000 }],
    said: [{ atMs: 2_000, endMs: 4_100 }],
  });
  expect(silences).toEqual([{ after: 'the caller', fromMs: 4_000, toMs: 6_000, unexplainedMs: 2_000 }]);
  expect({ lastSoundMs, cutOff }).toEqual({ lastSoundMs: 7_000, cutOff: false });
});

test('after the beep the caller speaks to a machine', () => {
  const { silences } = heard([{ name: 'words', atMs: 0 }], {
    announced: [{ verb: 'Record', about: '', atMs: 2_000, durationMs: 500 }],
    said: [{ atMs: 3_000, endMs: 4_100 }],
  });
  expect(silences).toEqual([]);
});

test('while the caller speaks over the agent nobody waits', () => {
  const { silences } = heard(
    [
      { name: 'words', atMs: 0 },
      { name: 'words', atMs: 3_000, forMs: 500 },
      { name: 'words', atMs: 5_000 },
    ],
    { said: [{ atMs: 3_200, endMs: 4_600 }] },
  );
  expect(silences).toMatchObject([{ after: 'the caller', fromMs: 4_500 }]);
});
