// What is kept of calls for the carrier, DATA_DIR/entries: finding the entries of some calls, and removing them.
import { join } from 'node:path';
import type { StoredCall } from '../call/call-store.ts';
import { TEMPORARY } from '../record/private-file.ts';
import { type Amount, isFolder, namesIn, NOTHING, parsed, removeFile, sum, textOf } from './files.ts';

/** Larger ones are never written. */
const MAX_ENTRY_BYTES = 64 * 1024;
const PLAIN = /^[\w-]+$/;

export interface FoundEntry {
  /** Of its file. */
  name: string;
  callId: string;
  /** A message that the caller left lies with the carrier. */
  hasMessage: boolean;
}

export class Entries {
  readonly #folder: string;

  constructor(dataDir: string) {
    this.#folder = join(dataDir, 'entries');
  }

  /** Removes the entry of one call, by its name. One whose name is a hash stays until it is half a year old. */
  remove(carrier: string, carrierCallId: string): Promise<Amount> {
    const isPlain = PLAIN.test(carrier) && PLAIN.test(carrierCallId);
    return isPlain ? this.removeNamed([`${carrier}-${carrierCallId}.json`]) : Promise.resolve(NOTHING);
  }

  /** @throws NotRemoved when one is still there */
  async removeNamed(names: readonly string[]): Promise<Amount> {
    let amount = NOTHING;
    if (await isFolder(this.#folder))
      for (const name of names) amount = sum(amount, await removeFile(join(this.#folder, name)));
    return amount;
  }

  /** All entries of these calls, half-written ones too. */
  async ofCalls(callIds: ReadonlySet<string>): Promise<FoundEntry[]> {
    const found: FoundEntry[] = [];
    // A link to another folder is told by whoever searches.
    if (!(await isFolder(this.#folder).catch(() => false))) return found;
    for (const name of await namesIn(this.#folder)) {
      const { callId, voicemail } = (await this.read(name)) ?? {};
      if (callId === undefined || !callIds.has(callId)) continue;
      found.push({ name, callId, hasMessage: Boolean(voicemail) && !TEMPORARY.test(name) });
    }
    return found;
  }

  /** What a file of the folder holds; null where it is no entry. */
  async read(name: string): Promise<Partial<StoredCall> | null> {
    if (!name.endsWith('.json') && !TEMPORARY.test(name)) return null;
    const text = await textOf(join(this.#folder, name), MAX_ENTRY_BYTES);
    return text === null ? null : parsed(text);
  }
}
