// What is kept of a call outside its process, one small file per carrier call: `DATA_DIR/entries/<carrier>-<id>.json`. Any
// process of the same data folder reads it at once. Two processes that change one entry at the same moment: the last wins;
// the one that holds the media socket changes it, others only add status callbacks.
import { createHash } from 'node:crypto';
import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallStore, StoredCall } from '../call/call-store.ts';
import type { NextStep } from '../carrier/carrier.ts';
import { TEMPORARY, writePrivateFile } from './private-file.ts';

/** The part of a logger that this folder uses. */
export interface Warnings {
  warn(fields: object, message: string): void;
}

/** An entry larger than this is not written and not read. Statuses are bounded by their writer; the rest is small. */
const MAX_ENTRY_BYTES = 64 * 1024;
/** Unreadable files that were warned of; beyond this many nobody reads the warnings. */
const MAX_WARNED = 1_000;

const PLAIN_ID = /^[A-Za-z0-9_-]{1,100}$/;
/** Without a dash, so that carrier and id stay apart in a file's name. */
const PLAIN_CARRIER = /^[A-Za-z0-9_]{1,32}$/;

export class FileCallStore implements CallStore {
  readonly #folder: string;
  readonly #log: Warnings;
  /** The last write under each key that is not finished. */
  readonly #writing = new Map<string, Promise<void>>();
  readonly #warned = new Set<string>();

  constructor({ dataDir, log }: { dataDir: string; log: Warnings }) {
    this.#folder = join(dataDir, 'entries');
    this.#log = log;
  }

  async put(call: StoredCall): Promise<void> {
    const name = entryName(call.carrier, call.carrierCallId);
    // Printed now: what the caller changes afterwards is not part of this put.
    const text = printed(call);
    return this.#inOrder(name, () => writePrivateFile(join(this.#folder, name), text));
  }

  update(carrier: string, carrierCallId: string, change: (call: StoredCall) => StoredCall): Promise<void> {
    const name = entryName(carrier, carrierCallId);
    return this.#inOrder(name, async () => {
      const call = await this.#read(name, carrier, carrierCallId);
      if (call) await writePrivateFile(join(this.#folder, name), printed(change(call)));
    });
  }

  /** What this process is writing at that moment is waited for. */
  async get(carrier: string, carrierCallId: string): Promise<StoredCall | null> {
    const name = entryName(carrier, carrierCallId);
    await this.#writing.get(name)?.catch(() => {});
    return this.#read(name, carrier, carrierCallId);
  }

  /** Removes entries (and half-written files) last changed before `wallMs`; returns how many. */
  async prune(wallMs: number): Promise<number> {
    let removed = 0;
    for (const name of await readdir(this.#folder).catch(() => [])) {
      if (!name.endsWith('.json') && !TEMPORARY.test(name)) continue;
      const path = join(this.#folder, name);
      const old = await stat(path).then(
        (facts) => facts.mtimeMs < wallMs,
        () => false,
      );
      if (
        old &&
        (await unlink(path).then(
          () => true,
          () => false,
        ))
      )
        removed += 1;
    }
    return removed;
  }

  #inOrder(name: string, write: () => Promise<void>): Promise<void> {
    const before = this.#writing.get(name) ?? Promise.resolve();
    // A write that failed was its own caller's to hear of; the next one goes on.
    const done = before.catch(() => {}).then(write);
    this.#writing.set(name, done);
    const settled = () => {
      if (this.#writing.get(name) === done) this.#writing.delete(name);
    };
    done.then(settled, settled);
    return done;
  }

  async #read(name: string, carrier: string, carrierCallId: string): Promise<StoredCall | null> {
    const path = join(this.#folder, name);
    let text: string;
    try {
      if ((await stat(path)).size > MAX_ENTRY_BYTES) return this.#unreadable(name, 'too large');
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      return this.#unreadable(name, (error as NodeJS.ErrnoException).code ?? 'unreadable');
    }
    const call = parsed(text);
    if (!call) return this.#unreadable(name, 'not an entry');
    if (call.carrier !== carrier || call.carrierCallId !== carrierCallId)
      return this.#unreadable(name, 'of another call');
    return call;
  }

  #unreadable(file: string, reason: string): null {
    if (!this.#warned.has(file) && this.#warned.size < MAX_WARNED) {
      this.#warned.add(file);
      this.#log.warn({ file, reason }, 'stored call cannot be read and counts as absent');
    }
    return null;
  }
}

/** Ids come from outside: what is not plainly a name becomes a hash, which no plain name can equal (it has a dot). */
function entryName(carrier: string, carrierCallId: string): string {
  if (PLAIN_CARRIER.test(carrier) && PLAIN_ID.test(carrierCallId)) return `${carrier}-${carrierCallId}.json`;
  const hash = createHash('sha256')
    .update(JSON.stringify([carrier, carrierCallId]))
    .digest('hex');
  return `sha256.${hash}.json`;
}

function printed(call: StoredCall): string {
  const text = JSON.stringify(call);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_ENTRY_BYTES)
    throw new RangeError(`a stored call holds at most ${MAX_ENTRY_BYTES} bytes, not ${bytes}`);
  return text;
}

/** Every step there is: one that was left out here would make entries unreadable. */
const NEXT_STEPS: Readonly<Record<NextStep['do'], true>> = {
  hang_up: true,
  reject_busy: true,
  say_and_hang_up: true,
  forward: true,
  voicemail: true,
  transfer: true,
  conference: true,
  ask_to_take: true,
  join: true,
  reconnect: true,
};

function parsed(text: string): StoredCall | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const call = value as Partial<StoredCall>;
  const whole =
    typeof call.callId === 'string' &&
    typeof call.carrier === 'string' &&
    typeof call.carrierCallId === 'string' &&
    typeof call.admittedWallMs === 'number' &&
    Object.hasOwn(NEXT_STEPS, call.next?.do ?? '') &&
    (call.termination === null || typeof call.termination === 'object') &&
    Array.isArray(call.statuses);
  // Entries of version 0.1 know neither.
  return whole ? { ...(call as StoredCall), node: call.node ?? '', voicemail: call.voicemail ?? null } : null;
}
