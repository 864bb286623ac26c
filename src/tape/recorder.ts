// The onlooker that writes a call's tape to DATA_DIR/calls/<callId>/tape.jsonl. Lines gather in memory and are appended
// together a few times a second, never one write per frame; a fault of the disk ends the tape, not the call.
import { readFileSync } from 'node:fs';
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { CallFacts, FeedInput, Onlooker, OnlookerFactory } from '../call/feed.ts';
import { type Cancel, type Clock, realClock } from '../clock.ts';
import { callLogger, type Logger } from '../log.ts';
import { CallFile } from './call-file.ts';
import { printHeader, TapePrinter } from './tape.ts';

export interface TapeRecorderOptions {
  dataDir: string;
  log: Logger;
  /** For the flush timer only; default the process's clock. */
  clock?: Clock;
  /** Lines wait at most this long, default 250 ms, … */
  flushEveryMs?: number;
  /** … and at most this many characters, default 64 KiB. */
  flushAtChars?: number;
  /** A tape ends here, default 64 MiB. */
  maxBytes?: number;
  /** For counters: a tape that could not be written to its end. Called at most once per tape. */
  incomplete?: (why: 'failed' | 'size') => void;
}

/** Text that may wait for a slow disk. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

const { version: VERSION } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Makes the tape of every call. */
export const tapeRecorder =
  (options: TapeRecorderOptions): OnlookerFactory =>
  (call) =>
    new TapeRecorder(call, options);

class TapeRecorder implements Onlooker {
  readonly #clock: Clock;
  readonly #flushEveryMs: number;
  readonly #flushAtChars: number;
  readonly #maxBytes: number;
  readonly #incomplete: (why: 'failed' | 'size') => void;
  readonly #printer: TapePrinter;
  readonly #file: CallFile;
  #text: string;
  #writtenBytes = 0;
  #over = false;
  #timer: Cancel | null = null;

  constructor(call: CallFacts, { dataDir, log, clock = realClock, ...options }: TapeRecorderOptions) {
    const { callId } = call.opening;
    this.#clock = clock;
    this.#flushEveryMs = options.flushEveryMs ?? 250;
    this.#flushAtChars = options.flushAtChars ?? 64 * 1024;
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
    this.#text = printHeader(call, VERSION);
  }

  input(atMs: number, input: FeedInput): void {
    if (!this.#over) this.#add(atMs, this.#printer.input(atMs, input));
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    if (!this.#over) this.#add(event.atMs, this.#printer.stepped(event, effects));
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

  #add(atMs: number, lines: string): void {
    if (lines === '') return;
    if (this.#writtenBytes + this.#text.length + lines.length > this.#maxBytes) {
      this.#text += this.#printer.stopped(atMs, 'size');
      this.#flush();
      this.#end();
      this.#incomplete('size');
      return;
    }
    this.#text += lines;
    if (this.#text.length >= this.#flushAtChars) this.#flush();
    else this.#timer ??= this.#clock.at(this.#clock.nowMs() + this.#flushEveryMs, () => this.#flush());
  }

  #flush(): void {
    this.#timer?.();
    this.#timer = null;
    if (this.#text === '') return;
    const bytes = Buffer.from(this.#text, 'utf8');
    this.#text = '';
    this.#file.write(bytes, this.#writtenBytes);
    this.#writtenBytes += bytes.length;
  }

  /** Nothing more goes on this tape. */
  #end(): void {
    this.#over = true;
    this.#text = '';
    this.#timer?.();
    this.#timer = null;
  }
}
