// What happens to a call and is kept of it, as facts that are written once: first to the journal on the local disk, from
// there into the database. A fact that comes twice changes nothing the second time.
import type { Party } from '../carrier/carrier.ts';
import type { EndReason } from '../call/termination.ts';
import type { LedgerLine } from '../ledger/line.ts';
import type { ToolRecord, Turn } from '../record/call-record.ts';

/** Days that an agent's calls are kept; null: for ever. */
export interface Retention {
  audioDays: number | null;
  textDays: number | null;
  metadataDays: number | null;
}

/** A call was let in. */
export interface CallStarted {
  type: 'call.started';
  callId: string;
  /** Unix milliseconds, here and below. */
  atWallMs: number;
  carrier: string;
  carrierCallId: string;
  direction: 'inbound' | 'outbound';
  from: Party;
  to: Party;
  attestation: string | null;
  agent: string;
  agentHash: string;
  model: string;
  /** The process that has its sockets. */
  node: string;
  retention: Retention;
}

/**
 * A line of the bill. Known by call, `what` and `source`: where one comes again, the more certain stays, of two that are as
 * certain the larger; nothing that comes undoes what its seller billed.
 */
export interface LineCharged {
  type: 'line.charged';
  callId: string;
  line: LedgerLine;
}

/** One turn, numbered from 0 in the order of the record; the last that came with its number stays. */
export interface TurnKept {
  type: 'turn.kept';
  callId: string;
  turn: number;
  said: Turn;
}

/** One tool run, numbered like turns. */
export interface ToolKept {
  type: 'tool.kept';
  callId: string;
  tool: number;
  run: ToolRecord;
}

/** A call is over, and so is what it will say of itself. */
export interface CallEnded {
  type: 'call.ended';
  callId: string;
  mediaStartedWallMs: number | null;
  endedWallMs: number;
  reason: EndReason;
  by: string;
  result: string;
  detail: string;
  /** From 0 to 100; null: nothing was heard that could be judged. */
  quality: number | null;
  /** What follows is not there in what versions wrote that did not know it. Median of the answered turns, voice to voice. */
  latencyMs?: number | null;
  /** What the call was about, as the agent noted it last; null: it noted nothing. */
  disposition?: string | null;
  /** Turns of both sides, and how often the caller spoke over the agent; null: not known. */
  turnCount?: number | null;
  bargeIns?: number | null;
}

/** The agent file that answers calls from now, as it is. */
export interface AgentKnown {
  type: 'agent.known';
  /** Of the text; what calls name it by. */
  hash: string;
  name: string;
  file: string;
  text: string;
  atWallMs: number;
}

/** Somebody did something to what is kept, or to a live call. Never holds a number, a word or a secret. */
export interface Audited {
  type: 'audited';
  atWallMs: number;
  /** `operator`, `api`, `retention`, … */
  actor: string;
  /** `forget`, `reconcile`, `prune`, … */
  action: string;
  /** What it was done to: a call id, a day. */
  subject: string;
  note: string;
}

export type StoreEvent = CallStarted | LineCharged | TurnKept | ToolKept | CallEnded | AgentKnown | Audited;
