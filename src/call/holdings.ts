// What belongs to a call and must not outlive it: model sessions, media sockets, timers, media tokens. Whoever opens such a
// thing notes it here and crosses it out when it is gone; the sweep looks for what is left of calls that are over.
import type { Clock } from '../clock.ts';

/** The kinds of things that are held; `call` is a call that ended and was not let go. */
export type HeldKind = 'call' | 'model_session' | 'media_socket' | 'timer' | 'media_token';

/** One thing that outlived its call. */
export interface Leftover {
  kind: HeldKind;
  callId: string;
}

interface Held extends Leftover {
  /** Ends it by force. */
  close(): void;
  /** A look has found it without its call; it may still be on its way out. */
  suspect: boolean;
}

export class Holdings {
  readonly #held = new Set<Held>();

  /** Notes a thing of a call; call the result when it is gone. Idempotent. `close` ends it should it be left over. */
  hold(kind: HeldKind, callId: string, close: () => void): () => void {
    const held: Held = { kind, callId, close, suspect: false };
    this.#held.add(held);
    return () => void this.#held.delete(held);
  }

  /** How many are held, of one kind or of all. */
  count(kind?: HeldKind): number {
    if (kind === undefined) return this.#held.size;
    let count = 0;
    for (const held of this.#held) if (held.kind === kind) count++;
    return count;
  }

  /** How many the last look found without their call. */
  get suspects(): number {
    let count = 0;
    for (const { suspect } of this.#held) if (suspect) count++;
    return count;
  }

  /** Looks at everything once; what has no live call at two looks in a row is closed, crossed out and returned. */
  look(isLive: (callId: string) => boolean, failed: (callId: string, error: unknown) => void): Leftover[] {
    const leftovers: Leftover[] = [];
    for (const held of [...this.#held]) {
      const { kind, callId, suspect } = held;
      held.suspect = !isLive(callId);
      if (!suspect || !held.suspect) continue;
      leftovers.push({ kind, callId });
      this.#held.delete(held);
      try {
        held.close();
      } catch (error) {
        failed(callId, error);
      }
    }
    return leftovers;
  }
}

/** The clock of one call: its timers are held until they fire or are cancelled. */
export const heldClock = (clock: Clock, holdings: Holdings, callId: string): Clock => ({
  nowMs: () => clock.nowMs(),
  wallMs: () => clock.wallMs(),
  at(atMs, fire) {
    const cancel = clock.at(atMs, () => {
      release();
      fire();
    });
    const release = holdings.hold('timer', callId, cancel);
    return () => {
      release();
      cancel();
    };
  },
});
