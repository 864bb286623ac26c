// Realtime JSON <-> what the dialogue reads and says. Pure. Every message parses to known, unknown or malformed; nothing
// throws. Names and shapes: npm `openai` 7.55.0 declarations and openai-openapi 2.3.0 (GA event set).
import type { RateLimitFact } from '../../realtime/throttle.ts';
import type { AudioChunk } from '../../audio/chunk.ts';
import { base64Bytes, isBase64 } from '../../audio/base64.ts';
import { type Json, number, object, string } from './json.ts';
import { answerUsage, type TimeUsage, type TokenUsage, transcriptionUsage } from './usage.ts';

/** A function call item as it stands in an answer. */
export interface FunctionCall {
  itemId: string;
  callId: string;
  name: string;
  arguments: string;
  /** Absent where the server leaves it out. */
  status: 'completed' | 'incomplete' | 'in_progress' | null;
}

/** The server events that a bridge reads, reduced to the fields it uses. */
export type ServerMessage =
  | { type: 'session.created' }
  | { type: 'session.updated'; inputFormat: string; outputFormat: string }
  | { type: 'speech_started'; audioMs: number | null }
  | { type: 'speech_stopped'; audioMs: number | null }
  | { type: 'committed'; itemId: string }
  | { type: 'item_known'; itemId: string }
  | { type: 'transcribed'; itemId: string; text: string; usage: TokenUsage | TimeUsage | null }
  | { type: 'transcription_failed'; itemId: string }
  | { type: 'response.created'; responseId: string; outOfBand: boolean; tag: string | null }
  | { type: 'message_added'; responseId: string; itemId: string }
  | { type: 'call_added'; responseId: string; call: FunctionCall }
  | { type: 'audio'; responseId: string; itemId: string; chunk: AudioChunk }
  | { type: 'text'; responseId: string; itemId: string; text: string }
  | { type: 'item_done'; responseId: string; itemId: string }
  | {
      type: 'response.done';
      responseId: string;
      outOfBand: boolean;
      /** Our event id, where the server repeats metadata. */
      tag: string | null;
      /** What it wrote, of a response in text. */
      text: string;
      status: 'completed' | 'cancelled' | 'failed' | 'incomplete';
      detail: string;
      calls: FunctionCall[];
      usage: TokenUsage | null;
    }
  | { type: 'error'; code: string; detail: string; eventId: string | null };

export type Parsed =
  | { kind: 'known'; eventId: string | null; message: ServerMessage }
  /** Of the endpoint rather than of this session. */
  | { kind: 'limits'; limits: RateLimitFact[] }
  /** `unexpected`: not even a type that we know and leave alone. */
  | { kind: 'unknown'; type: string; unexpected: boolean }
  | { kind: 'malformed' };

const MALFORMED: Parsed = { kind: 'malformed' };
/** Ids go into what is kept, where a database may refuse what is longer than an index takes. Those of the service have 30. */
const MAX_ID_LENGTH = 200;
/** Known events that change nothing here. */
const IGNORED = new Set([
  'conversation.created',
  'conversation.item.created',
  'conversation.item.done',
  'conversation.item.truncated',
  'conversation.item.deleted',
  'conversation.item.retrieved',
  'conversation.item.input_audio_transcription.delta',
  'conversation.item.input_audio_transcription.segment',
  'input_audio_buffer.cleared',
  'input_audio_buffer.timeout_triggered',
  'response.content_part.added',
  'response.content_part.done',
  'response.output_audio.done',
  'response.output_audio_transcript.done',
  'response.function_call_arguments.delta',
  'response.function_call_arguments.done',
  'response.output_text.delta',
  'response.output_text.done',
]);

/** Reads one text message from the server. */
export function parseServerMessage(text: string): Parsed {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return MALFORMED;
  }
  const o = object(raw);
  const type = o && string(o.type);
  if (!o || !type) return MALFORMED;
  if (isTooLong(o.event_id)) return MALFORMED;
  const eventId = id(o.event_id);
  if (type === 'rate_limits.updated') return { kind: 'limits', limits: rateLimits(o.rate_limits) };
  if (IGNORED.has(type)) return { kind: 'unknown', type, unexpected: false };
  const message = read(type, o);
  if (message === undefined) return { kind: 'unknown', type, unexpected: !type.startsWith('response.output_item') };
  return message === null ? MALFORMED : { kind: 'known', eventId, message };
}

