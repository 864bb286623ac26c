// One session with an MCP server over streamable HTTP. The protocol's client is the official one; what it sends and reads goes
// through the outbound client, so that hosts, addresses and bytes are bounded like everybody else's.
import { AsyncLocalStorage } from 'node:async_hooks';
import { Readable } from 'node:stream';
import type { CallToolResult, Client, Tool as ListedTool } from '@modelcontextprotocol/client';
import type { Clock } from '../clock.ts';
import type { OutboundClient } from './outbound.ts';

export interface McpTarget {
  url: URL;
  headers: Readonly<Record<string, string>>;
}

export interface McpSession {
  /** @throws whatever the client throws */
  list(): Promise<ListedTool[]>;
  call(name: string, args: Record<string, unknown>, signal: AbortSignal): Promise<CallToolResult>;
  /** Ends it, and what is still under way in it; the server is told (`politely`) that it may forget it. */
  close(politely?: boolean): Promise<void>;
}

const CONNECT_MS = 10_000;
/** The runner's deadline comes first, by the signal. */
const CALL_MS = 125_000;
const GOODBYE_MS = 1_000;
/** A list of tools with their schemas, or a result; a stream of events has no end, but each event has one. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
const MAX_LIST_PAGES = 16;
/** However soon a server asks to be asked again. */
const MIN_RECONNECT_MS = 1_000;
const MAX_RECONNECT_MS = 60_000;

/** The service checks its own answers; to compile a foreign schema is only a risk. */
const TAKES_ALL = { getValidator: () => (data: unknown) => ({ valid: true, data, errorMessage: undefined }) as never };

/**
 * The call that a request belongs to: the transport itself leaves the request open when its call is given up, and the call
 * when its answer broke off (client 2.4.0).
 */
interface Underway {
  signal: AbortSignal;
  brokeOff: () => void;
}
const underway = new AsyncLocalStorage<Underway>();
/** What has arrived is parsed within milliseconds of the stream's end. */
const PARSE_MS = 100;

/**
 * @param troubled called when the session may be lost: something that was not asked for failed
 * @param listChanged called when the server says that its tools have changed
 * @throws whatever the client throws
 */
export async function openMcpSession(
  target: McpTarget,
  outbound: OutboundClient,
  { clock, troubled, listChanged }: { clock: Clock; troubled: () => void; listChanged: () => void },
): Promise<McpSession> {
  // 7 MB of packages that only agents with such a source need.
  const { Client: McpClient, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const client: Client = new McpClient(
    { name: 'trunkline', version: '1' },
    {
      // None: a server can ask us for nothing.
      capabilities: {},
      jsonSchemaValidator: TAKES_ALL,
      listMaxPages: MAX_LIST_PAGES,
      listChanged: { tools: { autoRefresh: false, onChanged: listChanged } },
    },
  );
  const transport = new StreamableHTTPClientTransport(target.url, {
    requestInit: { headers: { ...target.headers } },
    fetch: (url, init) => outboundFetch(outbound, url, init),
    reconnectionOptions: {
      initialReconnectionDelay: MIN_RECONNECT_MS,
      maxReconnectionDelay: MAX_RECONNECT_MS,
      reconnectionDelayGrowFactor: 2,
      maxRetries: 5,
    },
    // A server may ask to be asked again at once, and hang up again at once.
    reconnectionScheduler: (reconnect, delayMs) =>
      clock.at(clock.nowMs() + Math.min(MAX_RECONNECT_MS, Math.max(MIN_RECONNECT_MS, delayMs)), reconnect),
  });
  client.onerror = troubled;
  try {
    await client.connect(transport, { timeout: CONNECT_MS });
  } catch (error) {
    await client.close().catch(() => {});
    throw error;
  }
  return {
    list: async () => (await client.listTools(undefined, { timeout: CONNECT_MS, cacheMode: 'bypass' })).tools,
    call: (name, args, signal) =>
      following(clock, signal, (own) => client.callTool({ name, arguments: args }, { timeout: CALL_MS, signal: own })),
    async close(politely = false) {
      client.onerror = () => {};
      if (politely) await within(clock, GOODBYE_MS, transport.terminateSession());
      await client.close().catch(() => {});
    },
  };
}

/** Waits no longer than that; how it ends does not matter. */
async function within(clock: Clock, ms: number, work: Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = clock.at(clock.nowMs() + ms, resolve);
    const done = () => {
      cancel();
      resolve();
    };
    work.then(done, done);
  });
}

/** Runs one call so that its request ends with it, and it with its request. */
async function following<T>(clock: Clock, signal: AbortSignal, call: (own: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController();
  const own = AbortSignal.any([signal, over.signal]);
  let cancel = (): void => {};
  try {
    return await new Promise<T>((resolve, reject) => {
      const brokeOff = () => {
        cancel = clock.at(clock.nowMs() + PARSE_MS, () => reject(new Error('the answer broke off')));
      };
      underway.run({ signal: own, brokeOff }, () => call(own)).then(resolve, reject);
    });
  } finally {
    cancel();
    over.abort();
  }
}

/** What the transport takes for `fetch`. */
async function outboundFetch(client: OutboundClient, url: string | URL, init: RequestInit = {}): Promise<Response> {
  const method = init.method ?? 'GET';
  const body = typeof init.body === 'string' ? init.body : null;
  // Only the call itself: the notice that it is cancelled goes out after its signal.
  const own = body?.includes('"method":"tools/call"') ? underway.getStore() : undefined;
  const signals = [init.signal, own?.signal].filter((signal) => signal !== null && signal !== undefined);
  const reply = await client.send({
    method,
    url: new URL(url),
    headers: Object.fromEntries(new Headers(init.headers)),
    ...(body === null ? {} : { body }),
    signal: AbortSignal.any(signals),
    // A call must not be carried out twice because an old connection was just closing.
    once: method === 'POST',
  });
  const headers = new Headers();
  for (const [name, value] of Object.entries(reply.headers))
    if (typeof value === 'string' && name !== 'content-encoding' && name !== 'content-length') headers.set(name, value);
  if ([204, 205, 304].includes(reply.status)) {
    reply.body.destroy();
    return new Response(null, { status: reply.status, headers });
  }
  const events = /^text\/event-stream/i.test(headers.get('content-type') ?? '');
  const bytes = Readable.from(bounded(reply.body, events, () => own?.brokeOff()));
  return new Response(Readable.toWeb(bytes) as ReadableStream, { status: reply.status, headers });
}

/**
 * The bytes, until a message is longer than any may be. Events of a stream end with an empty line.
 * @param ended called when there is no more; not for a stream whose events have ids, which goes on in another one
 */
async function* bounded(body: Readable, events: boolean, ended: () => void): AsyncGenerator<Buffer> {
  let bytes = 0;
  let resumable = false;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_MESSAGE_BYTES) throw new Error('message too large');
      const end = events ? Math.max(chunk.lastIndexOf('\n\n'), chunk.lastIndexOf('\r\n\r\n')) : -1;
      if (end >= 0) bytes = chunk.length - end;
      resumable ||= events && /(?:^|\n)id:/.test(chunk.toString('latin1'));
      yield chunk;
    }
  } finally {
    if (!resumable) ended();
  }
}
