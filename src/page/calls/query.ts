// The query string of the page, which is the filter, the order and the place in the list, by the names of the API. Pure.
import { NO_FILTER } from './kinds.ts';

/** Calls on a page. */
export const PAGE_SIZE = 50;

/** A time as the API takes it. */
export const timeText = (wallMs: number): string => new Date(wallMs).toISOString();

/** Unix ms of a time as the API takes it; null: there is none, or it is none. */
export function timeOf(text: string | null): number | null {
  if (text === null || text === '') return null;
  const ms = /^\d{9,16}$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isFinite(ms) ? ms : null;
}

/** Only what narrows: for counts, figures and exports. */
export function filterOf(query: URLSearchParams): URLSearchParams {
  const filter = new URLSearchParams(query);
  for (const name of NO_FILTER) filter.delete(name);
  return filter;
}

export const isFiltered = (query: URLSearchParams): boolean => filterOf(query).size > 0;

/** `path?query`, or the path alone. */
export function withQuery(path: string, query: URLSearchParams): string {
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}

/** Where the page of the list comes from. */
export function listPath(query: URLSearchParams): string {
  const asked = new URLSearchParams(query);
  if (!asked.has('limit')) asked.set('limit', String(PAGE_SIZE));
  return withQuery('/calls', asked);
}

/** The same filter and order from another place; null: from its beginning. */
export function atCursor(query: URLSearchParams, cursor: string | null): URLSearchParams {
  const other = new URLSearchParams(query);
  if (cursor === null) other.delete('cursor');
  else other.set('cursor', cursor);
  return other;
}

export const SORTS = ['admitted', 'duration', 'cost', 'latency', 'quality'] as const;
export type Sort = (typeof SORTS)[number];
export interface Sorting {
  sort: Sort;
  order: 'asc' | 'desc';
}

export const sortingOf = (query: URLSearchParams): Sorting => ({
  sort: SORTS.find((sort) => sort === query.get('sort')) ?? 'admitted',
  order: query.get('order') === 'asc' ? 'asc' : 'desc',
});

/** The query after a click on a column: the largest first, then the other way round. The place in the list is gone with it. */
export function sortedBy(query: URLSearchParams, sort: Sort): URLSearchParams {
  const now = sortingOf(query);
  return inOrder(query, { sort, order: now.sort === sort && now.order === 'desc' ? 'asc' : 'desc' });
}

/** What is the default is not in the address. */
export function inOrder(query: URLSearchParams, { sort, order }: Sorting): URLSearchParams {
  const sorted = atCursor(query, null);
  sorted.delete('sort');
  sorted.delete('order');
  if (sort !== 'admitted') sorted.set('sort', sort);
  if (order !== 'desc') sorted.set('order', order);
  return sorted;
}
