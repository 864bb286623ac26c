// What went over both sockets and what was decided, as the tape has it: a page at a time, filtered by the server.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { api, ApiError } from '../api.ts';
import { number, pretty } from '../format.ts';
import { Badge, Button, Copy, Empty, Failure, Loading, type Tone } from '../ui.tsx';
import type { Player } from './player.ts';
import type { TapeEvents } from './types.ts';

type Event = TapeEvents['events'][number];
type Side = Event['from'];

const SIDES: readonly (readonly [Side, string, Tone, string])[] = [
  ['carrier', 'Carrier', 'info', 'What came from the carrier'],
  ['model', 'Model', 'good', 'What came from the model'],
  ['call', 'Call', 'quiet', 'What the call decided'],
  ['to_model', 'To the model', 'warn', 'What was sent to the model'],
];
const PAGE = 200;
/** The server does a bounded piece of work for each request: a rare event may lie some of them further on. */
const MOST_TRIES = 50;
const TYPING_MS = 300;

interface Shown {
  page: TapeEvents | null;
  error: ApiError | null;
  loading: boolean;
}

export function EventsTab({ callId, player, underWay }: { callId: string; player: Player; underWay: boolean }) {
  const [side, setSide] = useState<Side | ''>('');
  const [typed, setTyped] = useState('');
  const [text, setText] = useState('');
  /** Where the pages begin that were seen, the present one last. */
  const [starts, setStarts] = useState<readonly number[]>([0]);
  const [{ page, error, loading }, setShown] = useState<Shown>({ page: null, error: null, loading: true });
  const [round, setRound] = useState(0);

  useEffect(() => {
    const timer = setTimeout(() => {
      if (typed === text) return;
      setText(typed);
      setStarts([0]);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);

  useEffect(() => {
    const abort = new AbortController();
    setShown((before) => ({ ...before, loading: true, error: null }));
    load(callId, { side, text, after: starts.at(-1) ?? 0 }, abort.signal).then(
      (found) => setShown({ page: found, error: null, loading: false }),
      (failure: unknown) => {
        if (abort.signal.aborted) return;
        const told = failure instanceof ApiError ? failure : new ApiError(0, 'page', String(failure));
        setShown({ page: null, error: told, loading: false });
      },
    );
    return () => abort.abort();
  }, [callId, side, text, starts, round]);

  const events = page?.events ?? [];
  const next = page?.next ?? null;
  const rows = useMemo(
    () => events.map((event) => <Row key={event.line} event={event} player={player} />),
    [events, player],
  );
  if (error?.status === 404)
    return (
      <Empty title="There is no tape of this call here">
        <p>{error.message}</p>
      </Empty>
    );
  return (
    <div class="call-events">
      <div class="row">
        <label class="call-inline">
          Side
          <select
            value={side}
            onChange={(event) => {
              setSide(event.currentTarget.value as Side | '');
              setStarts([0]);
            }}
          >
            <option value="">all</option>
            {SIDES.map(([name, words]) => (
              <option key={name} value={name}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <label class="call-inline">
          Contains
          <input
            type="search"
            maxLength={200}
            value={typed}
            placeholder="response.create"
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
        <span class="soft" role="status">
          {loading ? 'Loading…' : `${number(events.length)} shown${next === null ? '' : ', there are more'}`}
        </span>
        {underWay && <Button onClick={() => setRound(round + 1)}>Load anew</Button>}
        {page?.complete === false && !underWay && (
          <span class="soft" title="The process died, the disk was full, or the tape reached its longest size">
            The tape ends before the call does.
          </span>
        )}
      </div>
      <Failure error={error} retry={() => setRound(round + 1)} />
      {page === null && loading && <Loading what="Loading the events" />}
      {page !== null && events.length === 0 && !loading && (
        <Empty title="Nothing fits">
          <p>Choose another side or another text.</p>
        </Empty>
      )}
      {events.length > 0 && <div class={`call-event-list${loading ? ' loading-more' : ''}`}>{rows}</div>}
      {(starts.length > 1 || next !== null) && (
        <nav class="row call-pages" aria-label="Pages of events">
          <Button disabled={starts.length === 1 || loading} onClick={() => setStarts(starts.slice(0, -1))}>
            Previous
          </Button>
          <span class="number">Page {starts.length}</span>
          <Button
            disabled={next === null || loading}
            onClick={() => {
              if (next !== null) setStarts([...starts, next]);
            }}
          >
            Next
          </Button>
        </nav>
      )}
    </div>
  );
}

/** Goes on until something fits, or the tape is over. */
async function load(
  callId: string,
  { side, text, after }: { side: string; text: string; after: number },
  signal: AbortSignal,
): Promise<TapeEvents> {
  let from = after;
  for (let tries = 1; ; tries++) {
    const query = new URLSearchParams({ limit: String(PAGE), after: String(from) });
    if (side !== '') query.set('from', side);
    if (text.trim() !== '') query.set('text', text.trim());
    const page = await api<TapeEvents>('GET', `/calls/${callId}/events?${query}`, undefined, signal);
    if (page.events.length > 0 || page.next === null || tries === MOST_TRIES) return page;
    from = page.next;
  }
}

function Row({ event, player }: { event: Event; player: Player }) {
  const [open, setOpen] = useState(false);
  const [, words, tone, meaning] = SIDES.find(([name]) => name === event.from) ?? [
    '',
    event.from,
    'quiet' as const,
    '',
  ];
  return (
    <details class="call-event" onToggle={(toggled) => setOpen(toggled.currentTarget.open)}>
      <summary>
        <span class="number call-event-at" title="Seconds since the media started">
          {seconds(event.atMs)}
        </span>
        <Badge tone={tone} title={meaning}>
          {words}
        </Badge>
        <span class="mono call-event-name">{event.name}</span>
        {event.count > 1 && (
          <span class="soft number" title="So many lines like this were gathered">
            × {number(event.count)}
          </span>
        )}
      </summary>
      {open && (
        <div class="call-text">
          <div class="row">
            <Button kind="quiet" onClick={() => player.seek(event.atMs)}>
              Go there
            </Button>
            <Copy text={event.body} />
            <span class="soft">Line {number(event.line)} of the tape</span>
          </div>
          <pre tabIndex={0} aria-label="The event">
            {pretty(event.body)}
          </pre>
        </div>
      )}
    </details>
  );
}

const seconds = (ms: number): string => `${ms < 0 ? '−' : '+'}${(Math.abs(ms) / 1_000).toFixed(3)} s`;
