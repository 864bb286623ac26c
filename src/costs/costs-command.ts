// `trunkline costs`: what calls cost in a stretch of days, by day, agent or model; and the door to `costs reconcile`.
import type { Costs } from '../store/queries/costs.ts';
import { costsCsv } from './costs-csv.ts';
import { COSTS_USAGE, type CostsOptions, readCostsOptions } from './costs-options.ts';
import { costsTables } from './costs-tables.ts';
import { dayOf } from '../store/line-row.ts';
import { consult, type Desk } from './desk.ts';
import { NO_CALL_YET } from './nothing-kept.ts';

/** The command. @throws TrunklineError saying how it is used, or that the database cannot answer */
export async function costs(args: string[], desk: Desk): Promise<void> {
  const { paper, clock } = desk;
  const [first, ...rest] = args;
  if (first === 'reconcile') {
    const { reconcile } = await import('../reconcile/command.ts');
    return reconcile(rest, desk.open);
  }
  if (args.includes('--help') || args.includes('-h')) return paper.out(COSTS_USAGE);
  const options = readCostsOptions(args, dayOf(clock.wallMs()));
  const { found, kept } = await consult(desk, async (archive) => {
    const { from, to, by } = options;
    const answer = await archive.ask('readCosts', { from, to, by });
    return { found: answer, kept: answer.rows.length === 0 ? await archive.ask('whatIsKept', null) : null };
  });
  const text = written(found, options, paper.columns);
  if (text !== '') paper.out(text);
  if (kept === null) return;
  const sentence = kept.lastDay === null ? NO_CALL_YET : nothingOf(options, kept.lastDay);
  // Beside CSV and JSON it would be read as data.
  if (options.as === 'tables') paper.out(sentence);
  else paper.err(sentence);
}

function written(found: Costs, options: CostsOptions, columns: number): string {
  if (options.as === 'csv') return costsCsv(found, options.by);
  if (options.as === 'json') {
    const { from, to, by } = options;
    return JSON.stringify({ from, to, by, ...found }, null, 2);
  }
  return costsTables(found, options, columns).join('\n');
}

const nothingOf = ({ from, to }: CostsOptions, lastDay: string): string =>
  `Nothing was charged and no call was let in from ${from} to ${to}. ` +
  `The newest day with any is ${lastDay}: trunkline costs --to ${lastDay}`;
