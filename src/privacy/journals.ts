// What stands of a person in the journals of processes (`DATA_DIR/journal`): by their number, and by the ids of their calls,
// because words are journalled under those alone. Lines that no database took are put aside beside the journals (`.bad`): those
// of the person go, the others stay, because they may hold money. What a live process may still write is left alone.
import { lstat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isAlive } from '../store/alive.ts';
import { journalsFolder } from '../store/journal-folder.ts';
import { gone, isFolder, namesIn, removeFile, replaceFile, textOf } from './files.ts';
import type { Mark } from './person.ts';
import { stands } from './search.ts';

/** Who is looked for. */
export interface Wanted {
  marks: readonly Mark[];
  /** Ids of their calls, ours and the carrier's, to ours. */
  callOf: ReadonlyMap<string, string>;
}

/** A file of the journals in which something of the person stands. */
export interface JournalTrace {
  /** Below the data folder. */
  path: string;
  /** Calls of the person that stand in it. */
  callIds: string[];
}

const MAX_FILE_BYTES = 64 * 1024 * 1024;
const BAD = /^([0-9a-f]{12})\.bad$/;
const SEGMENT = /\.jsonl$/;
const ID = /[\w-]+/g;
const TYPE = /"type":"([\w.]*)/g;

/** @returns how many lines that had been put aside went */
export async function removeBadLines(dataDir: string, wanted: Wanted): Promise<number> {
  let removed = 0;
  for (const name of await journalNames(dataDir)) {
    const journal = BAD.exec(name)?.[1];
    if (journal === undefined || (await isAlive(dataDir, journal))) continue;
    const path = join(journalsFolder(dataDir), name);
    const text = await textOf(path, MAX_FILE_BYTES, 'latin1');
    if (text === null) continue;
    const lines = text.split('\n');
    const left = lines.filter((line) => !holdsPerson(line, wanted));
    if (left.length === lines.length) continue;
    removed += lines.length - left.length;
    if (left.every((line) => line === '')) await removeFile(path);
    else await replaceFile(path, left.join('\n'), 'latin1');
  }
  return removed;
}

/** Where words of the person's calls stand, or may stand. */
export async function tracesInJournals(dataDir: string, { callOf }: Wanted): Promise<JournalTrace[]> {
  const traces: JournalTrace[] = [];
  if (callOf.size === 0) return traces;
  for (const name of await filesOf(dataDir)) {
    const path = join(journalsFolder(dataDir), name);
    const text = await textOf(path, MAX_FILE_BYTES, 'latin1');
    if (text === null && (await lstat(path).catch(gone)) === null) continue;
    // Of one that is too large nobody can be sure.
    const callIds = text === null ? new Set(callOf.values()) : callsIn(text, callOf);
    if (callIds.size > 0) traces.push({ path: join('journal', name), callIds: [...callIds] });
  }
  return traces;
}

/**
 * The calls of which lines are put aside that nobody may remove yet. Segments are none of it: what is over was taken in from
 * there, and they go by themselves.
 */
export async function heldAside(dataDir: string, wanted: Wanted): Promise<string[]> {
  const aside = (await tracesInJournals(dataDir, wanted)).filter(({ path }) => BAD.test(basename(path)));
  return [...new Set(aside.flatMap(({ callIds }) => callIds))];
}

/** Segments, and lines put aside. */
async function filesOf(dataDir: string): Promise<string[]> {
  const files: string[] = [];
  for (const name of await journalNames(dataDir))
    if (BAD.test(name)) files.push(name);
    else if (await isFolder(join(journalsFolder(dataDir), name)).catch(() => false))
      for (const segment of await namesIn(join(journalsFolder(dataDir), name)))
        if (SEGMENT.test(segment)) files.push(join(name, segment));
  return files;
}

/** A link to another folder, or what is no folder, is told by the search. */
async function journalNames(dataDir: string): Promise<string[]> {
  const folder = journalsFolder(dataDir);
  return (await isFolder(folder).catch(() => false)) ? namesIn(folder) : [];
}

function callsIn(text: string, callOf: Wanted['callOf']): Set<string> {
  const found = new Set<string>();
  for (const line of text.split('\n')) {
    if (isBillAlone(line)) continue;
    for (const [id] of line.matchAll(ID)) {
      const callId = callOf.get(id);
      if (callId !== undefined) found.add(callId);
    }
  }
  return found;
}

const holdsPerson = (line: string, { marks, callOf }: Wanted): boolean =>
  marks.some((mark) => stands(line.toLowerCase(), mark)) || callsIn(line, callOf).size > 0;

/** Lines of bills stay, here as in the database: they hold a call's id and money, and nobody's words. */
function isBillAlone(line: string): boolean {
  const types = [...line.matchAll(TYPE)].map(([, type]) => type);
  return types.length === 1 && types[0] === 'line.charged';
}
