// What a command that shows what is kept gets from whoever starts it: the way to the database, the paper to write on, and
// the time.
import { randomBytes } from 'node:crypto';
import { type Clock, realClock } from '../clock.ts';
import { readConfig } from '../config.ts';
import { TrunklineError } from '../errors.ts';
import { startStore } from '../store/start.ts';
import type { Store } from '../store/store.ts';

/** The store as far as it is read. */
export type Archive = Pick<Store, 'ask' | 'close'>;

export interface Paper {
  out(text: string): void;
  err(text: string): void;
  /** Columns a line may take; endless where nobody has a screen. */
  columns: number;
}

export interface Desk {
  open: () => Promise<Archive>;
  paper: Paper;
  clock: Pick<Clock, 'wallMs'>;
}

/** The desk of a command: the database that the environment names, which may be a running server's. */
export const standardDesk = (env: NodeJS.ProcessEnv): Desk => ({
  open: () => {
    const { dataDir, databaseUrl } = readConfig(env);
    const nodeId = randomBytes(6).toString('hex');
    return startStore({ dataDir, databaseUrl, nodeId, clock: realClock, log: SILENT, recovers: false });
  },
  paper: standardPaper(process.stdout, process.stderr),
  clock: realClock,
});

/** What is wrong with the database is said by the question that it does not answer. */
const SILENT = { info: () => {}, warn: () => {}, error: () => {} };

/** Standard output: as wide as the terminal, less the column that would break the line; in full where it is piped. */
const standardPaper = (stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): Paper => ({
  out: (text) => void stdout.write(`${text}\n`),
  err: (text) => void stderr.write(`${text}\n`),
  columns: stdout.isTTY ? stdout.columns - 1 : Number.POSITIVE_INFINITY,
});

/** Asks, and lets the store go whatever comes of it. */
export async function consult<T>(desk: Desk, ask: (archive: Archive) => Promise<T>): Promise<T> {
  const archive = await desk.open();
  try {
    return await ask(archive);
  } finally {
    await archive.close();
  }
}

/** A wrong flag: what is wrong, and how the command is used. */
export const misuse = (text: string, usage: string): TrunklineError =>
  new TrunklineError('TRK_CONFIG', `${text}\n${usage}`);
