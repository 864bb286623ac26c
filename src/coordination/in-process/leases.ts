// Who holds a place, and which rates have room. Places are counts by key, at most one per live call and limit; rates are
// one number each.
import type { Clock } from '../../clock.ts';
import type { Acquired, AdmissionLeases, Lease, Limit } from '../port.ts';

/** Rates remembered. Beyond it the one used longest ago is forgotten, as if its bucket had filled up. */
export const MAX_RATES = 10_000;

export class InProcessLeases implements AdmissionLeases {
  readonly #clock: Clock;
  /** Places taken, by key; a key without any is not in it. */
  readonly #taken = new Map<string, number>();
  /** When each bucket will be full again, by key, the one used longest ago first; one that is full is forgotten. */
  readonly #fullAtMs = new Map<string, number>();
  #leases = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Leases not released: for tests that look for leftovers. */
  get leases(): number {
    return this.#leases;
  }

  /** Rates remembered now. */
  get rates(): number {
    return this.#fullAtMs.size;
  }

  acquire<R extends string>(limits: readonly Limit<R>[]): Acquired<R> {
    const nowMs = this.#clock.nowMs();
    const over = limits.find((limit) => !this.#hasRoom(limit, nowMs));
    if (over) return { granted: false, refusal: over.refusal };
    for (const limit of limits) this.#take(limit, nowMs);
    this.#forgetFull(nowMs);
    return { granted: true, lease: this.#lease(limits) };
  }

  #hasRoom(limit: Limit<string>, nowMs: number): boolean {
    if (limit.kind === 'places') return (this.#taken.get(limit.key) ?? 0) < limit.atMost;
    // A bucket of n tokens has one left when it lacks at most n - 1.
    return this.#refillMs(limit.key, nowMs) <= ((limit.burst - 1) * 1_000) / limit.perSecond;
  }

  #take(limit: Limit<string>, nowMs: number): void {
    if (limit.kind === 'places') {
      this.#taken.set(limit.key, (this.#taken.get(limit.key) ?? 0) + 1);
      return;
    }
    const fullAtMs = nowMs + this.#refillMs(limit.key, nowMs) + 1_000 / limit.perSecond;
    // Taken out first: the map's order is the order of last use.
    this.#fullAtMs.delete(limit.key);
    this.#fullAtMs.set(limit.key, fullAtMs);
  }

  /** How long a bucket still needs to be full. */
  #refillMs(key: string, nowMs: number): number {
    return Math.max(0, (this.#fullAtMs.get(key) ?? 0) - nowMs);
  }

  #forgetFull(nowMs: number): void {
    for (const [key, fullAtMs] of this.#fullAtMs) {
      if (fullAtMs > nowMs && this.#fullAtMs.size <= MAX_RATES) return;
      this.#fullAtMs.delete(key);
    }
  }

  #lease(limits: readonly Limit<string>[]): Lease {
    this.#leases += 1;
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#leases -= 1;
        for (const { kind, key } of limits) if (kind === 'places') this.#giveBack(key);
      },
    };
  }

  #giveBack(key: string): void {
    const left = (this.#taken.get(key) ?? 0) - 1;
    if (left > 0) this.#taken.set(key, left);
    else this.#taken.delete(key);
  }
}
