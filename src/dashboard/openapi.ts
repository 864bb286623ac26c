// The OpenAPI description of the operators' API, made of the same schemas that requests and answers are held against.
import type { z } from 'zod';
import { API_ROUTES, type ApiRoute } from './api-routes.ts';
import { failure, jsonSchema } from './api-schemas.ts';

/** @param version of the server */
export function openApi(version: string): Record<string, unknown> {
  return {
    openapi: '3.1.0',
    info: { title: 'Trunkline', version, description: "The operators' API: calls, their words and their bills." },
    servers: [{ url: '/api' }],
    security: [{ adminToken: [] }],
    paths: Object.fromEntries(
      API_ROUTES.map((route) => [route.path.replace(/:(\w+)/g, '{$1}'), { get: operation(route) }]),
    ),
    components: {
      securitySchemes: { adminToken: { type: 'http', scheme: 'bearer', description: 'the value of ADMIN_TOKEN' } },
      schemas: { Failure: jsonSchema(failure) },
    },
  };
}

function operation({ summary, params, query, reply }: ApiRoute): Record<string, unknown> {
  return {
    summary,
    parameters: [...parameters(params, 'path'), ...parameters(query, 'query')],
    responses: {
      200: { description: summary, ...json(jsonSchema(reply)) },
      400: failed('A parameter is not what it should be'),
      401: failed('The token is missing, or is another'),
      ...(params === null ? {} : { 404: failed('There is no such call') }),
      429: failed('Too many requests without the token'),
      503: failed('The database does not answer'),
    },
  };
}

const json = (schema: Record<string, unknown>): Record<string, unknown> => ({
  content: { 'application/json': { schema } },
});

const failed = (description: string): Record<string, unknown> => ({
  description,
  ...json({ $ref: '#/components/schemas/Failure' }),
});

function parameters(of: z.ZodObject | null, place: 'path' | 'query'): Record<string, unknown>[] {
  if (of === null) return [];
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
