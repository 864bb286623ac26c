// Fastify plugin: the JSON API below /api. Everything in it is behind the admin token or a session, nothing of it may be kept
// by caches, and every failure has the same shape. Its parsers and hooks hold in its own context only.
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { ERROR_CODES, type ErrorCode, TrunklineError } from '../errors.ts';
import type { ApiRoute, Content } from './api-route.ts';
import { type Admitted, type Entrance, forbidden, isRefusal, type Knock, type Refusal } from './entrance.ts';
import { EventStreams } from './event-streams.ts';
import { jsonSchema } from './json-schema.ts';
import { isContentReply, openApi } from './openapi.ts';
import { type DoorRoute, doorRoutes, linkRoutes } from './routes/session.ts';
import { API_HEADERS } from './security-headers.ts';

export interface DashboardApiOptions {
  routes: readonly ApiRoute[];
  entrance: Entrance;
  /** The server's, for the description. */
  version: string;
  clock: Clock;
  log: Pick<Logger, 'warn' | 'error'>;
}

/** Of a request's JSON. */
const MAX_BODY_BYTES = 64 * 1024;
/** After which a browser may ask again for a stream that there was no room for. */
const RETRY_AFTER_S = 5;

type Access = DoorRoute['access'] | 'operator';

/** Everything below /api: the routes given, log-in, links, and /api/openapi.json. */
export async function dashboardApi(app: FastifyInstance, options: DashboardApiOptions): Promise<void> {
  await app.register(api, { ...options, prefix: '/api' });
}

async function api(app: FastifyInstance, options: DashboardApiOptions): Promise<void> {
  const { entrance, log } = options;
  const admitted = new WeakMap<FastifyRequest, Admitted>();
  const streams = new EventStreams(options);
  const forget = entrance.onLogOut((id) => streams.endOf(id));
  app.addHook('onClose', async () => forget());

  app.addHook('onRequest', (request, reply, done) => {
    void reply.headers(API_HEADERS);
    // What has no route is told only to those who may be here at all.
    const { access = 'phone' } = request.routeOptions.config as { access?: Access };
    if (access === 'anyone') return done();
    const outcome = entrance.admit(knockOf(request), { changes: !READS.has(request.method) });
    if (isRefusal(outcome)) return void refuse(reply, outcome);
    if (access === 'operator' && outcome.who.scope !== 'operator') return void refuse(reply, PHONE_ONLY);
    if (outcome.cookie !== null) void reply.header('set-cookie', outcome.cookie);
    admitted.set(request, outcome);
    done();
  });
  readJsonOnly(app);
  app.setNotFoundHandler((_request, reply) => fail(reply, 'TRK_NOT_FOUND', 'There is nothing here.'));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const route = request.routeOptions.url;
    if (error instanceof TrunklineError && error.code === 'TRK_STORE') {
      log.warn({ route, err: error }, 'the store did not answer the API');
      return fail(reply, 'TRK_STORE', 'The database does not answer; calls go on, and what happens is kept.', 503);
    }
    if (error instanceof TrunklineError && (error.statusCode < 500 || error.code === 'TRK_NO_ROOM'))
      return fail(reply, error.code, error.message);
    // Fastify's own refusals, of a body or a header; their texts may quote the request.
    const { statusCode = 500 } = error;
    if (statusCode < 500)
      return fail(reply, 'TRK_BAD_REQUEST', UNREADABLE[statusCode] ?? 'The request cannot be read.', statusCode);
    log.error({ route, err: error }, 'a request to the API failed');
    return fail(reply, 'TRK_INTERNAL', 'A fault of Trunkline; its log says more.');
  });

  const routes = [...options.routes, ...linkRoutes(entrance)];
  for (const route of routes)
    app.route({
      ...served(route, route.access ?? 'operator'),
      async handler(request, reply) {
        const { who, session } = admitted.get(request) as Admitted;
        const { range, 'last-event-id': last } = request.headers;
        const headers = { range, lastEventId: typeof last === 'string' ? last : undefined };
        const answer = await route.answer({ ...parts(route, request), who, headers });
        if (route.reply === null) return reply.code(204).send();
        if (!isContentReply(route.reply)) return answer;
        const content = answer as Content;
        if (route.reply.events !== undefined && content.body instanceof Readable && request.method !== 'HEAD') {
          if (!streams.add(content.body, session)) return refuse(reply, NO_ROOM);
        }
        return sendContent(request, reply, content);
      },
    });
  const doors = doorRoutes(entrance);
  for (const route of doors)
    app.route({
      ...served(route, route.access),
      async handler(request, reply) {
        const session = admitted.get(request)?.session ?? null;
        const answer = route.answer({ knock: knockOf(request), body: parts(route, request).body, session });
        if (isRefusal(answer)) return refuse(reply, answer);
        // Instead of a renewed one: whoever logs out shall not be handed their session once more.
        if (answer.cookie !== null) void reply.removeHeader('set-cookie').header('set-cookie', answer.cookie);
        return route.reply === null ? reply.code(204).send() : answer.body;
      },
    });
  // Made when somebody asks for it: a server that starts has callers waiting.
  let description: Record<string, unknown> | undefined;
  const describe = () => (description ??= openApi(options.version, [...routes, ...doors]));
  app.get('/openapi.json', { config: { access: 'operator' } }, describe);
}

