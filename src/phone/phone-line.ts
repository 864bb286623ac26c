// The sound of a whole call: every media stream, and what the carrier itself played, on one scale of time. A call has
// several streams when one was lost and resumed, or when TwiML connected again; time counts from the start of the first.
import { BYTES_PER_MS, bytesToMs, SILENCE_BYTE } from '../audio/mulaw.ts';
import type { Ears } from './phone-caller.ts';
import type { PhoneResult } from './phone-result.ts';
import type { PhoneStream } from './phone-stream.ts';
import { overlay } from './playback-buffer.ts';
import type { Announcement, CallerRecording, ConferenceStay, DialLeg } from './verb.ts';

/** Something the carrier let the caller hear, in clock time; `audio` where its sound is known. */
interface Announced {
  verb: string;
  about: string;
  fromMs: number;
  toMs: number;
  /** How long it takes to hear it, also where it takes no time of the clock. */
  spokenMs: number;
  audio: Uint8Array | undefined;
}

/** Facts of the result that add up over the streams. */
type LineFacts = Pick<
  PhoneResult,
  | 'streamMs'
  | 'streams'
  | 'framesSent'
  | 'framesLate'
  | 'mediaReceivedBytes'
  | 'marksReceived'
  | 'clears'
  | 'heard'
  | 'announced'
  | 'recordings'
  | 'dials'
  | 'stays'
  | 'underruns'
  | 'unplayedBytes'
  | 'firstAudioAtMs'
>;

export class PhoneLine {
  readonly #streams: PhoneStream[] = [];
  readonly #announced: Announced[] = [];
  readonly #recordings: CallerRecording[] = [];
  readonly #dials: DialLeg[] = [];
  readonly #stays: ConferenceStay[] = [];
  // What the caller said to people: neither to a stream nor to the carrier.
  readonly #spoken: { atMs: number; bytes: Buffer }[] = [];
  #answeredMs = 0;

  /** The call's latest stream. */
  get stream(): PhoneStream | undefined {
    return this.#streams.at(-1);
  }

  /** Clock time that counts as 0: the start of the first stream; without one, the moment the call was answered. */
  get zeroMs(): number {
    return this.streamZeroMs ?? this.#answeredMs;
  }

  /** The same, undefined while no stream was open. */
  get streamZeroMs(): number | undefined {
    return this.#streams.find(({ zeroMs }) => zeroMs !== undefined)?.zeroMs;
  }

  /** Bytes of agent audio played so far, by streams that are over. */
  get playedBytes(): number {
    return this.#streams.reduce((sum, { playback, endMs }) => sum + playback.buffer.playedBytes(endMs), 0);
  }

  answered(clockMs: number): void {
    this.#answeredMs = clockMs;
  }

  add(stream: PhoneStream): void {
    this.#streams.push(stream);
  }

  announce(announced: Announced): Announcement {
    this.#announced.push(announced);
    return this.#inCall(announced);
  }

  record(recording: CallerRecording): void {
    this.#recordings.push(recording);
  }

  dialled(leg: DialLeg): void {
    this.#dials.push(leg);
  }

  stayed(stay: ConferenceStay): void {
    this.#stays.push(stay);
  }

  /** The caller's line while connected to people. */
  spoke(atMs: number, bytes: Buffer): void {
    this.#spoken.push({ atMs, bytes });
  }

  /** What the caller can hear of the carrier itself by now, and of the streams that are over. */
  get ears(): Ears {
    const last = this.#announced.at(-1);
    const spurt = last && { startMs: last.fromMs - this.zeroMs, endMs: last.toMs - this.zeroMs };
    const announcedMs = this.#announced.reduce((sum, { spokenMs }) => sum + spokenMs, 0);
    return { spurt, heardMs: bytesToMs(this.playedBytes) + announcedMs };
  }

  /** The caller's line as sent, PCMU from 0 to `streamMs`; what was never sent is silent. */
  callerAudio(): Buffer {
    const line = this.#silentLine();
    for (const stream of this.#streams) stream.layCaller(line);
    for (const { atMs, bytes } of [...this.#recordings, ...this.#spoken])
      overlay(line, bytes, Math.round(atMs * BYTES_PER_MS));
    return line;
  }

  /** The other side as the caller heard it, of the same length. Words the carrier reads aloud have no sound here. */
  agentAudio(): Buffer {
    const line = this.#silentLine();
    for (const stream of this.#streams) stream.layAgent(line);
    for (const { audio, fromMs, toMs } of this.#announced) {
      const bytes = audio?.subarray(0, Math.round((toMs - fromMs) * BYTES_PER_MS));
      if (bytes) overlay(line, bytes, Math.round((fromMs - this.zeroMs) * BYTES_PER_MS));
    }
    return line;
  }

  facts(): LineFacts {
    const streams = this.#streams;
    const sum = (of: (stream: PhoneStream) => number) => streams.reduce((total, stream) => total + of(stream), 0);
    return {
      streamMs: this.#lengthMs(),
      streams: streams.map(({ streamSid, startMs, endMs }) => ({ streamSid, fromMs: startMs, toMs: endMs })),
      framesSent: sum(({ framesSent }) => framesSent),
      framesLate: sum(({ framesLate }) => framesLate),
      mediaReceivedBytes: sum(({ playback }) => playback.receivedBytes),
      marksReceived: streams.flatMap(({ playback }) => playback.marksReceived),
      clears: streams.flatMap(({ playback }) => playback.clears),
      heard: streams.flatMap(({ playback, endMs }) => playback.buffer.heard(endMs)),
      announced: this.#announced.map((announced) => this.#inCall(announced)),
      recordings: this.#recordings,
      dials: this.#dials,
      stays: this.#stays,
      underruns: streams.flatMap(({ playback }) => playback.buffer.underruns),
      unplayedBytes: sum(({ playback }) => playback.unplayedBytes),
      firstAudioAtMs: streams.find(({ playback }) => playback.firstAudioAtMs !== undefined)?.playback.firstAudioAtMs,
    };
  }

  #inCall({ verb, about, fromMs, toMs }: Announced): Announcement {
    return { verb, about, atMs: fromMs - this.zeroMs, durationMs: toMs - fromMs };
  }

  #lengthMs(): number {
    const announcedUntil = this.#announced.map(({ toMs }) => toMs - this.zeroMs);
    const recordedUntil = this.#recordings.map(({ atMs, durationMs }) => atMs + durationMs);
    const spokenUntil = this.#spoken.map(({ atMs, bytes }) => atMs + bytesToMs(bytes.length));
    const heardUntil = [...announcedUntil, ...recordedUntil, ...spokenUntil];
    return Math.max(0, ...this.#streams.map(({ endMs }) => endMs), ...heardUntil);
  }

  #silentLine(): Buffer {
    return Buffer.alloc(Math.round(this.#lengthMs() * BYTES_PER_MS), SILENCE_BYTE);
  }
}
