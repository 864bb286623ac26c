// The list of calls: its filter, order and place are the address of the page, so that each list has a permalink.
import { useEffect, useRef, useState } from 'preact/hooks';
import { useApi } from '../api.ts';
import { number } from '../format.ts';
import { inBrowser, inTab } from '../memory.ts';
import { navigate, usePlace } from '../router.ts';
import { Button, Empty, Failure, Link, useTitle } from '../ui.tsx';
import { chosenColumns, type ColumnName, keepColumns } from '../calls/columns.ts';
import { Figures } from '../calls/figures.tsx';
import { FilterBar } from '../calls/filter-bar.tsx';
import { useCallList } from '../calls/list.ts';
import { atCursor, isFiltered, withQuery } from '../calls/query.ts';
import { useKeptScroll } from '../calls/scroll.ts';
import { CallTable } from '../calls/table.tsx';
import { ColumnChoice, Export, Pages, SortChoice } from '../calls/tools.tsx';
import { remember, stepTo } from '../calls/trail.ts';
import type { CallFacets } from '../calls/types.ts';
import '../calls/calls.css';

export function CallsPage(_: { id: string }) {
  useTitle('Calls');
  const { query } = usePlace();
  const { list, arrived, error, busy, reload } = useCallList(query);
  const known = busy ? null : list;
  // What is still shown while the next page comes belongs to the address before; so do its ways to other pages.
  const shown = useRef(query);
  if (!busy) shown.current = query;
  const facets = useApi<CallFacets>('/calls/facets');
  const [chosen, setChosen] = useState(() => chosenColumns(inBrowser));
  const top = useRef<HTMLDivElement>(null);
  const cursor = query.get('cursor');
  const here = query.toString();

  // The way back is known before anybody goes forward.
  useEffect(() => {
    if (known === null || known.next === null) return;
    const offset = cursor === null ? 0 : stepTo(here, inTab)?.offset;
    if (offset === undefined) return;
    const next = atCursor(query, known.next).toString();
    remember(next, { newer: here, offset: offset + known.calls.length }, inTab);
  }, [known, here]);

  useKeptScroll(list !== null, cursor, top);

  const choose = (columns: ColumnName[]): void => {
    setChosen(columns);
    keepColumns(columns, inBrowser);
  };
  const isEmpty = known !== null && known.calls.length === 0;
  const isFirstDay = isEmpty && !isFiltered(query) && cursor === null;
  // Where there is nothing, nothing moves under the hand.
  useEffect(() => {
    if (isFirstDay && arrived > 0) reload();
  }, [isFirstDay, arrived]);
  const toNewest = (): void => {
    // What has come stands at the top.
    scrollTo({ top: 0 });
    if (cursor === null) reload();
    else navigate(withQuery('/calls', atCursor(query, null)));
  };
  if (isFirstDay) return <NothingYet />;
  return (
    <>
      <h1>Calls</h1>
      <Figures query={query} count={known?.count ?? null} />
      <FilterBar query={query} facets={facets.data} />
      <div class="calls-bar" ref={top}>
        <p class="visually-hidden" role="status">
          {known !== null && `${number(known.count)} ${known.count === 1 ? 'call fits' : 'calls fit'}`}
        </p>
        <Pages query={shown.current} list={list} label="Pages" />
        <SortChoice query={query} />
        <ColumnChoice chosen={chosen} choose={choose} />
        <Export query={query} count={known?.count ?? null} />
      </div>
      <div class="calls-news" role="status">
        {arrived > 0 && (
          <Button onClick={toNewest}>
            ↑ {number(arrived)} new {arrived === 1 ? 'call' : 'calls'}
          </Button>
        )}
      </div>
      {error !== null && (error.status === 400 ? <Failure error={error} /> : <Failure error={error} retry={reload} />)}
      {error !== null && error.status === 400 && (
        <p>
          The address of this page holds something that the server does not take: remove that filter above, or{' '}
          <Link href="/calls">show all calls</Link>.
        </p>
      )}
      {isEmpty ? (
        <NothingFits query={query} />
      ) : (
        (list !== null || error === null) && (
          <CallTable calls={list?.calls ?? null} chosen={chosen} query={query} busy={busy} />
        )
      )}
      {list !== null && list.calls.length > 15 && (
        <div class="calls-bar">
          <Pages query={shown.current} list={list} label="Pages, below the list" />
        </div>
      )}
    </>
  );
}

const NothingYet = () => (
  <>
    <h1>Calls</h1>
    <Empty title="No call has come in yet">
      <p>Every call is kept here with its transcript, its timing and its bill.</p>
      <p>
        <Link class="button primary" href="/phone">
          Call the agent from this browser
        </Link>
      </p>
      <p>
        Or connect a number: set its voice webhook at the carrier to <code>POST {location.origin}/voice</code>, with the
        origin that the carrier reaches (<code>PUBLIC_URL</code>). The steps are in <code>docs/twilio.md</code>.
      </p>
    </Empty>
  </>
);

function NothingFits({ query }: { query: URLSearchParams }) {
  if (query.has('cursor'))
    return (
      <Empty title="There are no more calls here">
        <p>
          <Link class="button" href={withQuery('/calls', atCursor(query, null))}>
            To the beginning of the list
          </Link>
        </p>
      </Empty>
    );
  return (
    <Empty title="No call fits these filters">
      <p>Remove one of the filters above, or all of them. Calls that retention has removed are not found any more.</p>
      <p>
        <Link class="button" href="/calls">
          Clear the filters
        </Link>
      </p>
    </Empty>
  );
}
