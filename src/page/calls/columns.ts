// The columns of the list: what each means, what it can be sorted by, and which ones this browser shows.
import type { Sort } from './query.ts';

export const COLUMNS = [
  { name: 'time', title: 'Time', sort: 'admitted', means: 'When the call was let in, in your time zone' },
  { name: 'parties', title: 'Caller → called', sort: null, means: 'Who called, and the number that they dialled' },
  { name: 'agent', title: 'Agent', sort: null, means: 'The agent that answered' },
  {
    name: 'duration',
    title: 'Duration',
    sort: 'duration',
    means: 'From the start of the media to its end; – : no media came, or it is under way',
  },
  { name: 'end', title: 'End', sort: null, means: 'Whether the call did what it was for, and why it ended' },
  {
    name: 'latency',
    title: 'Latency',
    sort: 'latency',
    means:
      'From the last sound of the caller to the first sound of the answer as the caller hears it; the median of the call',
  },
  {
    name: 'cost',
    title: 'Cost',
    sort: 'cost',
    means: 'All lines of the bill so far by the price book, in US dollars; ≥ : a part has no known price',
  },
  {
    name: 'quality',
    title: 'Quality',
    sort: 'quality',
    means:
      '100 less the points taken for dead air, slow answers, lost audio and failures; – : nothing was heard to judge',
  },
  { name: 'disposition', title: 'Disposition', sort: null, means: 'The business result that the agent noted' },
  { name: 'direction', title: 'Direction', sort: null, means: 'Inbound: we were called; outbound: we called' },
  { name: 'model', title: 'Model', sort: null, means: 'The model that the call began with' },
  { name: 'id', title: 'Call id', sort: null, means: 'What logs, files and the API know the call by' },
] as const satisfies readonly { name: string; title: string; sort: Sort | null; means: string }[];

export type Column = (typeof COLUMNS)[number];
export type ColumnName = Column['name'];

/** The link to the call, which every row has. */
export const ALWAYS: ColumnName = 'time';

const AT_FIRST: readonly ColumnName[] = [
  ...(['time', 'parties', 'agent', 'duration', 'end'] as const),
  ...(['latency', 'cost', 'quality', 'disposition'] as const),
];

const KEY = 'trk-calls-columns';

/** The columns that were chosen in this browser, in their own order. */
export function chosenColumns(storage: Pick<Storage, 'getItem'>): ColumnName[] {
  let chosen: unknown = null;
  try {
    chosen = JSON.parse(storage.getItem(KEY) ?? 'null');
  } catch {
    // Not ours, or forbidden: as at first.
  }
  const kept: readonly unknown[] = Array.isArray(chosen) ? chosen : AT_FIRST;
  return COLUMNS.flatMap(({ name }) => (name === ALWAYS || kept.includes(name) ? [name] : []));
}

export function keepColumns(chosen: readonly ColumnName[], storage: Pick<Storage, 'setItem'>): void {
  try {
    storage.setItem(KEY, JSON.stringify(chosen));
  } catch {
    // For this visit only.
  }
}
