// Lets several processes of one data folder serve the same calls, above all an old one that drains and the new one that
// takes its place: the port, the socket for peers, and what is passed on. Reads like the life of a process: it opens its
// doors, drains, and closes.
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../clock.ts';
import { Doors } from './doors.ts';
import { NODE_PATH, type NodeFacts, Nodes, type PeersLog } from './nodes.ts';
import { type Passed, Passing } from './passing.ts';

/** The calls as this folder sees them. */
export interface SharedCalls {
  readonly draining: boolean;
  drain(untilMs: number): Promise<void>;
  ownerOf(carrier: string, carrierCallId: string): Promise<string | null>;
}

export interface SharingOptions {
  /** This process's name, as it stands in its tokens. */
  nodeId: string;
  dataDir: string;
  host: string;
  port: number;
  publicUrl: string;
  calls: SharedCalls;
  clock: Clock;
  log: PeersLog;
  passed: (what: Passed) => void;
}

/** A wrap-up that begins when the time is over may take this long; what then still lives is not waited for. */
const WRAP_UP_MS = 25_000;

export class Sharing {
  /** For carrier adapters. */
  readonly passing: Passing;
  readonly #options: SharingOptions;
  readonly #nodes: Nodes;
  #doors: Doors | null = null;

  constructor(options: SharingOptions) {
    const { nodeId: id, dataDir, log, calls, clock, publicUrl, passed } = options;
    this.#options = options;
    this.#nodes = new Nodes({ id, dataDir, log });
    this.passing = new Passing({
      nodes: this.#nodes,
      clock,
      publicUrl,
      ownerOf: (carrier, carrierCallId) => calls.ownerOf(carrier, carrierCallId),
      draining: () => calls.draining,
      passed,
    });
  }

  /** Serves `app` to peers and on the port. @throws the system's error when the port cannot be had */
  async open(app: FastifyInstance): Promise<void> {
    const { calls, host, port, clock, log } = this.#options;
    app.get(NODE_PATH, { logLevel: 'silent' }, async (request, reply) =>
      this.#nodes.isPeer(request.raw.socket) ? this.#facts() : reply.callNotFound(),
    );
    const handedOver = (away: boolean): void =>
      away ? log.info({ port }, 'another process has the port') : log.warn({ port }, 'the other process is gone');
    const doors = new Doors({ app, host, port, clock, leaving: () => calls.draining, handedOver });
    await app.ready();
    // Before the port: a token of ours may come back by way of a peer at once.
    await this.#nodes.listen((socket) => app.server.emit('connection', socket));
    await doors.open(async () => (await this.#onThisPort()).length > 0);
    this.#doors = doors;
  }

  /**
   * Lets no new call in, hands the port over as soon as another process listens on it, and waits for what is live here:
   * calls, media that runs through to a peer, requests. Calls that still live at `untilMs` are wrapped up.
   */
  async drain(untilMs: number): Promise<void> {
    const { calls, clock } = this.#options;
    const drained = calls.drain(untilMs);
    const stopLooking = await this.#doors?.handOver({
      others: () => this.#onThisPort(),
      isGone: (node) => this.#nodes.isGone(node),
    });
    const late = Promise.withResolvers<void>();
    const cancel = clock.at(untilMs + WRAP_UP_MS, late.resolve);
    await Promise.race([drained, late.promise]);
    cancel();
    await this.passing.drain(untilMs + WRAP_UP_MS);
    stopLooking?.();
    await this.#doors?.quiet();
  }

  async close(): Promise<void> {
    this.#doors = null;
    this.passing.cutAll();
    await this.#nodes.close();
  }

  #facts(): NodeFacts {
    const { nodeId: node, host, port, publicUrl, calls } = this.#options;
    return { node, host, port, publicUrl, taking: this.#doors !== null && !calls.draining };
  }

  /** Our other processes on this very port. */
  async #onThisPort(): Promise<NodeFacts[]> {
    const { host, port, publicUrl } = this.#options;
    const others = await this.#nodes.others();
    return others.filter((other) => other.host === host && other.port === port && other.publicUrl === publicUrl);
  }
}
