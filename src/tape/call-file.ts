// One private file of one call, written behind the call's back: writes are queued, done one after the other and bounded;
// a fault ends the file and is told once, it is never thrown.
import { write } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';

export interface CallFileOptions {
  dataDir: string;
  callId: string;
  name: string;
  /** Bytes that may wait for a slow disk. */
  maxPendingBytes: number;
  /** Told once; nothing is written afterwards. */
  failed(error: unknown): void;
}

/** Where the files of a call lie. */
export const callFolder = (dataDir: string, callId: string): string => join(dataDir, 'calls', callId);

interface Pending {
  position: number;
  /** What to write, or how many bytes of 0xff. */
  bytes: Buffer | number;
  written?: (() => void) | undefined;
}

const FILL = Buffer.alloc(64 * 1024, 0xff);

/** Owns the file: opens it with the first write (it must not exist yet), closes it in `close`. */
export class CallFile {
  readonly #options: CallFileOptions;
  #queue: Pending[] = [];
  #pendingBytes = 0;
  #handle: FileHandle | null = null;
  /** Resolves when nothing waits any more. */
  #working: Promise<void> | null = null;
  #over = false;
  #faulty = false;

  constructor(options: CallFileOptions) {
    this.#options = options;
  }

  /**
   * Queues `bytes`; they must not change until `written`, which is told once they have reached the file, and never when they
   * do not.
   */
  write(bytes: Buffer, position: number, written?: () => void): void {
    this.#pendingBytes += bytes.length;
    this.#add({ bytes, position, written });
  }

  /** Queues `count` bytes of 0xff, which take no memory. */
  fill(count: number, position: number): void {
    this.#add({ bytes: count, position });
  }

  /** Resolves when everything queued is written and the file is closed. Never rejects. */
  async close(): Promise<void> {
    await this.#working;
    this.#over = true;
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close().catch((error: unknown) => this.#fail(error));
  }

  #add(pending: Pending): void {
    if (this.#over) return;
    if (this.#pendingBytes > this.#options.maxPendingBytes)
      return this.#fail(new Error('the disk does not keep up: too much waits to be written'));
    this.#queue.push(pending);
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    try {
      this.#handle ??= await this.#open();
      await this.#putAll(this.#handle.fd);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#working = null;
    }
  }

  /** By callbacks: a file is written to once a second and call, and each promise on the way costs as much again. */
  #putAll(descriptor: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const putNext = (): void => {
      const next = this.#queue.shift();
      if (next === undefined) return resolve();
      const { bytes, position, written } = next;
      const done = (error: Error | null): void => {
        if (error) return reject(error);
        if (typeof bytes !== 'number') this.#pendingBytes -= bytes.length;
        written?.();
        putNext();
      };
      if (typeof bytes === 'number') fillAll(descriptor, bytes, position, done);
      else writeAll(descriptor, bytes, position, done);
    };
    putNext();
    return promise;
  }

  async #open(): Promise<FileHandle> {
    const { dataDir, callId, name } = this.#options;
    // A call's id is ours, but a folder outside is never opened, whoever made the id.
    if (!/^[\w-]+$/.test(callId)) throw new Error('a call id that is no folder name');
    const folder = callFolder(dataDir, callId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return open(join(folder, name), 'wx', 0o600);
  }

  #fail(error: unknown): void {
    if (this.#faulty) return;
    this.#faulty = true;
    this.#over = true;
    this.#queue = [];
    this.#options.failed(error);
  }
}

type Done = (error: Error | null) => void;

function writeAll(descriptor: number, bytes: Buffer, position: number, done: Done): void {
  write(descriptor, bytes, 0, bytes.length, position, (error, written) => {
    if (error || written === bytes.length) return done(error);
    writeAll(descriptor, bytes.subarray(written), position + written, done);
  });
}

function fillAll(descriptor: number, count: number, position: number, done: Done): void {
  if (count === 0) return done(null);
  const bytes = FILL.subarray(0, count);
  writeAll(descriptor, bytes, position, (error) => {
    if (error) return done(error);
    fillAll(descriptor, count - bytes.length, position + bytes.length, done);
  });
}
