// What a finished call looked like from the carrier's side; the judge of every end-to-end test.
import type { Utterance } from './caller-line.ts';
import type { HeardSegment, Underrun } from './playback-buffer.ts';
import type { TwimlElement } from './twiml-reader.ts';

/** A fault the carrier's debugger would list; `code` is the carrier's error number. */
export interface PhoneWarning {
  code: number;
  reason: string;
}

/** One HTTP exchange with the server; `status` 0 means no answer. The socket upgrade is listed too. */
export interface HttpExchange {
  path: string;
  status: number;
  ms: number;
}

/** All `atMs` are ms since the start of the stream. */
export interface PhoneResult {
  callSid: string;
  /** Empty when no stream was opened. */
  streamSid: string;
  /** The carrier's final word: completed, busy, no-answer, failed. */
  callStatus: string;
  /** Verbs carried out, in order. */
  verbs: TwimlElement[];
  warnings: PhoneWarning[];
  endedBy: 'caller' | 'server';
  /** The bound `maxMs` ended the call. */
  timedOut: boolean;
  /** Time until the voice webhook's answer was complete. */
  webhookMs: number;
  /** Length of the stream. */
  streamMs: number;
  framesSent: number;
  /** Frames that left more than one frame (20 ms) after their time. */
  framesLate: number;
  mediaReceivedBytes: number;
  /** Names, in order of arrival. */
  marksReceived: string[];
  clears: { atMs: number; droppedBytes: number; playedBytesTotal: number }[];
  heard: HeardSegment[];
  /** What the caller said, in stream time. */
  said: Utterance[];
  underruns: Underrun[];
  /** Bytes still queued when the stream ended: the agent was cut off. */
  unplayedBytes: number;
  /** Undefined when nothing was heard. */
  firstAudioAtMs: number | undefined;
  http: HttpExchange[];
}
