// Searches every file below a folder, byte by byte, for the traces of a person: whatever wrote them, and in whatever form.
// Links are not followed, and are told.
import { constants } from 'node:fs';
import { lstat, open, opendir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Mark } from './person.ts';

/** What a search has seen. */
export interface Searched {
  files: number;
  bytes: number;
  /** Files in which a mark stands for itself, relative to the folder. */
  found: string[];
  /** Databases in which a mark stands, of which nobody can tell where a text ends. */
  databases: string[];
  /** What could not be searched, and why. */
  unseen: { path: string; why: string }[];
}

const CHUNK_BYTES = 1024 * 1024;
/** Longer than any mark with what has to be seen around it. */
const OVERLAP_BYTES = 2048;
const AROUND = 8;
/** https://sqlite.org/fileformat2.html: how the file, and how its log begins. */
const SQLITE = ['sqlite format 3\0', '7\x7f\x06\x82', '7\x7f\x06\x83'];

export async function search(folder: string, marks: readonly Mark[]): Promise<Searched> {
  const searched: Searched = { files: 0, bytes: 0, found: [], databases: [], unseen: [] };
  await searchFolder(folder, folder, marks, searched);
  return searched;
}

async function searchFolder(root: string, folder: string, marks: readonly Mark[], searched: Searched): Promise<void> {
  for await (const { name } of await opendir(folder)) {
    const path = join(folder, name);
    const shown = relative(root, path);
    try {
      const facts = await lstat(path);
      if (facts.isDirectory()) await searchFolder(root, path, marks, searched);
      else if (facts.isSymbolicLink())
        searched.unseen.push({ path: shown, why: 'it is a link, which is not followed' });
      else if (facts.isFile()) await searchFile(path, shown, marks, searched);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Removed while we looked.
      if (code !== 'ENOENT') searched.unseen.push({ path: shown, why: code ?? 'it cannot be read' });
    }
  }
}

async function searchFile(path: string, shown: string, marks: readonly Mark[], searched: Searched): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    let text = '';
    let isDatabase = false;
    let found = false;
    let isFirst = true;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      const isLast = bytesRead === 0;
      // What stands at the very beginning of a later part was judged, with what comes before it, in the part before.
      const from = text.length > OVERLAP_BYTES ? AROUND : 0;
      const before = text.slice(-OVERLAP_BYTES);
      text = before + buffer.toString('latin1', 0, bytesRead).toLowerCase();
      if (isFirst) isDatabase = SQLITE.some((beginning) => text.startsWith(beginning));
      isFirst = false;
      searched.bytes += bytesRead;
      found ||= marks.some((mark) => stands(text, mark, { from, isLast, anywhere: isDatabase }));
      if (isLast || found) break;
    }
    searched.files += 1;
    if (found) (isDatabase ? searched.databases : searched.found).push(shown);
  } finally {
    await file.close();
  }
}

interface Part {
  from: number;
  isLast: boolean;
  /** What stands around a mark does not matter. */
  anywhere: boolean;
}

const WHOLE: Part = { from: 0, isLast: true, anywhere: false };

/** Whether a mark stands for itself in a text (in small letters). */
export function stands(
  text: string,
  { text: mark, notAfter, notBefore }: Mark,
  { from, isLast, anywhere }: Part = WHOLE,
): boolean {
  for (let at = text.indexOf(mark, from); at >= 0; at = text.indexOf(mark, at + 1)) {
    if (anywhere) return true;
    const end = at + mark.length;
    // What follows is seen with the next part, which begins with the end of this one.
    if (!isLast && end + AROUND > text.length) return false;
    if (notAfter.test(text.slice(Math.max(0, at - AROUND), at))) continue;
    if (!notBefore.test(text.slice(end, end + AROUND))) return true;
  }
  return false;
}
