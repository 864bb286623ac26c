// Where journals lie: `DATA_DIR/journal/<process>/<segment>.jsonl`, one folder per process, segments numbered upwards. Beside
// a folder stand the process's socket (`<process>.sock`, see alive.ts) and what could not be read of it (`<process>.bad`).
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A place in a journal: so many bytes of a segment, and all segments before it. */
export interface Position {
  segment: number;
  offset: number;
}

export const isBefore = (a: Position, b: Position): boolean =>
  a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset);

const OWNER_ONLY_FOLDER = 0o700;
const SEGMENT = /^(\d{1,15})\.jsonl$/;
/** Names of processes, and what tells that they live; anything else in the folder is nobody's journal. */
const JOURNAL = /^([0-9a-f]{12})(?:\.sock|\.pid)?$/;

export const journalsFolder = (dataDir: string): string => join(dataDir, 'journal');

export const journalFolder = (dataDir: string, journal: string): string => join(journalsFolder(dataDir), journal);

export const segmentPath = (dataDir: string, journal: string, segment: number): string =>
  join(journalFolder(dataDir, journal), `${segment}.jsonl`);

export const badPath = (dataDir: string, journal: string): string => join(journalsFolder(dataDir), `${journal}.bad`);

/** Makes a folder that only the server's own user may enter, and sees to it that it outlives a power cut. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: OWNER_ONLY_FOLDER });
  await syncFolder(join(path, '..'));
}

/** What was made or removed in a folder is on the disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The journals of a data folder, whoever's. */
export async function journalsIn(dataDir: string): Promise<string[]> {
  const names = await namesIn(journalsFolder(dataDir));
  return [...new Set(names.flatMap((name) => JOURNAL.exec(name)?.[1] ?? []))];
}

/** The segments of a journal with their sizes, in order. */
export async function segmentsOf(dataDir: string, journal: string): Promise<{ segment: number; bytes: number }[]> {
  const names = await namesIn(journalFolder(dataDir, journal));
  const segments = names.flatMap((name) => SEGMENT.exec(name)?.[1] ?? []).map(Number);
  const found = await Promise.all(
    segments.map(async (segment) => {
      const facts = await stat(segmentPath(dataDir, journal, segment)).catch(absent);
      return facts === null ? [] : [{ segment, bytes: facts.size }];
    }),
  );
  return found.flat().toSorted((a, b) => a.segment - b.segment);
}

const namesIn = async (folder: string): Promise<string[]> => (await readdir(folder).catch(absent)) ?? [];

/** What is not there (any more) is null; every other fault is thrown. */
export function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
