// Routes out of an OpenAPI document: every operation gets its address and the checks of its requests from there, so that the
// document cannot say one thing and the service do another.
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { parse } from 'yaml';

/** What an operation answers. */
export interface Described {
  status: number;
  body: object;
}

/** A request that has been checked. */
export interface Asked {
  params: Record<string, string>;
  query: Record<string, string>;
  headers: Record<string, string | undefined>;
  body: Record<string, string>;
}

export type Operations = Record<string, (asked: Asked) => Described>;

interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  schema: object;
}

interface Operation {
  operationId: string;
  parameters?: Parameter[];
  requestBody?: { content: { 'application/json': { schema: object } } };
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/**
 * Adds one route per operation of `document` (YAML), each answered by the function of its name.
 * @throws Error when an operation has no function, or a function no operation
 */
export function addDescribedRoutes(app: FastifyInstance, document: string, operations: Operations): void {
  const root = parse(document) as Record<string, unknown>;
  const { paths } = resolved(root, root) as {
    paths: Record<string, Record<string, Operation> & Pick<Operation, 'parameters'>>;
  };
  // Nothing is changed to fit: what is not as described is refused. Query values are all text here.
  const ajv = new Ajv2020({ strict: false, ownProperties: true });
  app.setValidatorCompiler(({ schema }) => ajv.compile(schema as object));
  const left = new Set(Object.keys(operations));
  for (const [path, item] of Object.entries(paths))
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      const { operationId } = operation;
      const run = operations[operationId];
      if (!run) throw new Error(`nothing does the operation ${operationId}`);
      left.delete(operationId);
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])];
      const body = operation.requestBody?.content['application/json'].schema;
      app.route({
        method: method.toUpperCase(),
        url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
        config: { operation: operationId },
        schema: {
          params: objectOf(parameters, 'path', false),
          querystring: objectOf(parameters, 'query', false),
          // A request has more headers than those of its description.
          headers: objectOf(parameters, 'header', true),
          ...(body ? { body } : {}),
        },
        handler: (request, reply) => answer(request, reply, run),
      });
    }
  if (left.size > 0) throw new Error(`the document has no operation ${[...left].join(', ')}`);
}

function answer(request: FastifyRequest, reply: FastifyReply, run: Operations[string]): FastifyReply {
  const { params, query, headers, body } = request;
  const { status, body: answered } = run({ params, query, headers, body: body ?? {} } as Asked);
  return reply.code(status).type('application/json').send(JSON.stringify(answered));
}

function objectOf(parameters: readonly Parameter[], place: Parameter['in'], open: boolean): object {
  const name = (parameter: Parameter) => (place === 'header' ? parameter.name.toLowerCase() : parameter.name);
  const here = parameters.filter((parameter) => parameter.in === place);
  return {
    type: 'object',
    properties: Object.fromEntries(here.map((parameter) => [name(parameter), parameter.schema])),
    required: here.filter(({ required }) => required).map(name),
    additionalProperties: open,
  };
}

/** The value with every `#/…` reference replaced by what it names; keys beside a reference go before those of its target. */
function resolved(value: unknown, root: unknown, depth = 0): unknown {
  if (depth > 50) throw new Error('the document refers to itself');
  if (Array.isArray(value)) return value.map((part) => resolved(part, root, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  const { $ref: ref, ...rest } = value as { $ref?: string };
  const own = Object.fromEntries(Object.entries(rest).map(([key, part]) => [key, resolved(part, root, depth + 1)]));
  if (ref === undefined) return own;
  let target: unknown = root;
  for (const key of ref.replace(/^#\//, '').split('/')) target = (target as Record<string, unknown> | undefined)?.[key];
  if (target === undefined) throw new Error(`the document has no ${ref}`);
  return { ...(resolved(target, root, depth + 1) as object), ...own };
}
