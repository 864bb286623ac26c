// What stands in each column of the list. All of it came from outside: it is text, cut where it is long, whole on hover.
import type { ComponentChildren } from 'preact';
import { duration, latency, momentInFull, party, reasonInWords } from '../format.ts';
import { Badge, Money } from '../ui.tsx';
import type { ColumnName } from './columns.ts';
import { momentInList } from './days.ts';
import type { CallSummary } from './types.ts';

/** @param now tells which year goes without saying */
export function cell(name: ColumnName, call: CallSummary, now: number): ComponentChildren {
  return CELLS[name](call, now);
}

const nothing = (why: string) => (
  <span class="soft" title={why}>
    –
  </span>
);

const text = (value: string) => (
  <span class="calls-cut" title={value}>
    {value}
  </span>
);

const CELLS: Record<ColumnName, (call: CallSummary, now: number) => ComponentChildren> = {
  time: ({ callId, admittedWallMs }, now) => (
    <a class="calls-open" href={`/calls/${callId}`}>
      <time dateTime={new Date(admittedWallMs).toISOString()} title={momentInFull(admittedWallMs)}>
        {momentInList(admittedWallMs, now)}
      </time>
    </a>
  ),
  parties: ({ from, to }) => (
    <span class="calls-cut number" title={`${party(from)} (${from.kind}) called ${party(to)} (${to.kind})`}>
      <bdi>{party(from)}</bdi> <span class="soft">→</span> <bdi>{party(to)}</bdi>
    </span>
  ),
  agent: ({ agent }) => text(agent),
  duration: ({ durationMs }) =>
    durationMs === null ? (
      nothing('No media came, or the call is under way')
    ) : (
      <span title="h:mm:ss">{duration(durationMs)}</span>
    ),
  end: End,
  latency: ({ latencyMs }) =>
    latencyMs === null ? (
      nothing('No turn of the caller was answered, or it is not known')
    ) : (
      <span title={`${latencyMs} ms: median of the answers, as the caller heard them`}>{latency(latencyMs)}</span>
    ),
  cost: ({ cost }) => <Money nanoUsd={cost.nanoUsd} unpriced={cost.unpricedLines} />,
  quality: ({ quality }) =>
    quality === null ? (
      nothing('Nothing was heard that could be judged')
    ) : (
      <span title={`${quality} of 100`}>{quality}</span>
    ),
  disposition: ({ disposition }) => (disposition === null ? nothing('The agent noted nothing') : text(disposition)),
  direction: ({ direction }) => text(direction),
  model: ({ model }) => text(model),
  id: ({ callId }) => (
    <span class="calls-cut mono" title={callId}>
      {callId}
    </span>
  ),
};

function End({ endedWallMs, reason, result }: CallSummary) {
  if (reason === null)
    return (
      <Badge tone="info" title={endedWallMs === null ? reasonInWords(null) : 'The reason is not known'}>
        under way
      </Badge>
    );
  const succeeded = result === 'success';
  return (
    <span class="calls-end">
      <Badge tone={succeeded ? 'good' : 'bad'} title={succeeded ? 'Success' : 'Failure'}>
        <span aria-hidden="true">{succeeded ? '✓' : '✕'}</span>
        <span class="visually-hidden">{result}: </span>
      </Badge>
      <span class="calls-cut" title={`${reasonInWords(reason)} (${reason})`}>
        {reasonInWords(reason)}
      </span>
    </span>
  );
}
