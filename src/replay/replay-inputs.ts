// The files of `trunkline replay`: what each one is, its content says; the name only where the content says nothing. Every
// file is read and checked before anything is replayed.
import { readFileSync } from 'node:fs';
import { TrunklineError } from '../errors.ts';
import { trackFromTimeline } from '../phone/caller-track.ts';
import { loadScript, type ScriptedSessions } from '../simulator/script-file.ts';
import { parseTape, type Tape, TapeError } from '../tape/tape.ts';
import { type CallerFile, HANG_UP_WHEN_SILENT, loadCaller } from './caller-file.ts';
import { type Expectation, loadExpectation } from './expect-file.ts';
import { fileFault, InputError } from './replay-fault.ts';
import type { ReplayOptions } from './replay-options.ts';
import { isWav, readRecording } from './replay-wav.ts';

/** A tape to be decided again. */
export interface TapeInput {
  kind: 'tape';
  path: string;
  tape: Tape;
}

/** A caller: a recording, or what a caller file says. */
export interface CallInput {
  kind: 'call';
  path: string;
  caller: CallerFile;
}

type Input = TapeInput | CallInput;

/** Scripts by their paths; `null` stands for the simulator's own conversation, where a call needs that. */
export type Scripts = ReadonlyMap<string | null, ScriptedSessions | undefined>;

/** Everything that a run is told by files. */
export interface RunFiles {
  tapes: TapeInput[];
  calls: CallInput[];
  expectations: Expectation[];
  scripts: Scripts;
  /** One for each file that cannot be used. */
  faults: { path: string; text: string }[];
}

/**
 * Every file, or a fault for each that cannot be used.
 * @throws TrunklineError when there is nothing for an expectation to judge
 */
export async function readFiles({ files, expectFiles, script, remote }: ReplayOptions): Promise<RunFiles> {
  const faults: RunFiles['faults'] = [];
  const readEach = async <T>(paths: Iterable<string>, read: (path: string) => T | Promise<T>) => {
    const contents: T[] = [];
    for (const path of paths) {
      try {
        contents.push(await read(path));
      } catch (error) {
        if (!(error instanceof InputError || error instanceof TrunklineError)) throw error;
        faults.push({ path, text: error.message });
      }
    }
    return contents;
  };
  const inputs = await readEach(files, readInput);
  const tapes = inputs.filter((input) => input.kind === 'tape');
  const calls = inputs.filter((input) => input.kind === 'call');
  const expectations = await readEach(expectFiles, loadExpectation);
  // The model behind --server says what it says.
  const named = new Set([script, ...(remote ? [] : calls.map(({ caller }) => scriptOf(caller, script)))]);
  const scripts = new Map<string | null, ScriptedSessions | undefined>();
  await readEach(
    [...named].filter((path) => path !== null),
    async (path) => scripts.set(path, await loadScript(path)),
  );
  // A call without one gets a server without one.
  if (calls.some(({ caller }) => scriptOf(caller, script) === null)) scripts.set(null, undefined);
  if (expectFiles.length > 0 && faults.length === 0 && calls.length === 0)
    throw new TrunklineError('TRK_CONFIG', '--expect judges calls; a tape is judged by its own decisions');
  return { tapes, calls, expectations, scripts, faults };
}

/** The script that a call follows: `--script` goes before what the caller file says. */
export const scriptOf = (caller: CallerFile, flag: string | null): string | null => flag ?? caller.script ?? null;

const YAML_NAME = /\.ya?ml$/i;
const OPENING_BRACE = 0x7b;
/** What some editors put before a text. */
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/** @throws InputError */
function readInput(path: string): Input {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (cause) {
    throw new InputError(`${path}: ${fileFault(cause)}`, { cause });
  }
  if (file.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)) file = file.subarray(BYTE_ORDER_MARK.length);
  if (!isWav(file)) {
    if (file[0] === OPENING_BRACE || /\.jsonl$/i.test(path))
      return { kind: 'tape', path, tape: readTape(path, file.toString('utf8')) };
    if (YAML_NAME.test(path) || looksLikeCaller(file)) return { kind: 'call', path, caller: loadCaller(path) };
  }
  const { bytes, durationMs } = readRecording(file, path);
  const { steps } = trackFromTimeline([{ atMs: 0, bytes }]);
  const track = { steps: [...steps, HANG_UP_WHEN_SILENT] };
  return { kind: 'call', path, caller: { track, network: {}, people: [], expectation: null, leastMs: durationMs } };
}

/** Text with the one key that every caller file has. */
const looksLikeCaller = (file: Buffer): boolean => /^timeline:/m.test(file.toString('latin1', 0, 64 * 1024));

function readTape(path: string, text: string): Tape {
  if (text === '') throw new InputError(`${path}: the file is empty`);
  try {
    const tape = parseTape(text);
    if (!tape.entries.some(({ kind }) => kind === 'frame' || kind === 'input'))
      throw new InputError(`${path}: a tape without a single step: nothing was decided, and nothing can be compared`);
    return tape;
  } catch (error) {
    if (!(error instanceof TapeError)) throw error;
    const what = error.line === 1 ? 'not a tape, a WAV file or a caller file' : 'a damaged tape';
    throw new InputError(`${path}: ${what} (${error.message})`, { cause: error });
  }
}
