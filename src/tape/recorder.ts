// The onlooker that writes a call's tape to DATA_DIR/calls/<callId>/tape.jsonl. Lines gather in memory, as bytes, and are
// appended together once a second, never one write per frame; a fault of the disk ends the tape, not the call.
import { readFileSync } from 'node:fs';
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { CallFacts, FeedInput, FrameEvent, Onlooker, OnlookerFactory } from '../call/feed.ts';
import { type Cancel, type Clock, realClock } from '../clock.ts';
import { callLogger, type Logger } from '../log.ts';
import { CallFile } from './call-file.ts';
import { FRAME_LINE_BYTES } from './frame-line.ts';
import { SpareBuffers } from './spare-buffers.ts';
import { printHeader, TapePrinter } from './tape.ts';

export interface TapeRecorderOptions {
  dataDir: string;
  log: Logger;
  /** For the flush timer only; default the process's clock. */
  clock?: Clock;
  /** Lines wait at most this long, default 1 s, … */
  flushEveryMs?: number;
  /** … and at most this many bytes, default 8 KiB: twice what a call writes in a second. */
  flushAtBytes?: number;
  /** A tape ends here, default 64 MiB. */
  maxBytes?: number;
  /** For counters: a tape that could not be written to its end. Called at most once per tape. */
  incomplete?: (why: 'failed' | 'size') => void;
}

/** In UTF-8, of one unit of a string. */
const MOST_BYTES_A_LETTER = 3;
/** Text that may wait for a slow disk. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

const { version: VERSION } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Written, and not taken by another call yet: a disk that was slow for a moment gives many back at once. */
const SPARE_BUFFERS = 64;

/** Makes the tape of every call. */
export function tapeRecorder(options: TapeRecorderOptions): OnlookerFactory {
  const capacity = Math.max(options.flushAtBytes ?? 8 * 1024, FRAME_LINE_BYTES);
  const buffers = new SpareBuffers(capacity, SPARE_BUFFERS);
  return (call) => new TapeRecorder(call, options, capacity, buffers);
}

class TapeRecorder implements Onlooker {
  readonly #clock: Clock;
  readonly #flushEveryMs: number;
  readonly #capacity: number;
  readonly #buffers: SpareBuffers;
  readonly #maxBytes: number;
  readonly #incomplete: (why: 'failed' | 'size') => void;
  readonly #printer: TapePrinter;
  readonly #file: CallFile;
  /** The header, until it is written. */
  #header: string;
  /** Lines that wait: the first `#used` bytes. Null: none do. */
  #lines: Buffer | null = null;
  #used = 0;
  #writtenBytes = 0;
  #over = false;
  #timer: Cancel | null = null;

  constructor(
    call: CallFacts,
    { dataDir, log, clock = realClock, ...options }: TapeRecorderOptions,
    capacity: number,
    buffers: SpareBuffers,
  ) {
    const { callId } = call.opening;
    this.#clock = clock;
    this.#flushEveryMs = options.flushEveryMs ?? 1_000;
    this.#capacity = capacity;
    this.#buffers = buffers;
    this.#maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
    this.#incomplete = options.incomplete ?? (() => {});
    this.#printer = new TapePrinter(call.opening, call.shownArguments ?? null);
    this.#file = new CallFile({
      dataDir,
      callId,
      name: 'tape.jsonl',
      maxPendingBytes: MAX_PENDING_BYTES,
      failed: (err) => {
        callLogger(log, callId).error({ err }, 'tape not written');
        this.#end();
        this.#incomplete('failed');
      },
    });
    this.#header = printHeader(call, VERSION);
  }

  input(atMs: number, input: FeedInput): void {
    if (!this.#over) this.#add(atMs, this.#printer.input(atMs, input));
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    if (!this.#over) this.#add(event.atMs, this.#printer.stepped(event, effects));
  }

  frame(frame: FrameEvent): void {
    if (this.#over || !this.#hasRoom(frame.atMs, FRAME_LINE_BYTES)) return;
    const lines = this.#buffer(FRAME_LINE_BYTES);
    const end = this.#printer.frame(frame, lines, this.#used);
    if (end === this.#used) return this.#add(frame.atMs, this.#printer.frameText(frame));
    this.#used = end;
    this.#gathered();
  }

  sent(atMs: number, message: unknown): void {
    if (!this.#over) this.#add(atMs, this.#printer.sent(atMs, message));
  }

  closed(atMs: number): Promise<void> {
    if (!this.#over) this.#add(atMs, this.#printer.closed(atMs));
    this.#flush();
    this.#end();
    return this.#file.close();
  }

  #add(atMs: number, line: string): void {
    if (line === '' || !this.#hasRoom(atMs, line.length)) return;
    this.#put(line);
    this.#gathered();
  }

  /** False: the tape has reached its bound, and ended. */
  #hasRoom(atMs: number, bytes: number): boolean {
    if (this.#writtenBytes + this.#header.length + this.#used + bytes <= this.#maxBytes) return true;
    this.#put(this.#printer.stopped(atMs, 'size'));
    this.#flush();
    this.#end();
    this.#incomplete('size');
    return false;
  }

  #put(line: string): void {
    const most = line.length * MOST_BYTES_A_LETTER;
    if (most > this.#capacity) {
      this.#flush();
      return this.#write(Buffer.from(line, 'utf8'));
    }
    // First the room, which may empty what is used.
    const lines = this.#buffer(most);
    this.#used += lines.write(line, this.#used, 'utf8');
  }

  /** Where lines gather, with room for so many bytes more. */
  #buffer(bytes: number): Buffer {
    if (this.#used + bytes > this.#capacity) this.#flush();
    this.#lines ??= this.#buffers.take();
    return this.#lines;
  }

  #gathered(): void {
    if (this.#used > 0) this.#timer ??= this.#clock.at(this.#clock.nowMs() + this.#flushEveryMs, () => this.#flush());
  }

  #flush(): void {
    this.#timer?.();
    this.#timer = null;
    const lines = this.#lines;
    if (lines === null) return;
    this.#lines = null;
    const bytes = lines.subarray(0, this.#used);
    this.#used = 0;
    this.#write(bytes, () => this.#buffers.give(lines));
  }

  #write(bytes: Buffer, written?: () => void): void {
    const header = this.#header;
    this.#header = '';
    const all = header === '' ? bytes : Buffer.concat([Buffer.from(header, 'utf8'), bytes]);
    this.#file.write(all, this.#writtenBytes, written);
    this.#writtenBytes += all.length;
  }

  /** Nothing more goes on this tape. */
  #end(): void {
    this.#over = true;
    this.#lines = null;
    this.#used = 0;
    this.#timer?.();
    this.#timer = null;
  }
}
