// The onlooker that keeps a call's audio where its agent says so: DATA_DIR/calls/<callId>/audio.wav, stereo mu-law, caller
// left, agent right as heard. The last seconds are in memory, because late frames still fill them and a clear still takes
// agent audio away; what is older is appended to the file, whose header is kept up to date now and then.
import type { AudioChunk } from '../audio/chunk.ts';
import { BYTES_PER_MS } from '../audio/mulaw.ts';
import { wavHeader } from '../audio/wav.ts';
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent, UnstampedEvent } from '../call/event.ts';
import type { CallFacts, FeedInput, FrameEvent, Onlooker, OnlookerFactory } from '../call/feed.ts';
import { callLogger, type Logger } from '../log.ts';
import { CallFile } from './call-file.ts';
import { SpareBuffers } from './spare-buffers.ts';

export interface RecordingOptions {
  dataDir: string;
  log: Logger;
  /** For counters: a recording that could not be written to its end. Called at most once per recording. */
  incomplete?: () => void;
}

/** Records the calls of agents that say so. A call without media leaves no file. */
export const recordingOnlooker =
  (options: RecordingOptions): OnlookerFactory =>
  (call) =>
    call.agent.recording === null ? null : new Recording(call, options);

const CHANNELS = 2;
const SILENCE = 0xff;

const samples = (ms: number): number => Math.round(ms * BYTES_PER_MS);

/** A caller frame that comes later than this after its time is too late for the recording. */
const KEPT_BEHIND = samples(6_000);
/** The file grows in steps of a second, … */
const STEP = samples(1_000);
/** … and its header says so every five. */
const HEADER_EVERY = samples(5_000);
/** Timestamps this far from the time of arrival are a clock that jumped. */
const CLOCK_JUMPED = samples(2_000);
/** Timestamps wander by a few milliseconds and come back: a frame so near to the end of the last one follows it at once. */
const WANDER = samples(10);
/** A burst of late frames is over by then. */
const CAUGHT_UP_WITHIN_MS = 1_000;
/** The caller's last frame may reach this far beyond the end of the call. */
const END_SLACK = samples(20);
const MAX_PENDING_BYTES = 1024 * 1024;
const HEADER_BYTES = wavHeader(0, CHANNELS).length;
/** What goes to the file in one step; a frame that comes with it may make it a little more. */
const STEPS = new SpareBuffers((STEP + samples(100)) * CHANNELS, 32);

/** Sample positions count from `leg.started`. */
class Recording implements Onlooker {
  readonly #file: CallFile;
  /** Samples [#edge, #edge + #capacity) of each side, each at its position modulo the capacity. */
  #caller: Buffer = Buffer.alloc(0);
  #agent: Buffer = Buffer.alloc(0);
  readonly #capacity: number;
  /** Everything before is in the file. */
  #edge = 0;
  #headerSays = 0;
  #startedAtMs: number | null = null;
  /** Where the media went: nothing sounds after it, until it comes back. At the end of the call its end. */
  #goneAt: number | null = null;
  /** Where timestamp 0 of the caller's clock lies, null before the first frame; and the end of the caller's audio. */
  #callerZero: number | null = null;
  #callerEnd = 0;
  #lastSequence = 0;
  /** Since when every frame has come far too late. */
  #lateSinceMs: number | null = null;
  #agentEnd = 0;
  /** Plays to come that a clear of the same step takes away again. */
  #voidPlays = 0;

