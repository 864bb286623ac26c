// `trunkline replay`: WAV files become calls, tapes are folded through the call core again. What a file is, its content says.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { WavError, readWav } from '../audio/wav.ts';
import { readConfig } from '../config.ts';
import { TrunklineError } from '../errors.ts';
import { createLogger } from '../log.ts';
import { type Server, startServer } from '../server.ts';
import { callFolder } from '../tape/call-file.ts';
import { parseTape, type Tape, TapeError } from '../tape/tape.ts';
import { type CallerStep, type CallerTrack, trackFromWav } from './caller-track.ts';
import { foldTape } from './fold.ts';
import { type PhoneCall, placeCall } from './phone.ts';
import { bargeInLines, foldText, turnTable } from './report.ts';
import { counted, seconds } from './text-layout.ts';
import { type BothEnds, WatchedCalls } from './watched-calls.ts';

type Environment = Record<string, string | undefined>;

/** Where the lines go. */
export interface Output {
  out(line: string): void;
  err(line: string): void;
  columns: number;
}

const USAGE = `usage: trunkline replay FILE.wav… | TAPE.jsonl…
  FILE.wav        8 kHz mu-law; placed as a call, the caller's words at their own times
  TAPE.jsonl      decided again; tells whether every decision is the same
  --out DIR       keep both sides as stereo WAV and result.json, one folder per call
  --max-seconds N the caller hangs up after so long in any case (default 300)
  --server URL    call a running server (http://host:port) instead of one of our own with the simulator
  --auth-token T  what that server signs with (default TWILIO_AUTH_TOKEN)
  --public-url U  that server's PUBLIC_URL, when it is not the URL it is called at`;

/** Calls at a time: they take as long as people talk. */
const MAX_PARALLEL = 8;
/** The caller hangs up when the agent has said nothing for so long after the recording's end. */
const LISTENS_MS = 4_000;
/** The same, when the agent says nothing at all. */
const PATIENCE_MS = 8_000;

/** The command. The exit code is 1 when a file cannot be used, a tape differs or a call went wrong. */
export async function replay(args: string[]): Promise<void> {
  const { stdout, stderr } = process;
  process.exitCode = await replayFiles(args, {
    out: (line) => stdout.write(`${line}\n`),
    err: (line) => stderr.write(`${line}\n`),
    columns: stdout.isTTY ? Math.min(120, stdout.columns) : 110,
  });
}

/** Replays every file; returns the exit code. Every file is read before the first call is placed. */
export async function replayFiles(args: string[], output: Output, env: Environment = process.env): Promise<0 | 1> {
  const options = readOptions(args, env);
  const inputs: Input[] = [];
  const faults: string[] = [];
  for (const path of options.files) {
    try {
      inputs.push(await readInput(path));
    } catch (error) {
      if (!(error instanceof InputError || error instanceof WavError)) throw error;
      faults.push(error.message);
    }
  }
  if (faults.length > 0) {
    for (const fault of faults) output.err(fault);
    return 1;
  }
  const tapes = inputs.filter((input) => input.kind === 'tape');
  const recordings = inputs.filter((input) => input.kind === 'recording');
  const same = tapes.map((tape) => foldOne(tape, output));
  const went = recordings.length > 0 ? await placeAll(recordings, options, output, env) : [];
  return [...same, ...went].every(Boolean) ? 0 : 1;
}

// --- what was asked for

interface Options {
  files: string[];
  outDir: string | null;
  maxMs: number;
  /** Null: a server of our own. */
  remote: { server: string; publicUrl: string; authToken: string } | null;
}

/** @throws TrunklineError saying how it is used */
function readOptions(args: string[], env: Environment): Options {
  const { values, positionals } = parsed(args);
  const fault = (text: string) => new TrunklineError('TRK_CONFIG', `${text}\n${USAGE}`);
  if (positionals.length === 0) throw fault('There is no file to replay.');
  const maxSeconds = Number(values['max-seconds'] ?? 300);
  if (!(maxSeconds >= 1 && maxSeconds <= 3600)) throw fault('--max-seconds: expected a number from 1 to 3600');
  const options = { files: positionals, outDir: values.out ?? null, maxMs: maxSeconds * 1000 };
  if (values.server === undefined) {
    if (values['auth-token'] !== undefined || values['public-url'] !== undefined)
      throw fault('--auth-token and --public-url belong to --server');
    return { ...options, remote: null };
  }
  const server = originOf(values.server);
  const publicUrl = values['public-url'] === undefined ? server : originOf(values['public-url']);
  if (server === null || publicUrl === null) throw fault('--server, --public-url: expected an http or https URL');
  const authToken = values['auth-token'] || env['TWILIO_AUTH_TOKEN'];
  if (!authToken)
    throw fault('--server needs --auth-token or TWILIO_AUTH_TOKEN: what that server checks signatures with');
  return { ...options, remote: { server, publicUrl, authToken } };
}

