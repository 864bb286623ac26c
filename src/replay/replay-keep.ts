// What `--out DIR` keeps of a call: both sides as sound, what it came to, what happened when. Private: it holds what was said.
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { basename, extname, join, resolve, sep } from 'node:path';
import type { CallTraces, Job, PlacedCall } from './replay-calls.ts';
import type { CallInput } from './replay-inputs.ts';

/** One folder per call, by the name of its file; a name that is taken is numbered. */
export class KeptCalls {
  readonly #names = new Map<CallInput, string>();
  readonly #outDir: string;
  readonly #callers: number;

  /** @param callers how often each file calls */
  constructor(outDir: string, inputs: readonly CallInput[], callers: number) {
    this.#outDir = outDir;
    this.#callers = callers;
    const taken = new Set<string>();
    // A recording that an earlier run kept may be replayed, and must not be replaced by its own replay.
    const holdsInput = (name: string) =>
      inputs.some(({ path }) => resolve(path).startsWith(resolve(outDir, name) + sep));
    for (const input of inputs) {
      const base = nameFor(input.path);
      let name = base;
      // Some file systems hold A and a for the same.
      for (let i = 2; taken.has(name.toLowerCase()) || holdsInput(name); i++) name = `${base}-${i}`;
      taken.add(name.toLowerCase());
      this.#names.set(input, name);
    }
  }

  /** Where the files of a call lie. */
  folder({ input, nth }: Job): string {
    const name = this.#names.get(input) as string;
    return join(this.#outDir, this.#callers === 1 ? name : join(name, String(nth)));
  }

  /** Writes them; those of an earlier run are replaced. */
  async keep(placed: PlacedCall, { stereoWav, events }: CallTraces): Promise<void> {
    const folder = this.folder(placed);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writePrivate(join(folder, 'stereo.wav'), stereoWav);
    await writePrivate(join(folder, 'events.jsonl'), events);
    await writePrivate(join(folder, 'result.json'), json(placed.result));
    if (placed.record) await writePrivate(join(folder, 'record.json'), json(placed.record));
  }
}

/** The name of the file, without what would lead out of the folder. */
function nameFor(path: string): string {
  const name = basename(path, extname(path));
  return /^\.{0,2}$/.test(name) ? 'call' : name;
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** Readable by its owner alone, also where an older file had other rights. */
async function writePrivate(path: string, content: string | Buffer): Promise<void> {
  await writeFile(path, content, { mode: 0o600 });
  await chmod(path, 0o600);
}
