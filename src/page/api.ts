// The way to the server: the page uses nothing but /api. One place for the session's token against cross-site requests, for
// answers that say "log in again", and for streams that come back after the server was away.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Session } from '../dashboard/schemas/session.ts';

/** What the server said instead of an answer, in words for people. */
export class ApiError extends Error {
  /** 0: it could not be reached. */
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

let csrf = '';
const listeners = new Set<(session: Session | null) => void>();
let current: Session | null | undefined;

function setSession(session: Session | null): void {
  csrf = session?.csrf ?? '';
  current = session;
  for (const told of listeners) told(session);
}

/** Who is logged in: undefined while nobody knows, null: nobody. */
export function useSession(): Session | null | undefined {
  const [session, set] = useState(current);
  useEffect(() => {
    listeners.add(set);
    set(current);
    return () => void listeners.delete(set);
  }, []);
  return session;
}

/** Asks who is logged in. */
export async function loadSession(): Promise<void> {
  try {
    setSession(await api<Session>('GET', '/session'));
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) setSession(null);
    else throw error;
  }
}

export async function logIn(given: { token?: string; code?: string; name?: string }): Promise<void> {
  setSession(await api<Session>('POST', '/session', given));
}

export async function logOut(): Promise<void> {
  await api('DELETE', '/session').catch(() => {});
  setSession(null);
}

/** One request below /api. @throws ApiError in words for people */
export async function api<T = unknown>(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(method === 'GET' ? {} : { 'x-csrf-token': csrf }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'offline', 'The server cannot be reached. It may be restarting; this page tries again.');
  }
  if (response.status === 204) return undefined as T;
  const answer = (await response.json().catch(() => null)) as { error?: { code: string; message: string } } | null;
  if (response.ok && answer !== null) return answer as T;
  const { code = 'unreadable', message = `The server answered with ${response.status}.` } = answer?.error ?? {};
  // The session is over: the log-in comes up where the reader is, and leads back.
  if (response.status === 401 && path !== '/session' && current) setSession(null);
  const wait = response.headers.get('retry-after');
  const text = response.status === 429 && wait !== null ? `${message} Try again in ${wait} s.` : message;
  throw new ApiError(response.status, code, text);
}

export interface Loaded<T> {
  data: T | null;
  /** The path that `data` came from: another one than was asked for, until that has come. */
  of: string | null;
  error: ApiError | null;
  loading: boolean;
  reload: () => void;
}

/** Loads by GET, again when the path changes; null: nothing to load. What was there stays until the new one has come. */
export function useApi<T>(path: string | null): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, 'reload'>>({
    data: null,
    of: null,
    error: null,
    loading: path !== null,
  });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (path === null) return undefined;
    const abort = new AbortController();
    let again: ReturnType<typeof setTimeout> | undefined;
    setState((before) => ({ ...before, loading: true }));
    api<T>('GET', path, undefined, abort.signal).then(
      (data) => setState({ data, of: path, error: null, loading: false }),
      (error: unknown) => {
        if (abort.signal.aborted) return;
        const told = error instanceof ApiError ? error : new ApiError(0, 'page', String(error));
        setState((before) => ({ ...before, error: told, loading: false }));
        if (told.status === 0 || told.status === 503) again = setTimeout(() => setRound((n) => n + 1), 2_000);
      },
    );
    return () => {
      abort.abort();
      clearTimeout(again);
    };
  }, [path, round]);
  return { ...state, reload: () => setRound((n) => n + 1) };
}

const RETRY_MS = 1_000;

/**
 * Follows a stream of events; `handlers` by the events' names get their JSON. The browser resumes behind the last id by
 * itself; where the server refused (restarting, log-in over) it is tried anew, and begins with a snapshot.
 * @returns whether the stream is up
 */
export function useEvents(path: string | null, handlers: Record<string, (data: never) => void>): boolean {
  const [up, setUp] = useState(true);
  const latest = useRef(handlers);
  latest.current = handlers;
  useEffect(() => {
    if (path === null) return undefined;
    let source: EventSource | null = null;
    let again: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const open = (): void => {
      source = new EventSource(`/api${path}`);
      for (const name of Object.keys(latest.current))
        source.addEventListener(name, (event) => {
          latest.current[name]?.(JSON.parse((event as MessageEvent<string>).data) as never);
        });
      source.onopen = () => setUp(true);
      source.onerror = () => {
        setUp(false);
        if (over || source?.readyState !== EventSource.CLOSED) return;
        // Refused: the session may be over, then the log-in comes up.
        void loadSession().catch(() => {});
        clearTimeout(again);
        again = setTimeout(open, RETRY_MS);
      };
    };
    open();
    return () => {
      over = true;
      clearTimeout(again);
      source?.close();
    };
  }, [path]);
  return up;
}
