// The eleven client events of the GA protocol, and the check that turns one text frame into one of them or a refusal.
// Written from the reference, not from the schema file: the tests hold the two against each other.
import { refusal } from './fault.ts';
import type { Fault } from './fault.ts';
import type { FormatObject } from './audio-format.ts';
import * as shape from './shape.ts';
import type { Shape } from './shape.ts';

/** A conversation item as the wire carries it. */
export interface WireItem {
  id?: string;
  object?: 'realtime.item';
  type: string;
  status?: string;
  role?: 'system' | 'user' | 'assistant';
  content?: { type: string; text?: string; audio?: string; transcript?: string | null }[];
  call_id?: string;
  name?: string;
  arguments?: string;
  output?: string;
}

/** Overrides of one response. */
export interface ResponseParameters {
  instructions?: string;
  output_modalities?: ('audio' | 'text')[];
  audio?: { output?: { format?: FormatObject; voice?: unknown } };
  tools?: { type: string; name?: string }[];
  tool_choice?: unknown;
  parallel_tool_calls?: boolean;
  conversation?: string;
  metadata?: Record<string, string> | null;
  input?: (WireItem | { type: 'item_reference'; id: string })[];
  max_output_tokens?: number | 'inf';
}

/** A client event that has passed the check. */
export type ClientEvent = { event_id?: string } & (
  | { type: 'session.update'; session: Record<string, unknown> }
  | { type: 'input_audio_buffer.append'; audio: string }
  | { type: 'input_audio_buffer.commit' | 'input_audio_buffer.clear' | 'output_audio_buffer.clear' }
  | { type: 'conversation.item.create'; item: WireItem; previous_item_id?: string }
  | { type: 'conversation.item.retrieve' | 'conversation.item.delete'; item_id: string }
  | { type: 'conversation.item.truncate'; item_id: string; content_index: number; audio_end_ms: number }
  | { type: 'response.create'; response?: ResponseParameters }
  | { type: 'response.cancel'; response_id?: string }
);

/** One frame, checked. `event_id` is what an `error` must repeat. */
export type Parsed =
  | { ok: true; event: ClientEvent }
  | { ok: false; fault: Fault; event_id: string | null; event: Record<string, unknown> | undefined };

/** Parses and checks one text frame. */
export function parseClientEvent(frame: string): Parsed {
  let event: unknown;
  try {
    event = JSON.parse(frame);
  } catch {
    event = undefined;
  }
  if (!shape.isObject(event)) {
    const fault = refusal('invalid_event', 'The event is not a JSON object.');
    return { ok: false, fault, event_id: null, event: undefined };
  }
  // An append is fifty events a second and has one field: checked first, without the machinery below.
  if (event.type === 'input_audio_buffer.append' && typeof event.audio === 'string' && Object.keys(event).length === 2)
    return { ok: true, event: event as ClientEvent };
  const fault = CLIENT_EVENT(event, '');
  if (!fault) return { ok: true, event: event as ClientEvent };
  return { ok: false, fault, event_id: typeof event.event_id === 'string' ? event.event_id : null, event };
}

const { anything, boolean, integer, list, nullable, number, object, oneOf, text, textOr, variant } = shape;

// `fable`, `onyx` and `nova` exist elsewhere in the API but not here.
const voice = textOr(
  oneOf('alloy', 'ash', 'ballad', 'coral', 'echo', 'sage', 'shimmer', 'verse', 'marin', 'cedar'),
  object({ id: text() }, ['id']),
);
const format = variant('type', {
  'audio/pcm': object({ type: anything, rate: oneOf(24_000) }),
  'audio/pcmu': object({ type: anything }),
  'audio/pcma': object({ type: anything }),
});
const modalities: Shape = (value, path) =>
  list(oneOf('text', 'audio'))(value, path) ??
  ((value as unknown[]).length === 1
    ? undefined
    : shape.invalid(path, "supported combinations are: ['text'] and ['audio']"));

const tools = list(
  variant('type', {
    function: object({ type: anything, name: text(64), description: text(), parameters: anything }, ['name']),
    mcp: anything,
  }),
);
const toolChoice = textOr(
  oneOf('auto', 'none', 'required'),
  variant('type', {
    function: object({ type: anything, name: text() }, ['name']),
    mcp: object({ type: anything, server_label: text(), name: nullable(text()) }, ['server_label']),
  }),
);
const maxOutputTokens = textOr(oneOf('inf'), integer(1, 4096));
const reasoning = object({ effort: oneOf('minimal', 'low', 'medium', 'high', 'xhigh') });

