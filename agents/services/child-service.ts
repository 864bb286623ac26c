// Starts a sample business as a child process, for the demo and for tests: ready when its line says so, ended by `close`,
// and gone with this process however that ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface ServiceOptions {
  /** Default 0: any free one. */
  port?: number;
  /** Path of its SQLite file; default `:memory:`, gone with the process. */
  database?: string;
  /** The day it takes for today, `2026-11-21`; default the machine's. */
  today?: string;
  /** Bearer token of its clients; default a random one. */
  token?: string;
}

/** A business that answers. Whoever started it closes it. */
export interface RunningService {
  /** `http://127.0.0.1:<port>` */
  origin: string;
  token: string;
  /** Bearer token of `/_faults`. */
  adminToken: string;
  process: ChildProcess;
  /** Ends it; resolves when the process is gone. Any number of times. */
  close(): Promise<void>;
}

/** A process that is not ready by then is not coming. */
const READY_MS = 15_000;
/** After this an end that was asked for is made. */
const CLOSE_MS = 4_000;
/** What is kept of its complaints, in characters. */
const MAX_STDERR = 4_000;

/**
 * Starts `program`, a file that calls `runService`, and waits until it answers.
 * @throws Error with what the process wrote when it ends or says nothing
 */
export async function startService(
  program: URL,
  variable: string,
  { port = 0, database = ':memory:', today, token = secret() }: ServiceOptions = {},
): Promise<RunningService> {
  const adminToken = secret();
  const flags = ['--with-parent', '--port', String(port), '--database', database, ...(today ? ['--today', today] : [])];
  // SQLite is still announced as experimental; our own environment holds secrets that are none of its business.
  const args = ['--disable-warning=ExperimentalWarning', fileURLToPath(program), ...flags];
  const env = {
    PATH: process.env['PATH'] ?? '',
    TZ: process.env['TZ'] ?? '',
    [`${variable}_TOKEN`]: token,
    [`${variable}_ADMIN_TOKEN`]: adminToken,
  };
  const child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  // Its death may be noticed first by a write: that is no fault of ours.
  child.stdin.on('error', () => {});
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()));
  const close = async (): Promise<void> => {
    child.stdin.end();
    const late = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS);
    await gone;
    clearTimeout(late);
  };
  try {
    const origin = await readyLine(child, gone);
    // A program that is done must not wait for its clinic.
    child.unref();
    for (const pipe of [child.stdin, child.stdout, child.stderr]) if ('unref' in pipe) (pipe.unref as () => void)();
    return { origin, token, adminToken, process: child, close };
  } catch (error) {
    child.kill('SIGKILL');
    await gone;
    throw error;
  }
}

const secret = () => randomBytes(24).toString('base64url');

/** The origin out of the line that says where it answers. Reads on afterwards, so that a full pipe stops nobody. */
function readyLine(child: ChildProcess, gone: Promise<void>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let complaint = '';
  child.stderr!.on('data', (data: Buffer) => (complaint = (complaint + data.toString()).slice(-MAX_STDERR)));
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const origin = / answers at (http:\/\/127\.0\.0\.1:\d+)$/.exec(line)?.[1];
    if (origin !== undefined) resolve(origin);
  });
  child.once('error', reject);
  void gone.then(() =>
    reject(new Error(`the process ended before it answered: ${complaint.trim() || 'it said nothing'}`)),
  );
  const late = setTimeout(
    () => reject(new Error(`not ready within ${READY_MS / 1000} s: ${complaint.trim()}`)),
    READY_MS,
  );
  return promise.finally(() => clearTimeout(late));
}
