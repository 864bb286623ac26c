// The real page and the real API of the list of calls, over calls that a test makes up: a database in memory, a log-in, and
// hooks to be slow, to fail, or to say that the session is over.
import Fastify, { type FastifyInstance } from 'fastify';
import type { Page } from 'playwright-core';
import { pino } from 'pino';
import type { Insertable } from 'kysely';
import type { ApiRoute } from '../../../src/dashboard/api-route.ts';
import { dashboardApi } from '../../../src/dashboard/api.ts';
import { Entrance } from '../../../src/dashboard/entrance.ts';
import { pageFiles } from '../../../src/dashboard/page-files.ts';
import { callRoutes } from '../../../src/dashboard/routes/calls.ts';
import { liveSnapshot, type LiveSnapshot } from '../../../src/dashboard/schemas/live.ts';
import { realClock } from '../../../src/clock.ts';
import type { Database } from '../../../src/store/database.ts';
import type { CallsTable, LinesTable } from '../../../src/store/schema.ts';
import type { Store } from '../../../src/store/store.ts';
import { askOf, inMemory } from '../../costs/seed.ts';
import { builtPage, enterPage } from '../../support/browser.ts';

const ADMIN_TOKEN = 'token-of-the-test-of-the-list';

export interface CallsServer {
  origin: string;
  db: Database;
  /** Questions to the store, by their names, as they came. */
  asked: string[];
  /** What comes instead of, or before, an answer of the store. */
  before: { ask: ((name: string) => Promise<void>) | null };
  /** Opens a page of somebody who is logged in. */
  enter(open: (url: string) => Promise<Page>, path: string): Promise<Page>;
  close(): Promise<void>;
}

export async function startCallsServer(): Promise<CallsServer> {
  const db = await inMemory();
  const asked: string[] = [];
  const before: CallsServer['before'] = { ask: null };
  const ask = askOf(db);
  const store = {
    append: () => {},
    ask: async (name: string, question: unknown) => {
      asked.push(name);
      await before.ask?.(name);
      return (ask as (name: string, question: unknown) => Promise<unknown>)(name, question);
    },
  } as unknown as Pick<Store, 'ask' | 'append'>;
  const entrance = new Entrance({
    adminToken: ADMIN_TOKEN,
    publicUrl: 'http://127.0.0.1',
    clock: realClock,
    append: () => {},
  });
  const app: FastifyInstance = Fastify({ forceCloseConnections: true });
  await app.register(pageFiles, { dir: await builtPage(), publicUrl: 'http://127.0.0.1' });
  const log = pino({ level: 'silent' });
  await app.register(dashboardApi, {
    routes: [...callRoutes(store), nothingLive],
    entrance,
    version: 'test',
    clock: realClock,
    log,
  });
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    ...{ origin, db, asked, before },
    enter: (open, path) => enterPage(open, { origin, token: ADMIN_TOKEN, path }),
    async close() {
      await app.close();
      await db.destroy();
    },
  };
}

/** What the frame round every view asks for. */
const nothingLive: ApiRoute = {
  method: 'GET',
  path: '/live',
  summary: 'No call is under way',
  reply: liveSnapshot,
  answer: async (): Promise<LiveSnapshot> => ({
    server: {
      ...{ node: 'n1', version: 'test', startedWallMs: NEWEST_MS, wallMs: NEWEST_MS, live: 0, maxConcurrentCalls: 10 },
      ...{
        draining: false,
        simulated: true,
        circuits: [],
        loopDelayMs: 1,
        spentTodayNanoUsd: null,
        dayLimitNanoUsd: null,
      },
      store: { state: 'ok', why: '', lagMs: 0 },
    },
    calls: [],
  }),
};

const MINUTE_MS = 60_000;
/** In the middle of a day in every zone near ours. */
export const NEWEST_MS = Date.UTC(2026, 10, 20, 12);

export const callId = (n: number): string => `${n.toString(16).padStart(8, '0')}-aaaa-4bbb-8ccc-dddddddddddd`;

/** Call `n`: one a minute, backwards from the newest; ended well after a minute and some. */
export function madeUpCall(n: number, changes: Partial<Insertable<CallsTable>> = {}): Insertable<CallsTable> {
  const admitted = NEWEST_MS - n * MINUTE_MS;
  return {
    ...{
      call_id: callId(n),
      carrier: 'twilio',
      carrier_call_id: `CA${String(n).padStart(32, '0')}`,
      direction: 'inbound',
    },
    ...{ agent: n % 3 === 0 ? 'Night Desk' : 'Harbor Clinic', agent_hash: 'h1', model: 'gpt-realtime-2.1', node: 'n1' },
    ...{ from_kind: 'pstn', from_value: `+1555000${String(n % 10_000).padStart(4, '0')}`, to_kind: 'pstn' },
    ...{ to_value: '+15559990000', attestation: 'A', admitted_ms: admitted },
    day: new Date(admitted).toISOString().slice(0, 10),
    media_started_ms: admitted + 900,
    ended_ms: admitted + 900 + 60_000 + (n % 100) * 1_000,
    ...(n % 10 === 9
      ? { reason: 'model_lost', ended_by: 'model', result: 'failure' }
      : { reason: n % 2 === 0 ? 'agent_goodbye' : 'caller_hung_up', ended_by: 'agent', result: 'success' }),
    ...{ detail: null, quality: 100 - (n % 60), audio_until_ms: null, text_until_ms: null, metadata_until_ms: null },
    ...{ latency_ms: 600 + (n % 50) * 20, disposition: n % 4 === 0 ? 'booked' : null, turn_count: 6, barge_ins: 1 },
    ...changes,
  };
}

/** One line of a bill. */
export const madeUpLine = (id: string, nanoUsd: number | null): LinesTable => ({
  ...{ call_id: id, what: 'answer', source: 'resp_1', seller: 'openai', product: 'gpt-realtime-2.1', at_ms: NEWEST_MS },
  ...{
    day: '2026-11-20',
    state: 'metered',
    unit: 'tokens',
    text_fresh: 0,
    text_cached: 0,
    text_out: 0,
    audio_fresh: 0,
  },
  ...{ audio_cached: 0, audio_out: 0, image_fresh: 0, image_cached: 0, duration_ms: 0, pieces: 0, unit_price: null },
  ...{ cost_nano_usd: nanoUsd, price_book: '2026-11-20', doubt: null, billed_nano_usd: null },
});

const ROWS_AT_ONCE = 400;

/** Writes calls with a bill each, so that call `n` costs 0.05 dollars and `n` tenths of a cent. */
export async function writeCalls(db: Database, calls: readonly Insertable<CallsTable>[]): Promise<void> {
  for (let at = 0; at < calls.length; at += ROWS_AT_ONCE) {
    const rows = calls.slice(at, at + ROWS_AT_ONCE);
    await db.insertInto('calls').values(rows).execute();
    const lines = rows.map(({ call_id: id }) =>
      madeUpLine(id, 50_000_000 + Number.parseInt(id.slice(0, 8), 16) * 1_000_000),
    );
    await db.insertInto('lines').values(lines).execute();
  }
}

/** Words of a call. */
export async function writeWords(db: Database, id: string, said: string): Promise<void> {
  await db
    .insertInto('turns')
    .values({ call_id: id, turn: 0, who: 'caller', at_ms: 1_000, said, heard: null, facts: '{"who":"caller"}' })
    .execute();
}