const turnDetection = variant('type', {
  server_vad: object({
    type: anything,
    threshold: number(0, 1),
    prefix_padding_ms: integer(0),
    silence_duration_ms: integer(0),
    create_response: boolean,
    interrupt_response: boolean,
    idle_timeout_ms: nullable(integer(5000, 30_000)),
  }),
  semantic_vad: object({
    type: anything,
    eagerness: oneOf('low', 'medium', 'high', 'auto'),
    create_response: boolean,
    interrupt_response: boolean,
  }),
});

const transcription = object({
  model: text(),
  language: text(),
  languages: list(text()),
  keywords: list(text()),
  prompt: nullable(text()),
  delay: oneOf('minimal', 'low', 'medium', 'high', 'xhigh'),
});

const session = variant('type', {
  realtime: object({
    type: anything,
    model: text(),
    instructions: text(),
    output_modalities: modalities,
    audio: object({
      input: object({
        format,
        transcription: nullable(transcription),
        noise_reduction: nullable(object({ type: oneOf('near_field', 'far_field'), strength: number() })),
        turn_detection: nullable(turnDetection),
      }),
      output: object({ format, voice, speed: number(0.25, 1.5) }),
    }),
    tools,
    tool_choice: toolChoice,
    parallel_tool_calls: boolean,
    reasoning,
    max_output_tokens: maxOutputTokens,
    truncation: textOr(
      oneOf('auto', 'disabled'),
      object(
        {
          type: oneOf('retention_ratio'),
          retention_ratio: number(0, 1),
          token_limits: object({ post_instructions: integer(0) }),
        },
        ['type', 'retention_ratio'],
      ),
    ),
    include: list(oneOf('item.input_audio_transcription.logprobs')),
    tracing: nullable(textOr(oneOf('auto'), object({ workflow_name: text(), group_id: text(), metadata: anything }))),
    prompt: nullable(object({ id: text(), version: nullable(text()), variables: anything }, ['id'])),
  }),
});

const common = {
  id: text(),
  object: oneOf('realtime.item'),
  type: anything,
  status: oneOf('completed', 'incomplete', 'in_progress'),
};
const message = (...parts: string[]): Shape =>
  object(
    {
      ...common,
      role: anything,
      content: list(
        object(
          {
            type: oneOf(...parts),
            text: text(),
            audio: text(),
            transcript: text(),
            image_url: text(),
            detail: oneOf('auto', 'low', 'high'),
          },
          ['type'],
        ),
      ),
    },
    ['role', 'content'],
  );

const itemShapes = {
  message: variant('role', {
    system: message('input_text'),
    user: message('input_text', 'input_audio', 'input_image'),
    assistant: message('output_text', 'output_audio'),
  }),
  function_call: object({ ...common, call_id: text(), name: text(), arguments: text() }, ['name', 'arguments']),
  function_call_output: object({ ...common, call_id: text(), output: text() }, ['call_id', 'output']),
  mcp_approval_response: object(
    { ...common, approval_request_id: text(), approve: boolean, reason: nullable(text()) },
    ['id', 'approval_request_id', 'approve'],
  ),
};
const item = variant('type', itemShapes);

const metadata: Shape = (value, path) => {
  if (!shape.isObject(value)) return shape.invalid(path, 'expected an object');
  const pairs = Object.entries(value);
  const fits =
    pairs.length <= 16 && pairs.every(([key, v]) => key.length <= 64 && typeof v === 'string' && v.length <= 512);
  return fits
    ? undefined
    : shape.invalid(path, 'expected at most 16 pairs of strings of at most 64 and 512 characters');
};

const response = object({
  instructions: text(),
  output_modalities: modalities,
  audio: object({ output: object({ format, voice }) }),
  tools,
  tool_choice: toolChoice,
  parallel_tool_calls: boolean,
  reasoning,
  max_output_tokens: maxOutputTokens,
  conversation: oneOf('auto', 'none'),
  metadata: nullable(metadata),
  prompt: nullable(anything),
  input: list(variant('type', { ...itemShapes, item_reference: object({ type: anything, id: text() }, ['id']) })),
});

const event = (fields: Record<string, Shape> = {}, required: string[] = []): Shape =>
  object({ event_id: text(512), type: anything, ...fields }, required);

const CLIENT_EVENT = variant('type', {
  'session.update': event({ session }, ['session']),
  'input_audio_buffer.append': event({ audio: text() }, ['audio']),
  'input_audio_buffer.commit': event(),
  'input_audio_buffer.clear': event(),
  'output_audio_buffer.clear': event(),
  'conversation.item.create': event({ item, previous_item_id: text() }, ['item']),
  'conversation.item.retrieve': event({ item_id: text() }, ['item_id']),
  'conversation.item.delete': event({ item_id: text() }, ['item_id']),
  'conversation.item.truncate': event({ item_id: text(), content_index: integer(), audio_end_ms: integer() }, [
    'item_id',
    'content_index',
    'audio_end_ms',
  ]),
  'response.create': event({ response }),
  'response.cancel': event({ response_id: text() }),
});
