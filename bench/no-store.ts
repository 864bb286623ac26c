// A store that keeps nothing, for servers of the bench that are to be measured without one.
import { TrunklineError } from '../src/errors.ts';
import type { Store } from '../src/store/store.ts';

export const noStore = (): Promise<Store> =>
  Promise.resolve({
    append() {},
    ask: () => Promise.reject(new TrunklineError('TRK_STORE', 'measured without a store')),
    health: { state: 'ok', lagMs: 0, journalBytes: 0, unflushed: 0, lost: 0, aside: 0, why: '' },
    flushed: () => Promise.resolve(),
    settled: () => Promise.resolve(),
    close: () => Promise.resolve(),
  });
