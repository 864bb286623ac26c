// The files of calls, DATA_DIR/calls/<callId>, and how parts of them go. Every removal may be repeated.
import { lstat, opendir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallRecord } from '../record/call-record.ts';
import { TEMPORARY } from '../record/private-file.ts';
import type { KeptPart } from '../store/queries/privacy-kept.ts';
import { toolWithoutWords, turnWithoutWords } from '../store/queries/privacy-words.ts';
import { callFolder } from '../tape/call-file.ts';
import {
  type Amount,
  gone,
  isFolder,
  namesIn,
  NOTHING,
  notRemoved,
  parsed,
  removeFile,
  replaceFile,
  sum,
  textOf,
} from './files.ts';

/** Larger records are removed with their words: to take them apart would hold up the calls that are live. */
const MAX_RECORD_BYTES = 512 * 1024;
/** For a process without live calls. */
export const MAX_READ_BYTES = 64 * 1024 * 1024;
const IDS_AT_ONCE = 200;
const AUDIO = 'audio.wav';
const RECORD = 'record.json';
const TAPE = 'tape.jsonl';
/** Call ids are ours, but a folder outside is never touched, whoever made the id. */
const CALL_ID = /^[\w-]+$/;

export class CallFiles {
  readonly #dataDir: string;
  readonly #removeTree: (path: string) => Promise<void>;

  /** @param removeTree for faults of a disk; default: as it is done */
  constructor(dataDir: string, removeTree = treeRemoved) {
    this.#dataDir = dataDir;
    this.#removeTree = removeTree;
  }

  /** The ids of all calls that have files, some at a time. */
  async *callIds(): AsyncGenerator<string[]> {
    const folder = join(this.#dataDir, 'calls');
    // A link to another folder is told by whoever searches.
    if (!(await isFolder(folder).catch(() => false))) return;
    let some: string[] = [];
    for await (const { name } of await opendir(folder)) {
      if (!CALL_ID.test(name)) continue;
      some.push(name);
      if (some.length < IDS_AT_ONCE) continue;
      yield some;
      some = [];
    }
    if (some.length > 0) yield some;
  }

  /** The record of a call that is over; null where there is none that can be read, or only a larger one. */
  async record(callId: string, maxBytes = MAX_RECORD_BYTES): Promise<CallRecord | null> {
    const folder = await this.#folder(callId);
    const text = folder === null ? null : await textOf(join(folder, RECORD), maxBytes);
    return text === null ? null : (parsed(text) as CallRecord | null);
  }

  /** What lies there, and when something of it was last written (Unix milliseconds); null: nothing. */
  async facts(callId: string): Promise<(Amount & { changedMs: number }) | null> {
    const folder = await this.#folder(callId);
    if (folder === null) return null;
    const all = { files: 0, bytes: 0, changedMs: 0 };
    for (const name of await namesIn(folder)) {
      const file = await lstat(join(folder, name)).catch(gone);
      if (file === null) continue;
      all.files += 1;
      all.bytes += file.size;
      all.changedMs = Math.max(all.changedMs, file.mtimeMs);
    }
    return all;
  }

  /**
   * Removes one part of a call: the recording; or the words, which are the tape and those of the record; or everything.
   * @throws NotRemoved when it is still there
   */
  async remove(part: KeptPart, callId: string): Promise<Amount> {
    const folder = await this.#folder(callId);
    if (folder === null) return NOTHING;
    if (part === 'audio') return removeFile(join(folder, AUDIO));
    return part === 'text' ? removeText(folder) : this.#removeAll(folder, callId);
  }

  async #removeAll(folder: string, callId: string): Promise<Amount> {
    const facts = await this.facts(callId);
    try {
      await this.#removeTree(folder);
    } catch (error) {
      throw notRemoved(error as NodeJS.ErrnoException);
    }
    return facts === null ? NOTHING : { files: facts.files, bytes: facts.bytes };
  }

  /** Null where nothing lies. @throws NotRemoved where a link stands in the way */
  async #folder(callId: string): Promise<string | null> {
    if (!CALL_ID.test(callId)) return null;
    const folder = callFolder(this.#dataDir, callId);
    return (await isFolder(join(folder, '..'))) && (await isFolder(folder)) ? folder : null;
  }
}

const treeRemoved = (path: string): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 3 });

async function removeText(folder: string): Promise<Amount> {
  let amount = await removeWords(join(folder, RECORD));
  for (const name of await namesIn(folder))
    if (name === TAPE || TEMPORARY.test(name)) amount = sum(amount, await removeFile(join(folder, name)));
  return amount;
}

/** Leaves of a record what is a fact; of one that cannot be read, nothing. */
async function removeWords(path: string): Promise<Amount> {
  const text = await textOf(path, MAX_RECORD_BYTES);
  const record = text === null ? null : (parsed(text) as Partial<CallRecord> | null);
  if (text === null || record === null) return removeFile(path);
  const facts = `${JSON.stringify({
    ...record,
    sipHeaders: {},
    turns: (record.turns ?? []).map(turnWithoutWords),
    tools: (record.tools ?? []).map(toolWithoutWords),
    // What the agent wrote of the caller; what it was about is a fact.
    notes: (record.notes ?? []).map((note) => ({ ...note, text: '' })),
  })}\n`;
  if (facts === text) return NOTHING;
  await replaceFile(path, facts);
  return { files: 0, bytes: Math.max(0, Buffer.byteLength(text) - Buffer.byteLength(facts)) };
}
