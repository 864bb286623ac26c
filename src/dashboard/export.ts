// All calls of a list as one file, asked of the database page by page as the client takes it: nothing of it is kept in memory,
// a client that does not read costs nothing, one that has gone stops it.
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { TrunklineError } from '../errors.ts';
import { type CallPlace, sortedValue } from '../store/queries/call-order.ts';
import type { CallSummary } from '../store/queries/calls.ts';
import type { Store } from '../store/store.ts';
import type { Content } from './api-route.ts';
import type { ListOf } from './call-cursor.ts';
import { CSV_HEADING, csvRow } from './export-csv.ts';

export type ExportFormat = 'csv' | 'json';

/** More rows no spreadsheet shows. */
export const MOST_ROWS = 1_000_000;
/** So many are copied between threads and printed in less than a millisecond or two. */
const PAGE_ROWS = 200;

interface Format {
  media: string;
  begin: string;
  end: string;
  row(call: CallSummary, isFirst: boolean): string;
}

const FORMATS: Readonly<Record<ExportFormat, Format>> = {
  csv: { media: 'text/csv; charset=utf-8; header=present', begin: CSV_HEADING, end: '', row: csvRow },
  json: {
    media: 'application/json; charset=utf-8',
    begin: '[',
    end: '\n]\n',
    row: (call, isFirst) => `${isFirst ? '' : ','}\n${JSON.stringify(call)}`,
  },
};

/** Has one piece of work wait for all that came before it, whatever became of that. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** For all exports of a process: forty at once shall cost every other thing no more than one, and each gets its page in turn. */
export function oneAtATime(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}

/** @throws TrunklineError TRK_BAD_REQUEST where there are too many of them, TRK_STORE */
export async function exportCalls(
  store: Pick<Store, 'ask'>,
  list: ListOf,
  format: ExportFormat,
  wallMs: number,
  inTurn: InTurn = oneAtATime(),
): Promise<Content> {
  const count = await store.ask('countCalls', list.filter);
  if (count > MOST_ROWS)
    throw new TrunklineError(
      'TRK_BAD_REQUEST',
      `${count} calls fit, and one file holds at most ${MOST_ROWS}: narrow them by since and until, and take several files`,
    );
  const { media } = FORMATS[format];
  const day = new Date(wallMs).toISOString().slice(0, 10);
  return {
    status: 200,
    headers: {
      'content-type': media,
      'content-disposition': `attachment; filename="trunkline-calls-${day}.${format}"`,
    },
    body: rowsOf(store, list, FORMATS[format], inTurn),
  };
}

/** A failure of the database ends the stream with an error, so that half a file is not taken for a whole one. */
function rowsOf(store: Pick<Store, 'ask'>, { filter, sort, order }: ListOf, format: Format, inTurn: InTurn): Readable {
  let after: CallPlace | null = null;
  let told = 0;
  let over = false;
  const next = async (): Promise<string | null> => {
    // Whoever has gone while others had their turn costs nothing.
    if (over || stream.destroyed) return null;
    // However fast database and client are, everything else has its turn between two pages.
    await setImmediate();
    const limit = Math.min(PAGE_ROWS, MOST_ROWS - told);
    const { calls, more } = await store.ask('listCalls', { ...filter, sort, order, limit, after });
    const rows = calls.map((call, i) => format.row(call, told + i === 0)).join('');
    const begin = told === 0 ? format.begin : '';
    told += calls.length;
    const last = calls.at(-1);
    over = !more || last === undefined || told >= MOST_ROWS;
    if (last !== undefined) after = { value: sortedValue(last, sort), callId: last.callId };
    return begin + rows + (over ? format.end : '');
  };
  const stream = new Readable({
    highWaterMark: 1,
    read() {
      inTurn(next).then(
        (text) => this.push(text),
        (error: Error) => this.destroy(error),
      );
    },
  });
  return stream;
}
