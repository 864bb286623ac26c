// What goes on now: how the server is, and every call that is under way.
import { useEffect, useRef, useState } from 'preact/hooks';
import { number } from '../format.ts';
import { useConnection } from '../live/connection.ts';
import { GridRows } from '../live/grid-rows.tsx';
import { SORTS, type Sort } from '../live/grid.ts';
import { KeysHelp, useKeys, type Key } from '../live/keys.tsx';
import '../live/live.css';
import { NoCalls } from '../live/no-calls.tsx';
import { FactMeanings, ServerStrip } from '../live/server-strip.tsx';
import { useLiveGrid } from '../live/use-live-grid.ts';
import { setQuery, usePlace } from '../router.ts';
import { Badge, Button, Loading, useTitle } from '../ui.tsx';

/** Rows drawn at once; a server with more calls than this is looked at by filter. */
const ROWS_AT_ONCE = 200;

export function LivePage() {
  useTitle('Live');
  const { query } = usePlace();
  const sort = SORTS.find((one) => one === query.get('sort')) ?? 'age';
  const agent = query.get('agent') ?? '';
  const box = useRef<HTMLDivElement>(null);
  const pointerIn = useRef(false);
  const held = (): boolean => pointerIn.current || document.activeElement?.matches('.live-grid tbody *') === true;
  const { grid, known, up, redraw } = useLiveGrid(sort, held);
  const { facts } = useConnection();
  const [most, setMost] = useState(ROWS_AT_ONCE);
  const filter = useRef<HTMLSelectElement>(null);

  const sortBy = (by: Sort): void => {
    grid.sort(by);
    redraw();
    setQuery({ sort: by === 'age' ? null : by }, { replace: true });
  };
  // By "back", or a link.
  useEffect(() => {
    grid.sort(sort);
    redraw();
  }, [sort]);

  const keys: Key[] = [
    { key: 's', does: 'sort again', run: () => sortBy(sort) },
    { key: 'f', does: 'filter by agent', run: () => filter.current?.focus() },
    { key: 'j', does: 'next call', run: () => move(box.current, 1) },
    { key: 'k', does: 'previous call', run: () => move(box.current, -1) },
  ];
  useKeys(keys);

  const rows = grid.rows();
  const agents = [...new Set(rows.map(({ call }) => call.agent))].toSorted();
  if (agent !== '' && !agents.includes(agent)) agents.push(agent);
  const fitting = agent === '' ? rows : rows.filter(({ call }) => call.agent === agent);
  const live = grid.live();

  return (
    <>
      <div class="row spread">
        <h1>
          Live <span class="soft number live-total">{known ? number(live) : ''}</span>
        </h1>
        <div class="row">
          {facts?.simulated === true && (
            <span title="Without OPENAI_API_KEY the embedded simulator answers, by its own script and at no cost">
              <Badge tone="info">The simulator answers</Badge>
            </span>
          )}
          <KeysHelp keys={keys}>
            <FactMeanings facts={facts} />
          </KeysHelp>
        </div>
      </div>
      <ServerStrip facts={facts} />
      {!known && <Loading what={up ? 'Loading' : 'Waiting for the server'} />}
      {known && rows.length === 0 && agent === '' && <NoCalls facts={facts} />}
      {known && (rows.length > 0 || agent !== '') && (
        <>
          <div class="row live-tools">
            <label class="live-inline">
              Agent
              <select
                ref={filter}
                value={agent}
                onChange={({ currentTarget }) => setQuery({ agent: currentTarget.value }, { replace: true })}
              >
                <option value="">all</option>
                {agents.map((name) => (
                  <option key={name} value={name}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
            <label class="live-inline">
              Sorted by
              <select value={sort} onChange={({ currentTarget }) => sortBy(currentTarget.value as Sort)}>
                <option value="age">age, oldest first</option>
                <option value="state">state, waiting first</option>
                <option value="cost">cost, dearest first</option>
                <option value="latency">latest answer, slowest first</option>
              </select>
            </label>
            <Button
              disabled={grid.isSorted(sort)}
              title="Rows stay where they are while calls change; press to put them into order again"
              onClick={() => sortBy(sort)}
            >
              Sort again <kbd aria-hidden="true">s</kbd>
            </Button>
            {agent !== '' && (
              <span class="soft">
                {number(fitting.length)} of {number(rows.length)}
              </span>
            )}
          </div>
          <div
            ref={box}
            class={`scroll live-box ${up ? '' : 'live-stale'}`}
            onPointerEnter={() => (pointerIn.current = true)}
            onPointerLeave={() => (pointerIn.current = false)}
          >
            <GridRows rows={fitting.slice(0, most)} sort={sort} sortBy={sortBy} />
          </div>
          {fitting.length === 0 && (
            <p class="soft">
              No call of “{agent}” is under way.{' '}
              <Button onClick={() => setQuery({ agent: null }, { replace: true })}>Show all agents</Button>
            </p>
          )}
          {fitting.length > most && (
            <Button onClick={() => setMost(most + ROWS_AT_ONCE)}>
              Show more ({number(fitting.length - most)} are not shown)
            </Button>
          )}
        </>
      )}
    </>
  );
}

/** Moves the focus between the calls' links. */
function move(box: HTMLElement | null, by: 1 | -1): void {
  const links = [...(box?.querySelectorAll<HTMLElement>('a.live-link') ?? [])];
  const at = links.indexOf(document.activeElement as HTMLElement);
  (at < 0 ? links[0] : links[at + by])?.focus();
}
