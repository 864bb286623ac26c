// An agent: who answers a number, with which voice, instructions, turn-taking policy, tools and limits. Loaded from a YAML
// file by load.ts; plain data but for the tools' functions.
import type { Outbound } from '../tools/hosts.ts';
import type { ToolSource } from '../tools/sources.ts';
import type { Tool } from '../tools/tool.ts';

/** How the end of a caller's turn is found. All numbers are sent to the model explicitly. */
export type TurnDetection =
  | { kind: 'server_vad'; threshold: number; prefixPaddingMs: number; silenceMs: number }
  | { kind: 'semantic_vad'; eagerness: 'low' | 'medium' | 'high' | 'auto' }
  /** No detection: a turn ends when the caller presses a key. */
  | { kind: 'none' };

export interface TurnTaking {
  detection: TurnDetection;
  /** Who stops a running answer when the caller speaks: the model's server by itself, or we. */
  interruptsBy: 'model' | 'trunkline';
  /** Who asks for the answer when the caller's turn ends: the model's server by itself, or we. */
  answersBy: 'model' | 'trunkline';
  /** The caller must have spoken this long before the agent stops (0 = at once); needs `interruptsBy: trunkline`. */
  interruptAfterMs: number;
}

export interface AgentModel {
  name: string;
  /** A voice name, or the id of a custom voice (`voice_…`). */
  voice: string;
  speed: number;
  /** API root of another endpoint for this agent, e.g. a regional one; null = OPENAI_BASE_URL. */
  endpoint: string | null;
  /** How long the endpoint lets one session live; it is replaced shortly before. */
  maxSessionMs: number;
  reasoningEffort: 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | null;
  maxOutputTokens: number;
  noiseReduction: 'near_field' | 'far_field' | null;
  transcription: { model: string; language: string | null } | null;
  truncation: 'auto' | 'disabled' | { retentionRatio: number; postInstructionTokens: number | null };
}

/** What a caller who is not let in gets. */
export type Refusal = { give: 'busy' } | { give: 'sentence'; text: string } | { give: 'forward'; to: string };

/** Who is let in, and what the others get. */
export interface AgentAdmission {
  /** Who may call; null = everybody who is not denied. Entries as `isListed` of `call/caller.ts` reads them. */
  allow: readonly string[] | null;
  /** Who may not, also when `allow` names them. */
  deny: readonly string[];
  /** The least STIR attestation of a telephone number; null = none needed. */
  attestation: 'A' | 'B' | 'C' | null;
  callsPerMinutePerCaller: number | null;
  callsAtOncePerCaller: number | null;
  refused: {
    /** By a list or for a missing attestation. */
    denied: Refusal;
    /** For calling too often or too many times at once. */
    limited: Refusal;
    /** Because agent, server or model have enough to do. */
    full: Refusal;
    /** Because the server is stopping. */
    draining: Refusal;
    /** Because a budget of the caller, the agent or the server is used up for today. */
    budget: Refusal;
  };
}

/** What calls may cost, in nano-dollars; null = whatever they do. Days are those of UTC. */
export interface AgentBudget {
  perCallNanoUsd: number | null;
  perCallerDayNanoUsd: number | null;
  perDayNanoUsd: number | null;
  /** Tells the agent that 80 % of one of them is used. */
  nearly: string;
  /** Said by the carrier when all of one is used, unless the call is forwarded. */
  goodbye: string;
  forwardTo: string | null;
}

/** What the caller gets when the model fails, in this order. Clips are PCMU bytes. */
export interface AgentFailure {
  /** Played when the caller has waited in silence for `holdAfterMs`, while another session is opened. */
  hold: Uint8Array;
  holdAfterMs: number;
  /** A second model, at its own endpoint, that takes over when the first cannot be had; null = none. */
  fallback: { name: string; endpoint: string | null; voice: string } | null;
  /** Played when no model is left, saying `apologyText`; then the call is forwarded, or a message is taken, or it ends. */
  apology: Uint8Array;
  apologyText: string;
  forwardTo: string | null;
  voicemail: { prompt: string; maxSeconds: number } | null;
}

