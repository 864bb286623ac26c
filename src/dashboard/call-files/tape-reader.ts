// Pages of tapes, remembering at which line each page began: so the next page need not count the lines before it.
import type { TapeEvents } from '../schemas/timeline.ts';
import { BoundedCache } from './cache.ts';
import type { OpenCallFile } from './open-file.ts';
import { type EventsQuery, tapeEvents } from './tape-events.ts';

/** Some thousands of pages. */
const CACHE_BYTES = 512 * 1024;
const BYTES_PER_PLACE = 128;

export class TapeReader {
  readonly #lines = new BoundedCache<number>(CACHE_BYTES);

  /** The tape stays open. Lines are only ever added to a tape, so a place in it stays what it is. */
  page(callId: string, { handle, size }: OpenCallFile, query: EventsQuery): Promise<TapeEvents> {
    const key = (at: number): string => `${callId}/${at}`;
    return tapeEvents(handle, size, query, {
      get: (at) => this.#lines.get(key(at)),
      keep: (at, line) => this.#lines.keep(key(at), line, BYTES_PER_PLACE),
    });
  }
}
