// What a call's record tells the store while the call is under way: facts that are written down before the call is over, so
// that a process that dies takes none of them along.
import type { CallFacts } from '../call/feed.ts';
import type { CallEnded, CallStarted, StoreEvent } from '../store/events.ts';
import type { CallRecord } from './call-record.ts';

/** Where facts go. */
export interface FactKeeper {
  /** The name of this process. */
  node: string;
  keep(fact: StoreEvent): void;
}

export function callStarted({ opening, incoming, agent, wallMs }: CallFacts, node: string): CallStarted {
  const fallback = opening.target === 1 ? agent.failure.fallback : null;
  return {
    type: 'call.started',
    callId: opening.callId,
    atWallMs: Math.round(wallMs),
    carrier: incoming.carrier,
    carrierCallId: incoming.carrierCallId,
    direction: incoming.direction,
    from: incoming.from,
    to: incoming.to,
    attestation: incoming.attestation,
    agent: agent.name,
    agentHash: agent.hash,
    model: (fallback ?? agent.model).name,
    node,
    retention: agent.retention,
  };
}

export const callEnded = ({ callId, when, end, quality }: CallRecord): CallEnded => ({
  type: 'call.ended',
  callId,
  mediaStartedWallMs: when.mediaStartedWallMs,
  endedWallMs: when.endedWallMs ?? when.closedWallMs,
  reason: end.reason,
  by: end.by,
  result: end.result,
  detail: end.detail,
  quality: quality.score,
});
