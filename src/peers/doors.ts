// The port of this process, which a new process of the same data folder may share while this one drains. Linux spreads new
// connections over all processes that listen, so the one that drains stops listening as soon as another does; what was
// connected before goes on. Owns the listening, and knows of requests that are not answered yet.
import { setImmediate as nextRound } from 'node:timers/promises';
import { randomInt } from 'node:crypto';
import { createServer, Server as NetServer } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Cancel, Clock } from '../clock.ts';
import { TrunklineError } from '../errors.ts';

export interface DoorsOptions {
  app: FastifyInstance;
  host: string;
  port: number;
  clock: Clock;
  /** Whether connections should not be used again: each answer then says so. */
  leaving(): boolean;
  /** This process has stopped listening because another has the port, or (false) listens again because no other does. */
  handedOver: (away: boolean) => void;
}

/** Another process on this port. */
export interface PortNode {
  node: string;
  /** It lets new calls in. */
  taking: boolean;
}

/** What a process can find out about the others on its port. */
export interface PortNodes {
  /** Those that answer. */
  others(): Promise<readonly PortNode[]>;
  /** Nobody is there any more. */
  isGone(node: string): Promise<boolean>;
}

/** Elsewhere a port is one process's alone. */
const SHARES_PORTS = process.platform === 'linux';
/** How soon a draining process notices that another listens, or is gone. */
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
    options.app.server.prependListener('request', (request, response) => {
      if (options.leaving()) response.setHeader('connection', 'close');
      // A stream of events is never answered to its end; who follows it comes back by itself.
      if (request.headers.accept?.includes('text/event-stream')) return;
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

  /**
   * Stops listening as soon as another process on this port takes calls, and listens again should all of them be gone: who
   * else would answer for the calls of this one? Resolves after the first look; call the result to look no more.
   */
  async handOver(nodes: PortNodes): Promise<Cancel> {
    const { app, clock } = this.#options;
    let cancel: Cancel = () => {};
    let over = false;
    let lastSeen: readonly PortNode[] = [];
    const look = async (): Promise<void> => {
      const others = await nodes.others();
      if (others.length > 0) lastSeen = others;
      // One that is only slow to answer has not left the port.
      const gone =
        others.length === 0 && (await Promise.all(lastSeen.map(({ node }) => nodes.isGone(node)))).every(Boolean);
      if (over) return;
      if (app.server.listening && others.some(({ taking }) => taking)) await this.#stopListening();
      else if (!app.server.listening && gone) this.#listenAgain();
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
    this.#options.handedOver(true);
  }

  #listenAgain(): void {
    const { app, host, port, handedOver } = this.#options;
    // A port that cannot be had is tried again at the next look.
    const settled = (): void => {
      app.server.removeListener('listening', listening);
      app.server.removeListener('error', settled);
    };
    const listening = (): void => {
      settled();
      handedOver(false);
    };
    app.server.once('listening', listening).once('error', settled);
    app.server.listen({ host, port, reusePort: true });
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

/**
 * A port that is free now. Only for PORT=0, where media URLs must name the port before the server listens. Below those that
 * a kernel gives to outgoing connections: one of these could take it in between.
 */
export async function freePort(host: string): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    if (await isFree(host, port)) return port;
  }
  throw new TrunklineError('TRK_LISTEN', `no port of ${host} is free; set PORT to one that is`);
}

/** Linux gives 32768 and above to connections. */
const FIRST_PORT = 15_000;
const LAST_PORT = 32_767;
