// Lets tests watch a session: every step as an event, and promises for "the next time this happens".

/** A listener that throws is dropped: a test must not break the session it looks at. */
export class Watchers<Events extends object> {
  #listeners = new Map<keyof Events, Set<(payload: never) => void>>();
  #waiting = new Set<(error: Error) => void>();
  #ended: Error | undefined;

  /** Calls `listener` each time; returns what takes it off again. */
  on<Type extends keyof Events>(type: Type, listener: (payload: Events[Type]) => void): () => void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** The next payload that `fits`; rejects when the session ends without one. */
  next<Type extends keyof Events>(
    type: Type,
    fits: (payload: Events[Type]) => boolean = () => true,
  ): Promise<Events[Type]> {
    if (this.#ended) return Promise.reject(this.#ended);
    const happened = new Promise<Events[Type]>((resolve, reject) => {
      const stop = this.on(type, (payload) => {
        if (!fits(payload)) return;
        stop();
        this.#waiting.delete(reject);
        resolve(payload);
      });
      this.#waiting.add(reject);
    });
    // Nobody may be waiting any more when the session ends.
    happened.catch(() => {});
    return happened;
  }

  tell<Type extends keyof Events>(type: Type, payload: Events[Type]): void {
    const listeners = this.#listeners.get(type);
    for (const listener of listeners ?? []) {
      try {
        (listener as (payload: Events[Type]) => void)(payload);
      } catch (error) {
        listeners?.delete(listener);
        console.error('simulator: a watcher was dropped', error);
      }
    }
  }

  /** Fails whoever still waits. */
  end(reason: string): void {
    this.#ended = new Error(reason);
    for (const reject of this.#waiting) reject(this.#ended);
    this.#waiting.clear();
    this.#listeners.clear();
  }
}
