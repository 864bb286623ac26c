// Counts that a hot path raises as plain numbers; the registry learns of them when somebody asks for the text.
import type { Counter } from 'prom-client';
import { OTHER, type Words } from './labels.ts';

/** A count that a hot path raises; the registry learns of it at the next scrape. */
export interface Tally {
  total: number;
  shown: number;
}

/** All tallies of one registry. */
export class Tallies {
  readonly #flushes: (() => void)[] = [];

  /** A tally for one child of a counter. */
  one(of: Counter, values: Record<string, string> = {}): Tally {
    const tally: Tally = { total: 0, shown: 0 };
    const child = of.labels(values);
    this.#flushes.push(() => {
      child.inc(tally.total - tally.shown);
      tally.shown = tally.total;
    });
    return tally;
  }

  /** A tally for every word that `label` may hold. */
  each(of: Counter, label: string, words: Words, values: Record<string, string> = {}): WordTallies {
    return new WordTallies(new Map(words.all.map((word) => [word, this.one(of, { ...values, [label]: word })])));
  }

  /** Hands what was counted since the last time to the registry. */
  flush(): void {
    for (const flush of this.#flushes) flush();
  }
}

/** The tallies of one list of words. */
export class WordTallies {
  readonly #byWord: ReadonlyMap<string, Tally>;
  readonly #other: Tally;

  constructor(byWord: ReadonlyMap<string, Tally>) {
    this.#byWord = byWord;
    this.#other = byWord.get(OTHER) as Tally;
  }

  of(word: string): Tally {
    return this.#byWord.get(word) ?? this.#other;
  }

  add(word: string): void {
    this.of(word).total += 1;
  }
}
