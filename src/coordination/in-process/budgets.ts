// Money per key and day, counted in this process since its start. What was spent before is for the ledger to tell: count
// it with `spend` at start where it matters.
import type { Clock } from '../../clock.ts';
import type { Budgets, BudgetUse, Reservation } from '../port.ts';

/**
 * Keys of one day. They come from agent files, not from callers, so nobody reaches this. A key beyond it can reserve
 * nothing, so what it spends need not be counted; forgetting another key's spending would open that budget again.
 */
export const MAX_BUDGETS = 10_000;

interface Use {
  spentNanoUsd: number;
  reservedNanoUsd: number;
}

export class InProcessBudgets implements Budgets {
  readonly #clock: Clock;
  /** Uses of the current day, by key. */
  #today = new Map<string, Use>();
  #day: string;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#day = dayOf(clock.wallMs());
  }

  reserve(key: string, amountNanoUsd: number, limitNanoUsd: number): Reservation | null {
    const use = this.#use(key);
    if (use === null || use.spentNanoUsd + use.reservedNanoUsd + amountNanoUsd > limitNanoUsd) return null;
    use.reservedNanoUsd += amountNanoUsd;
    let open = true;
    return {
      // On the day of the reservation: after midnight that day's uses are nobody's any more but this closure's.
      settle: (spentNanoUsd) => {
        if (!open) return;
        open = false;
        use.reservedNanoUsd -= amountNanoUsd;
        use.spentNanoUsd += spentNanoUsd;
      },
    };
  }

  spend(key: string, amountNanoUsd: number): void {
    const use = this.#use(key);
    if (use !== null) use.spentNanoUsd += amountNanoUsd;
  }

  read(key: string): BudgetUse {
    this.#turnDay();
    const { spentNanoUsd, reservedNanoUsd } = this.#today.get(key) ?? { spentNanoUsd: 0, reservedNanoUsd: 0 };
    return { day: this.#day, spentNanoUsd, reservedNanoUsd };
  }

  /** Null when there is no room for another key. */
  #use(key: string): Use | null {
    this.#turnDay();
    const known = this.#today.get(key);
    if (known) return known;
    if (this.#today.size >= MAX_BUDGETS) return null;
    const use: Use = { spentNanoUsd: 0, reservedNanoUsd: 0 };
    this.#today.set(key, use);
    return use;
  }

  #turnDay(): void {
    const day = dayOf(this.#clock.wallMs());
    if (day === this.#day) return;
    this.#day = day;
    this.#today = new Map();
  }
}

const dayOf = (wallMs: number): string => new Date(wallMs).toISOString().slice(0, 10);
