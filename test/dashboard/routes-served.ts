// Routes of the API behind its real front door, for tests that ask them by HTTP without a socket, and hold every answer
// against the description that the API gives of itself.
import { Ajv2020 } from 'ajv/dist/2020.js';
import fastify, { type FastifyInstance } from 'fastify';
import { expect } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import { dashboardApi } from '../../src/dashboard/api.ts';
import type { ApiRoute } from '../../src/dashboard/api-route.ts';
import { Entrance } from '../../src/dashboard/entrance.ts';
import type { Store } from '../../src/store/store.ts';
import { FakeClock } from '../support/fake-clock.ts';

export const TOKEN = 'a-token-of-sixteen';
export const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

export async function serve(routes: readonly ApiRoute[], clock: Clock = new FakeClock()): Promise<FastifyInstance> {
  const app = fastify({ forceCloseConnections: true });
  const failed = (...line: unknown[]) => expect.soft(line, 'nothing fails inside').toBe(null);
  const entrance = new Entrance({ adminToken: TOKEN, publicUrl: 'http://localhost', clock, append: () => {} });
  await app.register(dashboardApi, { routes, entrance, version: '1.2.3', clock, log: { warn: failed, error: failed } });
  return app;
}

export const get = (app: FastifyInstance, url: string, headers: Record<string, string> = {}) =>
  app.inject({ url: `/api${url}`, headers: { ...AUTHORIZED, ...headers } });

/** The code and words of a refusal. */
export async function refusal(app: FastifyInstance, url: string): Promise<[status: number, message: string]> {
  const answer = await get(app, url);
  return [answer.statusCode, answer.json<{ error: { message: string } }>().error.message];
}

/** Fails unless the answer is what the description says of its path, with nothing more in it. */
export async function describes(app: FastifyInstance, path: string, url: string): Promise<void> {
  const description = (await get(app, '/openapi.json')).json<{ paths: Record<string, unknown> }>();
  expect(Object.keys(description.paths)).toContain(path);
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema({ $id: 'api', ...description });
  const pointer = `#/paths/${path.replaceAll('/', '~1')}/get/responses/200/content/application~1json/schema`;
  const fits = ajv.compile({ $ref: `api${encodeURI(pointer)}` });
  const answer = await get(app, url);
  expect(answer.statusCode, answer.body).toBe(200);
  expect(fits(answer.json()), JSON.stringify(fits.errors)).toBe(true);
  expect(fits({ ...answer.json(), extra: 1 }), 'and nothing more').toBe(false);
}

/** A store of which only what is told is asked. */
export const storeOf = (ask: Store['ask']): Pick<Store, 'ask' | 'append'> & { appended: unknown[] } => {
  const appended: unknown[] = [];
  return { ask, append: (fact) => void appended.push(fact), appended };
};

/** How long work took in milliseconds, and how often everything else had its turn meanwhile. */
export async function watched<T>(work: () => Promise<T>): Promise<{ answer: T; tookMs: number; turns: number }> {
  let turns = 0;
  let over = false;
  const turn = (): void => {
    turns += 1;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  const began = performance.now();
  const answer = await work().finally(() => {
    over = true;
  });
  return { answer, tookMs: performance.now() - began, turns };
}
