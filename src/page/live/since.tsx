// Times that grow every second. One timer writes all of them straight into the page, because a hundred calls have two hundred.
import { useLayoutEffect, useRef } from 'preact/hooks';
import { duration } from '../format.ts';
import { isDown, serverNow } from './connection.ts';

const shown = new Map<HTMLElement, number>();
let timer: ReturnType<typeof setInterval> | undefined;

const write = (element: HTMLElement, sinceMs: number): void => {
  const text = duration(serverNow() - sinceMs);
  if (element.textContent !== text) element.textContent = text;
};

function tick(): void {
  // What is shown is what was known when the server was last heard.
  if (isDown()) return;
  for (const [element, sinceMs] of shown) write(element, sinceMs);
}

/** How long it is since a moment of the server's clock. `stopped`: it does not grow any more. */
export function Since({ atMs, title, stopped = false }: { atMs: number; title?: string; stopped?: boolean }) {
  const ref = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    if (!stopped || element.textContent === '') write(element, atMs);
    if (stopped) return undefined;
    shown.set(element, atMs);
    timer ??= setInterval(tick, 1_000);
    return () => {
      shown.delete(element);
      if (shown.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  }, [atMs, stopped]);
  return <span class="number" ref={ref} title={title} />;
}
