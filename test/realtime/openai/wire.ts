// Server messages as they come over the wire (GA names), with the fields a bridge does not read left in.

type Wire = Record<string, unknown> & { type: string };

/** `ms` of PCMU in base64. */
export const audioOf = (ms: number): string => Buffer.alloc(ms * 8, 0x7e).toString('base64');

const session = (input: unknown, output: unknown) => ({
  type: 'realtime',
  object: 'realtime.session',
  id: 'sess_1',
  model: 'gpt-realtime-2.1',
  expires_at: 1_795_305_600,
  prompt: null,
  include: null,
  audio: {
    input: { format: input, transcription: null, noise_reduction: null, turn_detection: null },
    output: { format: output, voice: 'marin', speed: 1 },
  },
});

export const sessionCreated = (): Wire => ({
  type: 'session.created',
  session: session({ type: 'audio/pcm', rate: 24_000 }, { type: 'audio/pcm', rate: 24_000 }),
});
export const sessionUpdated = (input = 'audio/pcmu', output = 'audio/pcmu'): Wire => ({
  type: 'session.updated',
  session: session({ type: input }, { type: output }),
});
export const speechStarted = (item = 'item_u1', atMs = 3120): Wire => ({
  type: 'input_audio_buffer.speech_started',
  audio_start_ms: atMs,
  item_id: item,
});
export const speechStopped = (item = 'item_u1', atMs = 4200): Wire => ({
  type: 'input_audio_buffer.speech_stopped',
  audio_end_ms: atMs,
  item_id: item,
});
export const committed = (item = 'item_u1'): Wire => ({
  type: 'input_audio_buffer.committed',
  previous_item_id: null,
  item_id: item,
});
export const itemAdded = (id: string, type = 'message'): Wire => ({
  type: 'conversation.item.added',
  previous_item_id: null,
  item: { id, object: 'realtime.item', type, status: 'completed' },
});
export const transcribed = (
  item: string,
  transcript: string,
  usage: unknown = { type: 'duration', seconds: 2.4 },
): Wire => ({
  type: 'conversation.item.input_audio_transcription.completed',
  item_id: item,
  content_index: 0,
  transcript,
  usage,
});

export const responseCreated = (
  id: string,
  metadata: Record<string, string> | null = null,
  conversation: string | null = 'conv_1',
): Wire => ({
  type: 'response.created',
  response: {
    object: 'realtime.response',
    id,
    conversation_id: conversation,
    status: 'in_progress',
    status_details: null,
    output: [],
    usage: null,
    metadata,
  },
});
const assistantItem = (id: string, status: string) => ({
  id,
  object: 'realtime.item',
  type: 'message',
  role: 'assistant',
  status,
  content: [],
});
export const messageAdded = (response: string, item: string): Wire => ({
  type: 'response.output_item.added',
  response_id: response,
  output_index: 0,
  item: assistantItem(item, 'in_progress'),
});
export const audioDelta = (response: string, item: string, ms: number): Wire => ({
  type: 'response.output_audio.delta',
  response_id: response,
  item_id: item,
  output_index: 0,
  content_index: 0,
  delta: audioOf(ms),
});
export const textDelta = (response: string, item: string, delta: string): Wire => ({
  type: 'response.output_audio_transcript.delta',
  response_id: response,
  item_id: item,
  output_index: 0,
  content_index: 0,
  delta,
});
export const messageDone = (response: string, item: string, status = 'completed'): Wire => ({
  type: 'response.output_item.done',
  response_id: response,
  output_index: 0,
  item: assistantItem(item, status),
});

/** A function call item; its id and its call id go together. */
export const callItem = (call: string, status = 'completed', args = '{"order":"A17"}') => ({
  id: `item_${call}`,
  object: 'realtime.item',
  type: 'function_call',
  status,
  call_id: call,
  name: 'lookup_order',
  arguments: args,
});
export const callAdded = (response: string, call: string): Wire => ({
  type: 'response.output_item.added',
  response_id: response,
  output_index: 1,
  item: callItem(call, 'in_progress', ''),
});
export const argumentsDone = (response: string, call: string): Wire => ({
  type: 'response.function_call_arguments.done',
  response_id: response,
  item_id: `item_${call}`,
  output_index: 1,
  call_id: call,
  name: 'lookup_order',
  arguments: '{"order":"A17"}',
});
export const callDone = (response: string, call: string, status = 'completed'): Wire => ({
  type: 'response.output_item.done',
  response_id: response,
  output_index: 1,
  item: callItem(call, status),
});

export const USAGE = {
  total_tokens: 1812,
  input_tokens: 1690,
  output_tokens: 122,
  input_token_details: {
    text_tokens: 1410,
    audio_tokens: 280,
    image_tokens: 0,
    cached_tokens: 1536,
    cached_tokens_details: { text_tokens: 1408, audio_tokens: 128, image_tokens: 0 },
  },
  output_token_details: { text_tokens: 22, audio_tokens: 100 },
};

export interface DoneFacts {
  status?: 'completed' | 'cancelled' | 'failed' | 'incomplete';
  details?: unknown;
  output?: unknown[];
  usage?: unknown;
  conversation?: string | null;
  metadata?: Record<string, string> | null;
}
export const responseDone = (id: string, facts: DoneFacts = {}): Wire => ({
  type: 'response.done',
  response: {
    object: 'realtime.response',
    id,
    conversation_id: facts.conversation === undefined ? 'conv_1' : facts.conversation,
    status: facts.status ?? 'completed',
    status_details: facts.details ?? null,
    output: facts.output ?? [],
    usage: facts.usage === undefined ? USAGE : facts.usage,
    metadata: facts.metadata ?? null,
  },
});
export const error = (code: string | null, eventId: string | null = null, message = 'No.'): Wire => ({
  type: 'error',
  error: { type: 'invalid_request_error', code, message, param: null, event_id: eventId },
});
