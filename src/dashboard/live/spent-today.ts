// What was spent today, by all processes of one database: asked of it now and then while somebody looks, so that nobody waits.
import type { Clock } from '../../clock.ts';
import type { Store } from '../../store/store.ts';

const ASK_EVERY_MS = 10_000;

export class SpentToday {
  readonly #store: Pick<Store, 'ask'>;
  readonly #clock: Pick<Clock, 'nowMs' | 'wallMs'>;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #known: { day: string; nanoUsd: number } | null = null;

  constructor({ store, clock }: { store: Pick<Store, 'ask'>; clock: Pick<Clock, 'nowMs' | 'wallMs'> }) {
    this.#store = store;
    this.#clock = clock;
  }

  /** As it was some seconds ago; null until it is known, and in the first moments of a day. */
  get nanoUsd(): number | null {
    const day = new Date(this.#clock.wallMs()).toISOString().slice(0, 10);
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#askedAtMs >= ASK_EVERY_MS) {
      this.#askedAtMs = nowMs;
      void this.#store.ask('spentOn', { day }).then(
        (nanoUsd) => (this.#known = { day, nanoUsd }),
        // What is wrong with the database is told beside it.
        () => {},
      );
    }
    return this.#known?.day === day ? this.#known.nanoUsd : null;
  }
}
