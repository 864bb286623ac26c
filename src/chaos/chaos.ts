// `trunkline chaos`: recorded callers ring the real server while faults strike everything around it; then a table of what
// each caller heard, and an exit code that says whether every zero is zero.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { realClock } from '../clock.ts';
import { type Output, terminalOutput } from '../replay/progress.ts';
import { type ChaosOptions, readChaosOptions, USAGE } from './chaos-options.ts';
import { ChaosRun } from './chaos-run.ts';
import { pageWith, progressLine, reportLines, sectionOf } from './chaos-page.ts';
import type { Verdict } from './judge.ts';
import { Plans } from './plan.ts';
import { type ChaosReport, isGood, tally } from './tally.ts';
import { type EndedCall, World } from './world.ts';

const SHOWN_EVERY_MS = 1_000;
const PLAIN_EVERY_MS = 10_000;

/** The command. The first Ctrl-C places no more calls and reports; the second ends at once. */
export async function chaos(args: string[]): Promise<void> {
  const output = terminalOutput(process.stdout, process.stderr);
  if (args.includes('--help') || args.includes('-h')) return output.out(USAGE);
  const givenUp = new AbortController();
  const giveUp = (): void => {
    if (givenUp.signal.aborted) process.exit(130);
    output.err('no further calls; once more ends at once');
    givenUp.abort();
  };
  process.on('SIGINT', giveUp).on('SIGTERM', giveUp);
  try {
    const options = readChaosOptions(args);
    const report = await runChaos(options, output, givenUp.signal);
    if (options.page !== null) await writePage(options.page, report, `npx trunkline chaos ${args.join(' ')}`);
    if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else for (const line of reportLines(report, output.columns)) output.out(line);
    process.exitCode = isGood(report) ? 0 : 1;
  } finally {
    process.off('SIGINT', giveUp).off('SIGTERM', giveUp);
  }
}

/** One run from its plan to its report. */
export async function runChaos(options: ChaosOptions, output: Output, signal: AbortSignal): Promise<ChaosReport> {
  const { seed, faults, parallel, minutes, outDir, calls } = options;
  const drawn = new Plans({ seed, kinds: options.only, brief: options.brief });
  const plans = calls === null ? drawn.forFaults(faults) : calls.map((number) => drawn.of(number));
  const startMs = realClock.nowMs();
  const world = await World.start(plans);
  const run = new ChaosRun(world, plans, {
    ...{ parallel, minutes },
    faults: calls === null ? faults : Number.POSITIVE_INFINITY,
    async over(ended, verdict) {
      for (const what of verdict.violations) output.err(`call ${verdict.number} (${namesOf(verdict)}): ${what}`);
      if (outDir !== null) await keep(outDir, world, ended, verdict);
    },
  });
  const stopShowing = show(output, run, startMs, calls === null ? faults : null);
  try {
    const verdicts = await run.placeAll(signal);
    const leftovers = await world.leftovers();
    return tally(verdicts, {
      ...{ seed, leftovers, again: (call) => commandOf(options, call), longestStallMs: world.stalls.longestMs },
      seconds: Math.round((realClock.nowMs() - startMs) / 1_000),
      unhandled: world.unhandled.map((reason) =>
        reason instanceof Error ? (reason.stack ?? reason.message) : String(reason),
      ),
    });
  } finally {
    stopShowing();
    await world.close();
  }
}

/** Writes the run into its page. @param command has it again */
export async function writePage(path: string, report: ChaosReport, command: string): Promise<void> {
  const page = await readFile(path, 'utf8').catch(() => undefined);
  await writeFile(path, pageWith(sectionOf(report, command), page));
}

const namesOf = ({ faults }: Verdict): string => faults.join(' + ') || 'control';

/** Has one call again. */
const commandOf = ({ seed, brief, onlyText }: ChaosOptions, call: number): string =>
  [
    `trunkline chaos --seed ${seed}`,
    ...(brief ? ['--brief'] : []),
    ...(onlyText === null ? [] : [`--only ${onlyText}`]),
    `--call ${call}`,
  ].join(' ');

/** What a call leaves: private, like any recording. */
async function keep(
  outDir: string,
  world: World,
  { phone, record, log, call }: EndedCall,
  verdict: Verdict,
): Promise<void> {
  const folder = join(outDir, `call-${String(verdict.number).padStart(4, '0')}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const mode = 0o600;
  const { plan, struck } = call;
  await writeFile(join(folder, 'stereo.wav'), phone.stereoWav(), { mode });
  await writeFile(join(folder, 'record.json'), JSON.stringify(record, null, 2), { mode });
  await writeFile(join(folder, 'verdict.json'), JSON.stringify({ plan, struck, ...verdict }, null, 2), { mode });
  const tape = await world.tape(call);
  if (tape !== null) await writeFile(join(folder, 'tape.jsonl'), tape, { mode });
  await writeFile(join(folder, 'log.jsonl'), log.map((line) => `${line}\n`).join(''), { mode });
}

function show(output: Output, run: ChaosRun, startMs: number, wanted: number | null): () => void {
  const line = (): string => progressLine(realClock.nowMs() - startMs, run.state, wanted);
  const { status } = output;
  const timer = setInterval(
    () => (status ? status(line()) : output.err(line())),
    status ? SHOWN_EVERY_MS : PLAIN_EVERY_MS,
  );
  return () => {
    clearInterval(timer);
    status?.('');
  };
}
