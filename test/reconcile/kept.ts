// A database in memory with lines of bills in it, the way the reconciliation asks it, and readers of the doubles.
import { afterEach, expect } from 'vitest';
import { TrunklineError } from '../../src/errors.ts';
import { ReportReader } from '../../src/reconcile/reader.ts';
import { reconcileOpenAi, reconcileTwilio } from '../../src/reconcile/run.ts';
import type { SellerOutcome } from '../../src/reconcile/outcome.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { QUERIES } from '../../src/store/queries.ts';
import type { CallRow, LinesTable } from '../../src/store/schema.ts';
import type { Store } from '../../src/store/store.ts';
import { FIRST } from './ground.ts';
import { ACCOUNT, ADMIN_KEY, type Market, type Reports, serveReports, TOKEN } from './reports.ts';

/** All of the month, and what follows it, is over. */
export const NOW = FIRST + 40 * 86_400_000;
const ROWS_AT_ONCE = 1_000;

export async function keep(calls: readonly CallRow[], lines: readonly LinesTable[]): Promise<Database> {
  const db = await openDatabase({ engine: 'sqlite', path: ':memory:' });
  await fill(db, calls, lines);
  return db;
}

export async function fill(db: Database, calls: readonly CallRow[], lines: readonly LinesTable[]): Promise<void> {
  for (let i = 0; i < calls.length; i += ROWS_AT_ONCE)
    await db
      .insertInto('calls')
      .values(calls.slice(i, i + ROWS_AT_ONCE))
      .execute();
  for (let i = 0; i < lines.length; i += ROWS_AT_ONCE)
    await db
      .insertInto('lines')
      .values(lines.slice(i, i + ROWS_AT_ONCE))
      .execute();
}

/** Asks as a worker thread would: question and answer are copies. */
export const asking = (db: Database): Pick<Store, 'ask' | 'close'> => ({
  async ask(name, question) {
    const query = QUERIES[name] as (db: Database, question: unknown) => unknown;
    return structuredClone(await query(db, structuredClone(question))) as never;
  },
  close: () => Promise.resolve(),
});

export interface Waiting {
  /** What was waited for, in milliseconds. */
  waits: number[];
  told: string[];
}

export const openaiReader = ({ openaiUrl }: Reports, waiting: Waiting = { waits: [], told: [] }): ReportReader =>
  new ReportReader({
    seller: 'OpenAI',
    baseUrl: openaiUrl,
    authorization: `Bearer ${ADMIN_KEY}`,
    refused: 'which key it needs',
    ...patient(waiting),
  });

export const twilioReader = ({ twilioUrl }: Reports, waiting: Waiting = { waits: [], told: [] }): ReportReader =>
  new ReportReader({
    seller: 'Twilio',
    baseUrl: twilioUrl,
    authorization: `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}`,
    refused: 'which token it needs',
    ...patient(waiting),
  });

const patient = ({ waits, told }: Waiting) => ({
  wait: (ms: number) => Promise.resolve(void waits.push(ms)),
  wallMs: () => NOW,
  progress: (text: string) => void told.push(text),
});

export async function reconcileDay(
  db: Database,
  day: string,
  openai: ReportReader,
  twilio: ReportReader,
  nowMs = NOW,
): Promise<SellerOutcome[]> {
  const run = { archive: asking(db), day, wallMs: () => nowMs };
  return [await reconcileOpenAi(run, openai, null), await reconcileTwilio(run, twilio, ACCOUNT)];
}

/** `day seller product cause` to nano-dollars. */
export async function residuesOf(db: Database): Promise<Map<string, number>> {
  const rows = await db.selectFrom('residues').selectAll().execute();
  return new Map(
    rows.map(({ day, seller, product, cause, nano_usd: nano }) => [`${day} ${seller} ${product} ${cause}`, nano]),
  );
}

/** Everything that a reconciliation writes. */
export async function written(db: Database) {
  return {
    lines: await db
      .selectFrom('lines')
      .orderBy('call_id')
      .orderBy('what')
      .orderBy('source')
      .select(['call_id', 'what', 'source', 'state', 'billed_nano_usd'])
      .execute(),
    residues: await db
      .selectFrom('residues')
      .orderBy('day')
      .orderBy('seller')
      .orderBy('product')
      .orderBy('cause')
      .selectAll()
      .execute(),
    reconciliations: await db.selectFrom('reconciliations').orderBy('day').orderBy('seller').selectAll().execute(),
    audit: await db.selectFrom('audit').orderBy('id').selectAll().execute(),
  };
}

interface Kept {
  calls: readonly CallRow[];
  lines: readonly LinesTable[];
}

/** Doubles and databases that are closed when their test is over; to be called once in a test file, at its top. */
export function useDoubles() {
  const open: { close: () => Promise<void> }[] = [];
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
  });
  return {
    serving: async (market: Market): Promise<Reports> => {
      const reports = await serveReports(market);
      open.push(reports);
      return reports;
    },
    keeping: async ({ calls, lines }: Kept): Promise<Database> => {
      const db = await keep(calls, lines);
      open.push({ close: () => db.destroy() });
      return db;
    },
  };
}

/** The error that ends it. */
export const refusal = (work: Promise<unknown>): Promise<TrunklineError> =>
  work.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: unknown) => {
      expect(error).toBeInstanceOf(TrunklineError);
      return error as TrunklineError;
    },
  );
