// Agent -> the one `session.update` of a call (GA shape), and what the dialogue must know of it. Every number that the API
// has a default for is sent: documented defaults and captured ones differ.
import type { Agent } from '../../agent/agent.ts';
import { builtInTools } from '../../agent/built-in-tools.ts';
import { modelParameters } from '../../tools/parameters.ts';
import type { SessionCapabilities } from '../session.ts';
import type { DialogueConfig } from './dialogue-state.ts';

/**
 * The families that reason: only they know some fields, and sending those to others has the whole update refused. Not
 * `gpt-realtime-2025-…`, a dated first-generation model.
 */
const REASONING_FAMILIES = /^gpt-realtime-2(?!\d)/;

/** The dialogue's configuration for an agent. */
export function dialogueConfig(agent: Agent): DialogueConfig {
  const { model, turnTaking } = agent;
  const detects = turnTaking.detection.kind !== 'none';
  return {
    session: sessionUpdate(agent),
    model: model.name,
    transcriptionModel: model.transcription?.model ?? '',
    serverInterrupts: detects && turnTaking.interruptsBy === 'model',
    serverAnswers: detects && turnTaking.answersBy === 'model',
  };
}

/** What the call core may rely on, for an agent. */
export const capabilitiesFor = (agent: Agent): SessionCapabilities => ({
  detectsTurns: agent.turnTaking.detection.kind !== 'none',
  answersTurns: agent.turnTaking.detection.kind !== 'none' && agent.turnTaking.answersBy === 'model',
});

/** The body of `session.update`. The model itself is fixed by the URL and not repeated. */
export function sessionUpdate(agent: Agent): Record<string, unknown> {
  const { model } = agent;
  const reasons = REASONING_FAMILIES.test(model.name);
  const own = agent.tools.map((tool) => ({ ...tool, parameters: modelParameters(tool) }));
  const tools = [...own, ...builtInTools(agent)].map(({ name, description, parameters }) => ({
    type: 'function',
    name,
    description,
    parameters,
  }));
  return {
    type: 'realtime',
    instructions: agent.instructions,
    output_modalities: ['audio'],
    audio: {
      input: {
        format: { type: 'audio/pcmu' },
        noise_reduction: model.noiseReduction === null ? null : { type: model.noiseReduction },
        transcription:
          model.transcription === null
            ? null
            : {
                model: model.transcription.model,
                ...(model.transcription.language === null ? {} : { language: model.transcription.language }),
              },
        turn_detection: turnDetection(agent),
      },
      output: { format: { type: 'audio/pcmu' }, voice: voice(model.voice), speed: model.speed },
    },
    tools,
    tool_choice: 'auto',
    max_output_tokens: model.maxOutputTokens,
    truncation: truncation(agent),
    tracing: null,
    ...(reasons ? { parallel_tool_calls: true } : {}),
    ...(reasons && model.reasoningEffort !== null ? { reasoning: { effort: model.reasoningEffort } } : {}),
  };
}

/** Custom voices are named by an object. */
const voice = (name: string): unknown => (name.startsWith('voice_') ? { id: name } : name);

function turnDetection({ turnTaking }: Agent): Record<string, unknown> | null {
  const who = {
    create_response: turnTaking.answersBy === 'model',
    interrupt_response: turnTaking.interruptsBy === 'model',
  };
  const { detection } = turnTaking;
  switch (detection.kind) {
    case 'server_vad':
      return {
        type: 'server_vad',
        threshold: detection.threshold,
        prefix_padding_ms: detection.prefixPaddingMs,
        silence_duration_ms: detection.silenceMs,
        // Silence is the call core's policy: the server's own would commit silence, which costs.
        idle_timeout_ms: null,
        ...who,
      };
    case 'semantic_vad':
      return { type: 'semantic_vad', eagerness: detection.eagerness, ...who };
    case 'none':
      return null;
    default:
      return detection satisfies never;
  }
}

function truncation({ model }: Agent): unknown {
  if (typeof model.truncation === 'string') return model.truncation;
  const { retentionRatio, postInstructionTokens } = model.truncation;
  return {
    type: 'retention_ratio',
    retention_ratio: retentionRatio,
    ...(postInstructionTokens === null ? {} : { token_limits: { post_instructions: postInstructionTokens } }),
  };
}
