// `npm run bench`: Trunkline beside a bare relay and its neighbours, on this machine, in this run. Subjects alternate, every
// figure is a median of rounds, and what is compared is a ratio within a round. `--short` is the form for CI.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type BenchOptions, readOptions, USAGE } from './bench-options.ts';
import { Campaign, isOurs } from './campaign.ts';
import { distanceTable } from './distance.ts';
import { loadAverage, machine } from './machine.ts';
import { middleOf, withMiddle } from './performance-page.ts';
import { plots } from './plots.ts';
import { Progress } from './progress.ts';
import { markdown, shown } from './report.ts';
import { type BenchResults, type Comparison, FLOOR, mainOf } from './results.ts';
import { measuredTree } from './source.ts';
import { chosenSubjects, relay, trunkline } from './subjects.ts';
import { lossesOf, summaries } from './summary.ts';
import { tables } from './tables.ts';
import { makeTrust } from './trust.ts';

const ROOT = join(import.meta.dirname, '..');
const DOCUMENTS = join(ROOT, 'docs');
/**
 * The short form fails above this ratio of CPU to the relay. Its few seconds hold code that is not compiled yet, of which the
 * product has more, and neighbours on the host cost it more than the relay: 1.7 to 2.0 was seen, where the long form said 1.8.
 */
const SHORT_RATIO_LIMIT = 2.5;
const SHORT_SUBJECTS = [relay.name, trunkline.name];

// Everything that a measurement starts or makes goes with this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
try {
  process.exitCode = await main(readOptions(process.argv.slice(2)));
} catch (error) {
  const told = error instanceof Error ? error : new Error(String(error));
  // What the command line got wrong is told with what it takes; everything else with where it happened.
  const wrongOption =
    told.message.startsWith('--') || ('code' in told && String(told.code).startsWith('ERR_PARSE_ARGS'));
  process.stderr.write(`${wrongOption ? `${told.message}\n${USAGE}` : (told.stack ?? told.message)}\n`);
  process.exitCode = 1;
}
// Sockets that a fault left open must not keep the process.
process.exit();

async function main(options: BenchOptions): Promise<number> {
  if (options.page) {
    write(summedAnew(JSON.parse(readFileSync(join(DOCUMENTS, 'measurements', 'bench.json'), 'utf8'))), options);
    return 0;
  }
  const startMs = performance.now();
  const before = loadAverage();
  const tree = measuredTree();
  const remarks: string[] = [];
  const remark = (text: string): void => void remarks.push(text);
  const subjects = await chosenSubjects(options.subjects ?? (options.short ? SHORT_SUBJECTS : null), remark);
  const trust = makeTrust();
  const { isTTY } = process.stderr;
  const progress = new Progress([], { isTTY, write: (text) => void process.stderr.write(text) });
  const measured = await new Campaign(options, subjects, trust, progress, remark).measure();
  progress.end();
  trust.remove();
  if (JSON.stringify(measuredTree()) !== JSON.stringify(tree))
    remark('The tree changed while it was measured: measure again.');
  const results: BenchResults = {
    ...tree,
    date: new Date().toISOString(),
    command: commandOf(process.argv.slice(2)),
    short: options.short,
    machine: machine(),
    seconds: Math.round((performance.now() - startMs) / 1_000),
    load: { before, after: loadAverage() },
    subjects: subjects.map(({ name, note, maxAheadMs }) => ({ name, note, maxAheadMs })),
    ...measured,
    faults: [],
    remarks: [],
  };
  results.faults = faultsOf(results);
  results.remarks = [...remarksOf(results), ...remarks];
  print(results, options);
  write(results, options);
  return results.faults.length === 0 ? 0 : 1;
}

/** Results as they were written, summed up as it is done now. */
function summedAnew(results: BenchResults): BenchResults {
  const anew = (comparison: Comparison | null): Comparison | null =>
    comparison && { ...comparison, summaries: summaries(comparison.runs, FLOOR) };
  return { ...results, tls: anew(results.tls), plain: anew(results.plain) };
}

/** What measures the same again; where the results go is nobody's business but the person's who asked. */
function commandOf(args: readonly string[]): string {
  const kept = args.filter((arg, i) => !/^--(?:out|json)/.test(arg) && args[i - 1] !== '--out');
  return ['npm run bench', ...(kept.length > 0 ? ['--', ...kept] : [])].join(' ');
}

