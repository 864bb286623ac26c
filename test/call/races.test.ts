// The races of an interruption, each over constant delays and jitter, with the server or us stopping the answer. The truth
// is an exact play buffer behind the network; every item the caller did not hear whole must be cut where it was cut there.
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/phone/seeded-random.ts';
import { type Race, races, runRace } from '../support/races.ts';
import type { VirtualLineOptions } from '../support/virtual-line.ts';

/** Runs a race; returns the error in ms of every item that was cut, deleted or left whole. */
function run(race: Race, options: VirtualLineOptions): number[] {
  const { items, faults, errors, playsAfterStrike, endReason, timersLeft } = runRace(race, options);
  expect(faults).toEqual([]);
  expect(errors, 'error events provoked').toEqual([]);
  // Nothing of a stopped utterance leaves after the clear.
  expect(playsAfterStrike).toEqual([]);
  for (const { heardMs, heardAtClearMs, truncatedAtMs, producedMs } of items) {
    expect(heardMs, 'heard after the clear').toBe(heardAtClearMs);
    if (truncatedAtMs !== null) expect(truncatedAtMs).toBeLessThanOrEqual(producedMs);
  }
  expect(endReason).toBe('caller_hung_up');
  expect(timersLeft, 'timers left').toBe(0);
  return items.map(({ errorMs }) => errorMs);
}

describe.each([
  { who: 'the server interrupts', interrupts: true },
  { who: 'we interrupt', interrupts: false },
])('barge-in, $who', ({ interrupts }) => {
  describe.each([
    { who: 'the server answers', answers: true },
    { who: 'we ask for answers', answers: false },
  ])('$who', ({ answers }) => {
    describe.each([0, 60])('%i ms each way', (delayMs) => {
      test.each(races)('$title: cut within 20 ms of what was heard', (race) => {
        const errors = run(race, { interrupts, answers, delayMs });
        for (const error of errors) expect(Math.abs(error)).toBeLessThanOrEqual(20);
      });
    });

    test.each(races)('$title: with 0-80 ms jitter never off by more than jitter + 20 ms', (race) => {
      for (let seed = 1; seed <= 12; seed++) {
        const errors = run(race, { interrupts, answers, jitterMs: 80, random: seededRandom(seed) });
        for (const error of errors) expect(Math.abs(error)).toBeLessThanOrEqual(100);
      }
    });
  });
});
