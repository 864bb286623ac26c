// Opens one file of one call for reading: below DATA_DIR/calls/<id> and nowhere else, whoever made the id, and whatever lies
// there under the name.
import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { callFolder } from '../../tape/call-file.ts';

/** Names of files that a call may have. */
export type CallFileName = 'record.json' | 'tape.jsonl' | 'audio.wav';

/** An open file of a call. Whoever opened it closes `handle`. */
export interface OpenCallFile {
  handle: FileHandle;
  /** Bytes that were in it when it was opened: of a call under way it grows. */
  size: number;
  changedMs: number;
}

const CALL_ID = /^[\w-]{1,100}$/;

/** Null: there is no such file, or no plain one. Other faults of the disk are thrown. */
export async function openCallFile(dataDir: string, callId: string, name: CallFileName): Promise<OpenCallFile | null> {
  if (!CALL_ID.test(callId)) return null;
  const folder = callFolder(dataDir, callId);
  const place = await lstat(folder).catch(missing);
  // A link leads out of the folder; so may one under the file's name, which O_NOFOLLOW refuses.
  if (place === null || !place.isDirectory()) return null;
  // Without O_NONBLOCK a pipe under that name would hold a thread of the pool for good.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(join(folder, name), flags).catch(missing);
  if (handle === null) return null;
  try {
    const facts = await handle.stat();
    if (facts.isFile()) return { handle, size: facts.size, changedMs: facts.mtimeMs };
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return null;
}

const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EMLINK', 'ENXIO']);

function missing(error: NodeJS.ErrnoException): null {
  if (ABSENT.has(error.code ?? '')) return null;
  throw error;
}
