// Lines that no database took, put aside beside the journals of their processes (`DATA_DIR/journal/<process>.bad`). Those
// that hold a person go; the others stay, because they may hold money. What a live process may still write is left alone.
import { join } from 'node:path';
import { isAlive } from '../store/alive.ts';
import { journalsFolder } from '../store/journal-folder.ts';
import { isFolder, namesIn, removeFile, replaceFile, textOf } from './files.ts';
import type { Mark } from './person.ts';
import { stands } from './search.ts';

const MAX_BAD_BYTES = 64 * 1024 * 1024;
const BAD = /^([0-9a-f]{12})\.bad$/;

/** @returns how many lines went */
export async function removeBadLines(dataDir: string, marks: readonly Mark[]): Promise<number> {
  const folder = journalsFolder(dataDir);
  if (!(await isFolder(folder).catch(() => false))) return 0;
  let removed = 0;
  for (const name of await namesIn(folder)) {
    const journal = BAD.exec(name)?.[1];
    if (journal === undefined || (await isAlive(dataDir, journal))) continue;
    const path = join(folder, name);
    const text = await textOf(path, MAX_BAD_BYTES, 'latin1');
    if (text === null) continue;
    const lines = text.split('\n');
    const left = lines.filter((line) => !marks.some((mark) => stands(line.toLowerCase(), mark)));
    if (left.length === lines.length) continue;
    removed += lines.length - left.length;
    if (left.every((line) => line === '')) await removeFile(path);
    else await replaceFile(path, left.join('\n'), 'latin1');
  }
  return removed;
}
