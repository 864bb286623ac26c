// What is measured, as a process of its own. Owns the process and the temporary folder of its data; both are gone after
// `stop`, and after an end of this process that nobody planned.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { cpuMs, descriptors, memoryKib } from './machine.ts';
import type { Callee } from './phone-end.ts';
import { Samples } from './prometheus.ts';
import type { SubjectSpec } from './subject-spec.ts';

export interface SubjectOptions {
  /** API root of the model, e.g. http://127.0.0.1:4000/v1 */
  modelOrigin: string;
  maxCalls: number;
  /** What the subject is to trust beside the system's authorities, PEM file. */
  caFile?: string | null;
  /** Loaded into the process before its own code: `probe.ts` (costs next to nothing) or `inside.ts` (counts handles). */
  probe?: 'probe.ts' | 'inside.ts' | null;
}

const READY_WITHIN_MS = 20_000;
const POLL_MS = 10;
const STOP_WITHIN_MS = 10_000;
const ASK_WITHIN_MS = 5_000;

export class Subject implements Callee {
  readonly spec: SubjectSpec;
  readonly origin: string;
  /** From the spawn to readiness. */
  startUpMs = Number.NaN;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #clean = (): void => {
    this.#child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  };

  private constructor(spec: SubjectSpec, child: ChildProcess, origin: string, folder: string) {
    this.spec = spec;
    this.#child = child;
    this.origin = origin;
    this.#folder = folder;
    process.once('exit', this.#clean);
  }

  /** Starts a server and waits until it is ready. */
  static async start(spec: SubjectSpec, options: SubjectOptions): Promise<Subject> {
    const { modelOrigin, maxCalls, caFile = null, probe = null } = options;
    const folder = mkdtempSync(join(tmpdir(), 'trunkline-bench-'));
    const port = await freePort();
    const dataDir = mkdtempSync(join(folder, 'data-'));
    const { command, args, env, cwd } = await spec.start({ modelOrigin, caFile, port, dataDir, maxCalls });
    const log = openSync(join(folder, 'log'), 'w');
    const startMs = performance.now();
    const child = spawn(command, args, {
      cwd,
      env: {
        PATH: process.env['PATH'],
        ...(caFile === null ? {} : { NODE_EXTRA_CA_CERTS: caFile }),
        ...nodeOptions(probe),
        ...env,
      },
      stdio: ['ignore', log, log, ...(probe === null ? [] : (['ipc'] as const))],
    });
    closeSync(log);
    const subject = new Subject(spec, child, `http://127.0.0.1:${port}`, folder);
    try {
      await subject.#ready();
      subject.startUpMs = performance.now() - startMs;
    } catch (error) {
      const said = subject.#said();
      await subject.stop();
      throw new Error(`${spec.name} did not start: ${String(error)}\n${said}`, { cause: error });
    }
    return subject;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get authToken(): string | null {
    return this.spec.authToken;
  }

  get paths(): Callee['paths'] {
    const { voicePath, mediaPath, statusPath } = this.spec;
    return { voice: voicePath, media: mediaPath, status: statusPath };
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

  /** What the probe that was loaded has to tell. @throws Error with the server's last words when it is gone */
  async look<Reading>(): Promise<Reading> {
    if (!this.alive) throw new Error(`${this.spec.name} ended with ${this.#ending}: ${this.#said()}`);
    const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(ASK_WITHIN_MS) });
    this.#child.send('?');
    return (await answer)[0] as Reading;
  }

  /** Waits until no call lives, at most `withinMs`; says how many still do. */
  async idle(withinMs: number): Promise<number> {
    for (let waitedMs = 0; ; waitedMs += 100) {
      const live = (await this.scrape()).sum('trunkline_calls_live');
      if (live === 0 || waitedMs >= withinMs) return live;
      await sleep(100);
    }
  }

  /** Lines of the server's log at `warn` or above, by message; what looks odd in the environment is the bench's own choice. */
  complaints(): Record<string, number> {
    const found: Record<string, number> = {};
    for (const line of readFileSync(join(this.#folder, 'log'), 'utf8').split('\n')) {
      const { level, msg } = parsed(line);
      if (msg === 'configuration') continue;
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
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_WITHIN_MS);
      await gone;
      clearTimeout(timer);
    }
    process.removeListener('exit', this.#clean);
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
    return this.#child.exitCode === 0;
  }

  get #ending(): string {
    return `${this.#child.exitCode ?? this.#child.signalCode}`;
  }

  /** The end of its log. */
  #said(): string {
    return readFileSync(join(this.#folder, 'log'), 'utf8').slice(-2_000);
  }

  async #ready(): Promise<void> {
    const { readyPath } = this.spec;
    for (const startMs = performance.now(); performance.now() - startMs < READY_WITHIN_MS; ) {
      if (!this.alive) throw new Error(`ended with ${this.#ending}`);
      if (await (readyPath === null ? takesConnections(this.origin) : answersWell(this.origin + readyPath))) return;
      await sleep(POLL_MS);
    }
    throw new Error(`not ready within ${READY_WITHIN_MS} ms`);
  }
}

/** For whoever looks where the time goes: BENCH_NODE_OPTIONS="--cpu-prof --cpu-prof-dir=/tmp/prof" node bench/load.ts */
function nodeOptions(probe: string | null): { NODE_OPTIONS?: string } {
  const own = process.env['BENCH_NODE_OPTIONS'];
  const options = [
    ...(own === undefined ? [] : [own]),
    ...(probe === null ? [] : [`--import=${pathToFileURL(join(import.meta.dirname, probe)).href}`]),
  ];
  return options.length === 0 ? {} : { NODE_OPTIONS: options.join(' ') };
}

const answersWell = (url: string): Promise<boolean> =>
  fetch(url, { headers: { connection: 'close' } }).then(
    (response) => response.ok,
    () => false,
  );

function takesConnections(origin: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1');
    const settle = (taken: boolean): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

function parsed(line: string): { level?: unknown; msg?: unknown } {
  try {
    return JSON.parse(line) as { level?: unknown; msg?: unknown };
  } catch {
    return {};
  }
}

/** A port that is free now. */
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
