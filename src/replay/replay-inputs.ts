// The files of `trunkline replay`: what each one is, its content says; the name only where the content says nothing. Every
// file is read and checked before anything is replayed.
import { readFileSync } from 'node:fs';
import { parseTape, type Tape, TapeError } from '../tape/tape.ts';
import { type CallerFile, HANG_UP_WHEN_SILENT, loadCaller } from './caller-file.ts';
import { trackFromTimeline } from '../phone/caller-track.ts';
import { fileFault, InputError } from './replay-fault.ts';
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

export type Input = TapeInput | CallInput;

/** Every file, or a fault for each that cannot be used. */
export function readInputs(paths: readonly string[]): { inputs: Input[]; faults: { path: string; text: string }[] } {
  const inputs: Input[] = [];
  const faults: { path: string; text: string }[] = [];
  for (const path of paths) {
    try {
      inputs.push(readInput(path));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      faults.push({ path, text: error.message });
    }
  }
  return { inputs, faults };
}

const YAML_NAME = /\.ya?ml$/i;
const OPENING_BRACE = 0x7b;

/** @throws InputError */
function readInput(path: string): Input {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (cause) {
    throw new InputError(`${path}: ${fileFault(cause)}`, { cause });
  }
  if (!isWav(file)) {
    if (file[0] === OPENING_BRACE || /\.jsonl$/i.test(path))
      return { kind: 'tape', path, tape: readTape(path, file.toString('utf8')) };
    if (YAML_NAME.test(path) || looksLikeCaller(file)) return { kind: 'call', path, caller: loadCaller(path) };
  }
  const { bytes, durationMs } = readRecording(file, path);
  const { steps } = trackFromTimeline([{ atMs: 0, bytes }]);
  const track = { steps: [...steps, HANG_UP_WHEN_SILENT] };
  return { kind: 'call', path, caller: { track, network: {}, expectation: null, leastMs: durationMs } };
}

/** Text with the one key that every caller file has. */
const looksLikeCaller = (file: Buffer): boolean => /^timeline:/m.test(file.toString('latin1', 0, 64 * 1024));

function readTape(path: string, text: string): Tape {
  if (text === '') throw new InputError(`${path}: the file is empty`);
  try {
    return parseTape(text);
  } catch (error) {
    if (!(error instanceof TapeError)) throw error;
    const what = error.line === 1 ? 'not a tape, a WAV file or a caller file' : 'a damaged tape';
    throw new InputError(`${path}: ${what} (${error.message})`, { cause: error });
  }
}
