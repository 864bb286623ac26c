// The real process, started and stopped as an operator does: what it says when it cannot start, how it stops with calls on
// the line, and that any process of the same data folder can tell the carrier what follows.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { writeWav } from '../../src/audio/wav.ts';
import { realClock } from '../../src/clock.ts';
import { type PhoneCall, placeCall } from '../../src/phone/phone.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import { Origin } from '../../src/phone/signed-request.ts';
import { readTwiml } from '../../src/phone/twiml-reader.ts';
import { clip } from '../../src/simulator/clips.ts';
import type { SessionOptions } from '../../src/simulator/options.ts';
import type { Script } from '../../src/simulator/script.ts';
import { type Simulator, startSimulator } from '../../src/simulator/server.ts';
import { type LogLine, question, webhookParams, within } from '../support/e2e.ts';

// Few at once: each process takes a core for a moment when it starts.
vi.setConfig({ maxConcurrency: 4 });

const PROGRAM = fileURLToPath(new URL('../../src/trunkline.mjs', import.meta.url));
const AGENTS = fileURLToPath(new URL('../../agents', import.meta.url));
const AUTH_TOKEN = '0123456789abcdef0123456789abcdef';
const API_KEY = 'key-that-nobody-may-see';
const PERSON = '+15005550009';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trunkline-process-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** One `trunkline serve`. */
class ServerProcess {
  readonly exit: Promise<number | null>;
  readonly lines: LogLine[] = [];
  stderr = '';
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #rest = '';

