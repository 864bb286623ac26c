// `npm run prove`: every measurement that the product's claims rest on, one after the other, each as a process of its own;
// then docs/measurements/prove.md and .json with commit, date and machine of each. Names (`truncation load`) run only those
// and leave the others as they were. `--short` takes seconds and writes only on request (`--out FOLDER`).
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Machine, machine } from '../bench/machine.ts';
import { markdown, type Report } from '../bench/report.ts';
import { ROOT, treeFiles } from './tree.ts';

/** In this order: what needs the machine for itself comes when nothing else of ours is left running. */
const PARTS = [
  'truncation',
  'barge-in-stop',
  'load',
  'churn',
  'rolling-restarts',
  'long-call',
  'soak',
  'chaos',
  'crash',
  'recorded-calls',
];
/** Longer than any part takes; one that hangs must not hang the pipeline. */
const PART_DEADLINE_MS = 25 * 60_000;

/** One measurement, and of what. */
interface Measured {
  commit: string;
  /** Top folders in which the tree differed from the commit. */
  changed: string[];
  machine: Machine;
  report: Report;
}

const { values, positionals } = parseArgs({
  options: { short: { type: 'boolean', default: false }, out: { type: 'string' } },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !PARTS.includes(name));
if (unknown.length > 0) {
  console.error(`There is no measurement "${unknown.join('", "')}"; there are ${PARTS.join(', ')}.`);
  process.exit(1);
}
const parts = positionals.length > 0 ? PARTS.filter((name) => positionals.includes(name)) : PARTS;
const out = values.out ?? (values.short ? null : join(ROOT, 'docs', 'measurements'));
const source = commit();
const hashBefore = sourceHash();

const measured: Measured[] = [];
for (const name of parts) {
  console.log(`== ${name} (${measured.length + 1} of ${parts.length})`);
  measured.push({ ...source, machine: machine(), report: await measure(name) });
}
// Each server process reads the tree anew: figures of two trees belong together no more.
const moved = sourceHash() !== hashBefore ? ['the source changed while it was measured: measure again'] : [];
if (out !== null) {
  mkdirSync(out, { recursive: true });
  const json = join(out, 'prove.json');
  const before = existsSync(json) ? (JSON.parse(readFileSync(json, 'utf8')) as { parts?: Measured[] }).parts : [];
  const all = PARTS.flatMap(
    (name) => [...measured, ...(before ?? [])].find(({ report }) => report.name === name) ?? [],
  );
  writeFileSync(json, `${JSON.stringify({ parts: all }, null, 2)}\n`);
  writeFileSync(join(out, 'prove.md'), page(all));
  console.log(`written: ${join(out, 'prove.md')} and prove.json`);
}
const found = measured.flatMap(({ report }) => report.faults.map((fault) => `${report.name}: ${fault}`));
const faults = [...found, ...moved];
for (const fault of faults) console.log(`FAULT ${fault}`);
console.log(`${measured.length} measured, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;

/** Runs one script; its tables go to the screen, its report comes back by file. */
async function measure(name: string): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-prove-'));
  const json = join(folder, 'report.json');
  try {
    const args = [join('bench', `${name}.ts`), ...(values.short ? ['--short'] : []), '--json', json];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
    const timer = setTimeout(() => child.kill('SIGTERM'), PART_DEADLINE_MS);
    const ended = await new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(`exit ${code ?? signal}`));
    });
    clearTimeout(timer);
    try {
      return JSON.parse(readFileSync(json, 'utf8')) as Report;
    } catch {
      throw new Error(`bench/${name}.ts left no report (${ended})`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The commit, and the top folders in which the tree differs from it. */
function commit(): { commit: string; changed: string[] } {
  const git = (...args: string[]): string =>
    spawnSync('git', args, { cwd: ROOT, encoding: 'utf8', timeout: 10_000 }).stdout?.trimEnd() ?? '';
  // What is measured is code: results of an earlier run do not make the tree another one.
  const lines = git('status', '--porcelain', '--untracked-files=all', '--', '.', ':!docs').split('\n').filter(Boolean);
  const changed = [...new Set(lines.map((line) => line.slice(3).split('/')[0] ?? ''))].sort();
  return { commit: git('rev-parse', 'HEAD') || 'unknown', changed };
}

/** One hash of everything that is measured or measures: somebody may be at work in the same tree. */
function sourceHash(): string {
  const hash = createHash('sha256');
  for (const path of treeFiles().filter((file) => /^(?:src|bench|twiml|test\/support)\//.test(file)))
    hash.update(path).update(readFileSync(join(ROOT, path)));
  return hash.digest('hex');
}

function page(all: readonly Measured[]): string {
  const sections = all.map(({ commit: hash, changed, machine: at, report }) => {
    const { title, tables, faults: wrong, remarks, command, load, seconds, startedAt, short } = report;
    return [
      `## ${title}`,
      ...(short ? ['**Short form: the figures mean little.**'] : []),
      ...tables.flatMap((table) => [table.title, markdown(table)]),
      [
        ...remarks.map((remark) => `- ${remark}`),
        ...wrong.map((fault) => `- **Fault:** ${fault}`),
        `- Commit \`${hash}\`${changed.length > 0 ? `, **with uncommitted changes** in ${changed.join(', ')}` : ''}; ${startedAt}, ${seconds} s; load average ${load.before} before, ${load.after} after.`,
        `- ${at.cores} cores (${at.cpu}), ${at.memoryGib} GiB, ${at.system}, Node ${at.node}. Again: \`${command}\`.`,
      ].join('\n'),
    ].join('\n\n');
  });
  return `${[
    '# What was measured',
    'Written by `npm run prove`; edit nothing here. Shared machines: absolute times hold whatever else ran. Counts (lost, repeated, left over) are exact and fail the run; times never do.',
    ...sections,
  ].join('\n\n')}\n`;
}
