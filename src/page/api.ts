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
const listeners = new Set<() => void>();
let current: Session | null | undefined;
/** Whose session ran out while the page was in use; null: nobody's, or they left by themselves. */
let lapsed: Session | null = null;

function setSession(session: Session | null, ranOut: Session | null = null): void {
  csrf = session?.csrf ?? '';
  current = session;
  lapsed = ranOut;
  for (const told of listeners) told();
}

/** The server does not know the session any more. */
function sessionIsOver(): void {
  setSession(null, current ?? lapsed);
}

/** Who is logged in: undefined while nobody knows, null: nobody. */
export const useSession = (): Session | null | undefined => useTold(() => current);

/** The session that is over although nobody logged out: what they had begun stays, and waits for them. */
export const useLapsedSession = (): Session | null => useTold(() => lapsed);

function useTold<T extends Session | null | undefined>(read: () => T): T {
  const [known, set] = useState(read);
  useEffect(() => {
    const told = (): void => set(read());
    listeners.add(told);
    told();
    return () => void listeners.delete(told);
  }, []);
  return known;
}

/** Asks who is logged in. */
export async function loadSession(): Promise<void> {
  try {
    setSession(await api<Session>('GET', '/session'));
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) sessionIsOver();
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

/** Nobody logs in again where a session ran out: what was begun is given up. */
export const giveUp = (): void => setSession(null);

/** One request below /api. @throws ApiError in words for people */
export async function api<T = unknown>(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  // A view that waits for its reader to log in again asks for nothing.
  if (lapsed !== null && path !== '/session') throw new ApiError(401, 'TRK_UNAUTHORIZED', 'Log in again first.');
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
  // The session is over: the log-in comes up over what the reader does.
  if (response.status === 401 && path !== '/session' && current) sessionIsOver();
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
  const waits = useSession() === null;
  useEffect(() => {
    if (path === null || waits) return undefined;
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
  }, [path, round, waits]);
  return { ...state, reload: () => setRound((n) => n + 1) };
}

const RETRY_MS = 1_000;

/**
 * Follows a stream of events; `handlers` by the events' names get their JSON. The browser resumes behind the last id by
 * itself; where the server refused (restarting, log-in over) it is tried anew, and begins with a snapshot.
 * @param round another one closes the stream and opens it anew
 * @returns whether the stream is up
 */
export function useEvents(path: string | null, handlers: Record<string, (data: never) => void>, round = 0): boolean {
  const [up, setUp] = useState(true);
  const latest = useRef(handlers);
  latest.current = handlers;
  const waits = useSession() === null;
  useEffect(() => {
    if (path === null || waits) return undefined;
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
  }, [path, waits, round]);
  return up;
}