/** undefined: a type we do not know; null: a known type without the fields it must have. */
function read(type: string, o: Json): ServerMessage | null | undefined {
  switch (type) {
    case 'session.created':
      return { type };
    case 'session.updated': {
      const audio = object(object(o.session)?.audio);
      const format = (side: 'input' | 'output') => string(object(object(audio?.[side])?.format)?.type) ?? '';
      return { type, inputFormat: format('input'), outputFormat: format('output') };
    }
    case 'input_audio_buffer.speech_started':
      return { type: 'speech_started', audioMs: number(o.audio_start_ms) };
    case 'input_audio_buffer.speech_stopped':
      return { type: 'speech_stopped', audioMs: number(o.audio_end_ms) };
    case 'input_audio_buffer.committed':
      return ids(o, 'item_id') && { type: 'committed', itemId: o.item_id as string };
    case 'conversation.item.added': {
      const itemId = id(object(o.item)?.id);
      return itemId === null ? null : { type: 'item_known', itemId };
    }
    case 'conversation.item.input_audio_transcription.completed':
      return (
        ids(o, 'item_id') && {
          type: 'transcribed',
          itemId: o.item_id as string,
          text: string(o.transcript) ?? '',
          usage: transcriptionUsage(object(o.usage)),
        }
      );
    case 'conversation.item.input_audio_transcription.failed':
      return ids(o, 'item_id') && { type: 'transcription_failed', itemId: o.item_id as string };
    case 'response.created': {
      const response = object(o.response);
      const responseId = id(response?.id);
      if (!response || responseId === null) return null;
      return { type, responseId, outOfBand: isOutOfBand(response), tag: tagOf(response) };
    }
    case 'response.output_item.added':
    case 'response.output_item.done':
      return outputItem(type, o);
    case 'response.output_audio.delta': {
      // Printed into the carrier's JSON as it came; and what holds no sound must not count as a sign of life.
      const payload = string(o.delta);
      if (payload === null || !isBase64(payload) || !ids(o, 'response_id', 'item_id')) return null;
      const chunk = { payload, bytes: base64Bytes(payload) };
      return { type: 'audio', responseId: o.response_id as string, itemId: o.item_id as string, chunk };
    }
    case 'response.output_audio_transcript.delta': {
      const text = string(o.delta);
      if (text === null || !ids(o, 'response_id', 'item_id')) return null;
      return { type: 'text', responseId: o.response_id as string, itemId: o.item_id as string, text };
    }
    case 'response.done':
      return responseDone(object(o.response));
    case 'error': {
      const error = object(o.error);
      if (!error) return null;
      return {
        type,
        code: short(string(error.code) ?? string(error.type) ?? 'unknown'),
        detail: string(error.message) ?? '',
        eventId: id(error.event_id),
      };
    }
    default:
      return undefined;
  }
}

/** More kinds of limits than any endpoint has. */
const MAX_LIMITS = 8;

function rateLimits(list: unknown): RateLimitFact[] {
  return (Array.isArray(list) ? list.slice(0, MAX_LIMITS) : []).flatMap((entry) => {
    const o = object(entry);
    const [limit, remaining, resetSeconds] = [number(o?.limit), number(o?.remaining), number(o?.reset_seconds)];
    if (limit === null || remaining === null || resetSeconds === null) return [];
    return [{ name: short(string(o?.name) ?? ''), limit, remaining, resetSeconds }];
  });
}

function outputItem(type: string, o: Json): ServerMessage | null | undefined {
  const item = object(o.item);
  const itemId = id(item?.id);
  const responseId = id(o.response_id);
  if (!item || itemId === null || responseId === null) return null;
  const added = type === 'response.output_item.added';
  if (item.type === 'message') return { type: added ? 'message_added' : 'item_done', responseId, itemId };
  if (isTooLong(item.call_id)) return null;
  const call = functionCall(item);
  return call ? { type: 'call_added', responseId, call } : undefined;
}

