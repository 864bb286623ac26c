// The record of one call: what is written to `calls/<callId>/record.json` when the call is over. Private: it holds
// numbers, words and tool arguments. What may be logged of it is `loggable`.
//
// Times inside a call (`…AtMs`) are whole milliseconds since its media started, negative before that; where the media
// never started, since its admission.
import type { ErrandRecord } from './errand-log.ts';
import type { NextStep, Party } from '../carrier/carrier.ts';
import type { SettledUtterance } from '../call/effect.ts';
import type { Termination } from '../call/termination.ts';
import { formatUsd } from '../ledger/ledger.ts';
import type { CacheUse } from '../ledger/cache.ts';
import type { LedgerLine } from '../ledger/line.ts';
import type { TurnLatency } from '../metrics/latency.ts';
import type { CallQuality } from './quality.ts';

/** What the caller said until the agent could answer. */
export interface CallerTurn {
  who: 'caller';
  /** The model's id of the turn; null when the call ended before it was committed. */
  turn: string | null;
  /** When the model reported speech; null for a turn that did not begin with speech (keys). */
  speechStartAtMs: number | null;
  speechStopAtMs: number | null;
  committedAtMs: number | null;
  /** By the transcription model, not by the one that answered; null when none came. */
  transcript: string | null;
  /** Null when the turn was not answered with sound. */
  latency: TurnLatency | null;
}

/** One stretch of agent speech. */
export interface AgentUtterance {
  who: 'agent';
  utterance: string;
  /** The model's answer it belongs to; null for a recorded clip. */
  answer: string | null;
  /** When the model began it. */
  startAtMs: number;
  /** When its first byte was expected to sound; null when none was sent. */
  soundAtMs: number | null;
  outcome: SettledUtterance['outcome'];
  heardMs: number;
  sentMs: number;
  receivedMs: number;
  /** All of `text` in one: what was heard, in whole words by the share of the sound, and what was not. */
  text: string;
  heardText: string;
  unheardText: string;
  /** False: it was stopped while the model was still producing it, so that words and sound may not match. */
  whole: boolean;
}

export type Turn = CallerTurn | AgentUtterance;

/** Agent speech that was stopped before it was heard. */
export interface Stop {
  atMs: number;
  /** The caller spoke (a barge-in), or we decided (keys, wrap-up). */
  because: 'caller_spoke' | 'our_decision';
  unheardMs: number;
}

export interface ToolRecord {
  toolCall: string;
  name: string;
  atMs: number;
  /** `built_in`: ended by the call itself; `aborted`: the call ended first; `unsettled`: nothing is known of its end. */
  status: string;
  durationMs: number | null;
  arguments: string;
  output: string | null;
}

/** Something that went wrong under the call, and what was done. */
export interface Trouble {
  atMs: number;
  /**
   * `session_delayed`: a try to connect failed, another follows. `session_lost`: another takes over. `fallback_opened`: the
   * agent's second model is used from now. `media_lost`: the call waits for its caller. `media_back`: the caller is here.
   */
  what: 'session_delayed' | 'session_lost' | 'fallback_opened' | 'media_lost' | 'media_back';
  /** A code with its meaning, or what did not come in time. Never what anybody said. */
  why: string;
}

export interface CallRecord extends ErrandRecord {
  v: 1;
  callId: string;
  carrier: string;
  carrierCallId: string;
  direction: 'inbound' | 'outbound';
  from: Party;
  to: Party;
  attestation: string | null;
  /** Custom headers of a call through a SIP domain. */
  sipHeaders: Record<string, string>;
  agent: { name: string; file: string; hash: string };
  model: { name: string; voice: string; transcription: string | null };
  /** Unix milliseconds. */
  when: { admittedWallMs: number; mediaStartedWallMs: number | null; endedWallMs: number | null; closedWallMs: number };
  durations: {
    /** Admission → media start. */
    setupMs: number | null;
    /** Media start → end of the call. */
    mediaMs: number | null;
    /** Admission → both sockets gone. */
    totalMs: number;
  };
  turns: Turn[];
  /** Turns beyond the bound, not kept. */
  turnsDropped: number;
  stops: Stop[];
  stopsDropped: number;
  tools: ToolRecord[];
  toolsDropped: number;
  troubles: Trouble[];
  troublesDropped: number;
  /** How many; never which. */
  keysPressed: number;
  cost: {
    totalNanoUsd: number;
    /** Lines that no price is known for: when not 0, the total is less than what will be billed. */
    unpricedLines: number;
    /** Lines whose quantities cannot be right as they were reported. */
    doubtedLines: number;
    /** The price files with their dates. */
    priceBook: string;
    /** What the model's prefix cache served, and where it was lost. */
    cache: CacheUse;
    lines: LedgerLine[];
  };
  /** Silence put into the caller's audio, and silence the caller heard inside an utterance. */
  audio: { filledMs: { gap: number; stall: number }; underruns: number; underrunMs: number };
  /** How the call was for its caller, from 0 to 100, and why not 100. */
  quality: CallQuality;
  /** What the core ignored and what the model side noticed, by name. */
  ignored: Record<string, number>;
  notices: Record<string, number>;
  end: Termination & { next: NextStep };
}

/** A party as a log line may show it: the last two digits of a number, the kind of anything else. */
export function redacted(party: Party): string {
  if (party.kind !== 'pstn') return party.kind;
  const digits = party.value.replace(/\D/g, '');
  return digits.length > 2 ? `…${digits.slice(-2)}` : '…';
}

/** The facts of a record that may be logged: no number, no word, no key, no argument. Flat. */
export function loggable(record: CallRecord): Record<string, string | number> {
  const answered = record.turns.flatMap((t) => (t.who === 'caller' && t.latency ? [t.latency.answerMs] : []));
  return {
    callId: record.callId,
    carrierCallId: record.carrierCallId,
    callerEnding: redacted(record.from),
    calledEnding: redacted(record.to),
    agent: record.agent.name,
    reason: record.end.reason,
    by: record.end.by,
    result: record.end.result,
    next: record.end.next.do,
    totalMs: record.durations.totalMs,
    mediaMs: record.durations.mediaMs ?? 0,
    turns: record.turns.length + record.turnsDropped,
    bargeIns: record.stops.filter((s) => s.because === 'caller_spoke').length,
    tools: record.tools.length,
    medianAnswerMs: median(answered),
    ...(record.quality.score === null ? {} : { quality: record.quality.score }),
    cost: `${record.cost.unpricedLines > 0 ? 'at least ' : ''}${formatUsd(record.cost.totalNanoUsd)}`,
  };
}

/** The lower one of two; 0 for none. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}
