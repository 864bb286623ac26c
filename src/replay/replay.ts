// `trunkline replay`: recordings and caller files become calls, tapes are folded through the call core again, and both are
// judged. The command and its run; what each part does has a file of its own.
import { dirname } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { realClock } from '../clock.ts';
import { TrunklineError } from '../errors.ts';
import { type Expectation, loadExpectation } from './expect-file.ts';
import { foldTape } from './fold.ts';
import { type JunitSuite, junitXml } from './junit.ts';
import { type Output, showProgress, terminalOutput } from './progress.ts';
import { CallRun, isGood, type Job, type PlacedCall } from './replay-calls.ts';
import { InputError } from './replay-fault.ts';
import { type CallInput, type Input, readInputs, type TapeInput } from './replay-inputs.ts';
import { callSuite, faultySuite, tapeSuite } from './replay-junit.ts';
import { KeptCalls, writePrivate } from './replay-keep.ts';
import { type ReplayOptions, readOptions, USAGE } from './replay-options.ts';
import { type Lines, loadScripts, ownLines, remoteLines } from './replay-servers.ts';
import { callLines, shortLines, summaryLines } from './replay-summary.ts';
import { foldText } from './report.ts';
import { counted, seconds } from './text-layout.ts';

type Environment = Record<string, string | undefined>;

/** What a shell is told of a run that Ctrl-C ended. */
const INTERRUPTED = 130;
/** Up to so many calls are told in full; of more only those that failed, and of those the first ones. */
const FULL_REPORTS = 8;
const SHORT_REPORTS = 10;

/** The command. The first Ctrl-C hangs up every call and writes what there is, the second one ends at once. */
export async function replay(args: string[]): Promise<void> {
  const output = terminalOutput(process.stdout, process.stderr);
  if (args.includes('--help') || args.includes('-h')) return output.out(USAGE);
  const givenUp = new AbortController();
  const giveUp = () => {
    if (givenUp.signal.aborted) process.exit(INTERRUPTED);
    output.err('hanging up every call; once more ends at once');
    givenUp.abort();
  };
  process.on('SIGINT', giveUp);
  try {
    process.exitCode = await replayFiles(args, output, { signal: givenUp.signal });
  } finally {
    process.off('SIGINT', giveUp);
  }
}

/** Replays every file; returns the exit code. Every file is read and checked before the first call is placed. */
export async function replayFiles(
  args: string[],
  output: Output,
  { env = process.env, signal = new AbortController().signal }: { env?: Environment; signal?: AbortSignal } = {},
): Promise<0 | 1 | typeof INTERRUPTED> {
  const options = readOptions(args, env);
  await makeRoom(options);
  const startedWallMs = realClock.wallMs();
  const { inputs, faults } = readInputs(options.files);
  const expectations = readExpectations(options.expectFiles, inputs, faults);
  const calls = inputs.filter((input) => input.kind === 'call');
  if (faults.length > 0) {
    for (const { text } of faults) output.err(text);
    await writeJunit(
      options,
      faults.map(({ path, text }) => faultySuite(path, text, startedWallMs)),
    );
    return 1;
  }
  const tapes = inputs.filter((input) => input.kind === 'tape').map((tape) => foldOne(tape, output));
  const placed = calls.length > 0 ? await placeAll(calls, options, expectations, output, env, signal) : [];
  const suiteOf = (input: CallInput) =>
    callSuite(
      input.path,
      placed.filter((one) => one.input === input),
      startedWallMs,
    );
  await writeJunit(options, [...tapes.map(({ suite }) => suite), ...calls.map(suiteOf)]);
  if (signal.aborted) return INTERRUPTED;
  return tapes.every(({ identical }) => identical) && placed.every(isGood) ? 0 : 1;
}

function readExpectations(
  paths: readonly string[],
  inputs: readonly Input[],
  faults: { path: string; text: string }[],
): Expectation[] {
  const expectations: Expectation[] = [];
  for (const path of paths) {
    try {
      expectations.push(loadExpectation(path));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      faults.push({ path, text: error.message });
    }
  }
  if (paths.length > 0 && faults.length === 0 && inputs.every(({ kind }) => kind === 'tape'))
    throw new TrunklineError('TRK_CONFIG', '--expect judges calls; a tape is judged by its own decisions');
  return expectations;
}

/**
 * Folders for what the run leaves, before it takes its time. The JUnit file of an earlier run must not be taken for this one's.
 * @throws TrunklineError for a place that cannot be written
 */
async function makeRoom({ outDir, junitFile }: ReplayOptions): Promise<void> {
  const make = async (flag: string, path: string, work: () => Promise<unknown>) => {
    await work().catch((cause: NodeJS.ErrnoException) => {
      throw new TrunklineError('TRK_CONFIG', `${flag} ${path}: it cannot be written (${cause.code})`, { cause });
    });
  };
  if (outDir !== null) await make('--out', outDir, () => mkdir(outDir, { recursive: true, mode: 0o700 }));
  if (junitFile === null) return;
  await make('--junit', junitFile, () => mkdir(dirname(junitFile), { recursive: true }));
  await make('--junit', junitFile, () => writePrivate(junitFile, junitXml([])));
}

async function writeJunit({ junitFile }: ReplayOptions, suites: JunitSuite[]): Promise<void> {
  if (junitFile !== null) await writePrivate(junitFile, junitXml(suites));
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
  inputs: readonly CallInput[],
  options: ReplayOptions,
  expectations: readonly Expectation[],
  output: Output,
  env: Environment,
  signal: AbortSignal,
): Promise<PlacedCall[]> {
  const lines = await openLines(inputs, options, env, output);
  const jobs = inputs.flatMap((input) =>
    Array.from({ length: options.callers }, (_, i): Job => ({ input, nth: i + 1 })),
  );
  const kept = options.outDir === null ? null : new KeptCalls(options.outDir, inputs, options.callers);
  const run = new CallRun(jobs, options, lines, expectations);
  const inFull = jobs.length <= FULL_REPORTS;
  output.out(introduction(jobs, options));
  const stopShowing = showProgress(output, () => run.state);
  try {
    const placed = await run.placeAll(async (one, traces) => {
      await kept?.keep(one, traces());
      const folder = inFull && kept ? [`  written to ${kept.folder(one)}`] : [];
      const told = inFull ? callLines(one, output.columns) : run.state.failed < SHORT_REPORTS ? shortLines(one) : [];
      for (const line of [...told, ...folder]) output.out(line);
    }, signal);
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
  inputs: readonly CallInput[],
  { remote, script }: ReplayOptions,
  env: Environment,
  output: Output,
): Promise<Lines> {
  if (remote) {
    const scripted = inputs.filter(({ caller }) => caller.script !== undefined).length;
    if (scripted > 0)
      output.err(`${counted(scripted, 'script')} not used: the model behind --server says what it says`);
    return remoteLines(remote);
  }
  const scripts = await loadScripts(inputs.map(({ caller }) => script ?? caller.script ?? null));
  return ownLines(scripts, env, (line) => output.err(line));
}

function introduction(jobs: readonly Job[], { parallel }: ReplayOptions): string {
  const longest = Math.max(...jobs.map(({ input }) => input.caller.leastMs));
  const atOnce = jobs.length > parallel ? `, ${parallel} at once` : '';
  return `${counted(jobs.length, 'call')} in real time${atOnce}; the longest caller takes at least ${seconds(longest)}`;
}
