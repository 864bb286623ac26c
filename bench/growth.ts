// How costs grow: with the length of a call, its turns, the agents and tools, the tape, the calls that are stored. Each part
// runs in a process of its own and holds the large against the small of the same run. Then, on paper, very many calls at once.
//   node bench/growth.ts [--short] [--only lengths,history,agents,tape,database] [--out DIR] [--ten-million DIR] [--page]
// Writes growth.json and plots into docs/measurements and the figures into docs/growth.md, or all of it into DIR; the short
// form writes only into a DIR. Parts left out stay as they were. --page: measures nothing, writes the page anew.
import { fork } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadPrices } from '../src/ledger/load-prices.ts';
import { linePrice, modelPrice } from '../src/ledger/prices.ts';
import { glanceTable, sectionOf, tableSection, withSections } from './growth-page.ts';
import { measuredOf, paperTables, type Prices } from './growth-paper.ts';
import { growthPlots } from './growth-plots.ts';
import type { PartFindings, PartOptions } from './growth-report.ts';
import { loadAverage, type Machine, machine } from './machine.ts';
import { markdown, type Table } from './report.ts';
import type { BenchResults } from './results.ts';
import { measuredTree } from './source.ts';

const ROOT = join(import.meta.dirname, '..');
const PARTS = ['lengths', 'history', 'agents', 'tape', 'database'];
const MODEL = 'gpt-realtime-2.1';
const PAPER_SIZES = [1_000, 10_000, 100_000];
const PLOT_OF: Record<string, string> = { lengths: 'length', agents: 'agents', tape: 'tape', database: 'database' };

interface PartResult extends PartFindings {
  date: string;
  seconds: number;
  short: boolean;
  load: { before: number; after: number };
  commit: string;
  changed: string[];
}

interface GrowthResults {
  /** Measures it again. */
  command: string;
  machine: Machine;
  parts: Record<string, PartResult>;
}

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: PARTS.join(',') },
    out: { type: 'string' },
    'ten-million': { type: 'string' },
    page: { type: 'boolean', default: false },
  },
});
const wanted = values.page ? [] : values.only.split(',').filter(Boolean);
const unknown = wanted.filter((name) => !PARTS.includes(name));
if (unknown.length > 0) throw new Error(`--only: expected some of ${PARTS.join(', ')} (found ${unknown.join(', ')})`);

const writes = values.out !== undefined || !values.short;
const folder = values.out ?? join(ROOT, 'docs', 'measurements');
const pagePath = values.out === undefined ? join(ROOT, 'docs', 'growth.md') : join(values.out, 'growth.md');
const jsonPath = join(folder, 'growth.json');

const tree = measuredTree();
const results: GrowthResults = {
  command: ['node bench/growth.ts', ...process.argv.slice(2).filter((arg) => arg !== '--page')].join(' '),
  machine: machine(),
  parts: {},
};
if (writes && existsSync(jsonPath)) {
  const before = JSON.parse(readFileSync(jsonPath, 'utf8')) as GrowthResults;
  results.parts = before.parts;
  if (values.page || wanted.length < PARTS.length) results.command = before.command;
}
for (const name of wanted) {
  const before = loadAverage();
  const startMs = performance.now();
  const found = await measured(name, { short: values.short, tenMillionDir: values['ten-million'] ?? null });
  const seconds = Math.round((performance.now() - startMs) / 100) / 10;
  const load = { before, after: loadAverage() };
  results.parts[name] = { date: new Date().toISOString(), seconds, short: values.short, load, ...tree, ...found };
  console.log(`${sectionOf(found, [], '')}\n\n(${name}: ${seconds} s)\n`);
}
const paper = paperOf(results);
if (paper !== null) for (const table of Object.values(paper)) console.log(`${table.title}\n\n${markdown(table)}\n`);
if (writes) write(results, paper);
const faults = wanted.flatMap((name) => results.parts[name]?.faults ?? []);
process.exitCode = faults.length === 0 ? 0 : 1;

/** One part, in a process with the flags of `npm start`. */
function measured(name: string, options: Omit<PartOptions, 'say'>): Promise<PartFindings> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'growth-part.ts'), [name, JSON.stringify(options)], {
      execArgv: ['--max-semi-space-size=16'],
    });
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    let found: PartFindings | null = null;
    child.on('message', (message: { say: string } | { found: PartFindings }) => {
      if ('say' in message) console.error(`${name}: ${message.say}`);
      else found = message.found;
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.off('exit', kill);
      if (found !== null) resolve(found);
      else reject(new Error(`${name} ended with ${code ?? signal}`));
    });
  });
}

