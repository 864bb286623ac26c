// Fastify plugin: the operators' JSON API below /api. Everything in it is behind ADMIN_TOKEN, nothing of it may be kept by
// caches, and every failure has the same shape. Its hooks hold in its own context only.
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { Clock } from '../clock.ts';
import { ERROR_CODES, type ErrorCode, TrunklineError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { AdminGuard } from './admin-guard.ts';
import { API_ROUTES } from './api-routes.ts';
import { failure, jsonSchema } from './api-schemas.ts';
import { openApi } from './openapi.ts';

export interface DashboardApiOptions {
  store: Pick<Store, 'ask'>;
  /** What opens it: ADMIN_TOKEN, or the one that this process made for itself. */
  adminToken: string;
  /** The server's, for the description. */
  version: string;
  clock: Pick<Clock, 'nowMs'>;
  log: Pick<Logger, 'warn' | 'error'>;
}

/** GET /api/calls, /api/calls/:id, /api/calls/:id/bill and /api/openapi.json. */
export async function dashboardApi(app: FastifyInstance, options: DashboardApiOptions): Promise<void> {
  await app.register(api, { ...options, prefix: '/api' });
}

async function api(app: FastifyInstance, options: DashboardApiOptions): Promise<void> {
  const { store, log } = options;
  const guard = new AdminGuard({ token: options.adminToken, clock: options.clock });
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    const outcome = guard.check(request.headers.authorization, request.ip);
    if (outcome === 'passed') return done();
    if (outcome === 'throttled')
      void fail(reply.header('retry-after', '1'), 'TRK_TOO_MANY_FAILURES', 'Too many failures.');
    // The same for no token, half a token and a wrong one.
    else void fail(reply.header('www-authenticate', 'Bearer'), 'TRK_UNAUTHORIZED', 'This needs the admin token.');
  });
  app.setNotFoundHandler((_request, reply) => fail(reply, 'TRK_NOT_FOUND', 'There is nothing here.'));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const route = request.routeOptions.url;
    if (error instanceof TrunklineError && error.code === 'TRK_STORE') {
      log.warn({ route, err: error }, 'the store did not answer the API');
      return fail(reply, 'TRK_STORE', 'The database does not answer; calls go on, and what happens is kept.', 503);
    }
    if (error instanceof TrunklineError && error.statusCode < 500) return fail(reply, error.code, error.message);
    // Fastify's own refusals, of a body or a header; their texts may quote the request.
    const { statusCode = 500 } = error;
    if (statusCode < 500) return fail(reply, 'TRK_BAD_REQUEST', 'The request cannot be read.', statusCode);
    log.error({ route, err: error }, 'a request to the API failed');
    return fail(reply, 'TRK_INTERNAL', 'A fault of Trunkline; its log says more.');
  });

  const failures = { '4xx': jsonSchema(failure), '5xx': jsonSchema(failure) };
  for (const { path, params, query, reply: answered, answer } of API_ROUTES)
    app.get(path, { schema: { response: { 200: jsonSchema(answered), ...failures } } }, async (request) =>
      answer(store, { params: read(params, request.params), query: read(query, request.query) }),
    );
  const description = openApi(options.version);
  app.get('/openapi.json', () => description);
}

function fail(reply: FastifyReply, code: ErrorCode, message: string, status: number = ERROR_CODES[code]): FastifyReply {
  return reply.code(status).send({ error: { code, message } });
}

/** @throws TrunklineError TRK_BAD_REQUEST naming every parameter that is wrong */
function read(schema: z.ZodObject | null, given: unknown): unknown {
  const parsed = schema?.safeParse(given);
  if (parsed === undefined || parsed.success) return parsed?.data ?? {};
  const faults = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => `${key}: no such parameter; known are ${Object.keys(schema?.shape ?? {}).join(', ')}`)
      : [`${issue.path.join('.')}: expected ${issue.message}`],
  );
  throw new TrunklineError('TRK_BAD_REQUEST', faults.join('; '));
}
