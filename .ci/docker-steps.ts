// Performs the Dockerfile without a container engine: the same files, the same commands, the same user, then the server
// until it is healthy and SIGTERM until it has gone. It reads the commands from the Dockerfile, so the two cannot drift.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dockerIgnore, envPairs, execForm, parseDockerfile, type Instruction, type Stage } from './dockerfile.ts';
import { ROOT } from './tree.ts';

const HEALTHY_DEADLINE_MS = 30_000;
const PROBE_DEADLINE_MS = 3_000;
const STOP_DEADLINE_MS = 30_000;
const RUN_DEADLINE_MS = 180_000;

/** What the last stage says about running the image. */
interface Image {
  root: string;
  cwd: string;
  env: Record<string, string>;
  user: string;
  command: string[];
  probe: string[];
}

/** Never in an image, whatever .dockerignore becomes. */
const SECRET_OR_LARGE = ['.env', '.git', 'node_modules', 'dist', 'data', 'test', '.ci', '.tmp'];

const place = mkdtempSync(join(tmpdir(), 'trunkline-image-'));
async function main(): Promise<void> {
  const stages = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
  const context = copyContext();
  if (process.getuid?.() !== 0) {
    say('NOTICE: not root, so the commands, the user and the server of the Dockerfile were NOT run');
    return;
  }
  // The image's user must reach the files, and Node must not come from a checkout that it may not enter.
  chmodSync(place, 0o755);
  mkdirSync(join(place, 'bin'));
  copyFileSync(process.execPath, join(place, 'bin', 'node'));
  chmodSync(join(place, 'bin', 'node'), 0o755);

  const roots = new Map<string, string>();
  let image: Image | undefined;
  for (const stage of stages) image = build(stage, context, roots);
  if (image === undefined) throw new Error('the Dockerfile has no stage');
  if (image.command.length === 0 || image.probe.length === 0) throw new Error('the image lacks CMD or HEALTHCHECK');
  await run(image);
}

/** Copies what an engine would be sent. */
function copyContext(): string {
  const passes = dockerIgnore(readFileSync(join(ROOT, '.dockerignore'), 'utf8'));
  const context = join(place, 'context');
  mkdirSync(context);
  const sent = readdirSync(ROOT).filter(passes);
  for (const name of sent) {
    cpSync(join(ROOT, name), join(context, name), {
      recursive: true,
      filter: (from) => passes(relative(ROOT, from)),
    });
  }
  say(`context: ${sent.join(' ')}`);
  const leaked = sent.filter((name) => SECRET_OR_LARGE.includes(name));
  if (leaked.length > 0) throw new Error(`.dockerignore lets through ${leaked.join(', ')}`);
  return context;
}

/** Performs one stage below a folder that stands for `/`. */
function build(stage: Stage, context: string, roots: Map<string, string>): Image {
  const major = /^node:(\d+)/.exec(stage.base)?.[1];
  if (major !== process.versions.node.split('.')[0])
    throw new Error(`FROM ${stage.base}, but this is Node ${process.version}`);
  const root = join(place, `stage-${stage.name}`);
  mkdirSync(root);
  roots.set(stage.name, root);
  const image: Image = { root, cwd: root, env: {}, user: '0', command: [], probe: [] };
  for (const instruction of stage.instructions) {
    const perform = INSTRUCTIONS[instruction.word];
    if (perform === undefined) throw new Error(`Dockerfile:${instruction.line}: ${instruction.word} is not known here`);
    say(`${instruction.word} ${instruction.rest}`);
    perform(image, instruction, context, roots);
  }
  return image;
}

type Perform = (image: Image, instruction: Instruction, context: string, roots: ReadonlyMap<string, string>) => void;

const INSTRUCTIONS: Readonly<Record<string, Perform>> = {
  WORKDIR(image, { rest }) {
    image.cwd = inside(image, rest);
    mkdirSync(image.cwd, { recursive: true });
  },
  ENV(image, { rest }) {
    for (const [key, value] of Object.entries(envPairs(rest)))
      image.env[key] = value.startsWith('/') ? inside(image, value) : value;
  },
  COPY(image, { rest, flags, line }, context, roots) {
    const from = flags.from === undefined ? context : roots.get(flags.from);
    if (from === undefined) throw new Error(`Dockerfile:${line}: no stage ${flags.from}`);
    const names = rest.split(/\s+/);
    const target = inside(image, names.pop() ?? '');
    for (const name of names) {
      const source = join(from, name);
      const folder = lstatSync(source).isDirectory();
      // Like an engine: a folder's content is copied, a file keeps its name.
      cpSync(source, folder ? target : join(target, basename(name)), { recursive: true });
    }
  },
  RUN(image, { rest }) {
    const command = rest.replace(/(?<=^|[\s=])\/(?=[a-z])/g, `${image.root}/`);
    const done = spawnSync('sh', ['-c', command], {
      cwd: image.cwd,
      env: { ...process.env, ...image.env, PATH: `${join(place, 'bin')}:${systemPath()}` },
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: RUN_DEADLINE_MS,
    });
    if (done.status !== 0) throw new Error(`RUN ${rest} ended with ${done.signal ?? String(done.status)}`);
  },
  USER(image, { rest }) {
    image.user = rest;
  },
  HEALTHCHECK(image, { rest }) {
    image.probe = execForm(rest.replace(/^CMD\s+/, ''));
  },
  CMD(image, { rest }) {
    image.command = execForm(rest);
  },
  // Say something to the engine and change nothing in the files.
  EXPOSE() {},
  VOLUME() {},
};