function parsed(args: string[]) {
  try {
    const text = { type: 'string' } as const;
    const options = { server: text, 'auth-token': text, 'public-url': text, out: text, 'max-seconds': text };
    return parseArgs({ args, allowPositionals: true, options });
  } catch (cause) {
    throw new TrunklineError('TRK_CONFIG', `${(cause as Error).message}\n${USAGE}`, { cause });
  }
}

function originOf(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && /^https?:$/.test(url.protocol) ? url.origin : null;
}

// --- files

/** A file that cannot be replayed; the message says why. */
class InputError extends Error {}

type Input = { path: string } & (
  | { kind: 'tape'; tape: Tape }
  | { kind: 'recording'; durationMs: number; track: CallerTrack }
);
type Recording = Extract<Input, { kind: 'recording' }>;

const FILE_FAULTS: Record<string, string> = {
  ENOENT: 'there is no such file',
  EISDIR: 'this is a folder; name the files in it',
  EACCES: 'it may not be read',
};

/** @throws InputError or WavError */
async function readInput(path: string): Promise<Input> {
  const file = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`${path}: ${FILE_FAULTS[cause.code ?? ''] ?? `it cannot be read (${cause.code})`}`, { cause });
  });
  if (file.length === 0) throw new InputError(`${path}: the file is empty`);
  // The content decides; the name only where the content says nothing.
  const wav = file.toString('latin1', 0, 4) === 'RIFF';
  if (!wav && (file[0] === OPENING_BRACE || path.endsWith('.jsonl')))
    return { path, kind: 'tape', tape: readTape(path, file.toString('utf8')) };
  const { durationMs } = readWav(file, path);
  const hangUp: CallerStep = {
    cue: { after: 'agent_silent', forMs: LISTENS_MS, patienceMs: PATIENCE_MS },
    action: { hangUp: true },
  };
  return { path, kind: 'recording', durationMs, track: { steps: [...trackFromWav(file).steps, hangUp] } };
}

const OPENING_BRACE = 0x7b;

function readTape(path: string, text: string): Tape {
  try {
    return parseTape(text);
  } catch (error) {
    if (!(error instanceof TapeError)) throw error;
    const what = error.line === 1 ? 'neither a WAV file nor a tape' : 'a damaged tape';
    throw new InputError(`${path}: ${what} (${error.message})`, { cause: error });
  }
}

// --- tapes

/** Folds one tape; true when every decision is the same. */
function foldOne({ path, tape }: Extract<Input, { kind: 'tape' }>, output: Output): boolean {
  const fromMs = performance.now();
  const result = foldTape(tape);
  const text = foldText(result, performance.now() - fromMs);
  const end = tape.complete ? '' : '; the tape ends before the call';
  if (result.identical) output.out(`${path}: ${text}${end}`);
  else output.err(`${path}: ${text}`);
  return result.identical;
}

// --- calls

/** Places one call per recording; for each, true when a caller would have had nothing to complain of. */
async function placeAll(
  recordings: readonly Recording[],
  options: Options,
  output: Output,
  env: Environment,
): Promise<boolean[]> {
  const folders = options.outDir === null ? [] : folderNames(recordings, options.outDir);
  const callers = options.remote ? remoteCaller(options.remote) : await ownServer(env, output);
  const longestMs = Math.max(...recordings.map((recording) => recording.durationMs));
  output.out(`${counted(recordings.length, 'call')} in real time; the longest recording is ${seconds(longestMs)}`);
  try {
    return await eachOf(recordings, MAX_PARALLEL, async (recording, i) => {
      const { call, ended } = callers.place({ track: recording.track, maxMs: options.maxMs });
      const ends = await ended;
      for (const line of callLines(recording, ends, callers.dataDir, output.columns)) output.out(line);
      const folder = folders[i];
      if (folder !== undefined) await keep(folder, call, ends, output);
      return faultsOf(ends).length === 0;
    });
  } finally {
    await callers.close();
  }
}

interface Callers {
  place(options: { track: CallerTrack; maxMs: number }): { call: PhoneCall; ended: Promise<BothEnds> };
  /** Where the server keeps its records, when it is ours. */
  dataDir: string | null;
  close(): Promise<void>;
}

