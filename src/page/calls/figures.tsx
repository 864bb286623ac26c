// What the calls of the filter come to. It may come later than the page: each figure has its place from the beginning.
import { useApi } from '../api.ts';
import { duration, latency, number, usd } from '../format.ts';
import { share } from './amounts.ts';
import { filterOf, withQuery } from './query.ts';
import type { CallStats } from './types.ts';

export function Figures({ query, count }: { query: URLSearchParams; count: number | null }) {
  const path = withQuery('/calls/stats', filterOf(query));
  const { data, of, error, loading } = useApi<CallStats>(path);
  // Of another filter is no figure at all.
  const stats = of !== path || error !== null ? null : data;
  const write = (figure: (stats: CallStats) => string, instead: string): string =>
    stats === null ? instead : figure(stats);
  return (
    <dl class="calls-figures" aria-busy={loading}>
      {FIGURES.map(({ name, means, value, more }) => (
        <div key={name} title={means}>
          <dt>{name}</dt>
          <dd class="number">
            {name === 'Calls' && count !== null ? number(count) : write(value, error === null ? '…' : '–')}
          </dd>
          <dd class="hint number">{write(more, error === null ? '\u00a0' : 'not known now')}</dd>
        </div>
      ))}
    </dl>
  );
}

const orNone = (value: number | null, write: (value: number) => string): string =>
  value === null ? '–' : write(value);
const ms = (value: number | null): string => orNone(value, latency);
const length = (value: number | null): string => orNone(value, duration);

const FIGURES: readonly {
  name: string;
  means: string;
  value: (stats: CallStats) => string;
  more: (stats: CallStats) => string;
}[] = [
  {
    name: 'Calls',
    means: 'Calls that fit the filter, on all pages; those that have not ended are under way, or their process died',
    value: ({ calls }) => number(calls),
    more: ({ calls, ended }) =>
      calls === 0 ? '\u00a0' : calls === ended ? 'all ended' : `${number(calls - ended)} not ended`,
  },
  {
    name: 'Success',
    means: 'Share of the calls that ended whose end was no failure of the model, the carrier or the server',
    value: ({ successes, failures }) => share(successes, successes + failures),
    more: ({ ended, failures }) =>
      ended === 0 ? 'none ended' : failures === 0 ? 'none failed' : `${number(failures)} failed`,
  },
  {
    name: 'Latency, median',
    means:
      'From the last sound of the caller to the first sound of the answer as the caller hears it. Each call counts with the median ' +
      'of its answers: half of the calls are at the first figure or below, 95 % at the second or below',
    value: ({ latencyMs: { p50 } }) => ms(p50),
    more: ({ latencyMs: { p95 } }) => `p95 ${ms(p95)}`,
  },
  {
    name: 'Duration, median',
    means:
      'From the start of the media to its end: half of the calls are at the first figure or below, 95 % at the second or below',
    value: ({ durationMs: { p50 } }) => length(p50),
    more: ({ durationMs: { p95 } }) => `p95 ${length(p95)}`,
  },
  {
    name: 'Cost, median',
    means:
      'By the price book, in US dollars: half of the calls are at the first figure or below, 95 % at the second or below',
    value: ({ cost: { p50 } }) => orNone(p50, usd),
    more: ({ cost: { p95 } }) => `p95 ${orNone(p95, usd)}`,
  },
  {
    name: 'Cost in all',
    means: 'All bills together by the price book, in US dollars; ≥ : parts have no known price',
    value: ({ cost: { nanoUsd, unpricedCalls } }) => usd(nanoUsd, unpricedCalls),
    more: ({ calls, cost: { unpricedCalls } }) =>
      calls === 0 ? '\u00a0' : unpricedCalls === 0 ? 'all priced' : `${number(unpricedCalls)} not all priced`,
  },
];
