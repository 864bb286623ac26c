// An agent's session.update against the API's strict client schema.
import { describe, expect, test } from 'vitest';
import type { Agent, AgentModel, TurnTaking } from '../../../src/agent/agent.ts';
import { capabilitiesFor, dialogueConfig, sessionUpdate } from '../../../src/realtime/openai/session-config.ts';
import { expectClientMessage } from './client-schema.ts';
import { ONLY_TALKS } from '../../support/no-errands.ts';
import { KEPT_FOR_EVER, NO_BUDGET, OPEN_ADMISSION } from '../../support/open-admission.ts';

const MODEL: AgentModel = {
  name: 'gpt-realtime-2.1',
  voice: 'marin',
  speed: 1,
  endpoint: null,
  maxSessionMs: 3_600_000,
  reasoningEffort: 'low',
  maxOutputTokens: 1024,
  noiseReduction: null,
  transcription: { model: 'gpt-transcribe', language: 'en' },
  truncation: { retentionRatio: 0.8, postInstructionTokens: 8000 },
};
const TURNS: TurnTaking = {
  detection: { kind: 'server_vad', threshold: 0.5, prefixPaddingMs: 300, silenceMs: 500 },
  interruptsBy: 'model',
  answersBy: 'model',
  interruptAfterMs: 0,
};

function agent(
  model: Partial<AgentModel> = {},
  turnTaking: Partial<TurnTaking> = {},
  more: Partial<Agent> = {},
): Agent {
  return {
    ...ONLY_TALKS,
    name: 'front-desk',
    file: 'front-desk.yaml',
    hash: '0'.repeat(64),
    answers: ['*'],
    model: { ...MODEL, ...model },
    instructions: 'You answer the phone.',
    greeting: { text: 'Hello.', clip: null, protected: false },
    turnTaking: { ...TURNS, ...turnTaking },
    silence: { promptAfterMs: 8000, prompt: 'Are you there?', goodbye: 'Goodbye.' },
    limits: { maxCallMs: 600_000, wrapUp: 'Bye.', modelStallMs: 4000, toolMs: 8000, maxConcurrentCalls: 10 },
    admission: OPEN_ADMISSION,
    budget: NO_BUDGET,
    retention: KEPT_FOR_EVER,
    tools: [
      {
        name: 'lookup_order',
        description: 'Looks up an order.',
        parameters: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'] },
        run: () => null,
      },
    ],
    endCall: { enabled: true, goodbye: 'Say goodbye.' },
    failure: {
      hold: new Uint8Array(160),
      holdAfterMs: 1700,
      fallback: null,
      apology: new Uint8Array(160),
      apologyText: 'Sorry.',
      forwardTo: null,
      voicemail: null,
    },
    recording: null,
    ...more,
  };
}

const update = (a: Agent) =>
  JSON.parse(JSON.stringify(sessionUpdate(a))) as { audio: Audio; tools: { name: string }[] };
interface Audio {
  input: { format: unknown; turn_detection: unknown; noise_reduction: unknown; transcription: unknown };
  output: { format: unknown; voice: unknown; speed: unknown };
}

