// The page of the list that is shown, kept quietly up to date: calls under way grow and end where they stand, and of new ones only
// the number is told, because rows that move under the hand are opened by mistake.
import { useEffect, useState } from 'preact/hooks';
import { api, type ApiError, useApi } from '../api.ts';
import { atCursor, listPath } from './query.ts';
import { arrivedSince, grown } from './growth.ts';
import type { CallList } from './types.ts';

const EVERY_MS = 15_000;

export interface ShownList {
  list: CallList | null;
  /** Calls that fit and have come since the list was loaded. */
  arrived: number;
  error: ApiError | null;
  /** What is shown is not what was asked for, or not yet. */
  busy: boolean;
  reload: () => void;
}

export function useCallList(query: URLSearchParams): ShownList {
  const path = listPath(query);
  const { data, of, error, loading, reload } = useApi<CallList>(path);
  const busy = loading || of !== path;
  const [fresh, setFresh] = useState<{ of: CallList; list: CallList } | null>(null);
  // Behind a cursor the count is that of the first page: there only that is asked for.
  const asked = query.has('cursor') ? listPath(withLimit(atCursor(query, null), 1)) : path;
  useEffect(() => {
    if (data === null || busy || error !== null) return undefined;
    let abort: AbortController | null = null;
    const look = (): void => {
      if (document.hidden || abort !== null) return;
      abort = new AbortController();
      api<CallList>('GET', asked, undefined, abort.signal)
        .then((list) => setFresh({ of: data, list }))
        // It is tried again; what was loaded stays true of its moment.
        .catch(() => {})
        .finally(() => (abort = null));
    };
    const timer = setInterval(look, EVERY_MS);
    document.addEventListener('visibilitychange', look);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', look);
      abort?.abort();
    };
  }, [data, busy, error, asked]);
  // A filter that the server refused, or another failure than its absence: the rows of before would be taken for the answer.
  const list = error !== null && error.status !== 0 ? null : data;
  const later = fresh !== null && fresh.of === list ? fresh.list : null;
  return {
    list: list === null || later === null ? list : grown(list, later),
    arrived: list === null || later === null ? 0 : arrivedSince(list, later),
    error,
    busy,
    reload,
  };
}

function withLimit(query: URLSearchParams, limit: number): URLSearchParams {
  query.set('limit', String(limit));
  return query;
}
