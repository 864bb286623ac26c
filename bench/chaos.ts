// Faults in everything around the server under recorded callers, `trunkline chaos` in its long form: what each caller
// heard, and the counts that must be zero. The long form also writes the run into docs/chaos.md (`--page FILE`: elsewhere).
import { fileURLToPath } from 'node:url';
import { runChaos, writePage } from '../src/chaos/chaos.ts';
import { readChaosOptions } from '../src/chaos/chaos-options.ts';
import { columnsOf } from '../src/chaos/chaos-page.ts';
import type { ChaosReport } from '../src/chaos/tally.ts';
import { type Bench, runBench } from './report.ts';

const PAGE = fileURLToPath(new URL('../docs/chaos.md', import.meta.url));
/** The run ends by its faults; this is for a machine that is far too slow. */
const MINUTES = 20;

await runBench('chaos', 'Faults in everything around the server', measure);

async function measure(bench: Bench): Promise<void> {
  const args = [
    ...['--seed', `${bench.number('seed', 1, 1)}`, '--faults', `${bench.number('faults', 2_000, 50)}`],
    ...['--parallel', `${bench.number('parallel', 110, 60)}`, '--minutes', `${MINUTES}`],
    ...(bench.short ? ['--brief'] : []),
  ];
  const options = readChaosOptions(args);
  const report = await runChaos(
    options,
    { out: console.log, err: console.log, status: null, columns: 120 },
    new AbortController().signal,
  );
  const [titles, rows] = columnsOf(report);
  bench.table(
    `${report.struck} faults struck ${report.calls} calls; ${report.controls} of them were controls that nothing struck`,
    titles,
    rows,
  );
  addCounts(bench, report, options.faults);
  const page = bench.option('page') ?? (bench.short ? undefined : PAGE);
  if (page !== undefined) await writePage(page, report, `npx trunkline chaos ${args.join(' ')} --page docs/chaos.md`);
}

function addCounts(bench: Bench, report: ChaosReport, wanted: number): void {
  const { rows, struck, calls, controls, controlsHurt, violations, leftovers, unhandled, longestStallMs } = report;
  const figures = {
    ...{ struck, calls, controls, controls_hurt: controlsHurt, kinds: rows.length },
    silences_too_long: report.overlong,
    ends_without_a_name: report.unnamed,
    stuck: report.stuck,
    left_over: leftovers.length,
    unhandled_rejections: unhandled.length,
    longest_silence_ms: Math.max(0, ...rows.map(({ longestUnexplainedMs }) => longestUnexplainedMs ?? 0)),
    not_judged: report.unjudged,
    longest_stall_ms: longestStallMs,
  };
  for (const [name, value] of Object.entries(figures)) bench.figure(name, value);
  bench.fault(struck < wanted, `only ${struck} of ${wanted} faults struck`);
  bench.fault(
    report.unjudged > calls / 20,
    `the machine was too busy: the sound of ${report.unjudged} calls was not judged`,
  );
  for (const { call, faults, what, again } of violations)
    bench.fault(true, `call ${call} (${faults.join(' + ') || 'control'}): ${what}; again: ${again}`);
  for (const left of leftovers) bench.fault(true, `left over: ${left}`);
  for (const text of unhandled) bench.fault(true, `unhandled rejection: ${text}`);
  bench.remark('What was heard, and the longest silence, are told of the calls that no second fault struck.');
  bench.remark(
    `Phones, models and server share one process; it stood still for ${longestStallMs} ms at the longest, which is taken off the silences.`,
  );
}