function figuresOf(parts: Record<string, PartResult>): Record<string, number> {
  return Object.assign({}, ...Object.values(parts).map((part) => part.figures)) as Record<string, number>;
}

function paperOf({ parts }: GrowthResults): Record<string, Table> | null {
  const path = join(ROOT, 'docs', 'measurements', 'bench.json');
  if (!existsSync(path)) return null;
  const found = measuredOf(JSON.parse(readFileSync(path, 'utf8')) as BenchResults, figuresOf(parts));
  return found === null ? null : paperTables(found, listPrices(), PAPER_SIZES);
}

/** @throws Error where the shipped list does not know one of them */
function listPrices(): Prices {
  const book = loadPrices(join(ROOT, 'prices'));
  const atMs = Date.now();
  const tokens = modelPrice(book, MODEL, atMs)?.price.tokens;
  const lines = ['twilio/inbound_local', 'twilio/media_stream'].map((line) => linePrice(book, line, atMs)?.price);
  const [leg, stream] = lines;
  if (!tokens?.text || !tokens.audio || leg === undefined || stream === undefined)
    throw new Error(`prices/ does not know ${MODEL} or a line of Twilio's`);
  // Nano-dollars of one token are thousandths of a dollar for a million of them.
  const usd = ({ fresh, cached, out }: Prices['tokens']['text']) => ({
    ...{ fresh: fresh / 1_000, cached: cached / 1_000, out: out / 1_000 },
  });
  return {
    model: MODEL,
    tokens: { text: usd(tokens.text), audio: usd(tokens.audio) },
    usdPerCarrierMinute: (leg + stream) / 1e9,
  };
}

function write(all: GrowthResults, tables: Record<string, Table> | null): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(jsonPath, `${JSON.stringify(all, null, 1)}\n`);
  const curves = Object.assign({}, ...Object.values(all.parts).map((part) => part.curves)) as PartFindings['curves'];
  const { cores, cpu, node } = all.machine;
  const dates = Object.values(all.parts).map(({ date }) => date.slice(0, 10));
  const plots = growthPlots(curves, `${cores} cores (${cpu}), Node ${node}, ${dates.toSorted().at(-1) ?? ''}`);
  for (const [file, svg] of plots) writeFileSync(join(folder, file), svg);
  if (values.out !== undefined && !existsSync(pagePath)) copyFileSync(join(ROOT, 'docs', 'growth.md'), pagePath);
  const below = values.out === undefined ? 'measurements/' : '';
  const sections: Record<string, string> = {
    run: `${runSection(all, below)}\n\n${tableSection(glanceTable(figuresOf(all.parts)))}`,
  };
  for (const [name, part] of Object.entries(all.parts)) {
    const files = [...plots.keys()].filter((file) => file === `growth-${PLOT_OF[name]}.svg`);
    sections[name] = sectionOf(part, files, below);
  }
  for (const [name, table] of Object.entries(tables ?? {})) sections[`paper ${name}`] = tableSection(table);
  writeFileSync(pagePath, withSections(readFileSync(pagePath, 'utf8'), sections));
}

/** Where, when and of which tree. */
function runSection({ command, machine: on, parts }: GrowthResults, below: string): string {
  const all = Object.entries(parts);
  const minutes = all.reduce((sum, [, { seconds }]) => sum + seconds, 0) / 60;
  const commits = [...new Set(all.map(([, { commit }]) => commit))];
  const changed = [...new Set(all.flatMap(([, part]) => part.changed))].sort();
  const loads = all.map(([name, { load }]) => `${name} ${load.before}`).join(', ');
  const short = all.filter(([, part]) => part.short).map(([name]) => name);
  return [
    `- ${on.cores} cores (${on.cpu}), ${on.memoryGib} GiB, ${on.system}, Node ${on.node}`,
    `- ${
      all
        .map(([, { date }]) => date)
        .toSorted()
        .at(-1) ?? 'never'
    }, ${minutes.toFixed(1)} minutes; load average before: ${loads}`,
    `- commit ${commits.map((commit) => `\`${commit}\``).join(', ')}${changed.length > 0 ? `, with uncommitted changes in ${changed.join(', ')}` : ''}`,
    `- again: \`${command}\`; all figures: [growth.json](${below}growth.json)`,
    ...(short.length > 0 ? [`- **Short form of ${short.join(', ')}: these figures mean little.**`] : []),
  ].join('\n');
}
