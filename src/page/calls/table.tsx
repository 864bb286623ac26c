// The list itself: rows that are links, columns that sort. On a narrow screen each row becomes a card; the roles are written down
// because a table laid out otherwise is none to a screen reader.
import { useMemo } from 'preact/hooks';
import { navigate } from '../router.ts';
import { cell } from './cells.tsx';
import { type Column, type ColumnName, COLUMNS } from './columns.ts';
import { sortedBy, sortingOf, withQuery } from './query.ts';
import type { CallSummary } from './types.ts';

const GHOSTS = 12;

export function CallTable({
  calls,
  chosen,
  query,
  busy,
}: {
  /** Null: not there yet. */
  calls: readonly CallSummary[] | null;
  chosen: readonly ColumnName[];
  query: URLSearchParams;
  busy: boolean;
}) {
  const columns = COLUMNS.filter(({ name }) => chosen.includes(name));
  const now = useMemo(() => Date.now(), [calls]);
  return (
    <div class="scroll calls-scroll">
      <table class={`calls-table ${busy ? 'calls-busy' : ''}`} role="table" aria-label="Calls" aria-busy={busy}>
        <colgroup>
          {columns.map(({ name }) => (
            <col key={name} class={`calls-col-${name}`} />
          ))}
        </colgroup>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <Heading key={column.name} column={column} query={query} />
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup" onKeyDown={moveBetweenRows}>
          {calls === null
            ? Array.from({ length: GHOSTS }, (_, index) => <Ghost key={index} columns={columns.length} />)
            : calls.map((call) => (
                <tr key={call.callId} role="row" onClick={openRow} onAuxClick={openRow}>
                  {columns.map(({ name, title }) => (
                    <td
                      key={name}
                      role="cell"
                      class={`calls-td-${name} ${NUMERIC.has(name) ? 'number' : ''}`}
                      data-label={title}
                    >
                      {cell(name, call, now)}
                    </td>
                  ))}
                </tr>
              ))}
        </tbody>
      </table>
    </div>
  );
}

const NUMERIC: ReadonlySet<ColumnName> = new Set(['duration', 'latency', 'cost', 'quality'] as const);

function Heading({ column: { name, title, sort, means }, query }: { column: Column; query: URLSearchParams }) {
  const now = sortingOf(query);
  const sorted = sort !== null && now.sort === sort ? now.order : null;
  const sortWord = sorted === null ? undefined : sorted === 'asc' ? 'ascending' : 'descending';
  return (
    <th scope="col" role="columnheader" aria-sort={sortWord} class={NUMERIC.has(name) ? 'number' : ''} title={means}>
      {sort === null ? (
        title
      ) : (
        <button type="button" onClick={() => navigate(withQuery('/calls', sortedBy(query, sort)))}>
          {title}
          <span aria-hidden="true" class="calls-arrow">
            {sorted === null ? '' : sorted === 'asc' ? '▲' : '▼'}
          </span>
        </button>
      )}
    </th>
  );
}

const Ghost = ({ columns }: { columns: number }) => (
  <tr role="row" class="calls-ghost" aria-hidden="true">
    <td role="cell" colSpan={columns}>
      <span />
    </td>
  </tr>
);

const linkOf = (row: Element | null): HTMLAnchorElement | null =>
  row?.querySelector<HTMLAnchorElement>('a.calls-open') ?? null;

/** The whole row opens the call as its link would: here, or in a new tab by the middle button or with a modifier. */
function openRow(event: MouseEvent & { currentTarget: HTMLTableRowElement }): void {
  const link = linkOf(event.currentTarget);
  // Text that is being selected is no click.
  if (link === null || event.defaultPrevented || event.button > 1 || getSelection()?.isCollapsed === false) return;
  const elsewhere = event.button === 1 || event.metaKey || event.ctrlKey || event.shiftKey;
  if (elsewhere) {
    // On the link itself the browser does it.
    if (event.target instanceof Element && event.target.closest('a') === null) open(link.href, '_blank', 'noopener');
    return;
  }
  event.preventDefault();
  navigate(link.pathname);
}

const STEPS: Record<string, (at: number, last: number) => number> = {
  ArrowDown: (at, last) => Math.min(last, at + 1),
  ArrowUp: (at) => Math.max(0, at - 1),
  Home: () => 0,
  End: (_, last) => last,
};

/** Up and down go from row to row. */
function moveBetweenRows(event: KeyboardEvent & { currentTarget: HTMLTableSectionElement }): void {
  const step = STEPS[event.key];
  if (step === undefined || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const rows = [...event.currentTarget.rows];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  if (at < 0) return;
  event.preventDefault();
  linkOf(rows[step(at, rows.length - 1)] ?? null)?.focus();
}
