// An agent: who answers a number, with which voice, instructions, turn-taking policy, tools and limits. Loaded from a YAML
// file by load.ts; plain data but for the tools' functions.
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
  reasoningEffort: 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | null;
  maxOutputTokens: number;
  noiseReduction: 'near_field' | 'far_field' | null;
  transcription: { model: string; language: string | null } | null;
  truncation: 'auto' | 'disabled' | { retentionRatio: number; postInstructionTokens: number | null };
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
  tools: readonly Tool[];
  /** Built-in: the agent may end the call after its goodbye was heard. `goodbye` tells the model how to say one it left out. */
  endCall: { enabled: boolean; goodbye: string };
  /** When the model fails: this clip (PCMU bytes, saying `apologyText`) is played, then the call is forwarded or ended. */
  failure: { apology: Uint8Array; apologyText: string; forwardTo: string | null };
  /** Null: audio is not kept. The disclosure is part of what is spoken first. */
  recording: { disclosure: string } | null;
}
