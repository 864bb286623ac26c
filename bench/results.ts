// What a whole bench leaves behind: `docs/measurements/bench.json`. The tables, the plots and the page are made from this
// and from nothing else.
import type { Machine } from './machine.ts';
import type { RunResult } from './run.ts';
import type { FirstAudioFigure, SetUpFigure } from './single-figures.ts';
import type { Summary } from './summary.ts';
import type { Rating, SweepPoint } from './sweep.ts';

export interface BenchResults {
  /** The tree that was measured, and the top folders in which it differed from the commit. */
  commit: string;
  changed: string[];
  date: string;
  /** Measures it again. */
  command: string;
  short: boolean;
  machine: Machine;
  seconds: number;
  load: { before: number; after: number };
  subjects: { name: string; note: string; maxAheadMs: number | null }[];
  /** With TLS to the model, and without; absent where not asked for. */
  tls: Comparison | null;
  plain: Comparison | null;
  sweep: { points: SweepPoint[]; ratings: Rating[] } | null;
  setUps: SetUpFigure[];
  firstAudio: FirstAudioFigure[];
  faults: string[];
  remarks: string[];
}

export interface Comparison {
  calls: number;
  rounds: number;
  seconds: number;
  /** The calls went on for so long before each window. */
  warmUpSeconds: number;
  summaries: Summary[];
  runs: RunResult[];
}

/** The subject that every ratio is to. */
export const FLOOR = 'relay';

/** The comparison that stands for the others: with TLS where it was measured. */
export const mainOf = ({ tls, plain }: BenchResults): Comparison | null => tls ?? plain;
