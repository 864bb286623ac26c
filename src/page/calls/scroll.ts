// How far the reader was down the list, kept with the step in the browser's history: whoever comes back from a call finds the
// row again, though the list has to be asked for first. Whoever comes to a page by a link begins at its top.
import { useEffect, useRef } from 'preact/hooks';

const NAME = 'callsScrollY';

function kept(): number | null {
  const state = history.state as { [NAME]?: unknown } | null;
  return typeof state?.[NAME] === 'number' ? state[NAME] : null;
}

/**
 * @param isReady the rows are there
 * @param cursor of the page; another one is another page
 * @param top where a page begins
 */
export function useKeptScroll(isReady: boolean, cursor: string | null, top: { current: HTMLElement | null }): void {
  const wanted = useRef(kept());
  useEffect(() => {
    if (!isReady) return undefined;
    if (wanted.current !== null) scrollTo({ top: wanted.current });
    wanted.current = null;
    const keep = (): void => history.replaceState({ ...(history.state as object | null), [NAME]: scrollY }, '');
    // A click may lead away before the scrolling has ended.
    addEventListener('scrollend', keep);
    addEventListener('click', keep, true);
    return () => {
      removeEventListener('scrollend', keep);
      removeEventListener('click', keep, true);
    };
  }, [isReady]);
  const before = useRef(cursor);
  useEffect(() => {
    // By "back" and "forward" the browser finds the place itself.
    const isLink = before.current !== cursor && kept() === null;
    before.current = cursor;
    if (isLink && (top.current?.getBoundingClientRect().top ?? 0) < 0) top.current?.scrollIntoView();
  }, [cursor]);
}
