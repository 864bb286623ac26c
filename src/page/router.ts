// Where the page is: the address bar is the only state of it, so that every view has a permalink and "back" works.
import { useEffect, useState } from 'preact/hooks';

const CHANGED = 'trk:place';

/** Goes to a path of this page. `replace`: without a step back, for what is typed into filters. */
export function navigate(to: string, { replace = false }: { replace?: boolean } = {}): void {
  if (to === location.pathname + location.search + location.hash) return;
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  dispatchEvent(new Event(CHANGED));
}

export interface Place {
  path: string;
  query: URLSearchParams;
}

/** Where the page is now; draws anew when that changes. */
export function usePlace(): Place {
  const [place, setPlace] = useState(read);
  useEffect(() => {
    const changed = (): void => setPlace(read());
    addEventListener('popstate', changed);
    addEventListener(CHANGED, changed);
    return () => {
      removeEventListener('popstate', changed);
      removeEventListener(CHANGED, changed);
    };
  }, []);
  return place;
}

const read = (): Place => ({ path: location.pathname, query: new URLSearchParams(location.search) });

/** Sets or removes (null, '') parameters of the query, keeping the others. */
export function setQuery(changes: Record<string, string | null>, options: { replace?: boolean } = {}): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  navigate(location.pathname + (text === '' ? '' : `?${text}`), options);
}
