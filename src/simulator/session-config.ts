// The effective configuration of one session: the documented defaults, and the rule by which `session.update` changes it.
import type { FormatObject } from './audio-format.ts';
import { refusal } from './fault.ts';
import type { Fault } from './fault.ts';
import { isObject, unknownParameter } from './shape.ts';

/** Turn detection as the session reports it. */
export interface TurnDetection {
  type: 'server_vad' | 'semantic_vad';
  threshold?: number;
  prefix_padding_ms?: number;
  silence_duration_ms?: number;
  idle_timeout_ms?: number | null;
  eagerness?: 'low' | 'medium' | 'high' | 'auto';
  create_response: boolean;
  interrupt_response: boolean;
}

/** The session object of `session.created` and `session.updated`. */
export interface SessionConfig {
  type: 'realtime';
  object: 'realtime.session';
  id: string;
  model: string;
  expires_at: number;
  output_modalities: ('audio' | 'text')[];
  instructions: string;
  tools: { type: string; name?: string }[];
  tool_choice: unknown;
  /** Absent until a session sets it: only some models have it. */
  parallel_tool_calls?: boolean;
  max_output_tokens: number | 'inf';
  truncation: unknown;
  tracing: unknown;
  prompt: unknown;
  include: string[] | null;
  audio: {
    input: {
      format: FormatObject;
      transcription: { model?: string; language?: string } | null;
      noise_reduction: unknown;
      turn_detection: TurnDetection | null;
    };
    output: { format: FormatObject; voice: unknown; speed: number };
  };
}

const SERVER_VAD: TurnDetection = {
  type: 'server_vad',
  threshold: 0.5,
  prefix_padding_ms: 300,
  silence_duration_ms: 500,
  idle_timeout_ms: null,
  create_response: true,
  interrupt_response: true,
};
const SEMANTIC_VAD: TurnDetection = {
  type: 'semantic_vad',
  eagerness: 'auto',
  create_response: true,
  interrupt_response: true,
};

/** What a session is before the first update: VAD on, 24 kHz PCM both ways, voice alloy. */
export const defaultSession = (id: string, model: string, expiresAt: number): SessionConfig => ({
  type: 'realtime',
  object: 'realtime.session',
  id,
  model,
  expires_at: expiresAt,
  output_modalities: ['audio'],
  instructions: 'You are a helpful voice assistant.',
  tools: [],
  tool_choice: 'auto',
  max_output_tokens: 'inf',
  truncation: 'auto',
  tracing: null,
  prompt: null,
  include: null,
  audio: {
    input: {
      format: { type: 'audio/pcm', rate: 24_000 },
      transcription: null,
      noise_reduction: null,
      // Captured sessions show 200 ms although 500 is documented; a client must not rely on either.
      turn_detection: { ...SERVER_VAD, silence_duration_ms: 200 },
    },
    output: { format: { type: 'audio/pcm', rate: 24_000 }, voice: 'alloy', speed: 1 },
  },
});

/**
 * The session after `update`, which has passed the shape check, or why the whole update is refused.
 * @param hasSpoken audio has gone out, so the voice is frozen
 */
export function updateSession(
  session: SessionConfig,
  update: Record<string, unknown>,
  hasSpoken: boolean,
): { session: SessionConfig } | { fault: Fault } {
  const next = merge(session as unknown as Record<string, unknown>, update) as unknown as SessionConfig;
  if (next.model !== session.model)
    return { fault: refusal('invalid_value', 'The model of a session cannot be changed.', 'session.model') };
  // Only the gpt-realtime-2 family reasons; others refuse these fields.
  const reasons = session.model.startsWith('gpt-realtime-2') && !session.model.startsWith('gpt-realtime-20');
  for (const field of ['reasoning', 'parallel_tool_calls'])
    if (!reasons && field in update) return { fault: unknownParameter(`session.${field}`) };
  if (hasSpoken && JSON.stringify(next.audio.output.voice) !== JSON.stringify(session.audio.output.voice)) {
    const message = "Cannot update a conversation's voice if assistant audio is present.";
    return { fault: refusal('cannot_update_voice', message, 'session.audio.output.voice') };
  }
  if (session.tracing !== null && JSON.stringify(next.tracing) !== JSON.stringify(session.tracing))
    return { fault: refusal('invalid_value', 'Tracing cannot be changed once it is enabled.', 'session.tracing') };
  const detection = next.audio.input.turn_detection;
  if (detection && detection !== session.audio.input.turn_detection)
    next.audio.input.turn_detection = {
      ...(detection.type === 'server_vad' ? SERVER_VAD : SEMANTIC_VAD),
      ...detection,
    };
  return { session: next };
}

// Only fields that are present change. `audio` and its two directions are groups of fields; everything below them
// (a format, a turn detection, the list of tools) is one value and is replaced.
const GROUPS = new Set(['audio', 'input', 'output']);

function merge(current: Record<string, unknown>, update: Record<string, unknown>): Record<string, unknown> {
  const next = { ...current };
  for (const [key, value] of Object.entries(update)) {
    const now = current[key];
    next[key] = GROUPS.has(key) && isObject(now) && isObject(value) ? merge(now, value) : value;
  }
  return next;
}
