// A caller's frame read without JSON.parse. Fifty times a second and call the same text comes with other figures, and most of
// what reading it as JSON costs is to look up its names and to keep its numbers as words. So the bytes are held against what
// Twilio prints for this stream, in both orders of its fields that captures show; what differs in anything is read as JSON.
import { base64Bytes } from '../../audio/base64.ts';
import type { LegEvent } from '../carrier.ts';

/** Base64 characters in one media message; Twilio promises no size, captures show 216. Four seconds is beyond doubt. */
export const MAX_PAYLOAD_LENGTH = 43_000;
/** More digits are no exact number. */
export const SAFE_DIGITS = 15;

type AudioEvent = Extract<LegEvent, { type: 'leg.audio' }>;

/** Reads one message: the frame, if it is one of the stream as Twilio prints it; null: it has to be read as JSON. */
export type FrameReader = (data: Buffer) => AudioEvent | null;

/** In memory of its own: a call keeps its texts for an hour, and a piece of Node's pool would keep all of the pool. */
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const HEAD = bytesOf('{"event":"media","sequenceNumber":"');
const MEDIA = '"media":{"track":"inbound","chunk":"';
const TIMESTAMP = bytesOf('","timestamp":"');
const PAYLOAD = bytesOf('","payload":"');
const QUOTE = 0x22;
const PADDING = 0x3d;
/** 0 for the letters of base64, 1 for any other byte. */
const STRANGE = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9+/]/.test(String.fromCharCode(byte)) ? 0 : 1,
);

/** The reader for the frames of one stream. */
export function frameReader(streamSid: string): FrameReader {
  const sid = JSON.stringify(streamSid);
  const orders = [
    { media: bytesOf(`",${MEDIA}`), end: bytesOf(`"},"streamSid":${sid}}`) },
    { media: bytesOf(`","streamSid":${sid},${MEDIA}`), end: bytesOf('"}}') },
  ] as const;
  return (data) => {
    if (!holds(data, 0, HEAD)) return null;
    const sequenceEnd = digitsEnd(data, HEAD.length);
    if (sequenceEnd < 0) return null;
    const { media, end } = holds(data, sequenceEnd, orders[0].media) ? orders[0] : orders[1];
    if (!holds(data, sequenceEnd, media)) return null;
    const chunkAt = sequenceEnd + media.length;
    const chunkEnd = digitsEnd(data, chunkAt);
    if (chunkEnd < 0 || !holds(data, chunkEnd, TIMESTAMP)) return null;
    const timestampAt = chunkEnd + TIMESTAMP.length;
    const timestampEnd = digitsEnd(data, timestampAt);
    if (timestampEnd < 0 || !holds(data, timestampEnd, PAYLOAD)) return null;
    const payloadAt = timestampEnd + PAYLOAD.length;
    const payloadEnd = data.length - end.length;
    if (!holds(data, payloadEnd, end) || !isPayload(data, payloadAt, payloadEnd)) return null;
    const payload = data.toString('latin1', payloadAt, payloadEnd);
    return {
      type: 'leg.audio',
      sequence: numberIn(data, chunkAt, chunkEnd),
      timestampMs: numberIn(data, timestampAt, timestampEnd),
      chunk: { payload, bytes: base64Bytes(payload) },
    };
  };
}

/** True when exactly these bytes stand there. */
function holds(data: Buffer, at: number, bytes: Uint8Array): boolean {
  if (at < 0 || at + bytes.length > data.length) return false;
  for (let i = 0; i < bytes.length; i++) if (data[at + i] !== bytes[i]) return false;
  return true;
}

/** Where the digits from `from` end, before a quote; -1: there are none, or too many. */
function digitsEnd(data: Buffer, from: number): number {
  let at = from;
  for (; at < data.length && data[at] !== QUOTE; at++) {
    const byte = data[at] as number;
    if (byte < 0x30 || byte > 0x39) return -1;
  }
  return at > from && at - from <= SAFE_DIGITS ? at : -1;
}

function numberIn(data: Buffer, from: number, end: number): number {
  let sum = 0;
  for (let at = from; at < end; at++) sum = sum * 10 + (data[at] as number) - 0x30;
  return sum;
}

/** Whole base64 of a plausible size, whose padding stands at its end. */
function isPayload(data: Buffer, from: number, end: number): boolean {
  const length = end - from;
  if (length <= 0 || length > MAX_PAYLOAD_LENGTH || length % 4 !== 0) return false;
  const padding = data[end - 1] !== PADDING ? 0 : data[end - 2] !== PADDING ? 1 : 2;
  let strange = 0;
  let at = from;
  // Four at a time, as base64 goes: it is the longest loop of a frame.
  for (; at < end - 4; at += 4)
    strange |=
      (STRANGE[data[at] as number] as number) |
      (STRANGE[data[at + 1] as number] as number) |
      (STRANGE[data[at + 2] as number] as number) |
      (STRANGE[data[at + 3] as number] as number);
  for (; at < end - padding; at++) strange |= STRANGE[data[at] as number] as number;
  return strange === 0;
}
