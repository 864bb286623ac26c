// The OpenAPI description of the API, made of the same schemas that requests and answers are held against.
import type { z } from 'zod';
import type { ApiRoute, ContentReply } from './api-route.ts';
import { failure, jsonSchema } from './json-schema.ts';

/** What the description says of a route; `anyone`: also whoever is not logged in. */
export type Described = Omit<ApiRoute, 'access' | 'answer'> & { access?: ApiRoute['access'] | 'anyone' };

/** @param version of the server */
export function openApi(version: string, routes: readonly Described[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Trunkline',
      version,
      description:
        'Calls that were and calls that are, their words and their bills, and what an operator can do to them.',
    },
    servers: [{ url: '/api' }],
    security: [{ adminToken: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        adminToken: { type: 'http', scheme: 'bearer', description: 'the value of ADMIN_TOKEN' },
        session: { type: 'apiKey', in: 'cookie', name: 'trk_session', description: 'set by POST /session' },
        csrf: {
          ...{ type: 'apiKey', in: 'header', name: 'x-csrf-token' },
          description: 'with a session, of whatever changes something: the `csrf` of GET /session',
        },
      },
      schemas: { Failure: jsonSchema(failure) },
    },
  };
}

function operation({ method, access, summary, params, query, body, reply }: Described): Record<string, unknown> {
  const changes = method !== 'GET';
  const isOpen = access === 'anyone';
  return {
    summary,
    ...(isOpen ? { security: [] } : changes ? { security: [{ adminToken: [] }, { session: [], csrf: [] }] } : {}),
    ...(access === 'phone' ? { description: 'Also for whoever may only use the browser phone.' } : {}),
    parameters: [...parameters(params, 'path'), ...parameters(query, 'query')],
    ...(body === undefined ? {} : { requestBody: { required: true, ...json(jsonSchema(body, 'input')) } }),
    responses: {
      ...good(summary, reply),
      400: failed('A parameter or the body is not what it should be'),
      401: failed(isOpen ? 'The token or the code is wrong' : 'No log-in and no token, or another'),
      ...(isOpen || changes || access !== 'phone'
        ? { 403: failed('Not asked for by a page of this server, or by whoever may only use the phone') }
        : {}),
      ...(params === undefined && access !== 'phone' ? {} : { 404: failed('There is no such thing') }),
      ...(changes && params !== undefined ? { 409: failed('It cannot be done now') } : {}),
      ...(body === undefined ? {} : { 413: failed('The body is too long'), 415: failed('The body is not JSON') }),
      429: failed('Too many wrong tries from this client; retry-after says for how many seconds none is looked at'),
      503: failed('The database does not answer, or there is no room'),
    },
  };
}

export const isContentReply = (reply: ApiRoute['reply']): reply is ContentReply => reply !== null && 'media' in reply;

function good(summary: string, reply: ApiRoute['reply']): Record<string, unknown> {
  if (reply === null) return { 204: { description: summary } };
  if (!isContentReply(reply)) return { 200: { description: summary, ...json(jsonSchema(reply)) } };
  const { media, description, events } = reply;
  const content = { [media]: { schema: { type: 'string', ...(events === undefined ? { format: 'binary' } : {}) } } };
  const whole = { description, content, ...(events === undefined ? {} : { 'x-events': eventSchemas(events) }) };
  // Audio is played from anywhere.
  if (!media.startsWith('audio/')) return { 200: whole };
  return { 200: whole, 206: { description: 'a part of it', content }, 416: { description: 'there is no such part' } };
}

const eventSchemas = (events: Readonly<Record<string, z.ZodType>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(events).map(([name, schema]) => [name, jsonSchema(schema)]));

const json = (schema: Record<string, unknown>): Record<string, unknown> => ({
  content: { 'application/json': { schema } },
});

const failed = (description: string): Record<string, unknown> => ({
  description,
  ...json({ $ref: '#/components/schemas/Failure' }),
});

function parameters(of: z.ZodObject | undefined, place: 'path' | 'query'): Record<string, unknown>[] {
  if (of === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(of, 'input') as {
    properties?: Record<string, { description?: string }>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: place,
    required: required.includes(name),
    description,
    schema,
  }));
}
