// Files that hold who called and what was said: readable by the server's own user only, and always whole, because a new
// version takes the old one's place in one step.
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const OWNER_ONLY = 0o600;
const OWNER_ONLY_FOLDER = 0o700;

/** Names of files that are being written; what a crash left behind is told apart by it. */
export const TEMPORARY = /^\..+\.tmp$/;

/** Writes the whole file or leaves the old one; a reader in any process sees one of the two. Makes the folder. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  const file = await openNew(temporary, folder);
  try {
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
}

/** The folder is nearly always there: it is made only when it is missed. */
async function openNew(path: string, folder: string) {
  try {
    return await open(path, 'wx', OWNER_ONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await mkdir(folder, { recursive: true, mode: OWNER_ONLY_FOLDER });
    return open(path, 'wx', OWNER_ONLY);
  }
}
