// Turns and tool runs as the API gives them, with what a test does not care about filled in.
import type { CallTool, CallTurn, TurnLatency } from '../../../src/page/call/types.ts';

const BLANK: CallTurn = {
  ...{ turn: 0, who: 'agent', atMs: null, said: null, heard: null, unheard: null, outcome: null },
  ...{ heardMs: null, receivedMs: null, sentMs: null, utterance: null, answer: null, startAtMs: null, soundAtMs: null },
  ...{ whole: null, turnId: null, speechStartAtMs: null, speechStopAtMs: null, committedAtMs: null, latency: null },
  voiceToVoiceMs: null,
};

export interface AgentWords {
  at: number | null;
  heardMs: number;
  receivedMs?: number;
  outcome?: string;
  said?: string;
  turn?: number;
}

export const agentSays = ({
  at,
  heardMs,
  receivedMs = heardMs,
  outcome = 'heard',
  said,
  turn = 0,
}: AgentWords): CallTurn => ({
  ...BLANK,
  ...{ turn, atMs: at, startAtMs: at, soundAtMs: at, heardMs, receivedMs, sentMs: receivedMs, outcome },
  said: said ?? null,
});

export interface CallerWords {
  from: number | null;
  committed: number;
  latency?: TurnLatency | null;
  said?: string;
  turn?: number;
}

export const callerSays = ({ from, committed, latency = null, said, turn = 0 }: CallerWords): CallTurn => ({
  ...BLANK,
  ...{ turn, who: 'caller', atMs: from, speechStartAtMs: from, committedAtMs: committed, latency },
  speechStopAtMs: from === null ? null : committed,
  said: said ?? null,
  voiceToVoiceMs: latency?.voiceToVoiceMs ?? null,
});

/** 500 ms wait, 200 model, 1 ours, 30 carrier, unless said otherwise; the sums follow. */
export function latencyOf(parts: Partial<TurnLatency> = {}): TurnLatency {
  const of = {
    ...{ turn: 'item', endOfTurnWaitMs: 500, endOfTurnFrom: 'input_clock' as const },
    ...{ modelMs: 200, toolsMs: 0, ourMs: 1, queuedMs: 0, carrierMs: 30 },
    ...parts,
  };
  const answerMs = parts.answerMs ?? of.modelMs + of.toolsMs + of.ourMs;
  const wait = of.endOfTurnWaitMs;
  const sum = wait === null ? null : wait + answerMs + of.queuedMs + (of.carrierMs ?? 0);
  return { ...of, answerMs, voiceToVoiceMs: parts.voiceToVoiceMs === undefined ? sum : parts.voiceToVoiceMs };
}

export const toolRuns = ({
  at,
  durationMs,
  tool = 0,
}: {
  at: number;
  durationMs: number | null;
  tool?: number;
}): CallTool => ({
  ...{ tool, name: 'find_patient', status: 'ok', atMs: at, durationMs, arguments: '{}', output: null },
});
