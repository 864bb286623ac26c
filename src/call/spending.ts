// What one call spends against its budgets: sets money aside for the answer that comes next, counts what was used, and
// reports to the call when that changes what it may do. Owns its reservations and one timer.
import type { Budgets, Reservation } from '../coordination/port.ts';
import type { Cancel, Clock } from '../clock.ts';
import type { LedgerLine } from '../ledger/line.ts';
import type { DayBudget } from './admission.ts';
import type { BudgetShare, ShellEvent } from './event.ts';

/** What things cost, for one call. */
export interface SpendMeter {
  /** A line was charged: what an answer was sent and said, the next one is sent. */
  read(line: LedgerLine): void;
  /** The most that the next answer can cost, after what was used so far. */
  nextAnswerNanoUsd(): number;
  /** What the carrier will charge for a call that began so long ago. */
  carriedNanoUsd(ms: number): number;
}

export interface SpendingOptions<R extends string> {
  clock: Clock;
  budgets: Budgets;
  meter: SpendMeter;
  /** What this call alone may cost; null = whatever it does. */
  call: { refusal: R; limitNanoUsd: number } | null;
  days: readonly DayBudget<R>[];
}

export type BudgetChange = Extract<ShellEvent, { type: 'budget.changed' }>;

/** Carrier minutes add up while nobody speaks. */
const LOOK_EVERY_MS = 15_000;
/** From here on the agent is told that little is left. */
const NEAR = 0.8;

export class Spending<R extends string = string> {
  readonly #options: SpendingOptions<R>;
  readonly #startedAtMs: number;
  /** What was counted of each line of the bill. */
  readonly #counted = new Map<string, number>();
  #spentNanoUsd = 0;
  #carriedNanoUsd = 0;
  /** Set aside for the next answer, one for each budget of a day; null = nothing is. */
  #reserved: Reservation[] | null = null;
  #report: (change: BudgetChange) => void = () => {};
  #told = 'true low';
  /** What is being done; each thing begins when the one before is over. */
  #doing: Promise<void> = Promise.resolve();
  #cancelLook: Cancel = () => {};
  #closed = false;

  constructor(options: SpendingOptions<R>) {
    this.#options = options;
    this.#startedAtMs = options.clock.nowMs();
  }

  /** Before the call is let in: sets aside what its first answer can cost. The refusal of the budget that has not got it. */
  async open(): Promise<R | null> {
    const refusal = await this.#setAside();
    if (refusal === null) this.#look();
    return refusal;
  }

  /** Who hears of changes; never called from inside `charged` or `reserve`, so that a tape replays to the same order. */
  attach(report: (change: BudgetChange) => void): void {
    this.#report = report;
  }

  /**
   * A line was added to the call's bill, or is now another: the difference is spent. Minutes of the carrier's are counted by
   * the clock, since their lines come when the call is over.
   */
  charged(line: LedgerLine): void {
    if (line.what === 'leg' || line.what === 'media_stream') return;
    const key = `${line.what} ${line.source}`;
    const before = this.#counted.get(key);
    const cost = line.costNanoUsd ?? 0;
    this.#counted.set(key, cost);
    this.#options.meter.read(line);
    this.#inOrder(async () => {
      if (line.what !== 'answer' || before !== undefined) return this.#spend(cost - (before ?? 0));
      await this.#settle(cost);
      if (!this.#closed) await this.#setAside();
    });
  }

  /** An answer is due and nothing is set aside: tried again, and what came of it is told in any case. */
  reserve(): void {
    this.#inOrder(async () => {
      if (this.#reserved === null) await this.#setAside();
      this.#told = '';
    });
  }

  /** The call is over, late usage too: what is still set aside is free. Idempotent. */
  close(): Promise<void> {
    this.#closed = true;
    this.#cancelLook();
    this.#inOrder(() => this.#settle(0));
    return this.#doing;
  }

  #inOrder(act: () => Promise<void>): void {
    this.#doing = this.#doing
      .then(act)
      .then(() => this.#tell())
      // A port that fails lets the call go on: money is no reason to cut off a caller.
      .catch(() => {});
  }

  /** All or nothing: the budget that has not got it, or null. The call's own comes first. */
  async #setAside(): Promise<R | null> {
    const { meter, budgets, days, call } = this.#options;
    const amount = meter.nextAnswerNanoUsd();
    if (call !== null && this.#spentNanoUsd + amount > call.limitNanoUsd) return call.refusal;
    const reserved: Reservation[] = [];
    for (const { key, limitNanoUsd, refusal } of days) {
      const reservation = await budgets.reserve(key, amount, limitNanoUsd);
      if (reservation === null) {
        for (const one of reserved) await one.settle(0);
        return refusal;
      }
      reserved.push(reservation);
    }
    this.#reserved = reserved;
    return null;
  }

  /** What was set aside turned out to cost so much. */
  async #settle(costNanoUsd: number): Promise<void> {
    const reserved = this.#reserved;
    this.#reserved = null;
    if (reserved === null) return this.#spend(costNanoUsd);
    this.#spentNanoUsd += costNanoUsd;
    for (const one of reserved) await one.settle(costNanoUsd);
  }

  async #spend(costNanoUsd: number): Promise<void> {
    if (costNanoUsd === 0) return;
    const { budgets, days } = this.#options;
    this.#spentNanoUsd += costNanoUsd;
    for (const { key } of days) await budgets.spend(key, costNanoUsd);
  }

  /** Counts the carrier's minutes, now and from time to time. */
  #look(): void {
    const { clock, meter } = this.#options;
    this.#inOrder(async () => {
      const carried = meter.carriedNanoUsd(clock.nowMs() - this.#startedAtMs);
      const more = carried - this.#carriedNanoUsd;
      this.#carriedNanoUsd = carried;
      await this.#spend(more);
    });
    this.#cancelLook = clock.at(clock.nowMs() + LOOK_EVERY_MS, () => this.#look());
  }

  async #tell(): Promise<void> {
    if (this.#closed) return;
    const share = await this.#share();
    const reserved = this.#reserved !== null;
    const now = `${reserved} ${share}`;
    if (now === this.#told) return;
    this.#told = now;
    this.#report({ type: 'budget.changed', reserved, share });
  }

  /** Of the budget that is nearest to its end. */
  async #share(): Promise<BudgetShare> {
    const { budgets, days, call } = this.#options;
    const shares = await Promise.all(
      days.map(async ({ key, limitNanoUsd }) => (await budgets.read(key)).spentNanoUsd / limitNanoUsd),
    );
    if (call !== null) shares.push(this.#spentNanoUsd / call.limitNanoUsd);
    const most = Math.max(0, ...shares);
    return most >= 1 ? 'spent' : most >= NEAR ? 'near' : 'low';
  }
}
