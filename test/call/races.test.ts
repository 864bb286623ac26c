// The races of an interruption, each over constant delays and jitter, with the server or us stopping the answer. The truth
// is an exact play buffer behind the network; every item the caller did not hear whole must be cut where it was cut there.
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/replay/seeded-random.ts';
import { VirtualLine, type VirtualLineOptions } from '../support/virtual-line.ts';
import type { Plan } from '../support/scripted-model.ts';

interface Race {
  title: string;
  /** What the model answers to the caller's turns, in order. */
  plans: Plan[];
  model?: VirtualLineOptions['model'];
  /** Runs until the moment before the interruption. */
  lead(line: VirtualLine): void;
  /** The interruption; default: the caller speaks. */
  strike?(line: VirtualLine): void;
}

const firstSound = (line: VirtualLine): boolean => line.done('leg.play').length > 0;

const races: Race[] = [
  {
    title: 'before the first byte of the answer',
    plans: [{ items: [{ ms: 4000 }], thinkMs: 500 }],
    lead: (line) => line.advance(200),
  },
  {
    title: 'within 60 ms of the first byte',
    plans: [{ items: [{ ms: 4000 }] }],
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(55);
    },
  },
  {
    title: 'in the middle, while generation runs',
    plans: [{ items: [{ ms: 8000 }] }],
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(700);
    },
  },
  {
    title: 'in the middle, long after generation ended',
    plans: [{ items: [{ ms: 6000 }] }],
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(4321);
    },
  },
  {
    title: 'just after the last byte',
    plans: [{ items: [{ ms: 2000 }] }],
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(2003);
    },
  },
  {
    title: 'twice in a row',
    plans: [{ items: [{ ms: 5000 }] }],
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(1000);
    },
    strike: (line) => {
      line.model.speechStarted();
      line.advance(40);
      line.model.speechStarted();
    },
  },
  {
    title: 'in the first of two queued utterances',
    plans: [{ items: [{ ms: 3000 }, { ms: 3000 }] }],
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(2200);
    },
  },
  {
    title: 'in the second item of one response',
    plans: [{ items: [{ ms: 1500 }, { ms: 4000 }] }],
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(2600);
    },
  },
  {
    title: 'in the second of two queued answers',
    plans: [{ items: [{ ms: 2500 }] }, { items: [{ ms: 4000 }] }],
    lead: (line) => {
      line.until(() => firstSound(line));
      line.call.receive({ type: 'leg.digit_pressed', digit: '0' } as never);
      line.advance(900);
      line.until(() => line.model.items.length === 2 && line.heardMs(2) > 700);
    },
  },
  {
    title: 'after an underrun',
    plans: [{ items: [{ ms: 5000, stallAfterMs: 1000, stallMs: 2500 }] }],
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(4200);
    },
  },
  {
    title: 'during an underrun',
    plans: [{ items: [{ ms: 5000, stallAfterMs: 1000, stallMs: 2500 }] }],
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(1900);
    },
  },
  {
    title: 'after several underruns',
    plans: [{ items: [{ ms: 9000 }] }],
    model: { pace: 0.8 },
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(6000);
    },
  },
  {
    title: 'in an answer after an uninterrupted one and a pause',
    plans: [{ items: [{ ms: 2000 }] }, { items: [{ ms: 6000 }] }],
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(2600);
      line.model.speechStarted();
      line.advance(900);
      line.model.speechStopped();
      line.until(() => line.heardMs(2) > 0);
      line.advance(1234);
    },
  },
  {
    title: 'with late audio of the stopped answer',
    plans: [{ items: [{ ms: 8000 }] }],
    model: { lateDeltas: 3 },
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(600);
    },
  },
  {
    title: 'with uneven deltas that are no whole frames',
    plans: [{ items: [{ ms: 6000 }] }],
    model: { deltaMs: 137 },
    lead: (line) => {
      line.until(() => firstSound(line));
      line.advance(1777);
    },
  },
];

/** Runs a race; returns the error in ms of every item that was cut, deleted or left whole. */
function run(race: Race, options: VirtualLineOptions): number[] {
  const line = new VirtualLine({ ...options, model: { ...race.model, ...options.model } });
  line.model.plans.push(...race.plans);
  line.startMedia();
  line.advance(100);
  line.model.speechStarted();
  line.advance(500);
  line.model.speechStopped();
  race.lead(line);
  const before = line.clears.length;
  if (race.strike) race.strike(line);
  else line.model.speechStarted();
  const strokeEffects = line.effects.length;
  line.advance(2_000);

  expect(line.faults).toEqual([]);
  expect(line.model.errors, 'error events provoked').toEqual([]);
  // Nothing of a stopped utterance leaves after the clear.
  expect(line.effects.slice(strokeEffects).filter((e) => e.do === 'leg.play')).toEqual([]);
  const cleared = line.clears[before];
  const errors: number[] = [];
  for (const item of line.model.items) {
    const heardAtClear = cleared?.heardMs.get(item.stamp) ?? line.heardMs(item.stamp);
    expect(line.heardMs(item.stamp), 'heard after the clear').toBe(heardAtClear);
    if (item.deleted) errors.push(-heardAtClear);
    else if (item.truncatedAtMs !== null) {
      expect(item.truncatedAtMs).toBeLessThanOrEqual(item.producedMs);
      errors.push(item.truncatedAtMs - heardAtClear);
    } else errors.push(item.producedMs - heardAtClear);
  }
  line.model.speechStopped();
  line.advance(1_000);
  line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: 'stop' });
  expect(line.termination?.reason).toBe('caller_hung_up');
  line.advance(3_000);
  expect(line.clock.pending, 'timers left').toBe(0);
  return errors;
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
      for (let seed = 1; seed <= 20; seed++) {
        const errors = run(race, { interrupts, answers, jitterMs: 80, random: seededRandom(seed) });
        for (const error of errors) expect(Math.abs(error)).toBeLessThanOrEqual(100);
      }
    });
  });
});
