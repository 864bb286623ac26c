// The report of chaos for people: lines for a terminal, and the part of docs/chaos.md that a run writes.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { callTime, counted, seconds, table } from '../replay/text-layout.ts';
import type { ChaosState } from './chaos-run.ts';
import type { ChaosReport, FaultRow } from './tally.ts';

/** Stands where no call could tell. */
const NONE = '-';

const outcomesText = ({ outcomes }: FaultRow): string =>
  Object.entries(outcomes)
    .map(([outcome, count]) => `${outcome} ${count}`)
    .join(', ') || NONE;

const silenceText = ({ longestUnexplainedMs: ms, allowedMs }: FaultRow): string =>
  ms === null ? NONE : `${(ms / 1000).toFixed(1)} of ${allowedMs / 1000} s`;

const COLUMNS = [
  'fault',
  'struck',
  'what the caller heard',
  'longest silence',
  'too long',
  'unnamed',
  'stuck',
  'others hurt',
] as const;

const cellsOf = (row: FaultRow): string[] => [
  row.fault,
  `${row.struck}`,
  outcomesText(row),
  silenceText(row),
  `${row.overlong}`,
  `${row.unnamed}`,
  `${row.stuck}`,
  `${row.hurt}`,
];

/** What must be zero, in words. */
function sums({
  violations,
  leftovers,
  unhandled,
  controls,
  controlsHurt,
  controlsLongestMs,
  overlong,
  unnamed,
  stuck,
  unjudged,
  reasons,
  longestStallMs,
}: ChaosReport): string[] {
  return [
    `${counted(controls, 'control')}, ${controlsHurt} hurt; their longest unexplained silence was ${seconds(controlsLongestMs)}`,
    `silences too long: ${overlong}; ends without a name: ${unnamed}; stuck: ${stuck}`,
    `ends: ${Object.entries(reasons)
      .toSorted(([, a], [, b]) => b - a)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', ')}`,
    `left over afterwards: ${leftovers.join(', ') || 'nothing'}; unhandled rejections: ${unhandled.length}`,
    `this process stood still for ${longestStallMs} ms at the longest, which is taken off the silences; of ${counted(unjudged, 'call')} the sound was not judged, because it stood still for more than 2 s while they were up`,
    `${counted(violations.length, 'violation')}`,
  ];
}

const headline = ({ calls, struck, planned, seed, seconds: took }: ChaosReport): string =>
  `${counted(struck, 'fault')} struck ${counted(calls, 'call')} in ${took} s (seed ${seed}${planned > struck ? `; ${planned - struck} more found no moment` : ''})`;

/** How far a run is. More may strike than were wanted: calls that are up are heard to their end. @param wanted null: no number of faults, but these calls */
export function progressLine(
  elapsedMs: number,
  { up, done, struck, violations }: ChaosState,
  wanted: number | null,
): string {
  const faults = counted(struck, 'fault') + (wanted === null ? ' struck' : ` struck (${wanted} wanted)`);
  return `${callTime(elapsedMs)}  ${counted(up, 'call')} up, ${done} done, ${faults}, ${counted(violations, 'violation')}`;
}

/** The report as lines of at most `width` columns. */
export function reportLines(report: ChaosReport, width: number): string[] {
  const columns = COLUMNS.map((title, i) => ({
    title,
    ...(i === 2 ? { shrinks: true as const } : {}),
    ...(i === 1 || i > 2 ? { align: 'right' as const } : {}),
  }));
  return [
    ...table(columns, report.rows.map(cellsOf), width),
    '',
    headline(report),
    ...sums(report),
    ...report.violations.flatMap(({ call, faults, what, again }) => [
      `VIOLATION call ${call} (${faults.join(' + ') || 'control'}): ${what}`,
      `  again: ${again}`,
    ]),
    ...report.leftovers.map((left) => `VIOLATION left over: ${left}`),
    ...report.unhandled.map((text) => `VIOLATION unhandled: ${text}`),
  ];
}

const BEGIN = '<!-- Written by trunkline chaos --page. Edit nothing between here -->';
const END = '<!-- and here. -->';

/**
 * A page with this run in it: between its two markers, or a new page where there was none.
 * @throws Error when the page has not the markers, once each and in order
 */
export function pageWith(section: string, page = `# Chaos\n\n${BEGIN}\n${END}\n`): string {
  const [before, rest, more] = page.split(BEGIN);
  const [, after, again] = rest?.split(END) ?? [];
  if (before === undefined || after === undefined || more !== undefined || again !== undefined)
    throw new Error(`the page must hold "${BEGIN}" and "${END}", once each and in this order`);
  return `${before}${BEGIN}\n\n${section}\n\n${END}${after}`;
}

/** The run as Markdown. @param command has it again */
export function sectionOf(report: ChaosReport, command: string): string {
  const families = [...new Set(report.rows.map(({ family }) => family))];
  return [
    [
      `${headline(report)}.`,
      '',
      ...sums(report).map((line) => `- ${line}`),
      `- commit \`${git('rev-parse', 'HEAD')}\`${changedFolders()}; ${new Date().toISOString()}; ${availableParallelism()} cores, Node ${process.versions.node}`,
      `- again: \`${command}\``,
    ].join('\n'),
    ...families.flatMap((family) => [
      `### ${TITLES[family] ?? family}`,
      markdown(report.rows.filter((row) => row.family === family)),
    ]),
    ...(report.violations.length === 0
      ? []
      : [
          '### Violations',
          report.violations
            .map(
              ({ call, faults, what, again }) =>
                `- call ${call} (${faults.join(' + ') || 'control'}): ${what}. \`${again}\``,
            )
            .join('\n'),
        ]),
  ].join('\n\n');
}

const TITLES: Record<string, string> = {
  model: 'The model',
  carrier: 'The carrier',
  rest: 'The carrier’s REST API',
  tool: 'Tools',
  disk: 'The disk',
  process: 'The process',
};

/** The table as its titles and its rows. */
export const columnsOf = ({ rows }: ChaosReport): [string[], string[][]] => [[...COLUMNS], rows.map(cellsOf)];

function markdown(rows: readonly FaultRow[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(['fault', 'what happens', ...COLUMNS.slice(1)]),
    line(['fault', 'what happens', ...COLUMNS.slice(1)].map((title) => '-'.repeat(title.length))),
    ...rows.map((row) => {
      const [fault = '', ...cells] = cellsOf(row);
      return line([`\`${fault}\``, row.what, ...cells]);
    }),
  ].join('\n');
}

const git = (...args: string[]): string =>
  spawnSync('git', args, { encoding: 'utf8', timeout: 10_000 }).stdout?.trimEnd() || 'unknown';

/** Where the tree differs from the commit. */
function changedFolders(): string {
  const lines = git('status', '--porcelain', '--untracked-files=all', '--', 'src').split('\n');
  return lines.some((line) => line.slice(3).startsWith('src')) ? ', **with uncommitted changes**' : '';
}
