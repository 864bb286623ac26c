// Loaded into a measured server before its own code (`node --import`): counts what only the process itself can see, its
// live timers and its heap after a collection, and tells when asked over the IPC channel. Changes nothing else.
import { createHook } from 'node:async_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What a server has inside at one moment. */
export interface Inside {
  /** Armed and neither fired nor cleared, unref'd ones included. */
  timers: number;
  /** Handles of TCP connections. */
  connections: number;
  /** After a full collection. */
  heapBytes: number;
}

const COUNTED: Record<string, 'timers' | 'connections'> = { Timeout: 'timers', TCPWRAP: 'connections' };
const live = { timers: new Set<number>(), connections: new Set<number>() };

// The collector can be asked for at run time, so that a server is measured with its own flags only.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

createHook({
  init(asyncId, type) {
    const kind = COUNTED[type];
    if (kind) live[kind].add(asyncId);
  },
  destroy(asyncId) {
    live.timers.delete(asyncId);
    live.connections.delete(asyncId);
  },
}).enable();

process.on('message', () => {
  // Twice: what the first collection finalises, the second frees.
  collect();
  collect();
  const inside: Inside = {
    timers: live.timers.size,
    connections: live.connections.size,
    heapBytes: process.memoryUsage().heapUsed,
  };
  process.send?.(inside);
});
// Asking must be possible without keeping a process alive that wants to end.
process.channel?.unref();