/** Starts the image's command as its user, waits until its own probe passes, stops it as an engine would. */
async function run(image: Image): Promise<void> {
  const [uid = '', gid = uid] = image.user.split(':');
  if (!/^[1-9]\d*$/.test(uid)) throw new Error(`USER ${image.user} is not the number of a user other than root`);
  const as = ['--reuid', uid, '--regid', gid, '--clear-groups', '--no-new-privs', '--'];
  const env = { ...image.env, PORT: String(await freePort()), PATH: `${join(place, 'bin')}:/usr/bin:/bin` };
  const asUser = { cwd: image.cwd, env };

  const refused = spawnSync('setpriv', [...as, 'sh', '-c', 'touch src/x || touch x || touch node_modules/x'], asUser);
  if (refused.status === 0) throw new Error(`user ${image.user} can write into the image`);
  const before = fingerprint(image.cwd);

  const server = spawn('setpriv', [...as, ...image.command], { ...asUser, stdio: ['ignore', 'inherit', 'inherit'] });
  const gone = once(server, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  try {
    const healthyMs = await untilHealthy(server, () => probe(as, image.probe, asUser));
    say(`healthy after ${healthyMs} ms as user ${image.user}`);
    say(`the page: ${await loadPage(`http://127.0.0.1:${env.PORT}`)}`);
    server.kill('SIGTERM');
    const ended = await Promise.race([gone, sleep(STOP_DEADLINE_MS, null, { ref: false })]);
    if (ended === null) throw new Error(`still running ${STOP_DEADLINE_MS} ms after SIGTERM`);
    if (ended[0] !== 0) throw new Error(`ended with ${ended[1] ?? String(ended[0])} after SIGTERM; 0 expected`);
  } finally {
    server.kill('SIGKILL');
  }
  const changed = [...fingerprint(image.cwd)].filter(([path, mark]) => before.get(path) !== mark).map(([path]) => path);
  if (changed.length > 0) throw new Error(`the server changed ${changed.join(', ')}`);
  say('ended with 0 after SIGTERM; nothing outside DATA_DIR was written');
}

/** Loads the page as a browser begins to: the document, then what it names. @throws when anything of it is not served */
async function loadPage(origin: string): Promise<string> {
  const get = async (path: string): Promise<string> => {
    const reply = await fetch(origin + path, {
      headers: { accept: 'text/html,*/*' },
      signal: AbortSignal.timeout(PROBE_DEADLINE_MS),
    });
    if (reply.status !== 200) throw new Error(`GET ${path} of the image answers ${reply.status}`);
    return reply.text();
  };
  const named = [...(await get('/')).matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = '']) => path);
  if (!named.some((path) => path.endsWith('.js'))) throw new Error('GET / of the image is not the page: no script');
  for (const path of named) await get(path);
  return named.join(' ');
}

async function untilHealthy(server: ChildProcess, healthy: () => boolean): Promise<number> {
  const startMs = performance.now();
  while (performance.now() - startMs < HEALTHY_DEADLINE_MS) {
    if (healthy()) return Math.round(performance.now() - startMs);
    await sleep(250);
    if (server.exitCode !== null || server.signalCode !== null) {
      throw new Error(`the server ended with ${server.signalCode ?? String(server.exitCode)} before it was healthy`);
    }
  }
  throw new Error(`not healthy within ${HEALTHY_DEADLINE_MS} ms`);
}

const probe = (as: string[], command: string[], options: { cwd: string; env: Record<string, string> }): boolean =>
  spawnSync('setpriv', [...as, ...command], { ...options, timeout: PROBE_DEADLINE_MS }).status === 0;

/** Path to size, mode and times of everything below a folder. Any write or rename changes one of them. */
function fingerprint(folder: string): Map<string, string> {
  const marks = new Map<string, string>();
  for (const path of ['', ...(readdirSync(folder, { recursive: true }) as string[])]) {
    const { size, mode, mtimeMs, ctimeMs } = lstatSync(join(folder, path));
    marks.set(path || '.', [size, mode, mtimeMs, ctimeMs].join(' '));
  }
  return marks;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** PATH without this checkout's tools: an image has none of them. */
const systemPath = (): string =>
  (process.env.PATH ?? '')
    .split(':')
    .filter((folder) => !folder.includes('node_modules'))
    .join(':');

/** A path of the image, below the folder that stands for its `/`. */
function inside(image: Image, path: string): string {
  return path.startsWith('/') ? join(image.root, path) : join(image.cwd, path);
}

function say(line: string): void {
  console.log(`docker-steps: ${line}`);
}

// Last, because the steps above are constants.
try {
  await main();
} catch (error) {
  say(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  rmSync(place, { recursive: true, force: true });
}
