// The simulator's own check of client events, held against the official strict schema.
import { expect, test } from 'vitest';
import { parseClientEvent } from '../../src/simulator/client-event.ts';
import { isClientEvent } from './socket-client.ts';

const update = (session: object): object => ({
  type: 'session.update',
  event_id: 'e1',
  session: { type: 'realtime', ...session },
});
const input = (fields: object): object => update({ audio: { input: fields } });
const item = (fields: object): object => ({ type: 'conversation.item.create', item: fields });
const response = (fields: object): object => ({ type: 'response.create', response: fields });

const good: object[] = [
  update({}),
  update({ instructions: 'Be brief.', output_modalities: ['text'], max_output_tokens: 'inf', tool_choice: 'none' }),
  update({ tools: [{ type: 'function', name: 'f', description: 'd', parameters: { type: 'object' } }], tracing: null }),
  update({ tool_choice: { type: 'function', name: 'f' }, reasoning: { effort: 'low' }, parallel_tool_calls: true }),
  update({ truncation: { type: 'retention_ratio', retention_ratio: 0.8, token_limits: { post_instructions: 8000 } } }),
  update({ truncation: 'disabled', include: [], prompt: null, max_output_tokens: 1024 }),
  update({ audio: { output: { format: { type: 'audio/pcmu' }, voice: 'marin', speed: 1.1 } } }),
  update({ audio: { output: { voice: { id: 'voice_1' } } } }),
  input({ format: { type: 'audio/pcm', rate: 24_000 }, transcription: { model: 'gpt-transcribe', language: 'en' } }),
  input({ transcription: null, noise_reduction: null, turn_detection: null }),
  input({ noise_reduction: { type: 'far_field', strength: 1 } }),
  input({ turn_detection: { type: 'server_vad', threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 500 } }),
  input({ turn_detection: { type: 'server_vad', idle_timeout_ms: 8000, create_response: false } }),
  input({ turn_detection: { type: 'semantic_vad', eagerness: 'low', interrupt_response: false } }),
  { type: 'input_audio_buffer.append', audio: '//8=' },
  { type: 'input_audio_buffer.append', event_id: 'a', audio: '//8=' },
  { type: 'input_audio_buffer.commit' },
  { type: 'input_audio_buffer.clear', event_id: 'c' },
  { type: 'output_audio_buffer.clear' },
  item({ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hello' }] }),
  item({ type: 'message', role: 'system', content: [{ type: 'input_text', text: 'note' }] }),
  item({ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'said' }] }),
  item({ type: 'function_call', call_id: 'call_1', name: 'f', arguments: '{}' }),
  item({ type: 'function_call_output', call_id: 'call_1', output: 'ok' }),
  {
    type: 'conversation.item.create',
    previous_item_id: 'root',
    item: { type: 'function_call_output', call_id: 'c', output: '' },
  },
  { type: 'conversation.item.retrieve', item_id: 'item_1' },
  { type: 'conversation.item.delete', item_id: 'item_1' },
  { type: 'conversation.item.truncate', item_id: 'item_1', content_index: 0, audio_end_ms: 1480 },
  { type: 'response.create' },
  response({ instructions: 'Say hello.', tool_choice: 'none', metadata: { topic: 'greeting' } }),
  response({ conversation: 'none', output_modalities: ['text'], input: [{ type: 'item_reference', id: 'item_1' }] }),
  response({ input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'x' }] }] }),
  { type: 'response.cancel' },
  { type: 'response.cancel', response_id: 'resp_1' },
];

