// Media Streams JSON <-> typed messages; pure. What a caller's frames are read by as long as they look as usual is
// frame-reader.ts. The audio stays the base64 string it arrived as.
// Shapes: Twilio's "Media Streams - WebSocket Messages" page and public captures, as of 2026-11.
import { base64Bytes, isBase64 } from '../../audio/base64.ts';
import type { AudioChunk } from '../../audio/chunk.ts';
import { SAFE_DIGITS, MAX_PAYLOAD_LENGTH } from './frame-reader.ts';

/** What `start` says about the audio. Twilio documents only mu-law, 8000, 1. */
export interface MediaFormat {
  encoding: string;
  sampleRate: number;
  channels: number;
}

/** One text frame from Twilio: a message we know, one we do not (its type kept), or none at all. */
export type StreamMessage =
  | { kind: 'connected' }
  | {
      kind: 'start';
      streamSid: string;
      accountSid: string;
      callSid: string;
      /** Null when absent. */
      mediaFormat: MediaFormat | null;
      /** The `<Parameter>`s of the TwiML; an old capture has none at all. */
      customParameters: Record<string, string>;
    }
  /** `chunk` counts media messages of the track from 1; `timestampMs` is presentation time and does not start at 0. */
  | { kind: 'media'; streamSid: string; chunk: number; timestampMs: number; audio: AudioChunk }
  | { kind: 'dtmf'; streamSid: string; digit: string }
  | { kind: 'mark'; streamSid: string; name: string }
  | { kind: 'stop'; streamSid: string }
  | { kind: 'unknown'; type: string }
  | { kind: 'malformed'; reason: string };

/** Longest `event` word kept of an unknown message. */
const MAX_TYPE_LENGTH = 40;
const CONNECTED: StreamMessage = Object.freeze({ kind: 'connected' });
/** A-D exist on the keypad of RFC 4733; Twilio documents 0-9, * and # and does not exclude them. */
const DIGIT = /^[0-9*#A-D]$/;

type Fields = Record<string, unknown>;

/** Reads one text frame. Never throws. */
export function parseStreamMessage(text: string): StreamMessage {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return NOT_JSON;
  }
  if (!isFields(message)) return NOT_AN_OBJECT;
  switch (message.event) {
    case 'media':
      return parseMedia(message);
    case 'mark':
      return parseMark(message);
    case 'dtmf':
      return parseDtmf(message);
    case 'start':
      return parseStart(message);
    case 'stop':
      return isId(message.streamSid) ? { kind: 'stop', streamSid: message.streamSid } : NO_STREAM_SID;
    case 'connected':
      return CONNECTED;
    default:
      return typeof message.event === 'string'
        ? { kind: 'unknown', type: message.event.slice(0, MAX_TYPE_LENGTH) }
        : NO_EVENT;
  }
}

const malformed = (reason: string): StreamMessage => Object.freeze({ kind: 'malformed', reason });
const NOT_JSON = malformed('not JSON');
const NOT_AN_OBJECT = malformed('not an object');
const NO_EVENT = malformed('no event');
const NO_STREAM_SID = malformed('no streamSid');
const BAD_START = malformed('start without its ids');
const BAD_MEDIA = malformed('media without chunk or timestamp');
const BAD_PAYLOAD = malformed('media payload is not base64');
const BAD_MARK = malformed('mark without name');
const BAD_DIGIT = malformed('not a DTMF digit');

function parseMedia(message: Fields): StreamMessage {
  const { streamSid, media } = message;
  if (!isId(streamSid)) return NO_STREAM_SID;
  if (!isFields(media)) return BAD_MEDIA;
  // `<Connect><Stream>` only ever carries the caller (31941 otherwise); our own voice must not reach the model.
  if (media.track !== undefined && media.track !== 'inbound')
    return { kind: 'unknown', type: 'media of another track' };
  const chunk = wireNumber(media.chunk);
  const timestampMs = wireNumber(media.timestamp);
  if (chunk < 0 || timestampMs < 0) return BAD_MEDIA;
  const { payload } = media;
  if (typeof payload !== 'string' || payload.length > MAX_PAYLOAD_LENGTH || !isBase64(payload)) return BAD_PAYLOAD;
  return { kind: 'media', streamSid, chunk, timestampMs, audio: { payload, bytes: base64Bytes(payload) } };
}

function parseMark(message: Fields): StreamMessage {
  const { streamSid, mark } = message;
  if (!isId(streamSid)) return NO_STREAM_SID;
  if (!isFields(mark) || typeof mark.name !== 'string' || mark.name === '') return BAD_MARK;
  return { kind: 'mark', streamSid, name: mark.name };
}

function parseDtmf(message: Fields): StreamMessage {
  const { streamSid, dtmf } = message;
  if (!isId(streamSid)) return NO_STREAM_SID;
  if (!isFields(dtmf) || typeof dtmf.digit !== 'string' || !DIGIT.test(dtmf.digit)) return BAD_DIGIT;
  return { kind: 'dtmf', streamSid, digit: dtmf.digit };
}

function parseStart(message: Fields): StreamMessage {
  const { start } = message;
  if (!isFields(start)) return BAD_START;
  const { accountSid, callSid } = start;
  const streamSid = start.streamSid ?? message.streamSid;
  if (!isId(streamSid) || !isId(accountSid) || !isId(callSid)) return BAD_START;
  return {
    kind: 'start',
    streamSid,
    accountSid,
    callSid,
    mediaFormat: parseMediaFormat(start.mediaFormat),
    customParameters: parseCustomParameters(start.customParameters),
  };
}

function parseMediaFormat(format: unknown): MediaFormat | null {
  if (!isFields(format)) return null;
  const encoding = typeof format.encoding === 'string' ? format.encoding : '';
  return { encoding, sampleRate: wireNumber(format.sampleRate), channels: wireNumber(format.channels) };
}

function parseCustomParameters(given: unknown): Record<string, string> {
  // No prototype: the names are the other side's to choose, `__proto__` included.
  const parameters: Record<string, string> = Object.create(null);
  if (!isFields(given)) return parameters;
  for (const name of Object.keys(given)) {
    const value = given[name];
    if (typeof value === 'string') parameters[name] = value;
  }
  return parameters;
}

/** Twilio sends counts as decimal strings and formats as numbers; either is read. -1 for anything else. */
function wireNumber(value: unknown): number {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : -1;
  if (typeof value !== 'string' || value.length === 0 || value.length > SAFE_DIGITS) return -1;
  let sum = 0;
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    sum = sum * 10 + digit;
  }
  return sum;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isId = (value: unknown): value is string => typeof value === 'string' && value.length > 0 && value.length <= 64;

/** Prints the three messages that Twilio takes, and no field beyond theirs: anything else is warning 31951. */
export interface StreamPrinter {
  /** `payload` is base64 and is not escaped. */
  media(payload: string): string;
  mark(name: string): string;
  /** Always the same text. */
  clear: string;
}

/** The printer for one stream; its SID is escaped once, here. */
export function streamPrinter(streamSid: string): StreamPrinter {
  const sid = JSON.stringify(streamSid);
  const mediaHead = `{"event":"media","streamSid":${sid},"media":{"payload":"`;
  const markHead = `{"event":"mark","streamSid":${sid},"mark":{"name":`;
  return {
    media: (payload) => `${mediaHead}${payload}"}}`,
    mark: (name) => `${markHead}${JSON.stringify(name)}}}`,
    clear: `{"event":"clear","streamSid":${sid}}`,
  };
}