  /** Started outside the repository, so that nobody's own .env takes part. */
  constructor(env: Record<string, string>) {
    const { PATH = '' } = process.env;
    const standard = { PATH, HOST: '127.0.0.1', PORT: '0', AGENTS_DIR: AGENTS, TWILIO_AUTH_TOKEN: AUTH_TOKEN };
    this.#child = spawn(process.execPath, [PROGRAM, 'serve'], { cwd: root, env: { ...standard, ...env } });
    this.#child.stdout?.on('data', (data: Buffer) => this.#read(data.toString()));
    this.#child.stderr?.on('data', (data: Buffer) => void (this.stderr += data.toString()));
    this.exit = new Promise((resolve) => this.#child.on('close', (code) => resolve(code)));
    void this.exit.then(() => this.#wake());
  }

  signal(name: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): void {
    this.#child.kill(name);
  }

  /** The first line with this text; fails when the process ends without one. */
  line(msg: string): Promise<LogLine> {
    const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
    const look = (): void => {
      const found = this.lines.find((line) => line.msg === msg);
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

/** Runs `body` with processes that end with it, whatever happens. */
async function withProcesses<T>(
  body: (start: (env?: Record<string, string>) => ServerProcess, simulator: Simulator) => Promise<T>,
  session: SessionOptions = {},
): Promise<T> {
  const simulator = await startSimulator({ session });
  const processes: ServerProcess[] = [];
  const dataDir = await mkdtemp(join(root, 'data-'));
  try {
    return await body((env = {}) => {
      const model = { OPENAI_API_KEY: API_KEY, OPENAI_BASE_URL: simulator.origin };
      const server = new ServerProcess({ DATA_DIR: dataDir, ...model, ...env });
      processes.push(server);
      return server;
    }, simulator);
  } finally {
    for (const server of processes) server.signal('SIGKILL');
    await Promise.all(processes.map(({ exit }) => exit));
    await simulator.close();
  }
}

const call = (origin: string, options: Partial<PhoneOptions> = {}): PhoneCall =>
  placeCall({ server: origin, authToken: AUTH_TOKEN, maxMs: 30_000, ...options });

const script: Script = {
  greeting: { items: [{ say: ['short_ok'] }] },
  turns: [{ items: [{ say: ['clinic_goodbye'] }, { tool: 'end_call', arguments: {} }] }],
  whenInstructions: [{ contains: 'time limit', answer: { items: [{ say: ['wrap_up'] }] } }],
};

describe.concurrent('a process that is told to stop', () => {
  test('lets the live call come to its own end, lets nobody else in, and exits with 0', { timeout: 40_000 }, () =>
    withProcesses(
      async (start) => {
        const server = start();
        const origin = await server.ready();
        expect((await fetch(`${origin}/readyz`)).status).toBe(200);
        const live = call(origin);
        await live.once('firstAudio');
        server.signal('SIGTERM');
        await server.line('draining');

        const probe = await fetch(`${origin}/readyz`);
        expect(probe.status).toBe(503);
        expect(await probe.json()).toEqual({ status: 'draining', live: 1 });
        expect((await fetch(`${origin}/healthz`)).status).toBe(200);
        const refused = await call(origin).ended;
        expect(refused).toMatchObject({ callStatus: 'busy', verbs: [{ name: 'Reject' }] });

        // The live call does not notice: the caller speaks, the agent says goodbye and hangs up.
        live.say(question());
        const { verbs, heard, http } = await live.ended;
        expect(verbs.map(({ name }) => name)).toEqual(['Connect', 'Hangup']);
        expect(http.map(({ status }) => status)).toEqual([200, 101, 200, 204]);
        expect(heard.at(-1)?.bytes.includes(clip('clinic_goodbye').audio)).toBe(true);
        expect(await within(5_000, 'the end of the process', server.exit)).toBe(0);
        expect(server.lines.find(({ msg }) => msg === 'call ended')).toMatchObject({ reason: 'agent_goodbye' });
        expect(server.lines.at(-1)).toMatchObject({ msg: 'stopped' });
        expectNoSecrets(server);
      },
      { script },
    ),
  );

  test('wraps up the calls that are still there when its time is over', { timeout: 40_000 }, () =>
    withProcesses(
      async (start) => {
        const server = start({ DRAIN_SECONDS: '1' });
        const live = call(await server.ready());
        await live.once('firstAudio');
        server.signal('SIGINT');
        const { heard, unplayedBytes } = await live.ended;
        expect(heard.at(-1)?.bytes.includes(clip('wrap_up').audio)).toBe(true);
        expect(unplayedBytes).toBe(0);
        expect(await within(5_000, 'the end of the process', server.exit)).toBe(0);
        expect(server.lines.find(({ msg }) => msg === 'call ended')).toMatchObject({
          reason: 'drained',
          result: 'success',
        });
      },
      { script },
    ),
  );

  test('stops at once without a call', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const server = start();
      await server.ready();
      server.signal('SIGTERM');
      expect(await within(3_000, 'the end of the process', server.exit)).toBe(0);
    }),
  );

  test('stops at once when told twice', { timeout: 20_000 }, () =>
    withProcesses(
      async (start) => {
        const server = start();
        const live = call(await server.ready());
        await live.once('firstAudio');
        server.signal('SIGTERM');
        await server.line('draining');
        server.signal('SIGTERM');
        expect(await within(3_000, 'the end of the process', server.exit)).toBe(1);
        live.hangUp();
        await live.ended;
      },
      { script },
    ),
  );
});

describe.concurrent('a process that cannot start', () => {
  /** Ends with 1 after this text on standard error and nothing on standard output but warnings. */
  async function expectRefusal(server: ServerProcess): Promise<string[]> {
    expect(await within(10_000, 'the end of the process', server.exit)).toBe(1);
    expect(server.lines.filter(({ level }) => level !== 'warn')).toEqual([]);
    expect(server.stderr).not.toMatch(/\n\s+at /);
    expect(server.stderr).not.toContain(API_KEY);
    return server.stderr.trimEnd().split('\n');
  }

  test('says in one sentence that its port is taken', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
      const { port } = taken.address() as AddressInfo;
      try {
        const lines = await expectRefusal(start({ PORT: `${port}` }));
        expect(lines).toEqual([expect.stringMatching(new RegExp(`^cannot listen on 127.0.0.1:${port} .*PORT`))]);
      } finally {
        taken.close();
      }
    }),
  );

  test('says in one sentence that its data folder cannot be written', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const file = join(await mkdtemp(join(root, 'file-')), 'data');
      await writeFile(file, 'not a folder');
      for (const path of [file, join(file, 'below')]) {
        const lines = await expectRefusal(start({ DATA_DIR: path }));
        expect(lines).toEqual([expect.stringMatching(/^the data folder \S+ cannot be written .*DATA_DIR/)]);
        expect(lines[0]).toContain(path);
      }
    }),
  );

  const BAD_ENVIRONMENT = {
    PORT: '99999',
    PUBLIC_URL: 'ftp://calls.example.com',
    LOG_LEVEL: 'loud',
    MAX_CALL_SECONDS: '0',
    TWILIO_ACCOUNT_SID: 'AC12',
  };

