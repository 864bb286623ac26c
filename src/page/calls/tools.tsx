// Beside the list: which columns it has, how it is sorted where it has no headings, its export, and the way through its pages.
import { useState } from 'preact/hooks';
import { number } from '../format.ts';
import { inTab } from '../memory.ts';
import { navigate } from '../router.ts';
import { Link } from '../ui.tsx';
import { ALWAYS, type ColumnName, COLUMNS } from './columns.ts';
import { Popup } from './popup.tsx';
import { atCursor, filterOf, inOrder, type Sorting, sortingOf, SORTS, withQuery } from './query.ts';
import { stepTo } from './trail.ts';
import type { CallList } from './types.ts';

export function ColumnChoice({
  chosen,
  choose,
}: {
  chosen: readonly ColumnName[];
  choose: (chosen: ColumnName[]) => void;
}) {
  const [open, setOpen] = useState(false);
  return (
    <Popup label="Columns" about="Columns of the list" open={open} setOpen={setOpen}>
      <fieldset class="calls-reasons">
        <legend class="hint">Shown in this browser:</legend>
        {COLUMNS.filter(({ name }) => name !== ALWAYS).map(({ name, title, means }) => (
          <label key={name} title={means}>
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={(event) =>
                choose(event.currentTarget.checked ? [...chosen, name] : chosen.filter((other) => other !== name))
              }
            />
            {title}
          </label>
        ))}
      </fieldset>
    </Popup>
  );
}

/** More than that the server does not put into one file. */
const MOST_ROWS = 1_000_000;

/** All calls of the filter as files. */
export function Export({ query, count }: { query: URLSearchParams; count: number | null }) {
  const [open, setOpen] = useState(false);
  const asked = filterOf(query);
  for (const name of ['sort', 'order']) if (query.has(name)) asked.set(name, query.get(name) ?? '');
  return (
    <Popup label="Export" about="Export of the list" open={open} setOpen={setOpen}>
      {count !== null && count > MOST_ROWS ? (
        <p>
          {number(count)} calls fit, and one file holds at most {number(MOST_ROWS)}. Narrow them by date, and take
          several files.
        </p>
      ) : (
        <>
          <p class="hint">All calls that fit the filter, on all pages, in this order.</p>
          <div class="calls-presets">
            {(['csv', 'json'] as const).map((format) => (
              <a key={format} class="button" href={withQuery(`/api/calls.${format}`, asked)} download>
                {format.toUpperCase()}
              </a>
            ))}
          </div>
          <p class="hint">It holds callers' numbers. That you took it stands in the audit.</p>
        </>
      )}
    </Popup>
  );
}

const SORT_NAMES = {
  admitted: { desc: 'Newest first', asc: 'Oldest first' },
  duration: { desc: 'Longest first', asc: 'Shortest first' },
  cost: { desc: 'Dearest first', asc: 'Cheapest first' },
  latency: { desc: 'Slowest first', asc: 'Fastest first' },
  quality: { desc: 'Best first', asc: 'Worst first' },
} as const;

/** For narrow screens, where the list has no headings. */
export function SortChoice({ query }: { query: URLSearchParams }) {
  const now = sortingOf(query);
  const offered = SORTS.flatMap((sort) => (['desc', 'asc'] as const).map((order): Sorting => ({ sort, order })));
  return (
    <div class="calls-sort">
      <select
        aria-label="Sorted by"
        value={`${now.sort} ${now.order}`}
        onChange={(event) => {
          const chosen = offered[event.currentTarget.selectedIndex];
          if (chosen !== undefined) navigate(withQuery('/calls', inOrder(query, chosen)));
        }}
      >
        {offered.map(({ sort, order }) => (
          <option key={sort + order} value={`${sort} ${order}`}>
            {SORT_NAMES[sort][order]}
          </option>
        ))}
      </select>
    </div>
  );
}

/** Where in the list this page is, and the way to the others. */
export function Pages({
  query,
  list,
  label,
}: {
  query: URLSearchParams;
  /** Null: not there yet. */
  list: CallList | null;
  label: string;
}) {
  const step = stepTo(query.toString(), inTab);
  const inside = query.has('cursor');
  const { sort, order } = sortingOf(query);
  const [first, before, after] =
    sort === 'admitted' && order === 'desc' ? ['Newest', 'Newer', 'Older'] : ['First', 'Previous', 'Next'];
  return (
    <nav class="calls-pages" aria-label={label}>
      <span class="hint number">{list !== null && placeInWords(list, inside ? (step?.offset ?? null) : 0)}</span>
      {inside && step?.newer !== atCursor(query, null).toString() && (
        <Link class="button" href={withQuery('/calls', atCursor(query, null))}>
          {first}
        </Link>
      )}
      {inside && step !== null && (
        <Link class="button" rel="prev" href={withQuery('/calls', new URLSearchParams(step.newer))}>
          {before}
        </Link>
      )}
      {list !== null && list.next !== null && (
        <Link class="button" rel="next" href={withQuery('/calls', atCursor(query, list.next))}>
          {after}
        </Link>
      )}
    </nav>
  );
}

function placeInWords({ calls, count }: CallList, offset: number | null): string {
  if (calls.length === 0) return '';
  if (offset === null) return `${number(calls.length)} of ${number(count)}`;
  return `${number(offset + 1)}–${number(offset + calls.length)} of ${number(count)}`;
}
