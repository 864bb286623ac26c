// An MCP server over streamable HTTP, without state: one JSON-RPC message per POST, one JSON answer, no stream and no session
// (specification 2025-11-25, basic/transports). Written by hand: the reference SDK brings 94 packages, and a sample has to run
// on what the product brings.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../../services/refusal.ts';

export interface McpTool {
  name: string;
  description: string;
  inputSchema: { type: 'object' } & Record<string, unknown>;
  outputSchema: { type: 'object' } & Record<string, unknown>;
  annotations: { readOnlyHint: boolean; idempotentHint: boolean; destructiveHint: boolean };
  run: (args: Record<string, unknown>) => object;
}

/** Those whose differences do not show here; the newest first. */
const PROTOCOLS = ['2025-11-25', '2025-06-18', '2025-03-26'];

const INVALID_REQUEST = -32_600;
const METHOD_NOT_FOUND = -32_601;
const INVALID_PARAMS = -32_602;

type Id = string | number;
type Checked = McpTool & { check: ValidateFunction };

class RpcError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The tool that a request calls, or `mcp`: what faults know it by. */
export function mcpOperation({ body }: FastifyRequest): string {
  const { method, params } = (body ?? {}) as { method?: unknown; params?: { name?: unknown } };
  return method === 'tools/call' && typeof params?.name === 'string' ? params.name : 'mcp';
}

/** Serves `tools` at `/mcp`. */
export function addMcp(
  app: FastifyInstance,
  server: { name: string; version: string },
  tools: readonly McpTool[],
): void {
  const ajv = new Ajv2020({ strict: false, ownProperties: true });
  const checked = new Map(
    tools.map((tool): [string, Checked] => [tool.name, { ...tool, check: ajv.compile(tool.inputSchema) }]),
  );

  app.post('/mcp', { config: { operation: 'mcp' } }, (request, reply) => {
    // A page in somebody's browser may not reach a server on loopback through it.
    if (request.headers.origin !== undefined)
      return reply.code(403).send(refused(null, INVALID_REQUEST, 'No browsers.'));
    const version = request.headers['mcp-protocol-version'];
    if (version !== undefined && !PROTOCOLS.includes(String(version)))
      return reply
        .code(400)
        .send(refused(null, INVALID_REQUEST, `Unknown protocol version; known: ${PROTOCOLS.join(', ')}.`));
    return answer(request.body, reply, (method, params) => {
      if (method === 'initialize') return initialized(server, params);
      if (method === 'ping') return {};
      if (method === 'tools/list') return { tools: tools.map(({ run: _run, ...listed }) => listed) };
      if (method === 'tools/call') return called(checked, params);
      throw new RpcError(METHOD_NOT_FOUND, `There is no method ${method}.`);
    });
  });
  // No stream from us, and no session to end.
  app.route({
    method: ['GET', 'DELETE'],
    url: '/mcp',
    config: { operation: 'mcp' },
    handler: (_request, reply) =>
      reply
        .code(405)
        .header('allow', 'POST')
        .send(refused(null, INVALID_REQUEST, 'Only POST.')),
  });
}

function answer(
  message: unknown,
  reply: FastifyReply,
  run: (method: string, params: Record<string, unknown>) => object,
): FastifyReply {
  const { jsonrpc, id, method, params } = (message ?? {}) as Record<string, unknown>;
  if (jsonrpc !== '2.0' || typeof method !== 'string' || !(id === undefined || isId(id)))
    return reply.code(400).send(refused(null, INVALID_REQUEST, 'Expected one JSON-RPC 2.0 message.'));
  // A notification: heard, and nothing to say.
  if (id === undefined) return reply.code(202).send();
  const named = typeof params === 'object' && params !== null ? (params as Record<string, unknown>) : {};
  try {
    return reply.send({ jsonrpc: '2.0', id, result: run(method.slice(0, 100), named) });
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return reply.send(refused(id, error.code, error.message));
  }
}

const isId = (id: unknown): id is Id => typeof id === 'string' || typeof id === 'number';

const refused = (id: Id | null, code: number, message: string) => ({ jsonrpc: '2.0', id, error: { code, message } });

function initialized(server: { name: string; version: string }, { protocolVersion: asked }: Record<string, unknown>) {
  const protocolVersion = PROTOCOLS.find((known) => known === asked) ?? PROTOCOLS[0];
  return { protocolVersion, capabilities: { tools: { listChanged: false } }, serverInfo: server };
}

/** What was wrong with a call is told to the model, which may correct it; only a tool that there is not is the client's fault. */
function called(tools: ReadonlyMap<string, Checked>, { name, arguments: given = {} }: Record<string, unknown>): object {
  const tool = tools.get(String(name));
  if (!tool) throw new RpcError(INVALID_PARAMS, 'There is no such tool.');
  const failed = (text: string) => ({ content: [{ type: 'text', text }], isError: true });
  if (!tool.check(given)) {
    const [fault] = tool.check.errors ?? [];
    return failed(`The arguments do not fit: ${fault?.instancePath.slice(1) || 'they'} ${fault?.message}.`);
  }
  try {
    const result = tool.run(given as Record<string, unknown>);
    return { content: [{ type: 'text', text: JSON.stringify(result) }], structuredContent: result, isError: false };
  } catch (error) {
    if (error instanceof Refusal) return failed(error.message);
    throw error;
  }
}
