// What `trunkline forget` prints: a table of what is kept of somebody, and of what became of it. Pure.
import type { Forgotten } from './forget.ts';
import type { Theirs } from './theirs.ts';

/** Of a longer list the rest is only counted. */
const MAX_TOLD = 20;

/** For a dry run. */
export const foundLines = (theirs: Theirs): string[] =>
  theirs.callIds.length + theirs.running.length === 0
    ? ['Nothing is kept of this caller.']
    : [
        `Would be removed, of ${counted(theirs.callIds.length, 'call')}:`,
        '',
        ...table(keptRows(theirs)),
        ...live(theirs),
      ];

/** After it was done. */
export function forgottenLines({ theirs, badLines, notRemoved, ...proof }: Forgotten, dataDir: string): string[] {
  const { searched, traces, elsewhere } = proof;
  const left = [...notRemoved, ...traces.filter(({ path }) => !notRemoved.some((one) => path.startsWith(one.path)))];
  const gone = theirs.callIds.length - notRemoved.length;
  return [
    headline(gone, left.length),
    '',
    ...table([
      ...(theirs.callIds.length === 0 ? [] : keptRows(theirs)),
      ...(badLines === 0 ? [] : [['journal', `${counted(badLines, 'line')} that had been put aside`] as Row]),
      [
        'searched',
        `${counted(searched.files, 'file')}, ${size(searched.bytes)} below ${dataDir}; every text of the database`,
      ],
      ['traces left', `${left.length}`],
    ]),
    ...list(
      'Still there:',
      left.map(({ path, why }) => `${path}: ${why}`),
    ),
    ...(left.length === 0 ? [] : ['Run it again in a few minutes; what a live call holds goes when the call is over.']),
    ...list('The same text stands in what is not of this caller, and stays there:', elsewhere),
  ];
}

function headline(gone: number, left: number): string {
  if (gone > 0) return `Forgotten: ${counted(gone, 'call')} of this caller.`;
  return left > 0 ? 'Nothing was removed. Of this caller something is left:' : 'Nothing was kept of this caller.';
}

type Row = [what: string, how: string];

function keptRows({ rows, folders, entries }: Theirs): Row[] {
  const messages = entries.filter(({ hasMessage }) => hasMessage).length;
  return [
    [
      'database',
      `${counted(rows.calls, 'call')}: the numbers, ${counted(rows.turns, 'turn')}, ${counted(rows.tools, 'tool run')}` +
        `; ${counted(rows.lines, 'line')} of bills stay`,
    ],
    ['calls', `${counted(folders.folders, 'folder')}: ${counted(folders.files, 'file')}, ${size(folders.bytes)}`],
    ['entries', counted(entries.length, 'file')],
    ...(messages === 0
      ? []
      : [['carrier', `${counted(messages, 'message')} left by the caller: remove them there`] satisfies Row]),
  ];
}

const live = ({ running }: Theirs): string[] =>
  running.length === 0
    ? []
    : ['', `Live, or ended a moment ago, and not to be removed yet: ${counted(running.length, 'call')}.`];

const table = (rows: readonly Row[]): string[] => rows.map(([what, how]) => `  ${what.padEnd(12)} ${how}`);

function list(title: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const more = items.length - MAX_TOLD;
  const told = items.slice(0, MAX_TOLD).map((item) => `  ${item}`);
  return ['', title, ...told, ...(more > 0 ? [`  and ${more} more`] : [])];
}

const counted = (count: number, noun: string): string =>
  `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;

const size = (bytes: number): string =>
  bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
