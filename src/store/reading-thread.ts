// The main thread's end of a thread that only reads (SQLite): questions that look through all calls are asked there, one at a
// time, so that the thread that writes stays free. Started by the first question, ended when there has been none for a while.
import { Worker } from 'node:worker_threads';
import type { Cancel, Clock } from '../clock.ts';
import { TrunklineError } from '../errors.ts';
import type { Place } from './place.ts';
import type { Told } from './worker-messages.ts';

export interface Question {
  name: string;
  question: unknown;
}

export type Answered = { answer: unknown } | { error: Told };

/** From being asked, the wait for others included. */
const ANSWER_WITHIN_MS = 10_000;
const IDLE_MS = 60_000;
/** Who asks when so many wait is refused at once. */
const MOST_WAITING = 32;

interface Waiting extends Question {
  settle: (answered: Answered) => void;
}

export class ReadingThread {
  readonly #place: Place;
  readonly #clock: Clock;
  #worker: Worker | null = null;
  readonly #waiting: Waiting[] = [];
  /** The question that the thread works on. */
  #asked: Waiting | null = null;
  #idle: Cancel | null = null;
  #closed = false;

  constructor(place: Place, clock: Clock) {
    this.#place = place;
    this.#clock = clock;
  }

  /** @throws TrunklineError TRK_STORE when it cannot be answered, or not in time */
  ask(name: string, question: unknown): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const refuse = (message: string): void => reject(new TrunklineError('TRK_STORE', message));
    if (this.#closed || this.#waiting.length >= MOST_WAITING) {
      refuse(this.#closed ? 'the store is closed' : `too many wait for the database to answer "${name}"`);
      return promise;
    }
    const cancel = this.#clock.at(this.#clock.nowMs() + ANSWER_WITHIN_MS, () => this.#late(waiting));
    const waiting: Waiting = {
      ...{ name, question },
      settle: (answered) => {
        cancel();
        if ('error' in answered) reject(new TrunklineError(answered.error.code, answered.error.message));
        else resolve(answered.answer);
      },
    };
    this.#waiting.push(waiting);
    this.#next();
    return promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#gone('the store is closed');
    await worker?.terminate();
  }

  #next(): void {
    if (this.#asked !== null) return;
    this.#idle?.();
    this.#idle = null;
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#idle = this.#clock.at(this.#clock.nowMs() + IDLE_MS, () => this.#end());
      return;
    }
    this.#asked = next;
    const { name, question } = next;
    try {
      (this.#worker ??= this.#start()).postMessage({ name, question } satisfies Question);
    } catch {
      this.#settle({ error: { code: 'TRK_STORE', message: `"${name}" cannot be asked like that` } });
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL('./reading-worker.ts', import.meta.url), { workerData: this.#place });
    // A process that has nothing else to do need not wait for it.
    worker.unref();
    worker.on('message', (answered: Answered) => {
      if (worker === this.#worker) this.#settle(answered);
    });
    // It is followed by the end.
    worker.on('error', () => {});
    worker.once('exit', () => {
      if (worker === this.#worker) this.#gone('the thread that reads the database ended before it answered');
    });
    return worker;
  }

  #settle(answered: Answered): void {
    const asked = this.#asked;
    this.#asked = null;
    asked?.settle(answered);
    this.#next();
  }

  /** What waits is forgotten; what is worked on cannot be stopped but with its thread, which only reads. */
  #late(waiting: Waiting): void {
    const seconds = ANSWER_WITHIN_MS / 1_000;
    const message = `the database did not answer "${waiting.name}" within ${seconds} s`;
    const error: Told = { code: 'TRK_STORE', message };
    const at = this.#waiting.indexOf(waiting);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (this.#asked !== waiting) return waiting.settle({ error });
    this.#end();
    this.#settle({ error });
  }

  #end(): void {
    const worker = this.#worker;
    this.#worker = null;
    void worker?.terminate();
  }

  /** The thread is no more; the next question starts another. */
  #gone(message: string): void {
    this.#worker = null;
    const error: Told = { code: 'TRK_STORE', message };
    const asked = this.#asked;
    this.#asked = null;
    asked?.settle({ error });
    if (this.#closed) {
      this.#idle?.();
      for (const waiting of this.#waiting.splice(0)) waiting.settle({ error });
    } else this.#next();
  }
}
