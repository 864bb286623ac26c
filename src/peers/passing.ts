// Decides which of our processes answers: a webhook about a call goes to the process that has the call, a media connection
// to the one that made its token, a new call that reaches a draining process to one that takes calls. What came from a peer
// is answered here, so nothing goes in circles. Owns the media connections that run through this process.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { PassedAnswer, PassedRequest, Peers, PassedWebhook } from '../carrier/carrier.ts';
import type { Clock } from '../clock.ts';
import { askNode, type NodeAnswer, type NodeFailure, type Splice, spliceUpgrade } from './node-socket.ts';
import type { Nodes } from './nodes.ts';

/** What is passed on, for counting. */
export type Passed = PassedWebhook | 'media';

export interface PassingOptions {
  nodes: Nodes;
  clock: Clock;
  /** Origin and token of this process: only a peer of the same can check what was signed for it. */
  publicUrl: string;
  tokenMark: string;
  /** The process that let a call in, perhaps this one; null: nobody has. */
  ownerOf(carrier: string, carrierCallId: string): Promise<string | null>;
  draining(): boolean;
  passed(what: Passed): void;
  /** How long a peer may take; for tests. */
  answerWithinMs?: number;
}

/** Half of what the carrier waits for a webhook by our own retry rule (`rt=4000`), so that its retry finds us free. */
const ANSWER_WITHIN_MS = 2_000;
const GATEWAY_TIMEOUT = 504;

export class Passing implements Peers {
  readonly #options: PassingOptions;
  readonly #answerWithinMs: number;
  readonly #splices = new Set<Splice>();
  #closed = false;
  #alone: (() => void) | null = null;

  constructor(options: PassingOptions) {
    this.#options = options;
    this.#answerWithinMs = options.answerWithinMs ?? ANSWER_WITHIN_MS;
  }

  /** Media connections that run through this process to another. */
  get relayed(): number {
    return this.#splices.size;
  }

  isPeer(connection: object): boolean {
    return this.#options.nodes.isPeer(connection);
  }

  async passOn(
    what: PassedWebhook,
    carrier: string,
    carrierCallId: string,
    request: PassedRequest,
  ): Promise<PassedAnswer | null> {
    const owner = await this.#options.ownerOf(carrier, carrierCallId);
    if (owner === this.#options.nodes.id) return null;
    if (owner !== null) return this.#toOwner(what, owner, request);
    return what === 'voice' && this.#options.draining() ? this.#toOneThatTakes(request) : null;
  }

  async handOver(token: string, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<boolean> {
    const path = this.#options.nodes.socketOf(token.slice(0, Math.max(0, token.indexOf('.'))));
    if (path === null) return false;
    const splice = await spliceUpgrade(path, request, socket, head, this.#answerWithinMs);
    if (splice === null) return false;
    if (this.#closed) splice.cut();
    this.#options.passed('media');
    this.#splices.add(splice);
    void splice.closed.then(() => {
      this.#splices.delete(splice);
      if (this.#splices.size === 0) this.#alone?.();
    });
    return true;
  }

  /** Resolves when no media runs through this process any more; what still does at `untilMs` is cut. */
  async drain(untilMs: number): Promise<void> {
    if (this.#splices.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#alone = resolve;
    const cancel = this.#options.clock.at(untilMs, () => this.#cutAll());
    await promise;
    cancel();
  }

  /** The process ends: nothing runs through it from now. */
  close(): void {
    this.#closed = true;
    this.#cutAll();
  }

  #cutAll(): void {
    for (const splice of this.#splices) splice.cut();
  }

  async #toOwner(what: PassedWebhook, owner: string, request: PassedRequest): Promise<PassedAnswer | null> {
    const answer = await this.#ask(owner, request);
    // Gone: this process answers from the stored record.
    if (answer === 'gone') return null;
    if (answer !== 'silent') return this.#passed(what, answer);
    // A call that has a living owner must not be let in twice; the carrier tries again. The others any process can answer.
    return what === 'voice' ? { status: GATEWAY_TIMEOUT, contentType: 'text/plain', body: '' } : null;
  }

  async #toOneThatTakes(request: PassedRequest): Promise<PassedAnswer | null> {
    const { nodes, publicUrl, tokenMark } = this.#options;
    for (const { node, taking, ...other } of await nodes.others()) {
      if (!taking || other.publicUrl !== publicUrl || other.tokenMark !== tokenMark) continue;
      const answer = await this.#ask(node, request);
      if (typeof answer !== 'string' && answer.status === 200) return this.#passed('voice', answer);
    }
    return null;
  }

  #passed(what: PassedWebhook, answer: NodeAnswer): PassedAnswer {
    this.#options.passed(what);
    return answer;
  }

  async #ask(node: string, { path, headers, body }: PassedRequest): Promise<NodeAnswer | NodeFailure> {
    const socketPath = this.#options.nodes.socketOf(node);
    if (socketPath === null) return 'gone';
    return askNode(socketPath, { method: 'POST', path, headers, body }, this.#answerWithinMs);
  }
}