const bad: [string, string, object][] = [
  ['missing_required_parameter', 'session.type', { type: 'session.update', session: { instructions: '' } }],
  ['missing_required_parameter', 'session', { type: 'session.update' }],
  ['invalid_value', 'session.type', { type: 'session.update', session: { type: 'live' } }],
  ['unknown_parameter', 'session.temperature', update({ temperature: 0.8 })],
  ['unknown_parameter', 'session.modalities', update({ modalities: ['text', 'audio'] })],
  ['unknown_parameter', 'session.voice', update({ voice: 'marin' })],
  ['unknown_parameter', 'session.audio.input.input_audio_format', input({ input_audio_format: 'g711_ulaw' })],
  ['invalid_value', 'session.audio.input.format.type', input({ format: { type: 'g711_ulaw' } })],
  ['unknown_parameter', 'session.audio.input.format.rate', input({ format: { type: 'audio/pcmu', rate: 8000 } })],
  ['invalid_value', 'session.audio.input.format.rate', input({ format: { type: 'audio/pcm', rate: 8000 } })],
  [
    'invalid_value',
    'session.audio.input.turn_detection.threshold',
    input({ turn_detection: { type: 'server_vad', threshold: '0.5' } }),
  ],
  [
    'invalid_value',
    'session.audio.input.turn_detection.idle_timeout_ms',
    input({ turn_detection: { type: 'server_vad', idle_timeout_ms: 1000 } }),
  ],
  [
    'unknown_parameter',
    'session.audio.input.turn_detection.idle_timeout_ms',
    input({ turn_detection: { type: 'semantic_vad', idle_timeout_ms: 8000 } }),
  ],
  ['invalid_value', 'session.audio.output.speed', update({ audio: { output: { speed: 2 } } })],
  ['unknown_parameter', 'session.tools[0].strict', update({ tools: [{ type: 'function', name: 'f', strict: true }] })],
  ['missing_required_parameter', 'audio', { type: 'input_audio_buffer.append' }],
  ['invalid_value', 'audio', { type: 'input_audio_buffer.append', audio: 3 }],
  ['missing_required_parameter', 'item_id', { type: 'conversation.item.truncate', content_index: 0, audio_end_ms: 1 }],
  [
    'invalid_value',
    'audio_end_ms',
    { type: 'conversation.item.truncate', item_id: 'i', content_index: 0, audio_end_ms: 12.5 },
  ],
  [
    'invalid_value',
    'item.content[0].type',
    item({ type: 'message', role: 'assistant', content: [{ type: 'text', text: 'x' }] }),
  ],
  ['missing_required_parameter', 'item.call_id', item({ type: 'function_call_output', output: 'x' })],
  ['unknown_parameter', 'response.modalities', response({ modalities: ['text'] })],
  ['unknown_parameter', 'response.voice', response({ voice: 'marin' })],
  ['invalid_value', 'type', { type: 'session.create' }],
  ['missing_required_parameter', 'type', { event_id: 'x' }],
];

// Stricter than the schema, as the documentation is.
const refusedByDocumentation: [string, string, object][] = [
  ['invalid_value', 'session.output_modalities', update({ output_modalities: ['text', 'audio'] })],
  ['invalid_value', 'session.audio.output.voice', update({ audio: { output: { voice: 'onyx' } } })],
  ['invalid_value', 'session.max_output_tokens', update({ max_output_tokens: 5000 })],
  ['missing_required_parameter', 'session.tools[0].name', update({ tools: [{ type: 'function' }] })],
  ['invalid_value', 'response.metadata', response({ metadata: { long: 'x'.repeat(600) } })],
];

test('takes what the official schema takes', () => {
  for (const event of good) {
    expect(parseClientEvent(JSON.stringify(event)), JSON.stringify(event)).toMatchObject({ ok: true });
    expect(isClientEvent(event), JSON.stringify(event)).toBe(true);
  }
});

test('refuses what the official schema refuses, naming code and parameter', () => {
  for (const [code, param, event] of bad) {
    expect(parseClientEvent(JSON.stringify(event)), JSON.stringify(event)).toMatchObject({
      ok: false,
      fault: { code, param },
    });
    expect(isClientEvent(event), JSON.stringify(event)).toBe(false);
  }
});

test('refuses what only the documentation forbids', () => {
  for (const [code, param, event] of refusedByDocumentation)
    expect(parseClientEvent(JSON.stringify(event)), JSON.stringify(event)).toMatchObject({
      ok: false,
      fault: { code, param },
    });
});

test('refuses frames that hold no event', () => {
  for (const frame of ['', '{', 'null', '[]', '"x"', '{"type":{}}', '{"type":"constructor"}'])
    expect(parseClientEvent(frame)).toMatchObject({ ok: false });
});

test('repeats the event id of what it refuses', () => {
  expect(parseClientEvent('{"type":"response.create","event_id":"rc_7","foo":1}')).toMatchObject({ event_id: 'rc_7' });
});
