// Processes of the product that follow one another on one port and one data folder, as a rolling restart has them. Owns
// the processes and the folder; both are gone after `stop`, and after an end of this process that nobody planned.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../src/peers/doors.ts';
import type { Callee } from './phone-end.ts';
import { Samples } from './prometheus.ts';
import { trunkline } from './subjects.ts';

export interface FleetOptions {
  /** API root of the model. */
  modelOrigin: string;
  maxCalls: number;
  drainSeconds: number;
}

const READY_WITHIN_MS = 20_000;
const POLL_MS = 10;

/** A line of a server's log. */
export type ServerLine = { msg?: string; level?: string } & Record<string, unknown>;

/** One process of the fleet. */
export class FleetProcess {
  /** From the spawn to readiness. */
  startUpMs = Number.NaN;
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #spawnedAtMs = performance.now();

  constructor(child: ChildProcess, log: string) {
    this.#child = child;
    this.#log = log;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Its log so far; a line that is being written is left out. */
  lines(): ServerLine[] {
    return readFileSync(this.#log, 'utf8').split('\n').flatMap(parsed);
  }

  async ready(): Promise<void> {
    while (!this.lines().some(({ msg }) => msg === 'ready')) {
      if (!this.alive || performance.now() - this.#spawnedAtMs > READY_WITHIN_MS)
        throw new Error(`a server is not ready: ${readFileSync(this.#log, 'utf8').slice(-2_000)}`);
      await sleep(POLL_MS);
    }
    this.startUpMs = performance.now() - this.#spawnedAtMs;
  }

  /** Asks it to drain; resolves with the time until it is gone. */
  async replace(withinMs: number): Promise<number> {
    const startMs = performance.now();
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), withinMs);
    await gone;
    clearTimeout(timer);
    return performance.now() - startMs;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

export class ServerFleet implements Callee {
  readonly origin: string;
  readonly authToken = trunkline.authToken;
  readonly paths: Callee['paths'] = { voice: trunkline.voicePath, media: null, status: trunkline.statusPath };
  readonly processes: FleetProcess[] = [];
  readonly #options: FleetOptions;
  readonly #port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'trunkline-fleet-'));
  readonly #dataDir = join(this.#folder, 'data');
  readonly #clean = (): void => {
    for (const process of this.processes) process.kill();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  };

  private constructor(options: FleetOptions, port: number) {
    this.#options = options;
    this.#port = port;
    this.origin = `http://127.0.0.1:${port}`;
    mkdirSync(this.#dataDir);
    process.once('exit', this.#clean);
  }

  static async create(options: FleetOptions): Promise<ServerFleet> {
    return new ServerFleet(options, await freePort('127.0.0.1'));
  }

  /** Starts one more process and waits until it serves. */
  async start(): Promise<FleetProcess> {
    const { modelOrigin, maxCalls, drainSeconds } = this.#options;
    const setting = { modelOrigin, caFile: null, port: this.#port, dataDir: this.#dataDir, maxCalls };
    const { command, args, env, cwd } = await trunkline.start(setting);
    const path = join(this.#folder, `log-${this.processes.length}`);
    const log = openSync(path, 'w');
    const child = spawn(command, args, {
      cwd,
      env: { PATH: process.env['PATH'], ...env, DRAIN_SECONDS: `${drainSeconds}` },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const started = new FleetProcess(child, path);
    this.processes.push(started);
    await started.ready();
    return started;
  }

  /** /metrics of every process that lives, asked on its own socket: the port would give one of them. */
  async scrape(): Promise<Samples> {
    const folder = join(this.#dataDir, 'nodes');
    const texts = await Promise.all(readdirSync(folder).map((name) => metricsOf(join(folder, name))));
    return new Samples(texts.join('\n'));
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.filter(({ alive }) => alive).map((process) => process.replace(10_000)));
    process.removeListener('exit', this.#clean);
    this.#clean();
  }
}

/** Nothing from a socket whose process has just gone. */
async function metricsOf(socketPath: string): Promise<string> {
  try {
    const [response] = await once(get({ socketPath, path: '/metrics', agent: false }), 'response');
    return await text(response);
  } catch {
    return '';
  }
}

function parsed(line: string): ServerLine[] {
  try {
    return [JSON.parse(line) as ServerLine];
  } catch {
    return [];
  }
}
