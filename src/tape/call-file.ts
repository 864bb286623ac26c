// One private file of one call, written behind the call's back: writes are queued, done one after the other and bounded;
// a fault ends the file and is told once, it is never thrown.
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
}

const FILL = Buffer.alloc(64 * 1024, 0xff);

/** Owns the file: opens it with the first write (it must not exist yet), closes it in `close`. */
export class CallFile {
  readonly #options: CallFileOptions;
  #queue: Pending[] = [];
  #pendingBytes = 0;
  #handle: FileHandle | null = null;
  #working: Promise<void> | null = null;
  #over = false;
  #faulty = false;

  constructor(options: CallFileOptions) {
    this.#options = options;
  }

  /** Queues `bytes`; they must not change afterwards. */
  write(bytes: Buffer, position: number): void {
    this.#pendingBytes += bytes.length;
    this.#add({ bytes, position });
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
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) await this.#put(this.#handle, next);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#working = null;
    }
  }

  async #open(): Promise<FileHandle> {
    const { dataDir, callId, name } = this.#options;
    // A call's id is ours, but a folder outside is never opened, whoever made the id.
    if (!/^[\w-]+$/.test(callId)) throw new Error('a call id that is no folder name');
    const folder = callFolder(dataDir, callId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return open(join(folder, name), 'wx', 0o600);
  }

  async #put(handle: FileHandle, { bytes, position }: Pending): Promise<void> {
    if (typeof bytes !== 'number') {
      await writeAll(handle, bytes, position);
      this.#pendingBytes -= bytes.length;
      return;
    }
    for (let done = 0; done < bytes; done += FILL.length)
      await writeAll(handle, FILL.subarray(0, bytes - done), position + done);
  }

  #fail(error: unknown): void {
    if (this.#faulty) return;
    this.#faulty = true;
    this.#over = true;
    this.#queue = [];
    this.#options.failed(error);
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
