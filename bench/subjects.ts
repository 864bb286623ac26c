// The servers that the bench measures: the bare relay, Trunkline with everything on, Trunkline's bridge alone, and the
// neighbours where they can be had.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SubjectSetting, SubjectSpec } from './subject-spec.ts';

const ROOT = join(import.meta.dirname, '..');
const AUTH_TOKEN = 'bench-token';

/** The floor: every ratio is to this one. */
export const relay: SubjectSpec = {
  name: 'relay',
  note: 'the bare relay, bench/relay.ts: answers the webhook with fixed TwiML, parses and prints every message both ways, moves the payloads and prints a clear on speech_started; no signatures, no marks, no bookkeeping, no log',
  start: ({ modelOrigin, port, dataDir }) => ({
    command: process.execPath,
    args: [SEMI_SPACE, join(ROOT, 'bench', 'relay.ts')],
    env: { PORT: `${port}`, OPENAI_BASE_URL: modelOrigin },
    cwd: dataDir,
  }),
  readyPath: null,
  voicePath: '/voice',
  mediaPath: null,
  statusPath: null,
  authToken: null,
  greets: true,
  sendsMarks: false,
  clears: true,
  metrics: false,
  maxAheadMs: null,
};

/** The product as `npm start` starts it. */
export const trunkline: SubjectSpec = {
  name: 'trunkline',
  note: 'as `npm start` starts it, everything on: signatures, tape, stereo recording, record, cost ledger, metrics, log',
  start: (setting) => ({
    command: process.execPath,
    args: startArguments(),
    env: trunklineEnvironment(setting),
    cwd: setting.dataDir,
  }),
  readyPath: '/readyz',
  voicePath: '/voice',
  mediaPath: null,
  statusPath: '/voice/status',
  authToken: AUTH_TOKEN,
  greets: true,
  sendsMarks: true,
  clears: true,
  metrics: true,
  maxAheadMs: 4_000,
};

/** The same bridge with nobody looking on. */
export const bareTrunkline: SubjectSpec = {
  ...trunkline,
  name: 'trunkline-bare',
  note: 'Trunkline with its onlookers off (bench/bare-trunkline.ts): no tape, recording, record, ledger lines or call metrics, no log; signatures, call core and play buffer as ever',
  start: (setting) => ({
    command: process.execPath,
    args: [SEMI_SPACE, join(ROOT, 'bench', 'bare-trunkline.ts')],
    env: trunklineEnvironment(setting),
    cwd: setting.dataDir,
  }),
  metrics: false,
};

/** The product without record, ledger, journal and database; only measured when it is asked for. */
export const withoutBooks: SubjectSpec = {
  ...trunkline,
  name: 'trunkline-without-books',
  note: 'Trunkline with everything on but record, ledger, journal and database (bench/without-books.ts)',
  start: (setting) => ({
    command: process.execPath,
    args: [SEMI_SPACE, join(ROOT, 'bench', 'without-books.ts')],
    env: trunklineEnvironment(setting),
    cwd: setting.dataDir,
  }),
};

/** The product while operators look at it; only measured when it is asked for. */
export const watchedTrunkline: SubjectSpec = {
  ...trunkline,
  name: 'trunkline-watched',
  note: 'Trunkline with everything on while four operators look (bench/watched-trunkline.ts): two live grids, one call with its sound, one list every second',
  start: (setting) => ({
    command: process.execPath,
    args: [SEMI_SPACE, join(ROOT, 'bench', 'watched-trunkline.ts')],
    env: trunklineEnvironment(setting),
    cwd: setting.dataDir,
  }),
};

/** The flag of `npm start`, for every process of ours that is compared with it. */
const SEMI_SPACE = '--max-semi-space-size=16';

/** What `neighbours/subjects.ts` exports; it is loaded only when it is asked for. */
interface Neighbours {
  neighbourSubjects(notice: (text: string) => void): Promise<SubjectSpec[]>;
}

const OURS: readonly SubjectSpec[] = [relay, trunkline, bareTrunkline, withoutBooks, watchedTrunkline];
const ON_REQUEST = [withoutBooks.name, watchedTrunkline.name];

/**
 * The subjects of these names, the floor first; without names all that can be had. Neighbours are installed only where one
 * of theirs may be meant; those that could not be are told to `notice`. Throws for a name that nobody has.
 */
export async function chosenSubjects(
  names: readonly string[] | null,
  notice: (text: string) => void,
  neighbours: (notice: (text: string) => void) => Promise<SubjectSpec[]> = loadNeighbours,
): Promise<SubjectSpec[]> {
  const has = (specs: readonly SubjectSpec[], name: string): boolean => specs.some((spec) => spec.name === name);
  const oursOnly = names?.every((name) => has(OURS, name)) ?? false;
  const all = oursOnly ? OURS : [...OURS, ...(await neighbours(notice))];
  const unknown = names?.filter((name) => !has(all, name)) ?? [];
  if (unknown.length > 0)
    throw new Error(
      `--subjects: there is no ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`,
    );
  return all.filter(({ name }) => names?.includes(name) ?? !ON_REQUEST.includes(name));
}

async function loadNeighbours(notice: (text: string) => void): Promise<SubjectSpec[]> {
  const file = join(import.meta.dirname, 'neighbours', 'subjects.ts');
  if (!existsSync(file)) return [];
  try {
    return await ((await import(file)) as Neighbours).neighbourSubjects(notice);
  } catch (error) {
    notice(`the neighbours are left out: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}

// An empty folder as working directory: a developer's .env has no say in a measurement.
function trunklineEnvironment({ modelOrigin, port, dataDir, maxCalls }: SubjectSetting): Record<string, string> {
  return {
    PORT: `${port}`,
    HOST: '127.0.0.1',
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    TWILIO_AUTH_TOKEN: AUTH_TOKEN,
    OPENAI_BASE_URL: modelOrigin,
    OPENAI_API_KEY: 'x',
    AGENTS_DIR: join(ROOT, 'bench', 'agents'),
    DATA_DIR: dataDir,
    MAX_CONCURRENT_CALLS: `${maxCalls}`,
    // A bench sets up faster than callers dial, and what it measures must not be refused for being slow.
    MAX_CALLS_PER_SECOND: '1000',
    MAX_LOOP_DELAY_MS: '0',
    IDLE_TIMEOUT_SECONDS: '120',
    DRAIN_SECONDS: '2',
    LOG_LEVEL: 'info',
  };
}

/** What `npm start` gives to Node, flags included, with paths that hold in any folder. */
function startArguments(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } };
  const [command, ...args] = scripts.start.replace(/^exec /, '').split(' ');
  if (command !== 'node') throw new Error(`npm start is expected to start node, not ${command}`);
  return args.map((arg) => (arg.startsWith('src/') ? join(ROOT, arg) : arg));
}
