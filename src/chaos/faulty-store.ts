// The store of calls with a disk that fails for some calls: whatever is asked about those rejects, comes late, or never.
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallStore, StoredCall } from '../call/call-store.ts';

export type StoreFault = 'rejects' | 'hangs' | 'slow';

/** Within the second that the server waits for its store. */
const SLOW_MS = 700;

export class FaultyStore implements CallStore {
  readonly #files: CallStore;
  readonly #faultOf: (carrierCallId: string) => StoreFault | undefined;

  /** @param faultOf what is wrong for this call of the carrier, if anything */
  constructor(files: CallStore, faultOf: (carrierCallId: string) => StoreFault | undefined) {
    this.#files = files;
    this.#faultOf = faultOf;
  }

  put(call: StoredCall): Promise<void> {
    return this.#ask(call.carrierCallId, () => this.#files.put(call));
  }

  update(carrier: string, carrierCallId: string, change: (call: StoredCall) => StoredCall): Promise<void> {
    return this.#ask(carrierCallId, () => this.#files.update(carrier, carrierCallId, change));
  }

  get(carrier: string, carrierCallId: string): Promise<StoredCall | null> {
    return this.#ask(carrierCallId, () => this.#files.get(carrier, carrierCallId));
  }

  async #ask<T>(carrierCallId: string, work: () => Promise<T>): Promise<T> {
    switch (this.#faultOf(carrierCallId)) {
      case 'rejects':
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      case 'hangs':
        return new Promise<T>(() => {});
      case 'slow':
        await sleep(SLOW_MS);
        return work();
      default:
        return work();
    }
  }
}
