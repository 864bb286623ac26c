// Money per key and day, counted in this process since its start. What was spent before is for the ledger to tell: count
// it with `spend` at start where it matters.
import type { Clock } from '../../clock.ts';
import type { Budgets, BudgetUse, Reservation } from '../port.ts';

/**
 * Keys of one day, most of them callers'. Beyond it the one used longest ago is forgotten, and its budget is open again: what
 * every call uses (an agent's, the server's) and what a live call has reserved is never that one.
 */
export const MAX_BUDGETS = 50_000;

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
    if (use.spentNanoUsd + use.reservedNanoUsd + amountNanoUsd > limitNanoUsd) return null;
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
    this.#use(key).spentNanoUsd += amountNanoUsd;
  }

  read(key: string): BudgetUse {
    this.#turnDay();
    const { spentNanoUsd, reservedNanoUsd } = this.#today.get(key) ?? { spentNanoUsd: 0, reservedNanoUsd: 0 };
    return { day: this.#day, spentNanoUsd, reservedNanoUsd };
  }

  /** Kept in the order of their use. */
  #use(key: string): Use {
    this.#turnDay();
    const use = this.#today.get(key) ?? { spentNanoUsd: 0, reservedNanoUsd: 0 };
    this.#today.delete(key);
    if (this.#today.size >= MAX_BUDGETS) this.#forgetOne();
    this.#today.set(key, use);
    return use;
  }

  #forgetOne(): void {
    for (const [key, { reservedNanoUsd }] of this.#today) {
      if (reservedNanoUsd !== 0) continue;
      this.#today.delete(key);
      return;
    }
  }

  #turnDay(): void {
    const day = dayOf(this.#clock.wallMs());
    // A wall clock that is set back over midnight opens no budget again: the later day goes on.
    if (day <= this.#day) return;
    this.#day = day;
    this.#today = new Map();
  }
}

const dayOf = (wallMs: number): string => new Date(wallMs).toISOString().slice(0, 10);
