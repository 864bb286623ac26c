// How many runs of one tool go on at once in this process. A few more may wait; who waits leaves at its deadline or when its
// caller hangs up. (cockatiel's bulkhead notices an aborted waiter only when a place is free, so that the dead hold the
// queue while a service hangs; hence these lines of our own.)

/** A place, taken or waited for. */
export interface Place {
  /** Null: taken at once. */
  entered: Promise<void> | null;
  /** Gives the place back, or stops waiting for it; once. */
  leave(): void;
}

export interface Slots {
  /** Null: all places are taken, and all that may wait do. */
  take(): Place | null;
  readonly taken: number;
}

export function createSlots(places: number, mayWait: number): Slots {
  let taken = 0;
  const waiting = new Set<() => void>();

  function leave(): void {
    const next = waiting.values().next();
    if (next.done) {
      taken -= 1;
      return;
    }
    // The place goes over to who has waited longest, without being free in between.
    waiting.delete(next.value);
    next.value();
  }

  function once(act: () => void): () => void {
    let done = false;
    return () => {
      if (!done) act();
      done = true;
    };
  }

  return {
    take() {
      if (taken < places) {
        taken += 1;
        return { entered: null, leave: once(leave) };
      }
      if (waiting.size >= mayWait) return null;
      const { promise, resolve } = Promise.withResolvers<void>();
      const enter = () => resolve();
      waiting.add(enter);
      return { entered: promise, leave: once(() => (waiting.delete(enter) ? undefined : leave())) };
    },
    get taken() {
      return taken;
    },
  };
}