  constructor(call: CallFacts, { dataDir, log, incomplete }: RecordingOptions) {
    const { callId, policy } = call.opening;
    this.#capacity = KEPT_BEHIND + 2 * STEP + samples(policy.maxAheadMs);
    this.#file = new CallFile({
      dataDir,
      callId,
      name: 'audio.wav',
      maxPendingBytes: MAX_PENDING_BYTES,
      failed: (err) => {
        callLogger(log, callId).error({ err }, 'recording not written');
        incomplete?.();
      },
    });
  }

  input(atMs: number, input: FeedInput): void {
    if (input.from !== 'call') return;
    const { event } = input;
    if (event.type === 'leg.started') this.#start(atMs);
    else if (event.type === 'leg.audio') this.#hear(atMs, event);
    else if (event.type === 'leg.closed') this.#stop(atMs - (event.silentMs ?? 0));
  }

  frame(frame: FrameEvent): void {
    this.#hear(frame.atMs, frame);
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    if (event.type === 'leg.audio' || this.#startedAtMs === null) return;
    this.#advance(this.#position(event.atMs));
    const cleared = effects.findLastIndex((e) => e.do === 'leg.clear');
    if (cleared < 0) return;
    this.#voidPlays = effects.slice(0, cleared).filter((e) => e.do === 'leg.play').length;
    this.#silenceAgent(this.#position(event.atMs));
  }

  played(startsAtMs: number, pieces: readonly AudioChunk[]): void {
    if (this.#startedAtMs === null) return;
    if (this.#voidPlays > 0) {
      this.#voidPlays--;
      return;
    }
    let at = this.#position(startsAtMs);
    for (const piece of pieces) {
      this.#place(this.#agent, at, piece);
      at += piece.bytes;
    }
    this.#agentEnd = Math.max(this.#agentEnd, at);
  }

  async closed(atMs: number): Promise<void> {
    if (this.#startedAtMs === null) return;
    this.#stop(atMs);
    const end = this.#goneAt as number;
    this.#append(Math.max(end, Math.min(this.#callerEnd, end + END_SLACK)));
    this.#patchHeader();
    this.#caller = this.#agent = Buffer.alloc(0);
    await this.#file.close();
  }

  #start(atMs: number): void {
    if (this.#startedAtMs !== null) return this.#goOn();
    this.#startedAtMs = atMs;
    this.#caller = Buffer.alloc(this.#capacity, SILENCE);
    this.#agent = Buffer.alloc(this.#capacity, SILENCE);
    this.#file.write(wavHeader(0, CHANNELS), 0);
  }

  /** The media is back, by another stream with a clock and numbers of its own. What lies between was silence. */
  #goOn(): void {
    this.#goneAt = null;
    this.#callerZero = null;
    this.#lastSequence = 0;
    this.#lateSinceMs = null;
  }

  /**
   * A caller's frame lies where the carrier's timestamps put it, the first one where it arrived; lost frames leave
   * silence. Frames never overlap, and a carrier clock that jumped, or stood still for a while, starts anew where its frame
   * arrived. Late frames that come in a burst are only late.
   */
  #hear(atMs: number, frame: Extract<UnstampedEvent, { type: 'leg.audio' }>): void {
    if (this.#startedAtMs === null || this.#goneAt !== null || frame.sequence <= this.#lastSequence) return;
    this.#lastSequence = frame.sequence;
    const now = this.#position(atMs);
    this.#advance(now);
    const timestamp = samples(frame.timestampMs);
    let at = this.#callerZero === null ? now : this.#callerZero + timestamp;
    if (at > now - CLOCK_JUMPED) this.#lateSinceMs = null;
    else this.#lateSinceMs ??= atMs;
    const stoodStill = this.#lateSinceMs !== null && atMs - this.#lateSinceMs >= CAUGHT_UP_WITHIN_MS;
    const jumped = stoodStill || at > now + CLOCK_JUMPED || at < this.#callerEnd - CLOCK_JUMPED;
    if (jumped) at = now;
    const isNext = this.#callerZero !== null && Math.abs(at - this.#callerEnd) < WANDER;
    at = isNext ? this.#callerEnd : Math.max(at, this.#callerEnd);
    if (!isNext || jumped) this.#callerZero = at - timestamp;
    this.#callerEnd = at + frame.chunk.bytes;
    this.#place(this.#caller, at, frame.chunk);
  }

  #stop(atMs: number): void {
    if (this.#startedAtMs === null || this.#goneAt !== null) return;
    // What is in the file already is not called back.
    const end = Math.max(this.#edge, this.#position(atMs));
    this.#advance(end);
    this.#silenceAgent(end);
    this.#goneAt = end;
  }

  #position(atMs: number): number {
    return Math.max(0, samples(atMs - (this.#startedAtMs as number)));
  }

  /** Decodes a chunk to its place; what lies outside of the ring is left out. */
  #place(ring: Buffer, at: number, { payload, bytes }: AudioChunk): void {
    const index = at % this.#capacity;
    const end = this.#edge + this.#capacity;
    // The usual case needs no copy.
    if (at >= this.#edge && at + bytes <= end && index + bytes <= this.#capacity) {
      ring.write(payload, index, bytes, 'base64');
      return;
    }
    const decoded = Buffer.from(payload, 'base64');
    const from = Math.max(at, this.#edge);
    const to = Math.min(at + decoded.length, end);
    for (let sample = from; sample < to; sample++) ring[sample % this.#capacity] = decoded[sample - at] as number;
  }

  #silenceAgent(from: number): void {
    const first = Math.max(from, this.#edge);
    const count = Math.min(this.#agentEnd, this.#edge + this.#capacity) - first;
    if (count > 0) silence(this.#agent, first % this.#capacity, count);
    this.#agentEnd = Math.min(this.#agentEnd, from);
  }

  #advance(now: number): void {
    const settled = now - KEPT_BEHIND;
    if (settled - this.#edge < STEP || this.#goneAt !== null) return;
    this.#append(settled);
    if (this.#edge - this.#headerSays >= HEADER_EVERY) this.#patchHeader();
  }

  /** Moves what lies before `to` from the ring to the file. */
  #append(to: number): void {
    const inRing = Math.min(to, this.#edge + this.#capacity);
    const count = inRing - this.#edge;
    const index = this.#edge % this.#capacity;
    const buffer = STEPS.take(count * CHANNELS);
    const both = interleaved(this.#caller, this.#agent, index, count, buffer);
    for (const ring of [this.#caller, this.#agent]) silence(ring, index, count);
    this.#file.write(both, HEADER_BYTES + this.#edge * CHANNELS, () => STEPS.give(buffer));
    // Nothing happened for longer than the ring is: silence on both sides.
    if (to > inRing) this.#file.fill((to - inRing) * CHANNELS, HEADER_BYTES + inRing * CHANNELS);
    this.#edge = to;
  }

  #patchHeader(): void {
    this.#headerSays = this.#edge;
    this.#file.write(wavHeader(this.#edge * CHANNELS, CHANNELS), 0);
  }
}

/** `count` samples of both rings from `index` on, the caller's and the agent's in turns, in the beginning of `out`. */
function interleaved(caller: Buffer, agent: Buffer, index: number, count: number, out: Buffer): Buffer {
  // A pair at a time: the machine is little-endian, as every one that Node runs on and is not a mainframe.
  const pairs = new Uint16Array(out.buffer, out.byteOffset, count);
  const atEnd = Math.min(count, caller.length - index);
  pair(caller, agent, index, pairs, 0, atEnd);
  pair(caller, agent, 0, pairs, atEnd, count);
  return out.subarray(0, count * CHANNELS);
}

/** A function of its own: V8 compiles a loop for what it has seen, and one that seldom runs would undo what both stand in. */
function pair(caller: Buffer, agent: Buffer, index: number, pairs: Uint16Array, from: number, to: number): void {
  const shift = index - from;
  for (let i = from; i < to; i++) pairs[i] = (caller[shift + i] as number) | ((agent[shift + i] as number) << 8);
}

/** Silences `count` samples of a ring from `index` on. */
function silence(ring: Buffer, index: number, count: number): void {
  const atEnd = Math.min(count, ring.length - index);
  ring.fill(SILENCE, index, index + atEnd);
  ring.fill(SILENCE, 0, count - atEnd);
}
