// Streams are closed in tabs that nobody looks at: browsers open at most six connections to one server over HTTP/1.1, over all
// tabs together, and a forgotten tab costs the server as much as one that is watched.
import { useEffect, useState } from 'preact/hooks';

/** A short look at another tab closes nothing. */
const HIDDEN_FOR_MS = 10_000;

/** Whether somebody may be looking. */
export function useVisible(): boolean {
  const [visible, setVisible] = useState(true);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const changed = (): void => {
      clearTimeout(timer);
      if (document.visibilityState === 'visible') setVisible(true);
      else timer = setTimeout(() => setVisible(false), HIDDEN_FOR_MS);
    };
    document.addEventListener('visibilitychange', changed);
    changed();
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', changed);
    };
  }, []);
  return visible;
}
