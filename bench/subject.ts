// What is measured: the product as its own process, started by the arguments of `npm start`, with everything on.
// Owns the process and the temporary folder of its data; both are gone after `stop`.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Inside } from './inside.ts';
import { cpuMs, descriptors, memoryKib } from './machine.ts';
import { Samples } from './prometheus.ts';

export interface SubjectOptions {
  /** API root of the model, e.g. http://127.0.0.1:4000/v1 */
  modelOrigin: string;
  maxCalls: number;
  /** Loads inside.ts, which costs a little time per socket and timer. */
  inside?: boolean;
}

const ROOT = join(import.meta.dirname, '..');
const READY_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 10_000;
const ASK_WITHIN_MS = 5_000;

export class Subject {
  readonly origin: string;
  readonly authToken: string;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #kill = (): void => void this.#child.kill('SIGKILL');

  private constructor(child: ChildProcess, origin: string, authToken: string, folder: string) {
    this.#child = child;
    this.origin = origin;
    this.authToken = authToken;
    this.#folder = folder;
    // Whatever becomes of the measurement, no server of it is left.
    process.once('exit', this.#kill);
  }

  /** Starts a server and waits until it is ready. */
  static async start({ modelOrigin, maxCalls, inside = false }: SubjectOptions): Promise<Subject> {
    const folder = mkdtempSync(join(tmpdir(), 'trunkline-bench-'));
    const origin = `http://127.0.0.1:${await freePort()}`;
    const authToken = 'bench-token';
    const log = openSync(join(folder, 'log'), 'w');
    // For whoever looks where the time goes: BENCH_NODE_ARGS="--cpu-prof --cpu-prof-dir=/tmp/prof" node bench/load.ts
    const nodeArgs = process.env['BENCH_NODE_ARGS']?.split(' ') ?? [];
    const probe = inside ? ['--expose-gc', '--import', join(ROOT, 'bench', 'inside.ts')] : [];
    const child = spawn(process.execPath, [...nodeArgs, ...probe, ...startArguments()], {
      // An empty folder: a developer's .env has no say in a measurement.
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        PORT: new URL(origin).port,
        HOST: '127.0.0.1',
        PUBLIC_URL: origin,
        TWILIO_AUTH_TOKEN: authToken,
        OPENAI_BASE_URL: modelOrigin,
        OPENAI_API_KEY: 'x',
        AGENTS_DIR: join(ROOT, 'bench', 'agents'),
        DATA_DIR: join(folder, 'data'),
        MAX_CONCURRENT_CALLS: `${maxCalls}`,
        IDLE_TIMEOUT_SECONDS: '120',
        DRAIN_SECONDS: '2',
        LOG_LEVEL: 'info',
      },
      stdio: ['ignore', log, log, ...(inside ? (['ipc'] as const) : [])],
    });
    closeSync(log);
    const subject = new Subject(child, origin, authToken, folder);
    try {
      await subject.#ready();
    } catch (error) {
      const said = readFileSync(join(folder, 'log'), 'utf8').slice(-2_000);
      await subject.stop();
      throw new Error(`the server did not start: ${String(error)}\n${said}`, { cause: error });
    }
    return subject;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  cpuMs = (): number => cpuMs(this.pid);
  memoryKib = (): { rssKib: number; peakKib: number } => memoryKib(this.pid);
  descriptors = (): { open: number; sockets: number } => descriptors(this.pid);

  /** Scrapes /metrics; event-loop delays in it are since the scrape before. */
  async scrape(): Promise<Samples> {
    // No connection is kept, or it would be counted among the server's sockets.
    const response = await fetch(`${this.origin}/metrics`, { headers: { connection: 'close' } });
    return new Samples(await response.text());
  }

  /** What the server has inside; only with `inside: true`. */
  async inside(): Promise<Inside> {
    const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(ASK_WITHIN_MS) });
    this.#child.send('?');
    return (await answer)[0] as Inside;
  }

  /** Waits until no call lives, at most `withinMs`; says how many still do. */
  async idle(withinMs: number): Promise<number> {
    for (let waitedMs = 0; ; waitedMs += 100) {
      const live = (await this.scrape()).sum('trunkline_calls_live');
      if (live === 0 || waitedMs >= withinMs) return live;
      await sleep(100);
    }
  }

  /** Lines of the server's log at `warn` or above, by message. */
  complaints(): Record<string, number> {
    const found: Record<string, number> = {};
    for (const line of readFileSync(join(this.#folder, 'log'), 'utf8').split('\n')) {
      const { level, msg } = parsed(line);
      // pino writes 40 for warn; the catalogue of levels may be names.
      if ((typeof level === 'number' && level >= 40) || level === 'warn' || level === 'error' || level === 'fatal')
        found[String(msg)] = (found[String(msg)] ?? 0) + 1;
    }
    return found;
  }

  /** Ends the server by SIGTERM and says whether it went in good order. */
  async stop(): Promise<boolean> {
    if (this.alive) {
      const gone = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      const timer = setTimeout(this.#kill, STOP_WITHIN_MS);
      await gone;
      clearTimeout(timer);
    }
    process.removeListener('exit', this.#kill);
    rmSync(this.#folder, { recursive: true, force: true });
    return this.#child.exitCode === 0;
  }

  async #ready(): Promise<void> {
    for (let waitedMs = 0; waitedMs < READY_WITHIN_MS; waitedMs += 50) {
      if (!this.alive) throw new Error(`ended with ${this.#child.exitCode ?? this.#child.signalCode}`);
      const ok = await fetch(`${this.origin}/readyz`, { headers: { connection: 'close' } }).then(
        (response) => response.ok,
        () => false,
      );
      if (ok) return;
      await sleep(50);
    }
    throw new Error(`not ready within ${READY_WITHIN_MS} ms`);
  }
}

/** What `npm start` gives to Node, flags included, with paths that hold in any folder. */
function startArguments(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } };
  const [command, ...args] = scripts.start.replace(/^exec /, '').split(' ');
  if (command !== 'node') throw new Error(`npm start is expected to start node, not ${command}`);
  return args.map((arg) => (arg.startsWith('src/') ? join(ROOT, arg) : arg));
}

function parsed(line: string): { level?: unknown; msg?: unknown } {
  try {
    return JSON.parse(line) as { level?: unknown; msg?: unknown };
  } catch {
    return {};
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
