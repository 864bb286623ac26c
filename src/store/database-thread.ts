// The main thread's end of the worker thread that has the database: starts it, starts it again when it dies, passes questions on
// and bounds the wait for answers. Owns the worker.
import { Worker } from 'node:worker_threads';
import type { Cancel, Clock } from '../clock.ts';
import { TrunklineError } from '../errors.ts';
import type { Position } from './journal-folder.ts';
import type { FromWorker, Told, ToWorker, WorkerSetup } from './worker-messages.ts';

export interface ThreadLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * A thread for the database that has begun to load what it needs, and touches nothing. It takes some tenths of a second: a start
 * has it prepared while it does something else. It does not hold the process.
 */
export class PreparedThread {
  #worker: Worker | null = new Worker(new URL('./worker.ts', import.meta.url));

  constructor() {
    const worker = this.#worker as Worker;
    worker.unref();
    // It is followed by the end; whoever takes it then gets none.
    worker.on('error', () => {});
    worker.once('exit', () => (this.#worker = null));
  }

  /** Gives it away, once; null: it died, or somebody has it. */
  take(): Worker | null {
    const worker = this.#worker;
    this.#worker = null;
    worker?.removeAllListeners();
    worker?.ref();
    return worker;
  }

  /** Ends it, unless somebody took it. */
  async discard(): Promise<void> {
    await this.#worker?.terminate();
  }
}

export interface ThreadOptions {
  setup: WorkerSetup;
  /** The first worker, where one was prepared. */
  prepared?: PreparedThread | undefined;
  clock: Clock;
  log: ThreadLog;
  taken: (upTo: Position) => void;
  left: (bytes: number) => void;
}

/** A question whose answer takes longer is given up; the worker may still work on it. */
const ANSWER_WITHIN_MS = 10_000;
/** After the order to end, and after what the journal held could be taken in. */
const END_WITHIN_MS = 5_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;
/** A worker that lived for so long has not died of how it was started. */
const STEADY_MS = 60_000;
const DEAD = 'the database thread died and starts again';

interface Waiting {
  settle: (settle: { answer: unknown } | { error: TrunklineError }) => void;
}

export class DatabaseThread {
  readonly #options: ThreadOptions;
  #worker: Worker | null = null;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;
  #aside = 0;
  #upTo: Position | null = null;
  #down: string | null = null;
  readonly #tried = Promise.withResolvers<Told | null>();
  readonly #recovered = Promise.withResolvers<void>();
  #deaths = 0;
  #restart: Cancel | null = null;
  #closing = false;
  #gone = Promise.withResolvers<void>();

  constructor(options: ThreadOptions) {
    this.#options = options;
    if (!options.setup.recovers) this.#recovered.resolve();
    this.#start();
  }

  /** Why the database cannot be used; null while it can. */
  get down(): string | null {
    return this.#down;
  }

  /** Records of journals that were put aside. */
  get aside(): number {
    return this.#aside;
  }

  /** The outcome of the first try to open the database: null, also where it is only away; else what an operator has to change. */
  get tried(): Promise<Told | null> {
    return this.#tried.promise;
  }

  /** Settles when what dead processes had left at the start is in the database. */
  get recovered(): Promise<void> {
    return this.#recovered.promise;
  }

  take(upTo: Position): void {
    this.#upTo = upTo;
    this.#send({ do: 'take', upTo });
  }

  /** @throws TrunklineError TRK_STORE */
  ask(name: string, question: unknown): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (this.#closing || this.#worker === null) {
      reject(new TrunklineError('TRK_STORE', this.#closing ? 'the store is closed' : DEAD));
      return promise;
    }
    const { clock } = this.#options;
    const id = this.#asked++;
    const cancel = clock.at(clock.nowMs() + ANSWER_WITHIN_MS, () => {
      const late = `the database did not answer "${name}" within ${ANSWER_WITHIN_MS / 1_000} s`;
      this.#settle(id, { error: new TrunklineError('TRK_STORE', late) });
    });
    this.#waiting.set(id, {
      settle: (settled) => {
        cancel();
        if ('error' in settled) reject(settled.error);
        else resolve(settled.answer);
      },
    });
    try {
      this.#send({ do: 'ask', id, name, question });
    } catch (cause) {
      this.#settle(id, { error: new TrunklineError('TRK_STORE', `"${name}" cannot be asked like that`, { cause }) });
    }
    return promise;
  }

  /** Lets the worker take in what is left, within a bound. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#restart?.();
    const worker = this.#worker;
    if (worker === null) return;
    const { clock } = this.#options;
    this.#send({ do: 'close' });
    const cancel = clock.at(clock.nowMs() + END_WITHIN_MS, () => void worker.terminate());
    await this.#gone.promise;
    cancel();
  }

  #start(): void {
    const { clock, setup, prepared, log } = this.#options;
    const startedMs = clock.nowMs();
    const worker = prepared?.take() ?? new Worker(new URL('./worker.ts', import.meta.url));
    this.#worker = worker;
    this.#send({ do: 'begin', setup });
    this.#gone = Promise.withResolvers<void>();
    worker.on('message', (message: FromWorker) => this.#heard(message));
    worker.on('error', (err) => log.error({ err }, 'the database thread died'));
    worker.once('exit', () => {
      this.#worker = null;
      this.#gone.resolve();
      this.#tried.resolve(null);
      for (const id of [...this.#waiting.keys()])
        this.#settle(id, { error: new TrunklineError('TRK_STORE', 'the database thread ended before it answered') });
      if (this.#closing) return;
      if (clock.nowMs() - startedMs > STEADY_MS) this.#deaths = 0;
      this.#down = DEAD;
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#deaths);
      this.#deaths += 1;
      this.#restart = clock.at(clock.nowMs() + pauseMs, () => this.#start());
    });
    if (this.#upTo !== null) this.#send({ do: 'take', upTo: this.#upTo });
  }

  #send(order: ToWorker): void {
    this.#worker?.postMessage(order);
  }

  #heard(message: FromWorker): void {
    const { taken, left, log } = this.#options;
    switch (message.tell) {
      case 'tried':
        return this.#tried.resolve(message.refused);
      case 'taken':
        return taken(message.upTo);
      case 'left':
        if (message.done) this.#recovered.resolve();
        return left(message.bytes);
      case 'down':
        this.#down = message.why;
        return;
      case 'aside':
        this.#aside += 1;
        return;
      case 'answered':
        return this.#settle(message.id, { answer: message.answer });
      case 'refused':
        return this.#settle(message.id, { error: new TrunklineError(message.error.code, message.error.message) });
      case 'log':
        return log[message.level](message.fields, message.message);
      default:
        message satisfies never;
    }
  }

  #settle(id: number, settled: { answer: unknown } | { error: TrunklineError }): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.settle(settled);
  }
}
