// One stream of news and who follows it: each piece has a number, and the latest are kept, so that a stream that broke goes on
// behind the last piece that its reader has.
import { isHarmless } from './harmless.ts';

/** One event of a stream, for all who follow it. */
export interface Told {
  /** What a stream may be resumed behind. */
  id: string;
  event: string;
  /** The same object for all who follow. */
  data: unknown;
}

export type Listener = (told: Told) => void;

/** Pieces kept: half a minute of a grid in which something changes all the time. */
const KEPT_PIECES = 200;

export class Channel {
  readonly #epoch: string;
  readonly #listeners = new Set<Listener>();
  #kept: Told[] = [];
  #last = 0;

  /** @param epoch names this life of the stream: what another process numbered means nothing here */
  constructor(epoch: string) {
    this.#epoch = epoch;
  }

  get size(): number {
    return this.#listeners.size;
  }

  /** What happened, for all who follow and for those who come back. */
  tell(event: string, data: unknown): void {
    this.#last += 1;
    const told = this.now(event, data);
    this.#kept.push(told);
    if (this.#kept.length > KEPT_PIECES) this.#kept.shift();
    this.pass(told);
  }

  /** An event as of now, which is not kept. */
  now(event: string, data: unknown): Told {
    return { id: `${this.#epoch}.${this.#last}`, event, data };
  }

  /** To all who follow; one that throws follows no more. */
  pass(told: Told): void {
    for (const listener of [...this.#listeners])
      if (!isHarmless(() => listener(told))) this.#listeners.delete(listener);
  }

  /** What was told behind this id; null: nobody can say, everything has to be told anew. */
  since(id: string | null): readonly Told[] | null {
    const [, epoch, number] = /^([^.]*)\.(\d{1,15})$/.exec(id ?? '') ?? [];
    const from = Number(number ?? -1);
    const missed = this.#last - from;
    if (epoch !== this.#epoch || from < 0 || missed < 0 || missed > this.#kept.length) return null;
    return missed === 0 ? [] : this.#kept.slice(-missed);
  }

  follow(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Something was not told: who comes back begins anew. */
  forget(): void {
    this.#last += 1;
    this.#kept = [];
  }

  /** Nobody follows any more. */
  close(): void {
    this.#listeners.clear();
  }
}
