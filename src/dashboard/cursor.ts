// Where a page of the list of calls ends, as a word that clients hand back as it is. Pure.
import { TrunklineError } from '../errors.ts';
import type { CallPlace } from '../store/queries/calls.ts';

export const writeCursor = ({ admittedWallMs, callId }: CallPlace): string =>
  Buffer.from(JSON.stringify([admittedWallMs, callId])).toString('base64url');

/** Without a zero, which a database refuses. */
const isText = (value: unknown): value is string => typeof value === 'string' && !value.includes('\0');

/** @throws TrunklineError TRK_BAD_REQUEST for what `writeCursor` did not write */
export function readCursor(cursor: string): CallPlace {
  try {
    const [admittedWallMs, callId, ...more] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (Number.isSafeInteger(admittedWallMs) && isText(callId) && more.length === 0)
      return { admittedWallMs: admittedWallMs as number, callId };
  } catch {
    // Not even JSON.
  }
  throw new TrunklineError('TRK_BAD_REQUEST', 'cursor: expected the `next` of the page before');
}
