// How processes of one data folder know whose journal is being written: the writer listens on a socket beside it for as long as
// it lives, whatever becomes of it. The kernel answers for a process that is busy, and stops answering when it is gone.
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { absent, journalsFolder } from './journal-folder.ts';

/** Bytes of a socket's path: 104 with the last zero on macOS, 108 on Linux. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103;
/** What the system says where no process listens. */
const NOBODY = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTSOCK']);

/**
 * Says that this process writes the journal, until what is returned is called. Where there can be no socket (the data folder's
 * path is too long for one, its file system has none) the number of the process has to do.
 */
export async function sayAlive(dataDir: string, journal: string): Promise<() => Promise<void>> {
  const path = socketPath(dataDir, journal);
  const server = path === null ? null : await listening(path).catch(() => null);
  // Node unlinks the socket itself.
  if (server !== null) return () => new Promise((closed) => void server.close(() => closed()));
  await writeFile(numberPath(dataDir, journal), `${process.pid}`, { mode: 0o600 });
  return () => rm(numberPath(dataDir, journal), { force: true });
}

/** Whether the process that writes a journal is there. */
export async function isAlive(dataDir: string, journal: string): Promise<boolean> {
  const path = socketPath(dataDir, journal);
  if (path !== null && (await answers(path))) return true;
  const number = Number(await readFile(numberPath(dataDir, journal), 'utf8').catch(absent));
  if (number === 0) return false;
  try {
    return process.kill(number, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Removes what a process left that could not say that it went. */
export async function clearAway(dataDir: string, journal: string): Promise<void> {
  for (const kind of ['sock', 'pid']) await rm(join(journalsFolder(dataDir), `${journal}.${kind}`), { force: true });
}

async function listening(path: string): Promise<Server> {
  // Names of processes are not given twice: what is there was left behind.
  await rm(path, { force: true });
  const server = createServer((socket) => socket.destroy());
  server.listen(path);
  await once(server, 'listening');
  server.on('error', () => {});
  // It tells of the process and must not keep it.
  return server.unref();
}

function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once('connect', () => {
    resolve(true);
    socket.destroy();
  });
  // Anything but a plain "nobody" (a queue that is full, a right that is missing) is not a sign of death.
  socket.once('error', ({ code = '' }: NodeJS.ErrnoException) => resolve(!NOBODY.has(code)));
  return promise;
}

const numberPath = (dataDir: string, journal: string): string => join(journalsFolder(dataDir), `${journal}.pid`);

/** Null when neither spelling of it fits into a socket's address. */
function socketPath(dataDir: string, journal: string): string | null {
  const path = join(journalsFolder(dataDir), `${journal}.sock`);
  const spellings = [path, relative(process.cwd(), path)];
  return spellings.find((spelling) => Buffer.byteLength(spelling) <= MAX_PATH_BYTES) ?? null;
}
