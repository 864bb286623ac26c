// An MCP server on loopback, made with the protocol's own server package. It can be stopped and started at the same port, and
// changes what it offers when told.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

export interface OfferedTool {
  name: string;
  description?: string;
  inputSchema: { type: 'object'; [key: string]: unknown };
}

export interface McpDouble {
  host: string;
  url: string;
  offered: OfferedTool[];
  /** What a call answers; it may throw or never settle. */
  answer: (name: string, args: Record<string, unknown>, signal: AbortSignal) => unknown;
  /** Answers a request before the protocol sees it, when it returns true. */
  before: (request: IncomingMessage, response: ServerResponse, body: string) => boolean;
  /** Methods of all JSON-RPC messages, in order. */
  readonly methods: string[];
  readonly headers: IncomingMessage['headers'][];
  /** Tells all clients that the list has changed. */
  tellChanged(): Promise<void>;
  stop(): Promise<void>;
  /** Again at the same port; it remembers no session. */
  start(): Promise<void>;
}

export async function mcpDouble(offered: OfferedTool[]): Promise<McpDouble> {
  let http: HttpServer | null = null;
  let port = 0;
  let sessions = new Map<string, { server: Server; transport: StreamableHTTPServerTransport }>();

  async function session(): Promise<StreamableHTTPServerTransport> {
    const server = new Server({ name: 'double', version: '1' }, { capabilities: { tools: { listChanged: true } } });
    server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: double.offered }));
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
      return (await double.answer(params.name, params.arguments ?? {}, signal)) as { content: [] };
    });
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, { server, transport }),
    });
    await server.connect(transport as never);
    return transport;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const message = body === '' ? undefined : (JSON.parse(body) as { method?: string });
    if (message?.method !== undefined) double.methods.push(message.method);
    double.headers.push(request.headers);
    if (double.before(request, response, body)) return;
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? sessions.get(id)?.transport : undefined;
    if (known) return await known.handleRequest(request, response, message);
    if (message?.method === 'initialize') return await (await session()).handleRequest(request, response, message);
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}');
  }

  const double: McpDouble = {
    host: '',
    url: '',
    offered,
    answer: () => ({ content: [{ type: 'text', text: 'done' }] }),
    before: () => false,
    methods: [],
    headers: [],
    async tellChanged() {
      for (const { server } of sessions.values()) await server.sendToolListChanged();
    },
    async stop() {
      const old = http;
      http = null;
      for (const { transport } of sessions.values()) await transport.close();
      sessions = new Map();
      if (old === null) return;
      await new Promise<void>((resolve) => {
        old.close(() => resolve());
        old.closeAllConnections();
      });
    },
    async start() {
      const server = createServer((request, response) => {
        handle(request, response).catch(() => response.destroy());
      });
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
      port = (server.address() as AddressInfo).port;
      http = server;
    },
  };
  await double.start();
  double.host = `127.0.0.1:${port}`;
  double.url = `http://${double.host}/mcp`;
  return double;
}
