// A caller's frame read without JSON.parse. Fifty times a second and call the same text comes with other figures, and most of
// what reading it as JSON costs is to look up its names and to keep its numbers as words. So the bytes are held against what
// Twilio prints for this stream, in both orders of its fields that captures show; what differs in anything is read as JSON.
import { base64Bytes, isBase64Latin1 } from '../../audio/base64.ts';
import type { LegEvent } from '../carrier.ts';

/** Base64 characters in one media message; Twilio promises no size, captures show 216. Four seconds is beyond doubt. */
export const MAX_PAYLOAD_LENGTH = 43_000;
/** More digits are no exact number. */
export const SAFE_DIGITS = 15;

type AudioEvent = Extract<LegEvent, { type: 'leg.audio' }>;

/** Reads one message: the frame, if it is one of the stream as Twilio prints it; null: it has to be read as JSON. */
export type FrameReader = (data: Buffer) => AudioEvent | null;

const HEAD = Buffer.from('{"event":"media","sequenceNumber":"');
const MEDIA = '"media":{"track":"inbound","chunk":"';
const TIMESTAMP = Buffer.from('","timestamp":"');
const PAYLOAD = Buffer.from('","payload":"');
const QUOTE = 0x22;

/** The reader for the frames of one stream. */
export function frameReader(streamSid: string): FrameReader {
  const sid = JSON.stringify(streamSid);
  const orders = [
    { media: Buffer.from(`",${MEDIA}`), end: Buffer.from(`"},"streamSid":${sid}}`) },
    { media: Buffer.from(`","streamSid":${sid},${MEDIA}`), end: Buffer.from('"}}') },
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
    if (!holds(data, payloadEnd, end) || payloadEnd - payloadAt > MAX_PAYLOAD_LENGTH) return null;
    const payload = data.toString('latin1', payloadAt, payloadEnd);
    if (!isBase64Latin1(payload)) return null;
    return {
      type: 'leg.audio',
      sequence: numberIn(data, chunkAt, chunkEnd),
      timestampMs: numberIn(data, timestampAt, timestampEnd),
      chunk: { payload, bytes: base64Bytes(payload) },
    };
  };
}

/** True when exactly these bytes stand there. */
function holds(data: Buffer, at: number, bytes: Buffer): boolean {
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
