// The call store as the calls see it: every question is settled within a bound, whatever the disk does, and what this
// process wrote last is answered from memory where the store fails.
import type { CallStore, StoredCall } from '../call/call-store.ts';
import type { Clock } from '../clock.ts';
import { TrunklineError } from '../errors.ts';

export interface SteadyStoreOptions {
  store: CallStore;
  clock: Clock;
  /** Told of a read that failed, and of whatever took too long; failed writes reject. */
  failed: (error: unknown) => void;
}

/** Longest wait for a read: a webhook waits for two of them, and the carrier tries again after 4 s (`rt=4000`). */
const READ_WITHIN_MS = 1_500;
/** Longest wait for a write. Nobody who is on a line waits for one; slow disks under load take their second. */
const WRITE_WITHIN_MS = 5_000;

/** Entries remembered, the latest: a carrier asks within seconds after a call's end. */
const MAX_REMEMBERED = 1_000;

export class SteadyStore implements CallStore {
  readonly #options: SteadyStoreOptions;
  /** The latest entries of this process, oldest first. */
  readonly #remembered = new Map<string, StoredCall>();

  constructor(options: SteadyStoreOptions) {
    this.#options = options;
  }

  put(call: StoredCall): Promise<void> {
    this.#remember(keyOf(call.carrier, call.carrierCallId), call);
    return this.#write('put', () => this.#options.store.put(call));
  }

  update(carrier: string, carrierCallId: string, change: (call: StoredCall) => StoredCall): Promise<void> {
    const key = keyOf(carrier, carrierCallId);
    const known = this.#remembered.get(key);
    if (known) this.#remember(key, change(known));
    return this.#write('update', () => this.#options.store.update(carrier, carrierCallId, change));
  }

  /** Never rejects: an entry that cannot be read counts as absent, unless this process wrote it. */
  async get(carrier: string, carrierCallId: string): Promise<StoredCall | null> {
    try {
      const found = await this.#ask('get', READ_WITHIN_MS, () => this.#options.store.get(carrier, carrierCallId));
      if (found !== LATE) return found;
    } catch (error) {
      this.#options.failed(error);
    }
    return this.#remembered.get(keyOf(carrier, carrierCallId)) ?? null;
  }

  #remember(key: string, call: StoredCall): void {
    this.#remembered.delete(key);
    this.#remembered.set(key, call);
    if (this.#remembered.size > MAX_REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value as string);
  }

  /** Rejects when the store says that it failed; a store that is late only may still do it, and nobody waits. */
  async #write(what: string, ask: () => Promise<void>): Promise<void> {
    await this.#ask(what, WRITE_WITHIN_MS, ask);
  }

  async #ask<T>(what: string, withinMs: number, ask: () => Promise<T>): Promise<T | typeof LATE> {
    const { clock, failed } = this.#options;
    const late = Promise.withResolvers<typeof LATE>();
    const cancel = clock.at(clock.nowMs() + withinMs, () => {
      failed(new TrunklineError('TRK_STORE', `the call store did not answer within ${withinMs} ms (${what})`));
      late.resolve(LATE);
    });
    try {
      return await Promise.race([ask(), late.promise]);
    } catch (cause) {
      throw new TrunklineError('TRK_STORE', `the call store failed (${what})`, { cause });
    } finally {
      cancel();
    }
  }
}

const LATE = Symbol('late');

const keyOf = (carrier: string, id: string): string => `${carrier}/${id}`;
