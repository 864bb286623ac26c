// What a failed question to the database means, and what an operator may read of it. The text of an error is never passed on:
// it may hold a password, a number or a word; codes and SQLite's own fixed sentences hold none.
import { TrunklineError } from '../errors.ts';

/**
 * `busy`: somebody else has it, or its disk is full: the connection is good, try again. `down`: the connection is no more, or
 * was never there. `wrong`: it is there and refuses us; an operator has to change something. `fact`: it refuses what it was
 * to store, and will again. `odd`: it answers, and nobody knows what is in its way: perhaps what it was to store.
 */
export type FaultKind = 'busy' | 'down' | 'wrong' | 'fact' | 'odd';

export interface DatabaseFault {
  kind: FaultKind;
  /** A sentence's end, for an operator. */
  why: string;
}

// https://sqlite.org/rescode.html: what is left of an extended code after the mask is the code.
const SQLITE_PRIMARY = 0xff;
const SQLITE_KINDS: Record<number, FaultKind> = {
  3: 'wrong',
  5: 'busy',
  6: 'busy',
  8: 'wrong',
  11: 'wrong',
  13: 'busy',
  14: 'wrong',
  18: 'fact',
  19: 'fact',
  20: 'fact',
  25: 'fact',
  26: 'wrong',
};

// https://www.postgresql.org/docs/current/errcodes-appendix.html: the first two characters are a class.
const POSTGRES_CLASSES: Record<string, FaultKind> = {
  '08': 'down',
  '22': 'fact',
  '23': 'fact',
  // A server that may only be read, a session that lost its place, tables that are not ours: no fact is to blame.
  '25': 'down',
  '26': 'down',
  '28': 'wrong',
  '3D': 'wrong',
  '3F': 'down',
  '40': 'busy',
  '42': 'down',
  '53': 'busy',
  // A row that is too long for an index, or a statement for the server.
  '54': 'fact',
  '55': 'busy',
  '57': 'down',
  '58': 'down',
};
const POSTGRES_CODES: Record<string, FaultKind> = {
  // Privileges.
  '42501': 'wrong',
  // Its files are damaged.
  XX001: 'down',
  XX002: 'down',
};

/** Errors of the `pg` package without a code, which hold nothing of ours. */
const PLAIN_MESSAGES = new Set([
  'timeout exceeded when trying to connect',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Query read timeout',
  'The server does not support SSL connections',
]);

export function faultOf(error: unknown): DatabaseFault {
  if (error instanceof TrunklineError)
    return error.cause === undefined ? { kind: 'wrong', why: error.message } : faultOf(error.cause);
  // Ours, or of the driver: what was to be stored has not the shape that it must have.
  if (
    (error instanceof TypeError || error instanceof RangeError) &&
    (error as NodeJS.ErrnoException).code !== 'ERR_INVALID_URL'
  )
    return { kind: 'fact', why: error.name };
  const { code, errcode, errstr, message } = error as Error & Record<string, unknown>;
  if (code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number')
    return {
      kind: SQLITE_KINDS[errcode & SQLITE_PRIMARY] ?? 'down',
      why: `${typeof errstr === 'string' ? errstr : 'SQLite'} (${errcode})`,
    };
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code)) {
    const kind = POSTGRES_CODES[code] ?? POSTGRES_CLASSES[code.slice(0, 2)] ?? 'odd';
    return { kind, why: `PostgreSQL says ${code}` };
  }
  if (typeof code === 'string') return { kind: isOfFile(error) ? 'wrong' : 'down', why: code };
  return { kind: 'down', why: PLAIN_MESSAGES.has(message) ? message : 'it gave no answer that can be read' };
}

/** What stands in the way of a file itself. */
const FILE_CODES = new Set(['EACCES', 'EPERM', 'EROFS', 'EISDIR', 'ENOTDIR', 'ENOENT', 'EIO']);

/** Whether a file could not be read or written, rather than a connection. */
export function isOfFile(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall !== 'connect' && FILE_CODES.has(code ?? '');
}
