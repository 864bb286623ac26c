// The files that an agent consists of beside its own: recorded clips, tool modules. All of them lie inside the agents folder.
import { hash } from 'node:crypto';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { readWav } from '../audio/wav.ts';
import { checkTool } from '../tools/declaration.ts';
import type { Tool } from '../tools/tool.ts';
import type { YamlSource } from '../yaml/source.ts';
import { TOOL_FILE } from './schema.ts';

/** Longest recorded clip. */
const MAX_CLIP_MS = 120_000;

export const SHIPPED_HOLD = fileURLToPath(new URL('../../agents/clips/hold.wav', import.meta.url));
export const SHIPPED_APOLOGY = fileURLToPath(new URL('../../agents/clips/apology.wav', import.meta.url));

/** `*.yaml` of the folder, and `agent.yaml` of the folders in it: an agent with files of its own. */
export async function agentFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const files = entries.flatMap((entry) => (/^[^.].*\.ya?ml$/i.test(entry.name) ? [entry.name] : []));
  for (const { name } of entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))) {
    const inside = (await readdir(join(dir, name))).filter((file) => /^agent\.ya?ml$/i.test(file));
    files.push(...inside.map((file) => join(name, file)));
  }
  return files.sort();
}

/** A recorded clip as mu-law, and the SHA-256 of its file. */
export interface Clip {
  audio: Uint8Array;
  hash: string;
}

/** A clip named in the file, or the shipped one; undefined when there is none or it is faulty. */
export async function readClip(
  source: YamlSource,
  path: string[],
  dir: string,
  shipped?: string,
): Promise<Clip | undefined> {
  const named = source.at(...path);
  if (named !== undefined && typeof named !== 'string') return undefined;
  try {
    if (named !== undefined) return await clipOf(await inside(dir, dirname(join(dir, source.file)), named.trim()));
    return shipped === undefined ? undefined : await shippedClip(shipped);
  } catch (error) {
    source.fault(path, reasonOf(error));
    return undefined;
  }
}

async function clipOf(location: string): Promise<Clip> {
  const file = await readFile(location);
  const { channels, durationMs } = readWav(file, basename(location));
  const [audio] = channels;
  if (!audio || audio.length === 0) throw new Fault('expected a clip with sound in it');
  if (durationMs > MAX_CLIP_MS) throw new Fault(`expected a clip of at most ${MAX_CLIP_MS / 1000} s`);
  return { audio, hash: sha256(file) };
}

/** One for all agents: a thousand of them would hold 57 MB of the same two clips. */
const shippedClips = new Map<string, Promise<Clip>>();

function shippedClip(location: string): Promise<Clip> {
  const clip = shippedClips.get(location) ?? clipOf(location);
  shippedClips.set(location, clip);
  return clip;
}

/** Of bytes or text, in hex. */
export const sha256 = (of: Buffer | string): string => hash('sha256', of);

/** The functions of every tool file that is named, and the files themselves, which are part of the agent's hash. */
export async function readTools(
  source: YamlSource,
  dir: string,
  own: string,
): Promise<{ tools: Tool[]; code: Buffer[] }> {
  const tools: Tool[] = [];
  const code: Buffer[] = [];
  for (const [path, named] of toolFiles(source.at('tools'))) {
    try {
      const location = await inside(dir, own, named);
      code.push(await readFile(location));
      const module = await loaded(location, source.where(path));
      if (module.default === undefined)
        throw new Fault('expected a file whose default export is a tool or a list of tools');
      for (const value of Array.isArray(module.default) ? (module.default as unknown[]) : [module.default]) {
        const checked = checkTool(value);
        if ('faults' in checked) for (const fault of checked.faults) source.fault(path, fault);
        else if (tools.some((tool) => tool.name === checked.tool.name))
          source.fault(path, `tool ${checked.tool.name}: expected each name once`);
        else tools.push(checked.tool);
      }
    } catch (error) {
      source.fault(path, reasonOf(error));
    }
  }
  return { tools, code };
}

/** A tool file has nothing to wait for: what it needs of the world it asks for when it runs. */
const LOADED_WITHIN_MS = 10_000;

/** Imports a tool file. It is code of the operator's: whatever it does while it is loaded is told as a fault of that file. */
async function loaded(location: string, where: string): Promise<{ default?: unknown }> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const seconds = LOADED_WITHIN_MS / 1_000;
    late.reject(new Fault(`expected a file that is loaded within ${seconds} s; is there an await that never ends?`));
  }, LOADED_WITHIN_MS);
  const floating: unknown[] = [];
  const note = (error: unknown): void => void floating.push(error);
  const ended = (): void => {
    process.stderr.write(`${where}: expected a tool file that lets the process live; it called process.exit\n`);
    process.exitCode = 1;
  };
  process.on('unhandledRejection', note).on('uncaughtException', note).on('exit', ended);
  try {
    const module = await Promise.race([import(pathToFileURL(location).href), late.promise]);
    // What it left to itself fails a turn later.
    await new Promise(setImmediate);
    if (floating.length > 0) throw floating[0];
    return module as { default?: unknown };
  } finally {
    clearTimeout(timer);
    process.off('unhandledRejection', note).off('uncaughtException', note).off('exit', ended);
  }
}

/** Where tool files are named, in the short form and in the list. */
function toolFiles(section: unknown): [path: (string | number)[], file: string][] {
  const list: [(string | number)[], unknown][] = Array.isArray(section)
    ? section.map((entry, i) => [['tools', i, 'file'], (entry as { file?: unknown } | null)?.file])
    : [[['tools'], section]];
  return list.flatMap(([path, file]) =>
    typeof file === 'string' && TOOL_FILE.test(file.trim()) ? [[path, file.trim()]] : [],
  );
}

/** The absolute path of a file named in an agent file. Neither `..` nor a link leads out of the agents folder. */
export async function inside(dir: string, own: string, named: string): Promise<string> {
  const location = resolve(own, named);
  if (isAbsolute(named) || !within(dir, location) || !within(await realpath(dir), await realpath(location)))
    throw new Fault('expected a path inside the agents folder, relative to the agent file');
  return location;
}

function within(dir: string, path: string): boolean {
  const way = relative(dir, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** What is wrong with one value, in words for the operator. */
class Fault extends Error {}

/** A failure in words for the operator. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return `it threw ${typeof error}`;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'no such file or folder';
  if (code === 'EISDIR') return 'expected a file; this is a folder';
  if (code === 'EACCES') return 'may not be read by this user';
  return error.message.split('\n', 1)[0]!.slice(0, 300);
}
