// Audio that says what it is: every millisecond carries the number of its item and its own position, so that what a
// caller was sent can be measured byte by byte, whatever cutting and padding happened on the way.
import { BYTES_PER_MS } from '../audio/mulaw.ts';

/** What survived of one stamped item: how many distinct milliseconds, and the last one (the first is 0). */
export interface StampsRead {
  heardMs: number;
  maxMs: number;
}

/** Item numbers run from 0 to this. */
export const MAX_STAMP_ITEM = 0x3fff;

// A group is MARK, item (2 x 7 bits), ms (3 x 7 bits), check, check ^ 0x55. Only MARK has its top bit set and 0xFF never
// occurs, so a reader finds the groups again after a cut at any byte and passes over mu-law silence.
const MARK = 0xaa;

/**
 * `ms` milliseconds of PCMU bytes stamped with `item`.
 * @param item 0..16383
 * @param ms length, 0..65536
 */
export function stampedAudio(item: number, ms: number): Buffer {
  if (!Number.isInteger(item) || item < 0 || item > MAX_STAMP_ITEM) throw new RangeError(`stamp item ${item}`);
  if (!Number.isInteger(ms) || ms < 0 || ms > 65_536) throw new RangeError(`stamp length ${ms} ms`);
  const audio = Buffer.alloc(ms * BYTES_PER_MS);
  for (let at = 0; at < ms; at++) {
    const group = [item >> 7, item & 0x7f, at >> 14, (at >> 7) & 0x7f, at & 0x7f];
    const check = checkOf(group);
    audio.set([MARK, ...group, check, check ^ 0x55], at * BYTES_PER_MS);
  }
  return audio;
}

/** Finds every whole stamp in `bytes`: per item the distinct milliseconds present and the highest of them. */
export function readStamps(bytes: Uint8Array): Map<number, StampsRead> {
  const seen = new Map<number, Set<number>>();
  let i = 0;
  while (i + BYTES_PER_MS <= bytes.length) {
    const stamp = bytes[i] === MARK ? stampAt(bytes, i) : undefined;
    if (!stamp) {
      i += 1;
      continue;
    }
    const marks = seen.get(stamp.item) ?? new Set<number>();
    seen.set(stamp.item, marks.add(stamp.ms));
    i += BYTES_PER_MS;
  }
  return new Map(
    [...seen].map(([item, marks]) => [
      item,
      { heardMs: marks.size, maxMs: [...marks].reduce((a, b) => Math.max(a, b)) },
    ]),
  );
}

function stampAt(bytes: Uint8Array, start: number): { item: number; ms: number } | undefined {
  const [itemHigh = 0, itemLow = 0, high = 0, middle = 0, low = 0, check, inverse] = bytes.subarray(start + 1);
  const group = [itemHigh, itemLow, high, middle, low];
  if (group.some((byte) => byte > 0x7f) || check !== checkOf(group) || inverse !== (check ^ 0x55)) return undefined;
  return { item: (itemHigh << 7) | itemLow, ms: (high << 14) | (middle << 7) | low };
}

const checkOf = (group: readonly number[]): number => group.reduce((sum, byte) => (sum * 3 + byte) & 0x7f, 0x2b);
