// The calls of the grid and their order. The order is the reader's: it changes when they ask for it and never by itself, so
// that nothing jumps under the cursor. New calls come at the end; those that are over stay for a while, greyed. No DOM.
import type { LiveCall } from '../../dashboard/schemas/live.ts';
import { stateRank } from './states.ts';

export interface GridRow {
  call: LiveCall;
  /** When this page learnt that it is over; null: it is under way. Milliseconds of the caller's clock. */
  goneAtMs: number | null;
}

export const SORTS = ['age', 'state', 'cost', 'latency'] as const;
export type Sort = (typeof SORTS)[number];

/** How long a call that is over stays to be seen. */
export const GONE_STAYS_MS = 5_000;
/** So many of these at most, even while the reader's pointer keeps them from going. */
const MOST_GONE = 100;

/** Each sort with what wants a look first; equal ones by age, so that the order is one. */
const BY: Record<Sort, (a: LiveCall, b: LiveCall) => number> = {
  age: () => 0,
  state: (a, b) => stateRank(a.state) - stateRank(b.state) || a.stateSinceWallMs - b.stateSinceWallMs,
  cost: (a, b) => b.costNanoUsd - a.costNanoUsd,
  latency: (a, b) => (b.latencyMs ?? -1) - (a.latencyMs ?? -1),
};

/** Below zero: a stands above b. */
export const compareCalls = (sort: Sort, a: LiveCall, b: LiveCall): number =>
  BY[sort](a, b) || a.admittedWallMs - b.admittedWallMs || (a.callId < b.callId ? -1 : 1);

export class CallGrid {
  readonly #rows = new Map<string, GridRow>();
  #order: string[] = [];

  /** In the order to be shown. A row is another object whenever something of it has changed. */
  rows(): GridRow[] {
    return this.#order.flatMap((id) => this.#rows.get(id) ?? []);
  }

  get(callId: string): GridRow | undefined {
    return this.#rows.get(callId);
  }

  /** How many are under way. */
  live(): number {
    let live = 0;
    for (const { goneAtMs } of this.#rows.values()) if (goneAtMs === null) live += 1;
    return live;
  }

  /** All that is under way: what is not in it is over. */
  snapshot(calls: readonly LiveCall[], nowMs: number, sort: Sort): void {
    const first = this.#rows.size === 0;
    const there = new Set(calls.map(({ callId }) => callId));
    this.change(
      calls,
      [...this.#rows.keys()].filter((id) => !there.has(id)),
      nowMs,
    );
    if (first) this.sort(sort);
  }

  change(calls: readonly LiveCall[], gone: readonly string[], nowMs: number): void {
    for (const call of calls) {
      if (!this.#rows.has(call.callId)) this.#order.push(call.callId);
      this.#rows.set(call.callId, { call, goneAtMs: null });
    }
    for (const id of gone) {
      const row = this.#rows.get(id);
      if (row?.goneAtMs === null) this.#rows.set(id, { ...row, goneAtMs: nowMs });
    }
  }

  /** Removes what has been over for long enough. `held`: the reader is in the grid, nothing may move. */
  sweep(nowMs: number, held: boolean): boolean {
    const gone = this.rows().filter(({ goneAtMs }) => goneAtMs !== null);
    const due = held ? [] : gone.filter(({ goneAtMs }) => nowMs - (goneAtMs ?? nowMs) >= GONE_STAYS_MS);
    const over = gone.length - due.length - MOST_GONE;
    if (over > 0) {
      const rest = gone.filter((row) => !due.includes(row));
      due.push(...rest.toSorted((a, b) => (a.goneAtMs ?? 0) - (b.goneAtMs ?? 0)).slice(0, over));
    }
    if (due.length === 0) return false;
    for (const { call } of due) this.#rows.delete(call.callId);
    this.#order = this.#order.filter((id) => this.#rows.has(id));
    return true;
  }

  /** Puts the calls into order, now and only now. */
  sort(by: Sort): void {
    this.#order = this.rows()
      .toSorted((a, b) => compareCalls(by, a.call, b.call))
      .map(({ call }) => call.callId);
  }

  /** Whether sorting would change what is seen. */
  isSorted(by: Sort): boolean {
    const rows = this.rows().filter(({ goneAtMs }) => goneAtMs === null);
    return rows.every((row, at) => {
      const before = rows[at - 1];
      return before === undefined || compareCalls(by, before.call, row.call) < 0;
    });
  }
}
