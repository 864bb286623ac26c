// When what lies in the journal came, so that it can be told how far the database is behind.
import { isBefore, type Position } from './journal-folder.ts';

/** Beyond it the last one stands for those that follow. */
const MAX_MOMENTS = 10_000;

export class Moments {
  #moments: { sinceMs: number; end: Position }[] = [];

  /** What came since then lies before `end`. */
  flushed(sinceMs: number, end: Position): void {
    const last = this.#moments.at(-1);
    if (last !== undefined && this.#moments.length >= MAX_MOMENTS) last.end = end;
    else this.#moments.push({ sinceMs, end });
  }

  /** Everything before it is in the database. */
  taken(upTo: Position): void {
    const behind = this.#moments.findIndex(({ end }) => isBefore(upTo, end));
    this.#moments = behind < 0 ? [] : this.#moments.slice(behind);
  }

  /** Null: all is in the database. */
  get oldestMs(): number | null {
    return this.#moments[0]?.sinceMs ?? null;
  }
}