function responseDone(response: Json | null): ServerMessage | null {
  const responseId = id(response?.id);
  if (!response || responseId === null) return null;
  const details = object(response.status_details);
  const error = object(details?.error);
  const status = string(response.status);
  return {
    type: 'response.done',
    responseId,
    outOfBand: isOutOfBand(response),
    tag: tagOf(response),
    text: textOf(response.output),
    status: status === 'completed' || status === 'cancelled' || status === 'failed' ? status : 'incomplete',
    detail: short(string(error?.code) ?? string(error?.type) ?? string(details?.reason) ?? ''),
    calls: (Array.isArray(response.output) ? response.output : [])
      .map((item) => functionCall(object(item)))
      .filter((call) => call !== null),
    usage: answerUsage(object(response.usage)),
  };
}

/** Our event id, where the server repeats the metadata of a response. */
const tagOf = (response: Json): string | null => string(object(response.metadata)?.trunkline);

/** `conversation: "none"` responses have no conversation id; servers that never send one are not taken for that. */
const isOutOfBand = (response: Json): boolean => 'conversation_id' in response && response.conversation_id === null;

/** More than anybody asks for. */
const MAX_TEXT_LENGTH = 4_000;

/** The text parts of a response's messages; audio has none here. */
function textOf(output: unknown): string {
  const parts = (Array.isArray(output) ? output.slice(0, 16) : []).flatMap((item) => {
    const content = object(item)?.content;
    return Array.isArray(content) ? content.slice(0, 16).map((part) => string(object(part)?.text) ?? '') : [];
  });
  return parts.join('').slice(0, MAX_TEXT_LENGTH);
}

function functionCall(item: Json | null): FunctionCall | null {
  const callId = id(item?.call_id);
  const name = string(item?.name);
  if (!item || item.type !== 'function_call' || callId === null || name === null) return null;
  const status = item.status;
  return {
    itemId: id(item.id) ?? '',
    callId,
    name,
    arguments: string(item.arguments) ?? '',
    status: status === 'completed' || status === 'incomplete' || status === 'in_progress' ? status : null,
  };
}

/** A code as it may be logged and stored: short. */
const short = (code: string): string => code.slice(0, 100);

const isTooLong = (value: unknown): boolean => typeof value === 'string' && value.length > MAX_ID_LENGTH;

const id = (value: unknown): string | null => (isTooLong(value) ? null : string(value));

const ids = (o: Json, ...names: string[]): true | null => (names.every((name) => id(o[name]) !== null) ? true : null);

/** What we send, as the API takes it (strict client schema). Audio is not here: it goes out by template. */
export type ClientMessage =
  | { type: 'session.update'; event_id: string; session: Record<string, unknown> }
  | { type: 'input_audio_buffer.commit'; event_id: string }
  | { type: 'conversation.item.create'; event_id: string; item: Record<string, unknown> }
  | { type: 'conversation.item.truncate'; event_id: string; item_id: string; content_index: 0; audio_end_ms: number }
  | { type: 'conversation.item.delete'; event_id: string; item_id: string }
  | { type: 'response.create'; event_id: string; response: Record<string, unknown> }
  | { type: 'response.cancel'; event_id: string; response_id: string };

const APPEND_HEAD = Buffer.from('{"type":"input_audio_buffer.append","audio":"');
const APPEND_END = Buffer.from('"}');

/** Caller audio as the API takes it, as bytes; the base64 of the payload passes undecoded. */
export function printAppend(payload: string): Buffer {
  const bytes = Buffer.allocUnsafe(APPEND_HEAD.length + payload.length + APPEND_END.length);
  bytes.set(APPEND_HEAD);
  // Base64 is one byte a letter; into the middle of a text it would be copied twice.
  bytes.write(payload, APPEND_HEAD.length, 'latin1');
  bytes.set(APPEND_END, bytes.length - APPEND_END.length);
  return bytes;
}
