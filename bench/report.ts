// One measurement from its command line to its report: options, progress on the screen, tables, and a JSON file for
// `npm run prove`. Counts that must hold (nothing lost, nothing left) are faults and fail it; times never do.
import { writeFileSync } from 'node:fs';
import { loadAverage, type Machine, machine } from './machine.ts';
import type { Spread } from './percentiles.ts';

export interface Table {
  title: string;
  columns: string[];
  rows: string[][];
}

export interface Report {
  name: string;
  title: string;
  /** Measures it again. */
  command: string;
  startedAt: string;
  seconds: number;
  short: boolean;
  machine: Machine;
  /** Load average of the last minute, when the measurement began and when it ended. */
  load: { before: number; after: number };
  tables: Table[];
  /** The same figures for programs. */
  figures: Record<string, number>;
  /** What must not be. */
  faults: string[];
  /** What a reader of the tables has to know. */
  remarks: string[];
}

/** What a measurement gets to work with. */
export class Bench {
  readonly short: boolean;
  readonly report: Report;
  readonly #args: string[];
  #saidAtMs = 0;

  constructor(name: string, title: string, args: string[]) {
    this.#args = args;
    this.short = args.includes('--short');
    const flags = args.filter((arg, i) => !arg.startsWith('--json') && args[i - 1] !== '--json');
    this.report = {
      name,
      title,
      command: ['node', `bench/${name}.ts`, ...flags].join(' '),
      startedAt: new Date().toISOString(),
      seconds: 0,
      short: this.short,
      machine: machine(),
      load: { before: loadAverage(), after: 0 },
      tables: [],
      figures: {},
      faults: [],
      remarks: [],
    };
  }

  /** A number of the command line (`--calls 100`), else the default for the long or the short form. */
  number(option: string, long: number, short: number): number {
    const given = this.option(option);
    if (given === undefined) return this.short ? short : long;
    const value = Number(given);
    if (!Number.isFinite(value) || value < 0) throw new Error(`--${option}: expected a number, found ${given}`);
    return value;
  }

  option(name: string): string | undefined {
    const at = this.#args.indexOf(`--${name}`);
    return at < 0 ? undefined : this.#args[at + 1];
  }

  /** Progress: one line that is written over on a terminal, a line every few seconds elsewhere. */
  say(text: string): void {
    if (process.stdout.isTTY) return void process.stdout.write(`\r\x1b[K${this.report.name}: ${text}`);
    const nowMs = performance.now();
    if (nowMs - this.#saidAtMs < 5_000) return;
    this.#saidAtMs = nowMs;
    console.log(`${this.report.name}: ${text}`);
  }

  table(title: string, columns: string[], rows: string[][]): void {
    this.report.tables.push({ title, columns, rows });
  }

  figure(name: string, value: number): void {
    this.report.figures[name] = value;
  }

  /** All of a spread as figures `NAME_p50` and so on. */
  figures(name: string, { p50, p95, p99, max, count }: Spread): void {
    for (const [key, value] of Object.entries({ p50, p95, p99, max, count })) this.figure(`${name}_${key}`, value);
  }

  /** Something that must not be; `when` false is ignored. */
  fault(when: boolean, text: string): void {
    if (when) this.report.faults.push(text);
  }

  remark(text: string): void {
    this.report.remarks.push(text);
  }
}

/** Runs a measurement as the main program of its script. */
export async function runBench(name: string, title: string, measure: (bench: Bench) => Promise<void>): Promise<void> {
  const bench = new Bench(name, title, process.argv.slice(2));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const startMs = performance.now();
  try {
    await measure(bench);
  } catch (error) {
    bench.fault(true, `the measurement itself failed: ${(error as Error).stack ?? String(error)}`);
  }
  const { report } = bench;
  report.seconds = Math.round((performance.now() - startMs) / 100) / 10;
  report.load.after = loadAverage();
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
  console.log(printed(report));
  const json = bench.option('json');
  if (json !== undefined) writeFileSync(json, JSON.stringify(report, null, 2));
  // Sockets that a fault left open must not keep the process.
  process.exit(report.faults.length === 0 ? 0 : 1);
}

/** A report as text for a terminal; its tables are Markdown, so that they read the same in a file. */
export function printed({ title, command, seconds, tables, faults, remarks, load, short }: Report): string {
  return [
    `${title}${short ? ' (short form: the figures mean little)' : ''}`,
    '',
    ...tables.flatMap((table) => [table.title, '', markdown(table), '']),
    ...remarks.map((remark) => `- ${remark}`),
    ...faults.map((fault) => `- FAULT: ${fault}`),
    `- again: \`${command}\` (${seconds} s; load average ${load.before} before, ${load.after} after)`,
    '',
  ].join('\n');
}

export function markdown({ columns, rows }: Table): string {
  const widths = columns.map((column, i) => Math.max(column.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: string[]): string => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(columns), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** A number as a table shows it. */
export const shown = (value: number, digits = 2): string => (Number.isNaN(value) ? 'n/a' : value.toFixed(digits));

/** The cells of a spread: p50, p95, p99, max. */
export const spreadCells = ({ p50, p95, p99, max }: Spread, digits = 2): string[] =>
  [p50, p95, p99, max].map((value) => shown(value, digits));