/** Methods that change nothing. */
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

const PHONE_ONLY = forbidden('Your link opens the browser phone only.');
const NO_ROOM: Refusal = {
  ...{ status: 503, code: 'TRK_NO_ROOM', headers: { 'retry-after': String(RETRY_AFTER_S) } },
  message: 'Too many pages follow events here; close some.',
};

/** Of what Fastify refuses by itself. */
const UNREADABLE: Readonly<Record<number, string>> = {
  400: 'The body is no JSON.',
  413: `The body is longer than ${MAX_BODY_BYTES / 1024} KiB.`,
  415: 'Send JSON, with content-type: application/json.',
};

/** What Fastify has to know of a route. */
function served({ method, path, reply }: Pick<ApiRoute, 'method' | 'path' | 'reply'>, access: Access) {
  // Failures have no schema here: they are all made by `fail`, and each would be compiled once more for each route.
  const response: Record<string, unknown> = reply === null || isContentReply(reply) ? {} : { 200: jsonSchema(reply) };
  return { method: method satisfies HTTPMethods, url: path, config: { access }, schema: { response } };
}

const knockOf = ({ headers, ip }: FastifyRequest): Knock => ({ headers, address: ip });

/** JSON or nothing, whatever Fastify would read by itself. Nothing is nothing, also where JSON was announced. */
function readJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit: MAX_BODY_BYTES },
    (request, body, done) => (body === '' ? done(null, undefined) : parse(request, body as string, done)),
  );
}

/** The parts of a request as its route's schemas read them. @throws TrunklineError TRK_BAD_REQUEST naming all that is wrong */
function parts({ params, query, body }: Pick<ApiRoute, 'params' | 'query' | 'body'>, request: FastifyRequest) {
  if (body === undefined && request.body !== undefined)
    throw new TrunklineError('TRK_BAD_REQUEST', 'This takes no body.');
  return {
    params: params === undefined ? {} : read(params, request.params, 'parameter'),
    // What a route without a query is asked anyway, is not looked at: log lines and links may carry it.
    query: query === undefined ? {} : read(query, request.query, 'parameter'),
    body: body === undefined ? undefined : read(body, request.body ?? {}, 'field'),
  };
}

function read(schema: z.ZodType, given: unknown, what: 'parameter' | 'field'): unknown {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const known = schema instanceof z.ZodObject ? `; known are ${Object.keys(schema.shape).join(', ') || 'none'}` : '';
  const faults = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.slice(0, MOST_FAULTS).map((key) => `${key.slice(0, MOST_OF_A_KEY)}: no such ${what}${known}`)
      : [`${issue.path.length === 0 ? '' : `${issue.path.join('.')}: `}expected ${issue.message}`],
  );
  throw new TrunklineError('TRK_BAD_REQUEST', faults.slice(0, MOST_FAULTS).join('; '));
}

/** A hostile body may have thousands of fields that nobody knows. */
const MOST_FAULTS = 20;
const MOST_OF_A_KEY = 60;

/** A file or a stream. Fastify destroys it when the client goes. */
function sendContent(request: FastifyRequest, reply: FastifyReply, { status, headers, body }: Content): FastifyReply {
  void reply.code(status).headers(headers);
  const isStream = body instanceof Readable;
  // Nobody will read it; Fastify would read a stream to its end, which one of events never has.
  if (isStream && request.method === 'HEAD') body.destroy();
  const isEvents = isStream && String(headers['content-type']).startsWith('text/event-stream');
  if (isEvents) void reply.header('x-accel-buffering', 'no');
  void reply.send(body);
  // The browser shall know that it is connected, though nothing may happen for long.
  if (isEvents && request.method !== 'HEAD' && !reply.raw.headersSent) reply.raw.flushHeaders();
  return reply;
}

function refuse(reply: FastifyReply, { status, code, message, headers }: Refusal): FastifyReply {
  return fail(reply.headers(headers), code, message, status);
}

function fail(reply: FastifyReply, code: ErrorCode, message: string, status: number = ERROR_CODES[code]): FastifyReply {
  return reply.code(status).send({ error: { code, message } });
}
