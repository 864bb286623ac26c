// Where a page of the list of calls ends, as a word that clients hand back as it is. It holds for the list that it was given
// for and for no other one: a place among calls sorted by cost means nothing among calls sorted by date. Pure.
import { createHash } from 'node:crypto';
import { TrunklineError } from '../errors.ts';
import type { CallFilter } from '../store/queries/call-filter.ts';
import type { CallPlace, CallSort } from '../store/queries/call-order.ts';

/** What makes one list another than the next. */
export interface ListOf {
  filter: CallFilter;
  sort: CallSort;
  order: 'asc' | 'desc';
}

/** A place in a list, and how many calls there were on it when its first page was asked for. */
export interface ListPlace extends CallPlace {
  count: number;
}

const VERSION = 2;

export const writeCursor = (list: ListOf, { value, callId, count }: ListPlace): string =>
  Buffer.from(JSON.stringify([VERSION, digestOf(list), value, callId, count])).toString('base64url');

/** @throws TrunklineError TRK_BAD_REQUEST for what `writeCursor` did not write, or not for this list */
export function readCursor(list: ListOf, cursor: string): ListPlace {
  const [version, digest, value, callId, count, ...more] = partsOf(cursor);
  const read =
    version === VERSION &&
    typeof digest === 'string' &&
    (value === null || Number.isSafeInteger(value)) &&
    typeof callId === 'string' &&
    /^[\w-]{1,100}$/.test(callId) &&
    Number.isSafeInteger(count) &&
    (count as number) >= 0 &&
    more.length === 0;
  if (!read) throw new TrunklineError('TRK_BAD_REQUEST', 'cursor: expected the `next` of the page before');
  if (digest !== digestOf(list))
    throw new TrunklineError(
      'TRK_BAD_REQUEST',
      'cursor: it belongs to a list with another filter, sort or order; ask for the first page of this one, without a cursor',
    );
  return { value: value as number | null, callId, count: count as number };
}

function partsOf(cursor: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(parts) ? parts : [];
  } catch {
    // Not even JSON.
    return [];
  }
}

const digestOf = ({ filter, sort, order }: ListOf): string =>
  createHash('sha256')
    .update(JSON.stringify([sort, order, Object.entries(filter).toSorted(([a], [b]) => (a < b ? -1 : 1))]))
    .digest('base64url')
    .slice(0, 12);
