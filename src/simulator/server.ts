// The simulated Realtime API on loopback: answers upgrades of /v1/realtime, one session per connection.
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { realClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { modelOf, readHandshake, sendRefusal } from './handshake.ts';
import type { Refusal } from './handshake.ts';
import { effectiveOptions } from './options.ts';
import type { EffectiveOptions, SessionOptions } from './options.ts';
import { SimulatedSession } from './session.ts';
import { Timers } from './timers.ts';

/** Options of the whole simulator. */
export interface SimulatorOptions {
  /** TCP port on 127.0.0.1; default 0, any free one. */
  port?: number;
  /** Options of every session, or of the n-th connection attempt (from 1, refused ones counted), which asks for `model`. */
  session?: SessionOptions | ((n: number, model: string) => SessionOptions);
  /** Time for everything but the sockets; default the real clock. */
  clock?: Clock;
}

/** Told which connection attempt (from 1) was refused, and how. */
export type RefusalListener = (number: number, refusal: Refusal) => void;

/** A running simulator. */
export interface Simulator {
  /** `http://127.0.0.1:PORT/v1`; the socket is at `/realtime?model=…` under it. */
  readonly origin: string;
  /** All sessions in order of their handshakes, live and past (the oldest past ones are dropped after 10,000). */
  readonly sessions: readonly SimulatedSession[];
  /** Upgrades refused, for whatever reason. */
  readonly refused: number;
  /** Calls `listener` for each new session, after its `session.created`; returns what takes it off again. */
  onSession(listener: (session: SimulatedSession) => void): () => void;
  /** Calls `listener` for each refused upgrade; returns what takes it off again. */
  onRefused(listener: RefusalListener): () => void;
  /** Ends every session (1001) and connection; afterwards no socket or timer is left. */
  close(): Promise<void>;
}

const MAX_SESSIONS_KEPT = 10_000;
// An append may hold 15 MiB of audio, which is 20 MiB of base64.
const MAX_FRAME_BYTES = 24 * 1024 * 1024;
/** After this a client that does not answer the close frame is cut off. */
const CLOSE_GRACE_MS = 200;

/** Starts a simulator and waits until it accepts connections. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const endpoint = new Endpoint(options);
  await endpoint.listen(options.port ?? 0);
  return endpoint;
}

class Endpoint implements Simulator {
  readonly sessions: SimulatedSession[] = [];
  refused = 0;
  #options: SimulatorOptions;
  #clock: Clock;
  #timers: Timers;
  #server: Server;
  #sockets = new Set<Duplex>();
  #upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_FRAME_BYTES });
  #listeners = new Set<(session: SimulatedSession) => void>();
  #refusalListeners = new Set<RefusalListener>();
  #attempts = 0;

  constructor(options: SimulatorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#timers = new Timers(this.#clock, (error) => console.error('simulator: handshake failed', error));
    this.#server = createServer((_request, response) => {
      const error = {
        type: 'invalid_request_error',
        code: 'upgrade_required',
        message: 'WebSocket only.',
        param: null,
      };
      response.writeHead(426, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => resolve());
    });
  }

  onSession(listener: (session: SimulatedSession) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  onRefused(listener: RefusalListener): () => void {
    this.#refusalListeners.add(listener);
    return () => void this.#refusalListeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#timers.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const ended = this.sessions.filter((session) => !session.closed).map((session) => session.next('closed'));
    for (const client of this.#upgrades.clients) client.close(1001, 'simulator closed');
    const cancelGrace = realClock.at(realClock.nowMs() + CLOSE_GRACE_MS, () => this.#cutOff());
    await Promise.all(ended);
    cancelGrace();
    // What is left are handshakes kept waiting and plain HTTP connections.
    this.#cutOff();
    await closed;
  }

  #cutOff(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const number = ++this.#attempts;
    socket.on('error', () => socket.destroy());
    const { session = {} } = this.#options;
    let options: EffectiveOptions;
    try {
      options = effectiveOptions(typeof session === 'function' ? session(number, modelOf(request)) : session);
    } catch (error) {
      console.error('simulator: session options failed', error);
      return this.#refuse(socket, number, { status: 500, message: 'session options failed' });
    }
    if (options.hangHandshake) {
      // Read, or the end of a client that gives up would never be seen.
      socket.on('end', () => socket.destroy()).resume();
      return undefined;
    }
    const answer = (): void => this.#answer(request, socket, head, number, options);
    if (options.handshakeDelayMs <= 0) answer();
    else this.#timers.after(options.handshakeDelayMs, answer);
    return undefined;
  }

  #answer(request: IncomingMessage, socket: Duplex, head: Buffer, number: number, options: EffectiveOptions): void {
    if (socket.destroyed) return undefined;
    if (options.refuse) return this.#refuse(socket, number, options.refuse);
    const handshake = readHandshake(request);
    if ('refusal' in handshake) return this.#refuse(socket, number, handshake.refusal);
    this.#upgrades.handleUpgrade(request, socket, head, (webSocket) => {
      const session = new SimulatedSession(webSocket, { ...handshake, number, options, clock: this.#clock });
      this.sessions.push(session);
      if (this.sessions.length > MAX_SESSIONS_KEPT) this.#forgetOldest();
      for (const listener of this.#listeners) listener(session);
    });
    return undefined;
  }

  #forgetOldest(): void {
    const oldest = this.sessions.findIndex((session) => session.closed);
    if (oldest >= 0) this.sessions.splice(oldest, 1);
  }

  #refuse(socket: Duplex, number: number, refusal: Refusal): void {
    this.refused += 1;
    sendRefusal(socket, refusal);
    for (const listener of this.#refusalListeners) listener(number, refusal);
  }
}
