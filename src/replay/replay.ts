// `trunkline replay`: recordings and caller files become calls, tapes are folded through the call core again, and both are
// judged. The command and its run; what each part does has a file of its own.
import { mkdir } from 'node:fs/promises';
import { realClock } from '../clock.ts';
import { TrunklineError } from '../errors.ts';
import { foldTape } from './fold.ts';
import type { JunitSuite } from './junit.ts';
import { JunitFile } from './junit-file.ts';
import { type Output, showProgress, terminalOutput } from './progress.ts';
import { CallRun, type CallTraces, isGood, type Job, type PlacedCall } from './replay-calls.ts';
import { type CallInput, readFiles, type RunFiles, type TapeInput } from './replay-inputs.ts';
import { callSuite, faultySuite, tapeSuite, unendedSuite } from './replay-junit.ts';
import { KeptCalls } from './replay-keep.ts';
import { type ReplayOptions, readOptions, USAGE } from './replay-options.ts';
import { type Lines, ownLines, remoteLines } from './replay-servers.ts';
import { callLines, shortLines, summaryLines } from './replay-summary.ts';
import { foldText } from './report.ts';
import { counted, seconds } from './text-layout.ts';

type Environment = Record<string, string | undefined>;

/** What a shell is told of a run that a signal ended. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
type EndSignal = keyof typeof EXIT_CODES;
/** Up to so many calls are told in full; of more only those that failed, and of those the first ones. */
const FULL_REPORTS = 8;
const SHORT_REPORTS = 10;

/** The command. The first Ctrl-C or SIGTERM hangs up every call and writes what there is, the second one ends at once. */
export async function replay(args: string[]): Promise<void> {
  const output = terminalOutput(process.stdout, process.stderr);
  if (args.includes('--help') || args.includes('-h')) return output.out(USAGE);
  const givenUp = new AbortController();
  const giveUp = (by: EndSignal) => {
    if (givenUp.signal.aborted) process.exit(EXIT_CODES[by]);
    output.err('hanging up every call; once more ends at once');
    givenUp.abort(by);
  };
  process.on('SIGINT', giveUp).on('SIGTERM', giveUp);
  try {
    process.exitCode = await replayFiles(args, output, { signal: givenUp.signal });
  } finally {
    process.off('SIGINT', giveUp).off('SIGTERM', giveUp);
  }
}

/**
 * Replays every file; returns the exit code. Every file is read and checked before the first call is placed.
 * @param options `signal` gives the run up; its reason is the name of the signal that the process got
 */
export async function replayFiles(
  args: string[],
  output: Output,
  { env = process.env, signal = new AbortController().signal }: { env?: Environment; signal?: AbortSignal } = {},
): Promise<number> {
  const options = readOptions(args, env);
  const startedWallMs = realClock.wallMs();
  const unended = (why: string) => unendedSuite(why, startedWallMs);
  // The file of an earlier run must not be taken for this one's, nor may one that breaks off look good.
  const junit = options.junitFile === null ? null : await JunitFile.open(options.junitFile, unended('it did not end'));
  try {
    const { good, suites } = await run(options, output, env, signal);
    const givenUpBy = signal.aborted ? endSignal(signal.reason) : null;
    await junit?.write(givenUpBy ? [...suites, unended(`it was given up (${givenUpBy})`)] : suites);
    if (givenUpBy) return EXIT_CODES[givenUpBy];
    return good ? 0 : 1;
  } catch (error) {
    // What is thrown says more than that the file cannot be written, where that is so.
    await junit?.write([unended(`it broke off: ${(error as Error)?.message ?? String(error)}`)]).catch(() => {});
    throw error;
  }
}

const endSignal = (reason: unknown): EndSignal => (reason === 'SIGTERM' ? reason : 'SIGINT');

/** What a run came to. */
interface Outcome {
  good: boolean;
  suites: JunitSuite[];
}

async function run(options: ReplayOptions, output: Output, env: Environment, signal: AbortSignal): Promise<Outcome> {
  const startedWallMs = realClock.wallMs();
  if (options.outDir !== null) await makeFolder(options.outDir);
  const files = await readFiles(options);
  for (const { text } of files.faults) output.err(text);
  if (files.faults.length > 0)
    return { good: false, suites: files.faults.map(({ path, text }) => faultySuite(path, text, startedWallMs)) };
  const tapes = files.tapes.map((tape) => foldOne(tape, output));
  const placed = files.calls.length > 0 ? await placeAll(files, options, output, env, signal) : [];
  const suiteOf = (input: CallInput) =>
    callSuite(
      input.path,
      placed.filter((one) => one.input === input),
      startedWallMs,
    );
  return {
    good: tapes.every(({ identical }) => identical) && placed.every(isGood),
    suites: [...tapes.map(({ suite }) => suite), ...files.calls.map(suiteOf)],
  };
}

