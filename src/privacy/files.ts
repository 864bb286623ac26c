// How files go and are read here: a link is never followed, what is gone already is no fault, and what cannot be removed says
// why.
import { constants } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { lstat, open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** What was removed, or what would be. */
export interface Amount {
  files: number;
  bytes: number;
}

export const NOTHING: Amount = { files: 0, bytes: 0 };

export const sum = (a: Amount, b: Amount): Amount => ({ files: a.files + b.files, bytes: a.bytes + b.bytes });

/** Something should be gone and is not; the message says why, in few words and without a path. */
export class NotRemoved extends Error {
  override name = 'NotRemoved';
}

/** An error of the file system as one of ours. */
export const notRemoved = (error: NodeJS.ErrnoException): NotRemoved =>
  new NotRemoved(error.code ?? 'for a reason that is not known', { cause: error });

/** False: nothing is there. @throws NotRemoved for anything but a folder */
export async function isFolder(path: string): Promise<boolean> {
  const facts = await lstat(path).catch(gone);
  if (facts === null) return false;
  if (facts.isDirectory()) return true;
  throw new NotRemoved(facts.isSymbolicLink() ? 'it is a link, which is not followed' : 'it is no folder');
}

export const namesIn = async (folder: string): Promise<string[]> => (await readdir(folder).catch(gone)) ?? [];

/** Removes a file, or the link that stands in its place. */
export async function removeFile(path: string): Promise<Amount> {
  const facts = await lstat(path).catch(gone);
  if (facts === null) return NOTHING;
  try {
    await unlink(path);
  } catch (error) {
    // Somebody else was quicker.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NOTHING;
    throw notRemoved(error as NodeJS.ErrnoException);
  }
  return { files: 1, bytes: facts.size };
}

/** Unlike `writePrivateFile` never makes the folder: one that somebody removed meanwhile stays removed. */
export async function replaceFile(path: string, text: string, encoding: 'utf8' | 'latin1' = 'utf8'): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text, encoding);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw notRemoved(error as NodeJS.ErrnoException);
  }
}

/** The text of a file; null where there is none, or a larger one, or something else. */
export async function textOf(
  path: string,
  maxBytes: number,
  encoding: 'utf8' | 'latin1' = 'utf8',
): Promise<string | null> {
  // A link is not opened, and nobody waits for a pipe.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(notAFile);
  if (file === null) return null;
  try {
    const facts = await file.stat();
    return facts.isFile() && facts.size <= maxBytes ? await file.readFile(encoding) : null;
  } finally {
    await file.close();
  }
}

/** An object, or null. */
export function parsed(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

export function gone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

/** ELOOP is a link, ENXIO a socket. */
const NO_FILE = new Set(['ENOENT', 'ELOOP', 'ENXIO']);

function notAFile(error: NodeJS.ErrnoException): null {
  if (NO_FILE.has(error.code ?? '')) return null;
  throw error;
}
