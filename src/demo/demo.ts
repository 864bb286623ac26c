// `npm run demo`: a recorded caller rings the sample agent through the whole server, in real time and without any key. Shows
// the conversation as it happens, then what was heard, what it took and what was kept, and leaves the server up.
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startClinic } from '../../agents/clinic/service/start.ts';
import type { RunningService } from '../../agents/services/child-service.ts';
import { loadAgents } from '../agent/load.ts';
import type { OnlookerFactory } from '../call/feed.ts';
import { realClock } from '../clock.ts';
import { type Config, readConfig } from '../config.ts';
import { TrunklineError } from '../errors.ts';
import { createLogger, type Logger } from '../log.ts';
import type { CallRecord } from '../record/call-record.ts';
import { demoCaller } from '../phone/demo-caller.ts';
import { foldTape } from '../replay/fold.ts';
import { wrap } from '../replay/text-layout.ts';
import { type BothEnds, WatchedCalls } from '../replay/watched-calls.ts';
import { type Server, startServer } from '../server.ts';
import { loadScript } from '../simulator/script-file.ts';
import { callFolder } from '../tape/call-file.ts';
import { parseTape } from '../tape/tape.ts';
import { paint, type Surface, usableColumns } from './caption-text.ts';
import { Captions } from './captions.ts';
import { Screen } from './screen.ts';
import { nextLines, type Summary, summaryLines } from './summary.ts';

type Environment = Record<string, string | undefined>;

const USAGE = 'usage: trunkline demo [--exit]   (--exit: do not leave the server up after the report)';

/** The sample agent lies beside the source, wherever the command was started. */
const AGENTS_DIR = fileURLToPath(new URL('../../agents', import.meta.url));
const SAMPLE_FILE = join('clinic', 'agent.yaml');
/** What the model says, offline. */
const SCRIPT = fileURLToPath(new URL('./booking.yaml', import.meta.url));
/** The conversation of the recorded caller and the sample agent, measured. */
const EXPECTED_MS = 36_000;
/** The caller gives up after this. */
const LONGEST_MS = 180_000;
const REDRAW_MS = 100;
/** From the end of the call to its files being whole. */
const WRITTEN_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 20;
/** Good for so long, as the report says. */
const LINK_MINUTES = 30;
/** Calls still live when the demo is stopped get this long. */
const DRAIN_MS = 1_000;

/**
 * Runs the demo until SIGINT or SIGTERM, with `--exit` until the report is out. The exit code is 1 when the call did not
 * end with the agent's goodbye.
 */
export async function demo(args: string[] = [], env: Environment = process.env): Promise<void> {
  const exit = wantsExit(args);
  const { stdout } = process;
  const surface = () => surfaceOf(stdout, env);
  const screen = new Screen({ write: (text) => stdout.write(text), surface, expectedMs: EXPECTED_MS });
  const calls = new WatchedCalls();
  let captions: Captions | null = null;
  const server = await serverFor(env, screen, [
    calls.onlooker,
    // Only the demo's own call, which is the first: others may come while the server stays up.
    (call) => (captions ? null : (captions = new Captions(call))),
  ]);
  // A reader that went away (`| head`) ends the demo quietly.
  stdout.on('error', () => process.exit(1));
  for (const row of openingLines(server, surface())) screen.line(row);

  const { call, ended } = calls.place(server, { track: demoCaller(), maxMs: LONGEST_MS });
  const redraw = setInterval(() => captions && screen.show(captions.at(realClock.nowMs())), REDRAW_MS);
  const stopped = stopping(() => {
    clearInterval(redraw);
    screen.finish({ finished: [] });
    call.hangUp();
  });
  const done = await Promise.race([ended, stopped]);
  if (done !== 'stopped') {
    await quiet(server);
    clearInterval(redraw);
    // The last words may still be waiting for their transcript.
    screen.finish((captions as Captions | null)?.at(Number.POSITIVE_INFINITY) ?? { finished: [] });
    const folder = done.record && shownPath(callFolder(server.dataDir, done.record.callId));
    if (done.record && folder)
      for (const row of summaryLines(await summaryOf(done, done.record, folder), surface())) screen.line(row);
    for (const row of await clinicLines(server.clinic, surface())) screen.line(row);
    if (done.record?.end.reason !== 'agent_goodbye') {
      process.exitCode = 1;
      screen.line();
      screen.line(paint(surface(), 'red', `The call did not end as it should: ${failure(done)}.`));
    }
    if (!exit) {
      const { path } = server.links.make({ scope: 'operator', minutes: LINK_MINUTES });
      const link = server.origin + (done.record ? path.replace('/login', `/calls/${done.record.callId}`) : path);
      for (const row of nextLines({ origin: server.origin, folder, link }, surface())) screen.line(row);
      await stopped;
    }
  }
  await server.drain(DRAIN_MS);
  await server.close();
  await server.clinic.close();
}

/** What the clinic itself says afterwards: the caller's appointments, out of its database. */
async function clinicLines({ origin, token }: RunningService, surface: Surface): Promise<string[]> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const ask = async (path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`${origin}${path}`, {
      headers,
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
    return await response.json();
  };
  const patient = (await ask('/patients/find', CALLER)) as { id?: string };
  const { appointments = [] } = (await ask(`/patients/${patient.id}/appointments`)) as {
    appointments?: { id: string; starts: string; doctor: string }[];
  };
  return [
    '',
    paint(surface, 'bold', "In the clinic's own database, this patient now has"),
    ...appointments.map(({ id, starts, doctor }) => `  ${id}  ${starts.replace('T', ' ')}  ${doctor}`),
  ];
}

/** Whom the recorded caller says to be. */
const CALLER = { number: '1000190210', date_of_birth: '2003-01-08' };

