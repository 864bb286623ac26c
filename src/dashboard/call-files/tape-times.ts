// Where a tape's own time begins: its lines count from the admission, what is shown counts from the start of the media.
import type { FileHandle } from 'node:fs/promises';
import { lines } from './lines.ts';
import { beginningOf, isObject, parsedLine, timeOf } from './tape-line.ts';

export interface TapeTimes {
  /** The start of the media, in milliseconds since the admission; null: none was found where it should be. */
  startedT: number | null;
  /** The monotonic time of the admission, by which effects say when audio sounds; null: the header cannot be read. */
  baseMs: number | null;
}

/** The media starts within seconds, behind few lines. */
const LOOKED_AT_BYTES = 1024 * 1024;
const STARTED = Buffer.from('"leg.started"');
/** Its first part is enough to find the time in, where a header is too long to be given whole. */
const OPENING_TIME = /"atMs":([\d.e+-]+)\},"sessionConfig":/;

export async function tapeTimes(handle: FileHandle, size: number): Promise<TapeTimes> {
  let baseMs: number | null = null;
  for await (const some of lines(handle, { from: 0, to: Math.min(size, LOOKED_AT_BYTES) }))
    for (const { at, bytes, whole } of some) {
      if (at === 0) {
        baseMs = baseOf(bytes.toString(), whole);
        continue;
      }
      const beginning = bytes.includes(STARTED) ? beginningOf(bytes) : null;
      if (beginning?.kind === 'call') return { startedT: beginning.t, baseMs };
    }
  return { startedT: null, baseMs };
}

function baseOf(text: string, whole: boolean): number | null {
  if (!whole) return timeOf(Number(OPENING_TIME.exec(text)?.[1]));
  const opening = parsedLine(text)?.opening;
  return isObject(opening) ? timeOf(opening.atMs) : null;
}
