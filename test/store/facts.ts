// Facts for the tests of the store.
import type { LedgerLine } from '../../src/ledger/line.ts';
import type { AgentUtterance, CallerTurn } from '../../src/record/call-record.ts';
import type { CallEnded, CallStarted, LineCharged, StoreEvent, ToolKept, TurnKept } from '../../src/store/events.ts';

/** 2026-11-20T12:00:00Z. */
export const AT_MS = Date.UTC(2026, 10, 20, 12);
export const NODE = '0123456789ab';

export const started = (callId: string, given: Partial<CallStarted> = {}): CallStarted => ({
  type: 'call.started',
  callId,
  atWallMs: AT_MS,
  carrier: 'twilio',
  carrierCallId: `CA-${callId}`,
  direction: 'inbound',
  from: { kind: 'pstn', value: '+14155550142' },
  to: { kind: 'pstn', value: '+14155550199' },
  attestation: null,
  agent: 'clinic',
  agentHash: 'a'.repeat(64),
  model: 'gpt-realtime-2.1',
  node: NODE,
  retention: { audioDays: 30, textDays: null, metadataDays: 365 },
  ...given,
});

const NO_TOKENS = { fresh: 0, cached: 0, out: 0 };

/** One answer's line: its text tokens, at 4 nano-dollars each. */
export const charged = (
  callId: string,
  source: string,
  tokens: number,
  given: Partial<LedgerLine> = {},
): LineCharged => ({
  type: 'line.charged',
  callId,
  line: {
    source,
    what: 'answer',
    seller: 'openai',
    product: 'gpt-realtime-2.1',
    atWallMs: AT_MS + 1_000,
    quantities: { unit: 'tokens', text: { ...NO_TOKENS, fresh: tokens }, audio: NO_TOKENS, image: NO_TOKENS },
    unitPrice: null,
    costNanoUsd: tokens * 4,
    state: 'metered',
    priceBook: 'test',
    doubt: null,
    ...given,
  },
});

export const callerSaid = (callId: string, turn: number, transcript: string | null): TurnKept => {
  const said: CallerTurn = {
    who: 'caller',
    turn: `t${turn}`,
    speechStartAtMs: 800 + turn,
    speechStopAtMs: 1_800,
    committedAtMs: 1_810,
    transcript,
    latency: null,
  };
  return { type: 'turn.kept', callId, turn, said };
};

export const agentSaid = (callId: string, turn: number, heardText: string, unheardText: string): TurnKept => {
  const said: AgentUtterance = {
    ...{
      who: 'agent',
      utterance: `u${turn}`,
      answer: 'a1',
      startAtMs: 2_000,
      soundAtMs: 2_020,
      outcome: 'interrupted',
    },
    ...{
      heardMs: 600,
      sentMs: 1_000,
      receivedMs: 1_200,
      text: heardText + unheardText,
      heardText,
      unheardText,
      whole: true,
    },
  };
  return { type: 'turn.kept', callId, turn, said };
};

export const toolRan = (callId: string, tool: number, status: string, output: string | null): ToolKept => ({
  type: 'tool.kept',
  callId,
  tool,
  run: {
    ...{ toolCall: `fc${tool}`, name: 'book', atMs: 3_000, status, arguments: '{"day":"Monday"}', output },
    durationMs: output === null ? null : 40,
  },
});

export const ended = (callId: string, given: Partial<CallEnded> = {}): CallEnded => ({
  type: 'call.ended',
  callId,
  mediaStartedWallMs: AT_MS + 200,
  endedWallMs: AT_MS + 60_000,
  reason: 'caller_hung_up',
  by: 'caller',
  result: 'success',
  detail: 'stop',
  quality: 97,
  ...{ latencyMs: 840, disposition: 'booked', turnCount: 2, bargeIns: 1 },
  ...given,
});

export const audited = (subject: string): StoreEvent => ({
  type: 'audited',
  atWallMs: AT_MS,
  actor: 'operator',
  action: 'prune',
  subject,
  note: '',
});
