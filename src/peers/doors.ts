// The port of this process, which a new process of the same data folder may share while this one drains. Linux spreads new
// connections over all processes that listen, so the one that drains stops listening as soon as another does; what was
// connected before goes on. Owns the listening, and knows of requests that are not answered yet.
import { setImmediate as nextRound } from 'node:timers/promises';
import { type AddressInfo, createServer, Server as NetServer } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Cancel, Clock } from '../clock.ts';

export interface DoorsOptions {
  app: FastifyInstance;
  host: string;
  port: number;
  clock: Clock;
  /** Whether connections should not be used again: each answer then says so. */
  leaving(): boolean;
  /** This process has stopped listening, because another has the port. */
  handedOver(): void;
}

/** Elsewhere a port is one process's alone. */
const SHARES_PORTS = process.platform === 'linux';
/** How soon a draining process notices that another listens. */
const LOOK_EVERY_MS = 250;
/** What was connected last has sent its request by then. */
const LINGER_MS = 1_000;
/** A round of the event loop without work takes some 0.03 ms. */
const QUICK_ROUND_MS = 0.1;
/** Under a load that leaves no quick round the port is closed all the same. */
const MAX_ROUNDS = 2_000;
/** No answer takes longer; one that does is not waited for. */
const ANSWERED_WITHIN_MS = 5_000;

export class Doors {
  readonly #options: DoorsOptions;
  #handedOver = false;
  #unanswered = 0;
  #answered: (() => void) | null = null;

  constructor(options: DoorsOptions) {
    this.#options = options;
    // Upgrades are no requests here: calls know of their sockets. First of all listeners, before an answer is begun.
    options.app.server.prependListener('request', (_request, response) => {
      if (options.leaving()) response.setHeader('connection', 'close');
      this.#unanswered++;
      response.once('close', () => {
        if (--this.#unanswered === 0) this.#answered?.();
      });
    });
  }

  /**
   * Listens. A port that is taken is shared only if `isOurs` says that a process of ours has it: another program on it
   * would silently get a part of the calls.
   */
  async open(isOurs: () => Promise<boolean>): Promise<void> {
    const { app, host, port } = this.#options;
    const reusePort = SHARES_PORTS && ((await isFree(host, port)) || (await isOurs()));
    await app.listen({ host, port, ...(reusePort ? { reusePort } : {}) });
  }

  /** Stops listening as soon as `isShared`. Resolves after the first look; call the result to look no more. */
  async handOver(isShared: () => Promise<boolean>): Promise<Cancel> {
    const { clock } = this.#options;
    let cancel: Cancel = () => {};
    let over = false;
    const look = async (): Promise<void> => {
      if (await isShared()) return this.#stopListening();
      if (!over) cancel = clock.at(clock.nowMs() + LOOK_EVERY_MS, () => void look());
    };
    await look();
    return () => {
      over = true;
      cancel();
    };
  }

  /** Resolves when every request is answered that reached this process before another took the port. */
  async quiet(): Promise<void> {
    if (this.#handedOver) await this.#after(LINGER_MS);
    if (this.#unanswered > 0) await this.#after(ANSWERED_WITHIN_MS, (resolve) => (this.#answered = resolve));
  }

  /** Resolves after this time, or when `early` says so. */
  async #after(ms: number, early: (resolve: () => void) => void = () => {}): Promise<void> {
    const { clock } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.at(clock.nowMs() + ms, resolve);
    early(resolve);
    await promise;
    cancel();
  }

  async #stopListening(): Promise<void> {
    const {
      app: { server },
      clock,
    } = this.#options;
    this.#handedOver = true;
    // What waits to be taken is reset with the port. Node looks for it once in each round of its loop: the port is closed
    // right behind a round that found nothing and had nothing else to do, so that next to no time lies between.
    let taken = false;
    const note = (): void => void (taken = true);
    server.on('connection', note);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      taken = false;
      const startMs = clock.nowMs();
      await nextRound();
      if (!taken && clock.nowMs() - startMs < QUICK_ROUND_MS) break;
    }
    server.removeListener('connection', note);
    // Not the HTTP server's own `close`, which cuts idle connections whose next request may be on its way.
    if (server.listening) NetServer.prototype.close.call(server);
    this.#options.handedOver();
  }
}

/** Whether nobody listens there; a fault of the address itself is left to who listens next. */
function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}

/** A port that is free now. Only for PORT=0, where media URLs must name the port before the server listens. */
export function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, host, () => {
      const address = probe.address() as AddressInfo;
      probe.close(() => resolve(address.port));
    });
  });
}