/** Whole days that what is kept of a call stays, from its admission; null = for ever. `privacy/` removes it. */
export interface AgentRetention {
  audioDays: number | null;
  textDays: number | null;
  /** No shorter than the two above. */
  metadataDays: number | null;
}

/** A person or a desk that the agent may hand a caller over to. */
export interface AgentTarget {
  /** E.164 or a SIP URI. */
  to: string;
  how: 'cold' | 'warm';
  ringSeconds: number;
  /** Tells the model when. */
  when: string;
}

/** Watches what the agent says, or what tools are asked for. */
export interface AgentGuardrail {
  name: string;
  watch: 'speech' | 'arguments';
  /** A regular expression; case does not matter. */
  pattern: string;
  /** What the agent is told to do instead. */
  instead: string;
}

/** A number that the caller may be asked to key in. */
export interface AgentField {
  min: number;
  max: number;
  endKey: '#' | '*' | '';
  timeoutMs: number;
  /** Neither digits nor tones reach model, log, tape, transcript or recording. */
  sensitive: boolean;
  /** Tells the model what it is. */
  what: string;
}

export interface Agent {
  name: string;
  /** File the agent came from, relative to the agents folder. */
  file: string;
  /** SHA-256, hex, over that file, its tool file and its clips: written on every tape. */
  hash: string;
  /** Numbers (E.164) and SIP users it answers; `*` = every number that no other agent claims. */
  answers: readonly string[];
  model: AgentModel;
  instructions: string;
  /**
   * Spoken first; `clip` (PCMU bytes, read at load) starts at once and `text` is put into the conversation. The words of
   * `recording.disclosure` are in `text` already. Null = wait for the caller.
   */
  greeting: { text: string; clip: Uint8Array | null; protected: boolean } | null;
  turnTaking: TurnTaking;
  /** Nobody spoke for `promptAfterMs`: `prompt` is said; again: `goodbye`, and the call ends. Both are words to be said. */
  silence: { promptAfterMs: number; prompt: string; goodbye: string };
  limits: {
    maxCallMs: number;
    /** Words to be said when the call has reached `maxCallMs`. */
    wrapUp: string;
    /** An answer owed for this long without a sound counts as a stalled model. */
    modelStallMs: number;
    toolMs: number;
    maxConcurrentCalls: number;
  };
  admission: AgentAdmission;
  budget: AgentBudget;
  /** Functions of its tool files; of a running server those of all its sources. */
  tools: readonly Tool[];
  /** HTTP requests, OpenAPI documents and MCP servers that are tools once they are opened; secrets are not in them. */
  sources: readonly ToolSource[];
  /** Where its tools may connect beside what they name themselves. */
  outbound: Outbound;
  /** Whom it may hand callers over to, by name. */
  transfer: Readonly<Record<string, AgentTarget>>;
  /** What it may ask callers to key in, by name. */
  keypad: Readonly<Record<string, AgentField>>;
  /** How callers agree to what cannot be undone; words in lower case. */
  consent: { by: 'voice_or_key' | 'key'; yes: readonly string[]; no: readonly string[] };
  /** What calls may have been about; null: no notes are taken. */
  notes: { dispositions: readonly string[] } | null;
  /** It may press keys towards the other side. */
  sendsDtmf: boolean;
  /** It may send the caller a text message; `from` null: from the number that was called. */
  sms: { from: string | null; perCall: number } | null;
  /** Agents that it may hand the call to, and when. */
  handOff: readonly { agent: string; when: string }[];
  guardrails: readonly AgentGuardrail[];
  /** What a caller hears while a tool runs: `say` tells the model (null: the clip `failure.hold`); then hold sound, PCMU. */
  filler: { afterMs: number; say: string | null; music: Uint8Array | null; musicAfterMs: number };
  /** Built-in: the agent may end the call after its goodbye was heard. `goodbye` tells the model how to say one it left out. */
  endCall: { enabled: boolean; goodbye: string };
  failure: AgentFailure;
  /** Null: audio is not kept. The disclosure is part of what is spoken first. */
  recording: { disclosure: string } | null;
  retention: AgentRetention;
}
