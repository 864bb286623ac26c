// Real processes of the product, started and stopped as an operator does, with one simulator behind them.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { realClock } from '../../src/clock.ts';
import { newSid } from '../../src/phone/call-params.ts';
import { type PhoneCall, placeCall } from '../../src/phone/phone.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import { Origin } from '../../src/phone/signed-request.ts';
import { StreamMessages } from '../../src/phone/stream-messages.ts';
import type { SessionOptions } from '../../src/simulator/options.ts';
import { type Simulator, startSimulator } from '../../src/simulator/server.ts';
import { type LogLine, webhookParams, within } from './e2e.ts';

const PROGRAM = fileURLToPath(new URL('../../src/trunkline.mjs', import.meta.url));
const AGENTS = fileURLToPath(new URL('../fixtures/agents', import.meta.url));
export const AUTH_TOKEN = '0123456789abcdef0123456789abcdef';
export const API_KEY = 'key-that-nobody-may-see';

/** One `trunkline serve`. */
export class ServerProcess {
  readonly exit: Promise<number | null>;
  readonly lines: LogLine[] = [];
  stderr = '';
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #rest = '';

  /** @param cwd outside the repository, so that nobody's own .env takes part */
  constructor(cwd: string, env: Record<string, string>) {
    const { PATH = '' } = process.env;
    const standard = { PATH, HOST: '127.0.0.1', PORT: '0', AGENTS_DIR: AGENTS, TWILIO_AUTH_TOKEN: AUTH_TOKEN };
    this.#child = spawn(process.execPath, [PROGRAM, 'serve'], { cwd, env: { ...standard, ...env } });
    this.#child.stdout?.on('data', (data: Buffer) => this.#read(data.toString()));
    this.#child.stderr?.on('data', (data: Buffer) => void (this.stderr += data.toString()));
    this.exit = new Promise((resolve) => this.#child.on('close', (code) => resolve(code)));
    void this.exit.then(() => this.#wake());
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** The first line with this text, or the n-th (from 1); fails when the process ends without it. */
  line(msg: string, n = 1): Promise<LogLine> {
    const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
    const look = (): void => {
      const found = this.lines.filter((line) => line.msg === msg)[n - 1];
      if (found) resolve(found);
      else if (this.#child.exitCode !== null) reject(new Error(`ended without "${msg}": ${this.stderr}`));
      else return;
      this.#waiting.delete(look);
    };
    this.#waiting.add(look);
    look();
    return within(15_000, `the line "${msg}"`, promise);
  }

  /** Where it listens, once it does. */
  async ready(): Promise<string> {
    return (await this.line('ready'))['listening'] as string;
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.lines.push(JSON.parse(line) as LogLine);
    this.#wake();
  }

  #wake(): void {
    for (const look of this.#waiting) look();
  }
}

/** Runs `body` with processes of one data folder that end with it, whatever happens. */
export async function withProcesses<T>(
  body: (start: (env?: Record<string, string>) => ServerProcess, simulator: Simulator) => Promise<T>,
  session: SessionOptions = {},
): Promise<T> {
  const simulator = await startSimulator({ session });
  const processes: ServerProcess[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-processes-'));
  try {
    return await body((env = {}) => {
      const model = { OPENAI_API_KEY: API_KEY, OPENAI_BASE_URL: simulator.origin };
      const server = new ServerProcess(folder, { DATA_DIR: join(folder, 'data'), ...model, ...env });
      processes.push(server);
      return server;
    }, simulator);
  } finally {
    for (const server of processes) server.signal('SIGKILL');
    await Promise.all(processes.map(({ exit }) => exit));
    await simulator.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Places a call with a process. */
export const callProcess = (origin: string, options: Partial<PhoneOptions> = {}): PhoneCall =>
  placeCall({ server: origin, authToken: AUTH_TOKEN, maxMs: 30_000, ...options });

/** The carrier by hand: signs what a process is asked. */
export const carrierOf = (origin: string): Origin =>
  new Origin({ clock: realClock, server: origin, publicUrl: origin, authToken: AUTH_TOKEN, sign: 'good' });

/** Posts a webhook about a call as the carrier would. */
export function askProcess(origin: string, path: string, callSid: string) {
  const carrier = carrierOf(origin);
  return carrier.ask(carrier.resolve(path), webhookParams(callSid));
}

/** Opens a media stream by hand and begins it; marks are returned, `heard` resolves with the first audio. */
export async function openMedia(origin: string, url: string, callSid: string) {
  const messages = new StreamMessages({ accountSid: newSid('AC'), callSid, streamSid: newSid('MZ') });
  const socket = new WebSocket(url, { headers: carrierOf(origin).headers(url, {}), perMessageDeflate: false });
  const say = (print: (from: StreamMessages) => string): void => socket.send(print(messages));
  const heard = new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      const message = JSON.parse(String(data as Buffer)) as { event: string; mark?: { name: string } };
      if (message.event === 'media') resolve();
      // As if it had been played: a carrier that returns no marks counts as dead.
      else if (message.mark) say((from) => from.mark(message.mark?.name ?? ''));
    });
  });
  await within(5_000, 'the media socket', once(socket, 'open'));
  say((from) => from.connected());
  say((from) => from.start({}));
  return { socket, say, heard };
}
