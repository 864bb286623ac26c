// The real page, the real routes of a call and real files, over calls that a test makes up; no call core and no sockets.
import { enterPage } from '../../support/browser.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify from 'fastify';
import type { Page } from 'playwright-core';
import { pino } from 'pino';
import { realClock } from '../../../src/clock.ts';
import { dashboardApi } from '../../../src/dashboard/api.ts';
import { Entrance } from '../../../src/dashboard/entrance.ts';
import { pageFiles } from '../../../src/dashboard/page-files.ts';
import { callFileRoutes } from '../../../src/dashboard/routes/call-files.ts';
import { callRoutes } from '../../../src/dashboard/routes/calls.ts';
import type { ServerFacts } from '../../../src/dashboard/schemas/live.ts';
import { applyEvents } from '../../../src/store/queries/apply.ts';
import type { Store } from '../../../src/store/store.ts';
import { askOf, inMemory } from '../../costs/seed.ts';
import { factsOf, type MadeUp, writeFiles } from './made-up-call.ts';

const ADMIN_TOKEN = 'token-of-the-test-of-a-call';

const SERVER: ServerFacts = {
  ...{ node: 'n1', version: 'test', startedWallMs: 0, wallMs: 0, live: 0, maxConcurrentCalls: 10, draining: false },
  ...{ simulated: true, circuits: [], loopDelayMs: 0, spentTodayNanoUsd: null, dayLimitNanoUsd: null },
  store: { state: 'ok', why: '', lagMs: 0 },
};

export interface CallServer {
  origin: string;
  token: string;
  /** Requests below /api, as they came: method, path, range. */
  asked: string[];
  dataDir: string;
  keep(call: MadeUp, files?: { audio?: boolean; tape?: boolean; record?: boolean }): Promise<void>;
  /** Whatever is asked below /api is answered so, until it is null again. */
  refusal: { status: number | null };
  /** Opens a page of somebody who is logged in. */
  enter(open: (url: string) => Promise<Page>, path: string): Promise<Page>;
  close(): Promise<void>;
}

export async function startCallServer(dir: string): Promise<CallServer> {
  const db = await inMemory();
  const dataDir = await mkdtemp(join(tmpdir(), 'trunkline-call-page-'));
  const store = { append: () => {}, ask: askOf(db) } as unknown as Pick<Store, 'ask' | 'append'>;
  const asked: string[] = [];
  const refusal: CallServer['refusal'] = { status: null };
  const entrance = new Entrance({
    adminToken: ADMIN_TOKEN,
    publicUrl: 'http://127.0.0.1',
    clock: realClock,
    append: () => {},
  });
  const app = Fastify({ forceCloseConnections: true });
  app.addHook('onRequest', async (request, reply) => {
    // The frame asks how the server is.
    if (request.url === '/api/live') return reply.send({ server: SERVER, calls: [] });
    if (!request.url.startsWith('/api')) return;
    asked.push(
      `${request.method} ${request.url}${request.headers.range === undefined ? '' : ` ${request.headers.range}`}`,
    );
    if (refusal.status !== null && request.url !== '/api/session')
      await reply.code(refusal.status).send({ error: { code: 'TRK_TEST', message: 'Refused by the test.' } });
  });
  const log = pino({ level: 'error' });
  await app.register(pageFiles, { dir, publicUrl: 'http://127.0.0.1' });
  const routes = [...callRoutes(store), ...callFileRoutes({ store, dataDir, log })];
  await app.register(dashboardApi, { routes, entrance, version: 'test', clock: realClock, log });
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    ...{ origin, dataDir, asked, refusal, token: ADMIN_TOKEN },
    async keep(call, { audio = true, tape = true, record = call.ended } = {}) {
      await applyEvents(db, factsOf(call));
      await writeFiles(dataDir, call, { audio, tape, record });
    },
    enter: (open, path) => enterPage(open, { origin, token: ADMIN_TOKEN, path }),
    async close() {
      await app.close();
      await db.destroy();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
