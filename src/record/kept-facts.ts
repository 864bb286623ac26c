// What a call's record tells the store while the call is under way: facts that are written down before the call is over, so
// that a process that dies takes none of them along.
import type { CallFacts } from '../call/feed.ts';
import type { CallEnded, CallStarted, StoreEvent } from '../store/events.ts';
import { type CallRecord, median } from './call-record.ts';

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

export function callEnded(record: CallRecord): CallEnded {
  const { callId, when, end, quality, turns, turnsDropped, stops, notes } = record;
  const latencies = turns.flatMap((turn) => (turn.who === 'caller' ? (turn.latency?.voiceToVoiceMs ?? []) : []));
  return {
    type: 'call.ended',
    callId,
    mediaStartedWallMs: when.mediaStartedWallMs,
    endedWallMs: when.endedWallMs ?? when.closedWallMs,
    reason: end.reason,
    by: end.by,
    result: end.result,
    detail: end.detail,
    quality: quality.score,
    latencyMs: latencies.length === 0 ? null : median(latencies),
    disposition: notes.at(-1)?.disposition ?? null,
    turnCount: turns.length + turnsDropped,
    bargeIns: stops.filter(({ because }) => because === 'caller_spoke').length,
  };
}
