// The races of an interruption, as data, and the run of one of them over a virtual line: tests and bench share both. The
// truth is the exact play buffer behind the network.
import type { CallEffect } from '../../src/call/effect.ts';
import type { Plan } from './scripted-model.ts';
import { VirtualLine, type VirtualLineOptions } from './virtual-line.ts';

export interface Race {
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

export const races: readonly Race[] = [
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

export interface RaceOptions extends VirtualLineOptions {
  /** The interruption comes this much later than the race says; default 0. */
  strikeLaterMs?: number;
}

/** What became of one item of the model. */
export interface ItemFate {
  fate: 'deleted' | 'truncated' | 'whole';
  producedMs: number;
  /** Where it was truncated; null for the other fates. */
  truncatedAtMs: number | null;
  /** What the caller had heard of it when the clear took effect, … */
  heardAtClearMs: number;
  /** … and two seconds later. */
  heardMs: number;
  /** What the model believes was heard, minus what was. */
  errorMs: number;
}

export interface RaceOutcome {
  items: ItemFate[];
  /** Throws of ours. */
  faults: unknown[];
  /** Error events that we provoked, by code. */
  errors: string[];
  /** Audio sent in the two seconds after the interruption. */
  playsAfterStrike: CallEffect[];
  /** How the call ended when the caller then hung up. */
  endReason: string | undefined;
  timersLeft: number;
}

/** Runs a race, and then a hang-up. */
export function runRace(race: Race, { strikeLaterMs = 0, ...options }: RaceOptions): RaceOutcome {
  const line = new VirtualLine({ ...options, model: { ...race.model, ...options.model } });
  line.model.plans.push(...race.plans);
  line.startMedia();
  line.advance(100);
  line.model.speechStarted();
  line.advance(500);
  line.model.speechStopped();
  race.lead(line);
  if (strikeLaterMs > 0) line.advance(strikeLaterMs);
  const before = line.clears.length;
  if (race.strike) race.strike(line);
  else line.model.speechStarted();
  const strokeEffects = line.effects.length;
  line.advance(2_000);

  const playsAfterStrike = line.effects.slice(strokeEffects).filter((e) => e.do === 'leg.play');
  const cleared = line.clears[before];
  const items = line.model.items.map((item): ItemFate => {
    const { producedMs, truncatedAtMs, stamp } = item;
    const heardMs = line.heardMs(stamp);
    const heardAtClearMs = cleared ? (cleared.heardMs.get(stamp) ?? 0) : heardMs;
    const at = { producedMs, truncatedAtMs, heardAtClearMs, heardMs };
    if (item.deleted) return { fate: 'deleted', ...at, errorMs: -heardAtClearMs };
    if (truncatedAtMs !== null) return { fate: 'truncated', ...at, errorMs: truncatedAtMs - heardAtClearMs };
    return { fate: 'whole', ...at, errorMs: producedMs - heardAtClearMs };
  });
  const [faults, errors] = [[...line.faults], [...line.model.errors]];
  line.model.speechStopped();
  line.advance(1_000);
  line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: 'stop' });
  const endReason = line.termination?.reason;
  line.advance(3_000);
  return { items, faults, errors, playsAfterStrike, endReason, timersLeft: line.clock.pending };
}