/** For what the run leaves, before it takes its time. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    throw new TrunklineError('TRK_CONFIG', `--out ${path}: it cannot be written (${cause.code})`, { cause });
  });
}

/** Folds one tape and tells of it. */
function foldOne({ path, tape }: TapeInput, output: Output): { identical: boolean; suite: JunitSuite } {
  const startedWallMs = realClock.wallMs();
  const fromMs = realClock.nowMs();
  const result = foldTape(tape);
  const tookMs = realClock.nowMs() - fromMs;
  const text = foldText(result, tookMs);
  const end = tape.complete ? '' : '; the tape ends before the call';
  if (result.identical) output.out(`${path}: ${text}${end}`);
  else output.err(`${path}: ${text}`);
  return { identical: result.identical, suite: tapeSuite(path, result, startedWallMs, tookMs) };
}

/** Places every call and tells of each when it is over. */
async function placeAll(
  files: RunFiles,
  options: ReplayOptions,
  output: Output,
  env: Environment,
  signal: AbortSignal,
): Promise<PlacedCall[]> {
  const { calls: inputs, expectations } = files;
  const lines = await openLines(files, options, env, output);
  const jobs = inputs.flatMap((input) =>
    Array.from({ length: options.callers }, (_, i): Job => ({ input, nth: i + 1 })),
  );
  const kept = options.outDir === null ? null : new KeptCalls(options.outDir, inputs, options.callers);
  const calls = new CallRun(jobs, options, lines, expectations);
  const inFull = jobs.length <= FULL_REPORTS;
  output.out(introduction(jobs, options));
  const stopShowing = showProgress(output, () => calls.state);
  try {
    const over = (one: PlacedCall) => {
      const told = inFull ? callLines(one, output.columns) : calls.state.failed < SHORT_REPORTS ? shortLines(one) : [];
      const isKept = kept !== null && !one.verdicts.some(({ what }) => what === 'kept');
      const folder = inFull && isKept ? [`  written to ${kept.folder(one)}`] : [];
      for (const line of [...told, ...folder]) output.out(line);
    };
    const keep = async (one: PlacedCall, traces: () => CallTraces) => kept?.keep(one, traces());
    const placed = await calls.placeAll({ keep, over }, signal);
    stopShowing();
    if (jobs.length > 1) for (const line of summaryLines(placed, jobs.length, output.columns)) output.out(line);
    if (kept !== null && !inFull) output.out(`written to ${options.outDir}`);
    return placed;
  } finally {
    stopShowing();
    await lines.close();
  }
}

async function openLines(
  { calls: inputs, expectations, scripts }: RunFiles,
  { remote }: ReplayOptions,
  env: Environment,
  output: Output,
): Promise<Lines> {
  if (remote) {
    const scripted = inputs.filter(({ caller }) => caller.script !== undefined).length;
    if (scripted > 0)
      output.err(`${counted(scripted, 'script')} not used: the model behind --server says what it says`);
    const people = inputs.filter(({ caller }) => caller.people.length > 0).length;
    if (people > 0)
      output.err(
        `people of ${counted(people, 'file')} only answer what the call itself dials: the server behind --server has a carrier of its own`,
      );
    return remoteLines(remote);
  }
  const asked = [...expectations, ...inputs.flatMap(({ caller }) => caller.expectation ?? [])];
  const people =
    inputs.some(({ caller }) => caller.people.length > 0) ||
    asked.some(({ expected }) => expected.transfers !== undefined || expected.messages !== undefined);
  return ownLines(scripts, env, (line) => output.err(line), { people });
}

function introduction(jobs: readonly Job[], { parallel }: ReplayOptions): string {
  const longest = Math.max(...jobs.map(({ input }) => input.caller.leastMs));
  const atOnce = jobs.length > parallel ? `, ${parallel} at once` : '';
  return `${counted(jobs.length, 'call')} in real time${atOnce}; the longest caller takes at least ${seconds(longest)}`;
}