const remoteCaller = (remote: NonNullable<Options['remote']>): Callers => ({
  place(options) {
    const call = placeCall({ ...options, ...remote });
    return { call, ended: call.ended.then((result) => ({ result, record: null, stops: [] })) };
  },
  dataDir: null,
  close: () => Promise.resolve(),
});

/** A server of this process: the environment's agents and limits, but always the simulator and nobody from outside. */
async function ownServer(env: Environment, output: Output): Promise<Callers> {
  const config = readConfig({
    ...env,
    PORT: '0',
    HOST: '127.0.0.1',
    PUBLIC_URL: '',
    TWILIO_AUTH_TOKEN: '',
    OPENAI_API_KEY: '',
    OPENAI_BASE_URL: '',
  });
  const log = createLogger({ level: 'warn', destination: { write: (line) => output.err(line.trimEnd()) } });
  const calls = new WatchedCalls();
  const server: Server = await startServer({ config, log, onlookers: [calls.onlooker] });
  return {
    place: (options) => calls.place(server, options),
    dataDir: config.dataDir,
    async close() {
      await server.drain(1_000);
      await server.close();
    },
  };
}

/** Does the work for each, at most `parallel` at a time; results in the order of the things. */
async function eachOf<T, R>(things: readonly T[], parallel: number, work: (thing: T, index: number) => Promise<R>) {
  const results: R[] = [];
  const waiting = things.entries();
  const worker = async (): Promise<void> => {
    for (const [index, thing] of waiting) results[index] = await work(thing, index);
  };
  await Promise.all(Array.from({ length: Math.min(parallel, things.length) }, worker));
  return results;
}

/** What would have bothered a caller or a carrier; empty for a good call. */
export function faultsOf({ result, record }: Pick<BothEnds, 'result' | 'record'>): string[] {
  const { warnings, timedOut, firstAudioAtMs, callStatus } = result;
  return [
    ...(callStatus === 'completed' ? [] : [`the call was not answered (${callStatus})`]),
    ...(firstAudioAtMs === undefined && callStatus === 'completed' ? ['the caller heard nothing'] : []),
    ...(timedOut ? ['the call went on until --max-seconds'] : []),
    ...(record?.end.result === 'failure' ? [`the call failed: ${record.end.reason}, by ${record.end.by}`] : []),
    ...warnings.map(({ code, reason }) => `the carrier would warn: ${code} ${reason}`),
  ];
}

/** The report of one call. */
export function callLines(
  recording: { path: string },
  ends: BothEnds,
  dataDir: string | null,
  columns: number,
): string[] {
  const { result, record, stops } = ends;
  const { streamMs, endedBy, firstAudioAtMs, clears, webhookMs } = result;
  const end = record ? `${record.end.reason}, by ${record.end.by}` : `ended by the ${endedBy}`;
  const sounds = firstAudioAtMs === undefined ? 'no sound' : `first sound after ${Math.round(firstAudioAtMs)} ms`;
  const cleared = clears.length === 0 ? '' : `, ${counted(clears.length, 'stop')} of the agent`;
  const inner = [
    ...(record ? turnTable(record, columns - 2) : []),
    ...(record ? bargeInLines(record, stops) : []),
    ...faultsOf(ends).map((fault) => `FAULT: ${fault}`),
    ...(record && dataDir !== null ? [`kept in ${callFolder(dataDir, record.callId)}`] : []),
  ];
  return [
    '',
    `${recording.path}: ${seconds(streamMs)}, ${end}; webhook ${Math.round(webhookMs)} ms, ${sounds}${cleared}`,
    ...inner.map((line) => `  ${line}`),
  ];
}

/** One folder per recording, by its name; names that come twice are numbered. */
function folderNames(recordings: readonly Recording[], outDir: string): string[] {
  const taken = new Map<string, number>();
  return recordings.map(({ path }) => {
    const name = basename(path).replace(/\.\w+$/, '');
    const times = (taken.get(name) ?? 0) + 1;
    taken.set(name, times);
    return join(outDir, times === 1 ? name : `${name}-${times}`);
  });
}

/** Writes both sides of the call and what is known of it. Private: it holds what was said. */
async function keep(
  folder: string,
  call: PhoneCall,
  { result, record, stops }: BothEnds,
  output: Output,
): Promise<void> {
  const heard = result.heard.map(({ atMs, durationMs }) => ({ atMs, durationMs }));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, 'stereo.wav'), call.stereoWav(), { mode: 0o600 });
  const text = JSON.stringify({ phone: { ...result, heard }, stops, record }, null, 2);
  await writeFile(join(folder, 'result.json'), `${text}\n`, { mode: 0o600 });
  output.out(`  written: ${join(folder, 'stereo.wav')}, ${join(folder, 'result.json')}`);
}
