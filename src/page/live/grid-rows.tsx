// The grid as a dense table with fixed columns and rows of one height: nothing moves when words, states and costs change. On
// narrow screens each row is a card. A row is built anew only when its call has changed.
import { useMemo } from 'preact/hooks';
import { usd } from '../format.ts';
import { navigate } from '../router.ts';
import { Link } from '../ui.tsx';
import type { GridRow, Sort } from './grid.ts';
import { Answer, Counts, StateMark } from './marks.tsx';
import { Since } from './since.tsx';

interface Column {
  name: string;
  class: string;
  meaning: string;
  sort?: Sort;
  order?: 'ascending' | 'descending';
}

const COLUMNS: readonly Column[] = [
  {
    name: 'State',
    class: 'state',
    meaning: 'Where the call stands, and for how long',
    sort: 'state',
    order: 'ascending',
  },
  { name: 'Caller', class: 'who', meaning: 'The caller, masked, and what was dialled' },
  { name: 'Agent', class: 'agent', meaning: 'Who answers, and which way the call was placed' },
  { name: 'Age', class: 'age', meaning: 'Since the call was let in', sort: 'age', order: 'descending' },
  {
    name: 'Cost',
    class: 'cost',
    meaning: 'By the price book, so far, in US dollars',
    sort: 'cost',
    order: 'descending',
  },
  {
    name: 'Answer',
    class: 'answer',
    meaning: 'How long the caller waited for the latest answer',
    sort: 'latency',
    order: 'descending',
  },
  { name: 'Last words', class: 'last', meaning: 'What was said last, and by whom' },
  { name: 'So far', class: 'counts', meaning: 'Turns, barge-ins, troubles' },
];

export function GridRows({ rows, sort, sortBy }: { rows: readonly GridRow[]; sort: Sort; sortBy: (by: Sort) => void }) {
  return (
    <table class="live-grid" role="table" aria-label="Calls under way">
      <thead role="rowgroup">
        <tr role="row">
          {COLUMNS.map(({ name, class: of, meaning, sort: by, order }) => (
            <th
              key={name}
              scope="col"
              role="columnheader"
              class={`live-c-${of}`}
              title={meaning}
              aria-sort={by === sort ? order : undefined}
            >
              {by === undefined ? (
                name
              ) : (
                <button type="button" class="live-sort" onClick={() => sortBy(by)}>
                  {name}
                  <span aria-hidden="true">{by === sort ? (order === 'ascending' ? ' ▲' : ' ▼') : ''}</span>
                </button>
              )}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <Row key={row.call.callId} row={row} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ row }: { row: GridRow }) {
  // The same element again where the row is the same object: nothing below it is looked at.
  return useMemo(() => <Drawn row={row} />, [row]);
}

function Drawn({ row: { call, goneAtMs } }: { row: GridRow }) {
  const over = goneAtMs !== null;
  const href = over ? `/calls/${call.callId}` : `/live/${call.callId}`;
  return (
    <tr
      role="row"
      class={over ? 'live-over' : ''}
      data-call={call.callId}
      onClick={(event) => {
        // The whole row is a way in; but links are links, and words can be selected.
        const target = event.target as HTMLElement;
        if (target.closest('a, button') !== null || getSelection()?.isCollapsed === false) return;
        navigate(href);
      }}
    >
      <td role="cell" class="live-c-state">
        <StateMark call={call} over={over} />
      </td>
      <th role="rowheader" scope="row" class="live-c-who">
        <Link href={href} class="live-link" title={over ? 'Over: open its record' : 'Open this call'}>
          {call.caller}
        </Link>
        <span class="live-sub" title={`Dialled: ${call.called}`}>
          {call.called}
        </span>
      </th>
      <td role="cell" class="live-c-agent">
        <span class="live-cut" title={call.agent}>
          {call.agent}
        </span>
        <span class="live-sub">{call.direction}</span>
      </td>
      <td role="cell" class="live-c-age">
        <Since atMs={call.admittedWallMs} title="Since the call was let in" stopped={over} />
      </td>
      <td role="cell" class="live-c-cost number">
        <span
          title={
            call.unpricedLines > 0
              ? `${call.unpricedLines} line(s) have no known price: it costs more`
              : 'By the price book, so far, in US dollars'
          }
        >
          {usd(call.costNanoUsd, call.unpricedLines)}
        </span>
      </td>
      <td role="cell" class="live-c-answer">
        <Answer latencyMs={call.latencyMs} />
      </td>
      <td role="cell" class="live-c-last">
        {call.last === null ? (
          <span class="live-words soft">Nothing was said yet</span>
        ) : (
          <span class="live-words" title={call.last.text}>
            <span class={`live-by ${call.last.who}`}>{call.last.who === 'caller' ? 'Caller' : 'Agent'}</span>{' '}
            <bdi>{call.last.text}</bdi>
          </span>
        )}
      </td>
      <td role="cell" class="live-c-counts">
        <Counts call={call} />
      </td>
    </tr>
  );
}