  test('names every fault of its environment at once', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const lines = await expectRefusal(start({ ...BAD_ENVIRONMENT, OPENAI_API_KEY: `${API_KEY} with a blank` }));
      for (const name of [...Object.keys(BAD_ENVIRONMENT), 'OPENAI_API_KEY'])
        expect(lines.filter((line) => line.startsWith(`  ${name}: expected `))).toHaveLength(1);
      expect(lines).toHaveLength(7);
    }),
  );

  const AGENT_FAULTS = [
    /one\.yaml:4:12: .*tool_ms.*expected/,
    /one\.yaml:5:1: .*voise/,
    /two\.yaml:1:11: .*answers.*expected/,
    /two\.yaml:3:10: .*speed.*expected/,
    /two\.yaml:\d+:\d+: .*instructions.*expected/,
  ];

  async function badAgents(): Promise<string> {
    const folder = await mkdtemp(join(root, 'agents-'));
    const one = 'answers: ["*"]\ninstructions: Be kind.\nlimits:\n  tool_ms: soon\nvoise: marin\n';
    await writeFile(join(folder, 'one.yaml'), one);
    await writeFile(join(folder, 'two.yaml'), 'answers: [+1500]\nmodel:\n  speed: 9\n');
    return folder;
  }

  test('names every fault of its agent files, with file, line and column', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const lines = await expectRefusal(start({ AGENTS_DIR: await badAgents() }));
      for (const fault of AGENT_FAULTS)
        expect(
          lines.filter((line) => fault.test(line)),
          `${fault}`,
        ).toHaveLength(1);
    }),
  );

  test('names the faults of its environment and of its agent files together', { timeout: 20_000 }, () =>
    withProcesses(async (start) => {
      const lines = await expectRefusal(start({ AGENTS_DIR: await badAgents(), ...BAD_ENVIRONMENT }));
      for (const name of Object.keys(BAD_ENVIRONMENT))
        expect(lines.filter((line) => line.includes(`${name}: expected `))).toHaveLength(1);
      for (const fault of AGENT_FAULTS)
        expect(
          lines.filter((line) => fault.test(line)),
          `${fault}`,
        ).toHaveLength(1);
    }),
  );
});

describe.concurrent('two processes of one data folder', () => {
  test('the second tells the carrier what follows a call of the first, ended or killed', { timeout: 40_000 }, () =>
    withProcesses(
      async (start) => {
        const agents = join(await mkdtemp(join(root, 'agents-')), 'agents');
        await mkdir(agents);
        await writeFile(join(agents, 'sorry.wav'), writeWav([clip('short_ok').audio]));
        await writeFile(
          join(agents, 'desk.yaml'),
          `answers: ["*"]\ninstructions: Be kind.\nfailure:\n  forward_to: "${PERSON}"\n  apology: sorry.wav\n  apology_text: Okay.\n`,
        );
        const [first, second] = [start({ AGENTS_DIR: agents }), start({ AGENTS_DIR: agents })];
        const [origin, other] = await Promise.all([first.ready(), second.ready()]);

        const done = call(origin, {
          track: { steps: [{ cue: { after: 'agent_silent', forMs: 200 }, action: { say: question() } }] },
        });
        const killed = call(origin);
        await done.ended;
        expect(await whatFollows(other, done.callSid)).toEqual(['Hangup']);

        // What the carrier is to do if its process dies was stored when the call was let in.
        expect(await whatFollows(other, killed.callSid)).toEqual(['Dial', 'Hangup']);
        first.signal('SIGKILL');
        await first.exit;
        const { verbs } = await within(10_000, 'the end of the call', killed.ended);
        expect(verbs.map(({ name }) => name)).toEqual(['Connect']);
        expect(await whatFollows(other, killed.callSid)).toEqual(['Dial', 'Hangup']);
        // A webhook of a call that went on is a replay for every process.
        expect((await ask(other, '/voice', done.callSid)).status).toBe(403);
        expect(await whatFollows(other, webhookParams().CallSid as string)).toEqual(['Hangup']);
      },
      { script },
    ),
  );
});

/** Asks a process as the carrier would. */
function ask(origin: string, path: string, callSid: string) {
  const carrier = new Origin({
    clock: realClock,
    server: origin,
    publicUrl: origin,
    authToken: AUTH_TOKEN,
    sign: 'good',
  });
  return carrier.ask(carrier.resolve(path), webhookParams(callSid));
}

/** The verbs that follow the media of a call. */
async function whatFollows(origin: string, callSid: string): Promise<string[]> {
  const { body, contentType } = await ask(origin, '/voice/next', callSid);
  return readTwiml(body, contentType).map(({ name }) => name);
}

function expectNoSecrets({ lines, stderr }: ServerProcess): void {
  const text = lines.map((line) => JSON.stringify(line)).join('\n') + stderr;
  for (const secret of [AUTH_TOKEN, API_KEY]) expect(text).not.toContain(secret);
  expect(text).not.toMatch(/\+\d{6,}/);
}
