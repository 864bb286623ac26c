// The filter of the list as chips: what is set, in words, and what takes it out again. What this page does not know is a chip
// too, so that it can be seen and removed. Pure.
import { duration, latency, party, reasonInWords } from '../format.ts';
import { rangeInWords } from './amounts.ts';
import { stretchInWords } from './days.ts';
import { type Changes, KIND_NAMES, KIND_PARAMETERS, KINDS, type Kind, NO_FILTER, withoutKind } from './kinds.ts';
import { timeOf } from './query.ts';

export interface Chip {
  /** Null: there is no form for it. */
  kind: Kind | null;
  name: string;
  text: string;
  without: Changes;
}

const MOST_REASONS_NAMED = 2;

/** The chips of a query, in the order of the menu. */
export function chipsOf(query: URLSearchParams): Chip[] {
  const chips = KINDS.flatMap((kind) => {
    const text = WORDS[kind](query);
    return text === null ? [] : [{ kind, name: KIND_NAMES[kind], text, without: withoutKind(kind) }];
  });
  const known = new Set<string>([...NO_FILTER, ...Object.values(KIND_PARAMETERS).flat()]);
  const others = [...new Set(query.keys())].filter((name) => !known.has(name));
  return [
    ...chips,
    ...others.map((name) => ({ kind: null, name, text: query.get(name) ?? '', without: { [name]: null } })),
  ];
}

const plain =
  (parameter: string) =>
  (query: URLSearchParams): string | null =>
    query.get(parameter);

const range =
  (least: string, most: string, write: (amount: number) => string) =>
  (query: URLSearchParams): string | null =>
    query.has(least) || query.has(most) ? rangeInWords(query.get(least), query.get(most), write) : null;

const WORDS: Record<Kind, (query: URLSearchParams) => string | null> = {
  when(query) {
    const [since, until, day] = [query.get('since'), query.get('until'), query.get('day')];
    const parts = [];
    if (since !== null || until !== null) {
      const [sinceMs, untilMs] = [timeOf(since), timeOf(until)];
      // What is no time is shown as it is; the server says what it expects.
      const readable = (since === null) === (sinceMs === null) && (until === null) === (untilMs === null);
      parts.push(readable ? stretchInWords({ sinceMs, untilMs }) : `${since ?? ''} – ${until ?? ''}`);
    }
    if (day !== null) parts.push(`${day} (UTC)`);
    return parts.length === 0 ? null : parts.join(', ');
  },
  agent: plain('agent'),
  direction: plain('direction'),
  reason(query) {
    const reasons = (query.get('reason') ?? '').split(',').filter((reason) => reason !== '');
    if (reasons.length === 0) return query.get('reason');
    const named = reasons.slice(0, MOST_REASONS_NAMED).map((reason) => reasonInWords(reason));
    const more = reasons.length - named.length;
    return more > 0 ? `${named.join(' or ')} or ${more} more` : named.join(' or ');
  },
  result: plain('result'),
  duration: range('min_seconds', 'max_seconds', (seconds) => duration(seconds * 1_000)),
  cost: range('min_usd', 'max_usd', (usd) => `$${usd}`),
  latency: range('min_latency_ms', 'max_latency_ms', latency),
  number(query) {
    const [number, from] = [query.get('number'), query.get('from')];
    if (number === null && from === null) return null;
    const caller = from === null ? [] : [`caller ${party({ kind: 'unknown', value: from })}`];
    return [...(number === null ? [] : [number]), ...caller].join(', ');
  },
  disposition: plain('disposition'),
  words: (query) => (query.has('words') ? `“${query.get('words') ?? ''}”` : null),
};