/** @throws TrunklineError for anything but `--exit` */
function wantsExit(args: string[]): boolean {
  try {
    return parseArgs({ args, options: { exit: { type: 'boolean', default: false } } }).values.exit;
  } catch (cause) {
    throw new TrunklineError('TRK_CONFIG', USAGE, { cause });
  }
}

/** What the terminal can do; colours follow NO_COLOR and TERM. */
export function surfaceOf(
  stdout: { isTTY?: boolean; columns?: number; hasColors?: (env?: object) => boolean },
  env: Environment,
): Surface {
  const terminal = stdout.isTTY === true && env['TERM'] !== 'dumb';
  const noColour = (env['NO_COLOR'] ?? '') !== '';
  return {
    columns: Math.max(MIN_COLUMNS, terminal ? (stdout.columns ?? DEFAULT_COLUMNS) : DEFAULT_COLUMNS),
    colour: terminal && !noColour && stdout.hasColors?.(env) === true,
    rewrites: terminal,
  };
}

const DEFAULT_COLUMNS = 100;
const MIN_COLUMNS = 36;

type DemoServer = Server & { dataDir: string; note: string | null; clinic: RunningService };

/** The server on its port, or on a free one when that is taken. Of the environment only PORT and DATA_DIR count. */
async function serverFor(env: Environment, screen: Screen, onlookers: OnlookerFactory[]): Promise<DemoServer> {
  const { PORT, DATA_DIR } = env;
  const config = readConfig({ PORT, DATA_DIR, HOST: '127.0.0.1', AGENTS_DIR });
  const agents = await loadAgents(config.agentsDir, config);
  const sample = agents.filter(({ file }) => file === SAMPLE_FILE);
  // The business that the agent's tools talk to: a process of its own, with a database.
  const clinic = await startClinic();
  const options = {
    ...{ log: warningsTo(screen), onlookers, agents: sample.length > 0 ? sample : agents },
    env: { CLINIC_URL: clinic.origin, CLINIC_TOKEN: clinic.token },
    simulator: { session: await loadScript(SCRIPT) },
  };
  const start = (used: Config) => startServer({ config: used, ...options });
  const { dataDir } = config;
  try {
    return Object.assign(await start(config), { dataDir, clinic, note: null });
  } catch (error) {
    if (!(error instanceof TrunklineError && error.code === 'TRK_LISTEN')) {
      await clinic.close();
      throw error;
    }
    const server = await start({ ...config, port: 0 });
    const note = `Port ${config.port} is taken, so this server listens on ${new URL(server.origin).port}.`;
    return Object.assign(server, { dataDir, clinic, note });
  }
}

/** The log, but only what somebody should look at, as lines between the captions. */
function warningsTo(screen: Screen): Logger {
  return createLogger({
    level: 'warn',
    destination: {
      write(line: string) {
        const { level, msg, time: _time, callId: _callId, ...facts } = JSON.parse(line) as Record<string, unknown>;
        screen.line(`  ${String(level)}: ${String(msg)} ${JSON.stringify(facts)}`);
      },
    },
  });
}

function openingLines(server: DemoServer, surface: Surface): string[] {
  const [agent] = server.agents;
  return [
    '',
    paint(surface, 'bold', `Trunkline demo: a recorded caller rings ${agent?.name ?? 'the agent'}`),
    ...wrap(OPENING, usableColumns(surface)).map((row) => paint(surface, 'dim', row)),
    ...(server.note === null ? [] : [paint(surface, 'yellow', server.note)]),
    '',
  ];
}

const OPENING =
  'The call goes through the whole server: webhook, media stream, call core, Realtime protocol, tools against a clinic with ' +
  'a database of its own, the ledger. The model is the embedded simulator; no key, no account, and nothing leaves this ' +
  'machine. In real time: about 36 s.';

/** Resolves with the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopping(first: () => void): Promise<'stopped'> {
  return new Promise((resolve) => {
    let asked = false;
    const stop = (): void => {
      if (asked) process.exit(1);
      asked = true;
      first();
      process.stdout.write('\nStopping.\n');
      resolve('stopped');
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}

/** Waits until no call is live: only then everything about them is written. */
async function quiet(server: Server): Promise<void> {
  const untilMs = realClock.nowMs() + WRITTEN_WITHIN_MS;
  while (server.calls.live > 0 && realClock.nowMs() < untilMs) await setTimeout(LOOK_EVERY_MS);
}

async function summaryOf({ result, stops }: BothEnds, record: CallRecord, folder: string): Promise<Summary> {
  const present = new Set(await readdir(folder));
  const files = ['record.json', 'audio.wav', 'tape.jsonl'].filter((file) => present.has(file));
  const warnings = result.warnings.map(({ code, reason }) => `${code} ${reason}`);
  return { record, stops, folder, files, fold: await fold(join(folder, 'tape.jsonl')), warnings };
}

async function fold(path: string): Promise<Summary['fold']> {
  try {
    const tape = parseTape(await readFile(path, 'utf8'));
    const fromMs = performance.now();
    const result = foldTape(tape);
    return { result, tookMs: performance.now() - fromMs };
  } catch (error) {
    return `The tape cannot be replayed: ${(error as Error).message}`;
  }
}

/** As short as it can be typed from where the reader is. */
function shownPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? resolve(path) : short;
}

function failure({ record, result }: BothEnds): string {
  const [warning] = result.warnings;
  const seen = warning ? ` (the phone says: ${warning.code} ${warning.reason})` : '';
  if (record) return `${record.end.reason}, by ${record.end.by}${seen}`;
  return `it never came to a conversation; the carrier's word is "${result.callStatus}"${seen}`;
}
