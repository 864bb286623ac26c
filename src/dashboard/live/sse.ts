// A stream of server-sent events to one reader. Nobody waits for a slow one: when too much lies unread it is dropped, and the
// browser comes back and says which event it had last.
import { Readable } from 'node:stream';
import { type Clock, type Cancel, realClock } from '../../clock.ts';

/** One event; `id` is what a reader resumes behind. */
export interface StreamEvent {
  id: string | number;
  event: string;
  data: unknown;
}

export interface EventStreamOptions {
  /** Begins to tell, at once or later; gives what ends it. */
  subscribe: (tell: (event: StreamEvent) => void) => () => void;
  /** This event is the last one. */
  isLast?: (event: StreamEvent) => boolean;
  clock?: Pick<Clock, 'nowMs' | 'at'>;
}

/** Proxies close what is silent for longer. */
const COMMENT_EVERY_MS = 15_000;
/** A browser comes back after so long. */
const RETRY_MS = 1_000;
/** Bytes that lie unread, and no event more is told. One event may be longer: whoever has just come must get their snapshot. */
export const MOST_UNREAD_CHARS = 1024 * 1024;

/** Ends its subscription when it is destroyed, by whomever. */
export function eventStream({ subscribe, isLast, clock = realClock }: EventStreamOptions): Readable {
  let unsubscribe: (() => void) | null = null;
  let cancel: Cancel | null = null;
  let over = false;
  const stream = new Readable({
    read() {
      // What there is to read comes when it happens.
    },
    destroy(error, done) {
      over = true;
      cancel?.();
      unsubscribe?.();
      done(error);
    },
  });
  const write = (text: string): void => {
    if (over) return;
    if (stream.readableLength > MOST_UNREAD_CHARS) stream.destroy();
    else stream.push(text);
  };
  const comment = (): void => {
    write(':\n\n');
    if (!over) cancel = clock.at(clock.nowMs() + COMMENT_EVERY_MS, comment);
  };
  write(`retry: ${RETRY_MS}\n\n`);
  cancel = clock.at(clock.nowMs() + COMMENT_EVERY_MS, comment);
  const ends = subscribe((event) => {
    if (over) return;
    write(printed(event));
    if (isLast?.(event) !== true || over) return;
    over = true;
    stream.push(null);
  });
  // What it told at once may have been the end already.
  if (stream.destroyed) ends();
  else unsubscribe = ends;
  return stream;
}

/** The same event goes to every reader: it is printed once. */
const texts = new WeakMap<StreamEvent, string>();

function printed(event: StreamEvent): string {
  const known = texts.get(event);
  if (known !== undefined) return known;
  const text = `id: ${event.id}\nevent: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`;
  texts.set(event, text);
  return text;
}
