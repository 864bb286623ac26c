// Keeps this node in the registry while it lives. A cluster's implementation also keeps what the node holds by it.
import type { Cancel, Clock } from '../clock.ts';
import { NODE_LIFE_MS, type NodeFacts, type NodeLoad, type NodeRegistry } from './port.ts';

/** Two may be lost before the others think that the node is gone. */
export const HEARTBEAT_MS = NODE_LIFE_MS / 3;

export interface HeartbeatOptions {
  nodes: NodeRegistry;
  facts: NodeFacts;
  load(): NodeLoad;
  clock: Clock;
  /** The registry could not be reached; it is tried again at the next beat. */
  fault(error: unknown): void;
}

/** Registers the node and says every 5 seconds that it lives, until the returned function takes it out again. */
export function keepRegistered(options: HeartbeatOptions): () => Promise<void> {
  const { nodes, facts, clock } = options;
  let cancel: Cancel = () => {};
  let stopped = false;

  async function beat(known: boolean): Promise<void> {
    try {
      if (!known || !(await nodes.heartbeat(facts.nodeId, options.load()))) await nodes.register(facts, options.load());
    } catch (error) {
      options.fault(error);
    }
    if (stopped) return;
    cancel = clock.at(clock.nowMs() + HEARTBEAT_MS, () => {
      beating = beat(true);
    });
  }

  let beating = beat(false);
  return async () => {
    stopped = true;
    cancel();
    // A beat under way would register the node again behind its leaving.
    await beating;
    try {
      await nodes.leave(facts.nodeId);
    } catch (error) {
      options.fault(error);
    }
  };
}
