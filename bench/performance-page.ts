// docs/performance.md: its words are written by hand, and what lies between its two markers by the bench, so that no figure
// of the page can drift from bench.json.
import { distanceTable } from './distance.ts';
import { markdown, type Table } from './report.ts';
import type { BenchResults } from './results.ts';
import { tables } from './tables.ts';

export const BEGIN = '<!-- Written by npm run bench. Edit nothing between here -->';
export const END = '<!-- and here. -->';

/** The page with a new middle. @throws Error when the markers are not there, once each and in order */
export function withMiddle(page: string, middle: string): string {
  const [before, rest, more] = page.split(BEGIN);
  const [, after, again] = rest?.split(END) ?? [];
  if (before === undefined || after === undefined || more !== undefined || again !== undefined)
    throw new Error(`the page must hold "${BEGIN}" and "${END}", once each and in this order`);
  return `${before}${BEGIN}\n\n${middle.trim()}\n\n${END}${after}`;
}

/** What the bench has to say on the page. @param plotFiles names of the plots, @param folder where they lie, seen from the page */
export function middleOf(results: BenchResults, plotFiles: readonly string[], folder: string): string {
  const { machine, commit, changed, date, load, seconds, command } = results;
  const plot = (name: string): string[] =>
    plotFiles.includes(name) ? [`![${name.replace(/^bench-|\.svg$/g, '').replace(/-/g, ' ')}](${folder}${name})`] : [];
  const section = (table: Table): string[] => [`### ${table.title}`, markdown(table)];
  const all = tables(results);
  return [
    [
      `- ${machine.cores} cores (${machine.cpu}), ${machine.memoryGib} GiB, ${machine.system}, Node ${machine.node}`,
      `- ${date}, ${Math.round(seconds / 60)} minutes; load average ${load.before} before, ${load.after} after`,
      `- commit \`${commit}\`${changed.length > 0 ? `, **with uncommitted changes** in ${changed.join(', ')}` : ''}`,
      `- again: \`${command}\`; all figures: [bench.json](${folder}bench.json)`,
      ...(results.short ? ['- **Short form: the figures mean little.**'] : []),
      ...results.faults.map((fault) => `- **Fault:** ${fault}`),
    ].join('\n'),
    '## Distance to the aims',
    markdown(distanceTable(results)),
    '## What was measured',
    results.subjects.map(({ name, note }) => `- **${name}**: ${note}`).join('\n'),
    ...plot('bench-cpu-ratio.svg'),
    ...all.flatMap(section),
    ...plot('bench-delay.svg'),
    ...plot('bench-cpu.svg'),
    ...plot('bench-memory.svg'),
    '### Remarks',
    results.remarks.map((remark) => `- ${remark}`).join('\n'),
  ].join('\n\n');
}