describe('session.update', () => {
  test.each<[string, Agent]>([
    ['the usual agent', agent()],
    ['no tools, no end_call', agent({}, {}, { tools: [], endCall: { enabled: false, goodbye: '' } })],
    ['a plain model', agent({ name: 'gpt-realtime-1.5' })],
    ['a mini model without effort', agent({ name: 'gpt-realtime-2.1-mini', reasoningEffort: null })],
    ['noise reduction, no transcription', agent({ noiseReduction: 'far_field', transcription: null })],
    ['transcription in any language', agent({ transcription: { model: 'whisper-1', language: null } })],
    ['a custom voice', agent({ voice: 'voice_6f2a' })],
    ['automatic truncation', agent({ truncation: 'auto' })],
    ['no truncation', agent({ truncation: 'disabled' })],
    ['a ratio only', agent({ truncation: { retentionRatio: 0.7, postInstructionTokens: null } })],
    ['semantic detection', agent({}, { detection: { kind: 'semantic_vad', eagerness: 'high' } })],
    ['no detection', agent({}, { detection: { kind: 'none' } })],
    ['turns taken by us', agent({}, { interruptsBy: 'trunkline', answersBy: 'trunkline' })],
    ['no instructions', agent({}, {}, { instructions: '' })],
  ])('of %s is taken by the API', (_, a) => {
    expectClientMessage({ type: 'session.update', event_id: 'tl_1', session: update(a) });
  });

  test('asks for mu-law both ways, and leaves the model to the URL', () => {
    const session = update(agent());
    expect(session.audio.input.format).toEqual({ type: 'audio/pcmu' });
    expect(session.audio.output.format).toEqual({ type: 'audio/pcmu' });
    expect(session).not.toHaveProperty('model');
    expect(session).toMatchObject({ type: 'realtime', output_modalities: ['audio'], tracing: null });
  });

  test('names every number of server VAD, and switches its idle timeout off', () => {
    expect(update(agent()).audio.input.turn_detection).toEqual({
      type: 'server_vad',
      threshold: 0.5,
      prefix_padding_ms: 300,
      silence_duration_ms: 500,
      idle_timeout_ms: null,
      create_response: true,
      interrupt_response: true,
    });
  });

  test('semantic detection has eagerness and no idle timeout; no detection is null', () => {
    const semantic = agent({}, { detection: { kind: 'semantic_vad', eagerness: 'low' } });
    expect(update(semantic).audio.input.turn_detection).toEqual({
      type: 'semantic_vad',
      eagerness: 'low',
      create_response: true,
      interrupt_response: true,
    });
    expect(update(agent({}, { detection: { kind: 'none' } })).audio.input.turn_detection).toBeNull();
  });

  test.each([
    'gpt-realtime-2',
    'gpt-realtime-2.1',
    'gpt-realtime-2.1-mini',
    'gpt-realtime-2-2026-05-07',
    'gpt-realtime-2.1-2026-09-01',
  ])('sends %s its reasoning effort and parallel tool calls', (name) => {
    expect(update(agent({ name }))).toMatchObject({ reasoning: { effort: 'low' }, parallel_tool_calls: true });
    expect(update(agent({ name, reasoningEffort: null }))).not.toHaveProperty('reasoning');
  });

  test.each([
    'gpt-realtime-1.5',
    'gpt-realtime',
    'gpt-realtime-2025-08-28',
    'gpt-realtime-mini',
    'gpt-realtime-mini-2025-12-15',
  ])('does not send %s what only reasoning models know', (name) => {
    const session = update(agent({ name }));
    expect(session).not.toHaveProperty('reasoning');
    expect(session).not.toHaveProperty('parallel_tool_calls');
  });

  test('names a custom voice by its id, other voices by name', () => {
    expect(update(agent({ voice: 'voice_6f2a' })).audio.output.voice).toEqual({ id: 'voice_6f2a' });
    expect(update(agent({ voice: 'cedar' })).audio.output.voice).toBe('cedar');
  });

  test('declares the tools, and end_call only where it is enabled', () => {
    const names = (a: Agent) => update(a).tools.map(({ name }) => name);
    expect(names(agent())).toEqual(['lookup_order', 'end_call']);
    expect(names(agent({}, {}, { endCall: { enabled: false, goodbye: '' } }))).toEqual(['lookup_order']);
    const [tool] = update(agent()).tools;
    expect(Object.keys(tool ?? {}).toSorted()).toEqual(['description', 'name', 'parameters', 'type']);
  });
});

describe('who takes turns', () => {
  test.each([
    ['model', 'model'],
    ['model', 'trunkline'],
    ['trunkline', 'model'],
    ['trunkline', 'trunkline'],
  ] as const)('interrupts by %s, answers by %s', (interruptsBy, answersBy) => {
    const a = agent({}, { interruptsBy, answersBy });
    expect(update(a).audio.input.turn_detection).toMatchObject({
      interrupt_response: interruptsBy === 'model',
      create_response: answersBy === 'model',
    });
    expect(dialogueConfig(a)).toMatchObject({
      serverInterrupts: interruptsBy === 'model',
      serverAnswers: answersBy === 'model',
      model: 'gpt-realtime-2.1',
      transcriptionModel: 'gpt-transcribe',
    });
    expect(capabilitiesFor(a)).toEqual({ detectsTurns: true, answersTurns: answersBy === 'model' });
  });

  test('without detection nobody but us', () => {
    const a = agent({ transcription: null }, { detection: { kind: 'none' } });
    expect(dialogueConfig(a)).toMatchObject({ serverInterrupts: false, serverAnswers: false, transcriptionModel: '' });
    expect(capabilitiesFor(a)).toEqual({ detectsTurns: false, answersTurns: false });
  });
});
