// Every error we raise ourselves: a stable code, what happened, and the cause kept. Codes are documented in
// docs/errors.md and never reused.

/** The catalogue: code -> HTTP status (0 where it never reaches HTTP). */
export const ERROR_CODES = {
  /** The environment, an agent file, a price file, a script or a caller is wrong; the text lists every fault with what was expected. */
  TRK_CONFIG: 0,
  /** The port is taken or the address cannot be bound. */
  TRK_LISTEN: 0,
  /** The data folder cannot be written. */
  TRK_DATA_DIR: 0,
  /** A webhook without what a call needs. */
  TRK_BAD_WEBHOOK: 400,
  /** What is kept of calls outside the process could not be read or written, or not in time. */
  TRK_STORE: 500,
  /** The database cannot be opened or reached, or refuses us. */
  TRK_DATABASE: 0,
  /** A later version of Trunkline has changed the database. */
  TRK_DATABASE_NEWER: 0,
  /** A seller's report could not be read, or says what no report can. */
  TRK_REPORT: 0,
  /** An onlooker (tape, recording, record) did not finish in time when its call was over. */
  TRK_ONLOOKER_LATE: 0,
  /** A request to the operators' API without its token. */
  TRK_UNAUTHORIZED: 401,
  /** Whoever asks may not: it came from another site, or a link opens something else. */
  TRK_FORBIDDEN: 403,
  /** So many requests without the right token from one client that none of it is looked at for a moment. */
  TRK_TOO_MANY_FAILURES: 429,
  /** A request to the operators' API that is not what its description says. */
  TRK_BAD_REQUEST: 400,
  /** What was asked for is not there. */
  TRK_NOT_FOUND: 404,
  /** What was asked for cannot be done now; the text says why. */
  TRK_CONFLICT: 409,
  /** As many pages, streams or sockets as there may be are open. */
  TRK_NO_ROOM: 503,
  /** A fault of ours behind a request to the operators' API; the log has it. */
  TRK_INTERNAL: 500,
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An error of ours; `code` says which, `message` says what to do. */
export class TrunklineError extends Error {
  override name = 'TrunklineError';
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
  /** HTTP status for this error, 500 where the catalogue has none. */
  get statusCode(): number {
    return ERROR_CODES[this.code] || 500;
  }
}
