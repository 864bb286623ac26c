// Lets several processes of one data folder serve the same calls, above all an old one that drains and the new one that
// takes its place: the port, the socket for peers, and what is passed on. Reads like the life of a process: it opens its
// doors, drains, and closes.
import { createHmac } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../clock.ts';
import { TrunklineError } from '../errors.ts';
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
  /** What signs the carrier's requests; never told to anybody. */
  authToken: string;
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
  readonly #tokenMark: string;
  readonly #nodes: Nodes;
  #doors: Doors | null = null;

  constructor(options: SharingOptions) {
    const { nodeId: id, dataDir, log, calls, clock, publicUrl, authToken, passed } = options;
    this.#options = options;
    this.#tokenMark = markOf(authToken);
    this.#nodes = new Nodes({ id, dataDir, log });
    this.passing = new Passing({
      nodes: this.#nodes,
      clock,
      publicUrl,
      tokenMark: this.#tokenMark,
      ownerOf: (carrier, carrierCallId) => calls.ownerOf(carrier, carrierCallId),
      draining: () => calls.draining,
      passed,
    });
  }

  /**
   * Serves `app` to peers and on the port.
   * @throws the system's error when the port cannot be had, TrunklineError TRK_LISTEN when one of ours has it that knows
   * another token: each would refuse the half of all calls that was signed for the other
   */
  async open(app: FastifyInstance): Promise<void> {
    const { calls, host, port, clock, log } = this.#options;
    app.get(NODE_PATH, { logLevel: 'silent' }, async (request, reply) =>
      this.#nodes.isPeer(request.raw.socket) ? this.#facts() : reply.callNotFound(),
    );
    // An HTTP server that closes waits for its connections, also for those that were passed on.
    app.addHook('preClose', async () => this.passing.close());
    const handedOver = (away: boolean): void =>
      away ? log.info({ port }, 'another process has the port') : log.warn({ port }, 'the other process is gone');
    const doors = new Doors({ app, host, port, clock, leaving: () => calls.draining, handedOver });
    await app.ready();
    // Before the port: a token of ours may come back by way of a peer at once.
    await this.#nodes.listen((socket) => app.server.emit('connection', socket));
    await doors.open(() => this.#mayShare());
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
    await this.#nodes.close();
  }

  #facts(): NodeFacts {
    const { nodeId: node, host, port, publicUrl, calls } = this.#options;
    const taking = this.#doors !== null && !calls.draining;
    return { node, host, port, publicUrl, tokenMark: this.#tokenMark, taking };
  }

  /** Whether the port, which is taken, is that of a process which can stand in for this one. */
  async #mayShare(): Promise<boolean> {
    const { host, port, log } = this.#options;
    const others = await this.#nodes.others();
    if (others.some((other) => this.#isOnThisPort(other) && other.tokenMark !== this.#tokenMark))
      throw new TrunklineError(
        'TRK_LISTEN',
        `cannot listen on ${host}:${port}: another Trunkline with another TWILIO_AUTH_TOKEN has it; give both the same (without one each makes its own), or set PORT to one that is free`,
      );
    if (!others.some((other) => this.#canStandIn(other))) return false;
    log.info({ port }, 'shares the port with another process');
    return true;
  }

  /** Our other processes on this very port. */
  async #onThisPort(): Promise<NodeFacts[]> {
    const others = await this.#nodes.others();
    return others.filter((other) => this.#canStandIn(other));
  }

  #isOnThisPort({ host, port }: NodeFacts): boolean {
    return host === this.#options.host && port === this.#options.port;
  }

  #canStandIn(other: NodeFacts): boolean {
    const { publicUrl } = this.#options;
    return this.#isOnThisPort(other) && other.publicUrl === publicUrl && other.tokenMark === this.#tokenMark;
  }
}

/** Equal for equal tokens, and too short to tell anything of them. */
const markOf = (authToken: string): string =>
  createHmac('sha256', authToken).update('trunkline: who shares a port').digest('hex').slice(0, 12);
