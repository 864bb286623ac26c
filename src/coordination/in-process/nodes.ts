// The nodes of this process's coordination. Usually one, itself; several servers of one process may share it.
import type { Clock } from '../../clock.ts';
import { NODE_LIFE_MS, type NodeFacts, type NodeLoad, type NodeRegistry } from '../port.ts';

/** Nodes remembered; beyond it the one registered first is forgotten. */
export const MAX_NODES = 1_000;

export class InProcessNodes implements NodeRegistry {
  readonly #clock: Clock;
  readonly #nodes = new Map<string, NodeFacts & NodeLoad & { untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  register(facts: NodeFacts, load: NodeLoad): void {
    this.#nodes.set(facts.nodeId, { ...facts, ...load, untilMs: this.#untilMs() });
    if (this.#nodes.size > MAX_NODES) this.#nodes.delete(this.#nodes.keys().next().value as string);
  }

  heartbeat(nodeId: string, load: NodeLoad): boolean {
    this.#forgetSilent();
    const node = this.#nodes.get(nodeId);
    if (!node) return false;
    Object.assign(node, load, { untilMs: this.#untilMs() });
    return true;
  }

  leave(nodeId: string): void {
    this.#nodes.delete(nodeId);
  }

  list(): (NodeFacts & NodeLoad)[] {
    this.#forgetSilent();
    return [...this.#nodes.values()].map(({ untilMs: _untilMs, ...shown }) => shown);
  }

  #untilMs(): number {
    return this.#clock.nowMs() + NODE_LIFE_MS;
  }

  #forgetSilent(): void {
    const nowMs = this.#clock.nowMs();
    for (const [nodeId, { untilMs }] of this.#nodes) if (nowMs > untilMs) this.#nodes.delete(nodeId);
  }
}