/** What fails a bench: lost frames of ours always, a ratio in the short form; never a time. */
function faultsOf(results: BenchResults): string[] {
  const compared = [results.tls, results.plain].flatMap((comparison) => comparison?.runs ?? []);
  const faults = compared.filter(({ subject }) => isOurs({ name: subject })).flatMap(lossesOf);
  const product = mainOf(results)?.summaries.find(({ subject }) => subject === trunkline.name);
  if (results.short && product && product.cpuRatio.median > SHORT_RATIO_LIMIT)
    faults.push(
      `Trunkline took ${shown(product.cpuRatio.median)} × the relay's CPU; the limit is ${SHORT_RATIO_LIMIT}`,
    );
  return faults;
}

function remarksOf(results: BenchResults): string[] {
  const comparisons = [results.tls, results.plain].filter((comparison) => comparison !== null);
  const narrow = comparisons.flatMap(({ summaries, runs }) =>
    summaries
      .filter(({ bottlenecks }) => bottlenecks.length > 0)
      .map(
        ({ subject, tls, bottlenecks: [cause] }) =>
          `${subject}${tls ? '' : ' without TLS'}: the generator or the machine was a bottleneck in ${runs.filter((run) => run.subject === subject && run.bottlenecks.length > 0).length} of ${runs.filter((run) => run.subject === subject).length} rounds (${cause}): its times are not the server's alone.`,
      ),
  );
  const most = Math.max(...comparisons.flatMap(({ runs }) => runs.map(({ cpu }) => cpu.busiestEnd)));
  const foreign = comparisons.flatMap(({ runs }) => runs).filter(({ subject }) => !isOurs({ name: subject }));
  return [
    ...(narrow.length === 0
      ? [`The generator was not the bottleneck: its busiest process used ${shown(most)} of a core.`]
      : narrow),
    ...[...new Set(foreign.flatMap(lossesOf))].map((loss) => `${loss}.`),
    ...[
      ...new Set(
        comparisons
          .flatMap(({ runs }) => runs)
          .map(complained)
          .filter((text) => text !== null),
      ),
    ],
    ...(results.sweep?.ratings ?? []).map(
      ({ subject, calls, atLeast, because }) =>
        `Rated capacity of ${subject}: ${atLeast ? 'at least ' : ''}${calls} calls (${because}).`,
    ),
  ];
}

/** Error events that a server provoked at the model, as a sentence. */
function complained({ subject, provoked }: { subject: string; provoked: string[] }): string | null {
  return provoked.length === 0
    ? null
    : `${subject} provoked error events at the model: ${[...new Set(provoked)].join(', ')}.`;
}

function print(results: BenchResults, { json }: BenchOptions): void {
  if (json) return console.log(JSON.stringify(results, rounded, 1));
  for (const table of [...tables(results), ...(results.short ? [] : [distanceTable(results)])])
    console.log(`${table.title}\n\n${markdown(table)}\n`);
  for (const remark of results.remarks) console.log(`- ${remark}`);
  for (const fault of results.faults) console.log(`- FAULT: ${fault}`);
  const { cores, cpu } = results.machine;
  const { before, after } = results.load;
  console.log(`- ${results.seconds} s on ${cores} cores (${cpu}); load average ${before} before, ${after} after`);
}

/** For JSON: no figure was measured to more than six digits. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && Number.isFinite(value) ? Number(value.toPrecision(6)) : value;
}

/** JSON, plots and page: into the documentation when the bench is whole, else only where it was told to. */
function write(results: BenchResults, { out, whole }: BenchOptions): void {
  if (out === null && !whole) return;
  const folder = out === null ? join(DOCUMENTS, 'measurements') : resolve(out);
  const page = out === null ? join(DOCUMENTS, 'performance.md') : join(folder, 'performance.md');
  mkdirSync(folder, { recursive: true });
  const drawn = plots(results);
  for (const [name, svg] of drawn) writeFileSync(join(folder, name), svg);
  writeFileSync(join(folder, 'bench.json'), `${JSON.stringify(results, rounded, 1)}\n`);
  const frame = readFileSync(join(DOCUMENTS, 'performance.md'), 'utf8');
  writeFileSync(page, withMiddle(frame, middleOf(results, [...drawn.keys()], out === null ? 'measurements/' : '')));
  process.stderr.write(`written: ${page}, bench.json and ${drawn.size} plots in ${folder}\n`);
}
