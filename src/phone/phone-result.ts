// What a finished call looked like from the carrier's side; the judge of every end-to-end test.
import type { Utterance } from './caller-line.ts';
import type { HeardSegment, Underrun } from './playback-buffer.ts';
import type { Announcement, CallerRecording, ConferenceStay, DialLeg, FollowedVerb } from './verb.ts';

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

/**
 * All times are ms since the start of the call's first media stream, also in further streams of the same call; without
 * any stream, since the call was answered. What the carrier played before that has a negative time.
 */
export interface PhoneResult {
  callSid: string;
  /** Of the last stream; empty when no stream was asked for. */
  streamSid: string;
  /** Every stream, in order: more than one where a lost call was resumed, or where TwiML connected again. */
  streams: { streamSid: string; fromMs: number; toMs: number }[];
  /** The carrier's final word: completed, busy, no-answer, failed. */
  callStatus: string;
  /** Verbs carried out, in order. */
  verbs: FollowedVerb[];
  /** What the carrier itself let the caller hear, in order. */
  announced: Announcement[];
  /** Messages that the caller left by Record, in order. */
  recordings: CallerRecording[];
  /** What became of each Dial of a number, in order. */
  dials: DialLeg[];
  /** Conferences the caller was in, in order, and with whom. */
  stays: ConferenceStay[];
  warnings: PhoneWarning[];
  endedBy: 'caller' | 'server';
  /** The bound `maxMs` ended the call. */
  timedOut: boolean;
  /** Time until the voice webhook's answer was complete. */
  webhookMs: number;
  /** Until the end of the last stream, or of what the carrier played after it: the length of the call's audio. */
  streamMs: number;
  framesSent: number;
  /** Frames that left more than one frame (20 ms) after their time. */
  framesLate: number;
  mediaReceivedBytes: number;
  /** Names, in order of arrival. */
  marksReceived: string[];
  /** `playedBytesTotal` counts from the first stream on. */
  clears: { atMs: number; droppedBytes: number; playedBytesTotal: number }[];
  heard: HeardSegment[];
  /** What the caller said. */
  said: Utterance[];
  /** Keys the caller pressed, in order. */
  keys: { atMs: number; digit: string }[];
  underruns: Underrun[];
  /** Bytes still queued when a stream ended: the agent was cut off. */
  unplayedBytes: number;
  /** Undefined when nothing was heard. */
  firstAudioAtMs: number | undefined;
  http: HttpExchange[];
}
