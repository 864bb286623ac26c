// Opens what an agent declares: fills in the environment, reads documents at URLs, connects to MCP servers. What must stop
// the boot is told all at once; what may come later comes by itself.
import type { LookupAddress } from 'node:dns';
import type { Clock } from '../clock.ts';
import { TrunklineError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { Environment } from './environment.ts';
import type { Env } from './environment.ts';
import { Hosts } from './hosts.ts';
import type { Outbound } from './hosts.ts';
import { openHeaders, openRequest } from './http-tool.ts';
import type { Service } from './http-tool.ts';
import { McpFault, McpServer } from './mcp-tools.ts';
import { MAX_DOCUMENT_BYTES, readOpenApi } from './openapi-document.ts';
import { openApiTools } from './openapi-tools.ts';
import { OutboundClient, readBody } from './outbound.ts';
import { Retrying } from './retrying.ts';
import { labelOf } from './sources.ts';
import type { Described, HttpSource, McpSource, OpenApiSource, ToolSource } from './sources.ts';
import type { Filled } from './template.ts';
import type { Tool } from './tool.ts';
import { ToolFailure } from './tool.ts';

export interface DeclaredTools {
  /** The agent's name. */
  readonly agent: string;
  /** Sources of kind `file` are passed over: their functions come with the agent. */
  readonly sources: readonly ToolSource[];
  /** Templates. */
  readonly outbound: Outbound;
}

export interface SourceSurroundings {
  env: Env;
  clock: Clock;
  log: Logger;
  /** Addresses of a name; default: the system's resolver. */
  resolve?: (host: string) => Promise<readonly LookupAddress[]>;
}

export interface OpenedSources {
  /** Those that a call that begins now may use, in the order of the file. */
  tools(): readonly Tool[];
  /** What is not there, and why: for `/readyz`. */
  readonly waiting: readonly { source: string; why: string }[];
  /** Called whenever `tools` or `waiting` say something else. Returns what ends that. */
  changed(listener: () => void): () => void;
  /** Ends every connection; tools that still run fail. */
  close(): Promise<void>;
}

/** One source, opened or on its way. */
interface OpenedSource {
  label: string;
  tools(): readonly Tool[];
  why(): string | null;
  /** Reaches what it needs. @throws Error with what must be told where the boot must stop */
  open(): Promise<void>;
  close(): Promise<void>;
}

const DOCUMENT_MS = 10_000;

/** @throws TrunklineError TRK_CONFIG: what is missing in the environment, may not be connected to, or cannot be reached */
export async function openToolSources(
  declared: DeclaredTools,
  surroundings: SourceSurroundings,
): Promise<OpenedSources> {
  const environment = new Environment(surroundings.env);
  const faults: string[] = [];
  const listeners = new Set<() => void>();
  const changed = () => {
    for (const listener of listeners) listener();
  };
  const hosts = hostsOf(declared.outbound, environment, `the agent ${declared.agent}: outbound`);
  const client = new OutboundClient(hosts, surroundings.resolve);
  const opening: Opening = { environment, hosts, faults, changed, client, surroundings };
  const opened = declared.sources.flatMap((source): OpenedSource[] => {
    if (source.kind === 'http') return [openHttp(source, opening)];
    if (source.kind === 'openapi') return [openOpenApi(source, opening)];
    return source.kind === 'mcp' ? [openMcp(source, opening)] : [];
  });

  // A host that is not allowed is only known where nothing is missing of its name.
  faults.unshift(...environment.faults);
  if (environment.faults.length === 0) {
    const failures = await Promise.allSettled(faults.length > 0 ? [] : opened.map((source) => source.open()));
    for (const failure of failures) if (failure.status === 'rejected') faults.push((failure.reason as Error).message);
  }
  const close = async () => {
    listeners.clear();
    await Promise.all(opened.map((source) => source.close()));
    client.close();
  };
  if (faults.length > 0) {
    await close();
    const title = `The tools of the agent ${declared.agent} have ${faults.length} fault${faults.length === 1 ? '' : 's'}:`;
    throw new TrunklineError('TRK_CONFIG', [title, ...faults.map((fault) => `  ${fault}`)].join('\n'));
  }
  return {
    tools: () => opened.flatMap((source) => source.tools()),
    get waiting() {
      return opened.flatMap((source) => {
        const why = source.why();
        return why === null ? [] : [{ source: source.label, why }];
      });
    },
    changed(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close,
  };
}

/** What the sources of one agent share while they are opened. */
interface Opening {
  environment: Environment;
  hosts: Hosts;
  faults: string[];
  changed: () => void;
  client: OutboundClient;
  surroundings: SourceSurroundings;
}

const hostsOf = (outbound: Outbound, environment: Environment, at: string): Hosts =>
  new Hosts({
    hosts: outbound.hosts.map((entry) => environment.text(entry, `${at}.hosts`)),
    private: outbound.private.map((entry) => environment.text(entry, `${at}.private`)),
  });

const serviceOf = ({ client, environment }: Opening): Service => ({ client, secrets: environment.secrets });

/** A URL that a declaration names, once it is one that may be connected to; else null, and it is told. */
function namedUrl(text: string, at: string, { hosts, faults, environment }: Opening): URL | null {
  // What is missing is told by itself.
  if (environment.faults.length > 0) return null;
  if (!URL.canParse(text)) {
    // It may hold a secret; where it stands is enough.
    faults.push(`${at}: expected a URL once the environment is filled in`);
    return null;
  }
  const url = new URL(text);
  hosts.add(url);
  const refusal = hosts.refusal(url);
  if (refusal !== null) faults.push(`${at}: ${refusal}`);
  return refusal === null ? url : null;
}

const ready = { open: () => Promise.resolve(), close: () => Promise.resolve(), why: () => null };

function openHttp(source: HttpSource, opening: Opening): OpenedSource {
  const { address, tool } = openRequest(source, opening.environment);
  const origin = beforeArguments(address);
  if (origin === null && opening.environment.faults.length === 0)
    opening.faults.push(`${source.at}: expected a URL whose host is all there: an argument stands behind it`);
  else if (origin !== null) namedUrl(origin, source.at, opening);
  const tools = [tool(serviceOf(opening))];
  return { label: labelOf(source), tools: () => tools, ...ready };
}

/** The part of an address that no argument can change; null where an argument stands in the host. */
function beforeArguments(address: Filled): string | null {
  let text = '';
  for (const part of address) {
    if ('argument' in part) return /^https?:\/\/[^/?#\\]+[/?]/i.test(text) ? text : null;
    text += part.text;
  }
  return text;
}

function openOpenApi(source: OpenApiSource, opening: Opening): OpenedSource {
  const { environment, hosts, client, changed, surroundings } = opening;
  const { at } = source;
  const label = labelOf(source);
  const headers = openHeaders(source.headers, environment, at);
  const base = source.baseUrl === null ? null : namedUrl(environment.text(source.baseUrl, at), at, opening);
  const from = source.described === null ? namedUrl(environment.text(source.document, at), at, opening) : null;
  let tools: readonly Tool[] = [];
  let why: string | null = 'not read yet';
  const stop = new AbortController();

  const take = (described: Described): void => {
    const url = base ?? serverUrl(described, from, at);
    // The document says where our headers go: only to its own host, or one that the agent file lists.
    if (source.baseUrl === null && (source.described !== null || url.origin === from?.origin)) hosts.add(url);
    const refusal = hosts.refusal(url);
    if (refusal !== null)
      throw new DocumentError(`${at}: servers[0].url of the document: ${refusal}, or base_url here`);
    tools = openApiTools(described, source.operations, { ...serviceOf(opening), base: url, headers });
    why = null;
  };
  const read = async (): Promise<void> => {
    if (source.described) return take(source.described);
    if (from === null) return;
    const deadline = AbortSignal.any([stop.signal, AbortSignal.timeout(DOCUMENT_MS)]);
    // Our headers are for the service: whoever keeps its description need not be the same.
    const own = base?.origin === from.origin ? headers : {};
    take(await readAt(from, source, { client, signal: deadline, headers: own }));
  };
  const retrying = new Retrying(surroundings.clock, async () => {
    try {
      await read();
      changed();
      return true;
    } catch (error) {
      why = whyNot(error, 'the document');
      return stop.signal.aborted;
    }
  });
  return {
    label,
    tools: () => tools,
    why: () => why,
    async open() {
      try {
        await read();
      } catch (error) {
        why = whyNot(error, 'the document');
        const mayWait = source.unreachable === 'start_without' && !(error instanceof DocumentError);
        if (!mayWait) throw new Error(error instanceof DocumentError ? error.message : `${at}: ${why}`);
        surroundings.log.warn({ source: label, why }, 'tool source is not there yet');
        retrying.start();
      }
    },
    close() {
      retrying.stop();
      stop.abort();
      return Promise.resolve();
    },
  };
}

/** What is wrong with a document itself: to wait will not mend it. */
class DocumentError extends Error {}

async function readAt(
  url: URL,
  { at, operations, headers: declared }: OpenApiSource,
  { client, signal, headers }: { client: OutboundClient; signal: AbortSignal; headers: Record<string, string> },
): Promise<Described> {
  const accept = { accept: 'application/json, application/yaml;q=0.9, text/yaml;q=0.8, */*;q=0.1' };
  const reply = await client.send({ method: 'GET', url, headers: { ...headers, ...accept }, signal });
  if (reply.status !== 200) {
    reply.body.destroy();
    throw new ToolFailure(`The service answered with status ${reply.status}.`, { passing: true });
  }
  const text = await readBody(reply, MAX_DOCUMENT_BYTES, signal);
  const read = await readOpenApi(text, operations, { headers: Object.keys(declared), trusted: false });
  if ('described' in read) return read.described;
  throw new DocumentError(
    read.faults
      .map(({ operation, expected }) => `${operations.find(({ id }) => id === operation)?.at ?? at}: ${expected}`)
      .join('\n  '),
  );
}

function serverUrl({ server }: Described, from: URL | null, at: string): URL {
  const base = from?.href;
  if (server === null || /[{}]/.test(server) || !URL.canParse(server, base))
    throw new DocumentError(`${at}: expected base_url: the document names no server by its whole URL`);
  return new URL(server, base);
}

function openMcp(source: McpSource, opening: Opening): OpenedSource {
  const { environment, changed, surroundings } = opening;
  const { at } = source;
  const label = labelOf(source);
  const headers = openHeaders(source.headers, environment, at);
  const url = namedUrl(environment.text(source.url, at), at, opening);
  if (url === null) return { label, tools: () => [], ...ready };
  const { clock, log } = surroundings;
  const server = new McpServer({
    label,
    allow: source.allow,
    target: { url, headers },
    service: serviceOf(opening),
    clock,
    log,
    changed,
  });
  return {
    label,
    tools: () => server.tools,
    why: () => server.why,
    async open() {
      try {
        await server.open();
      } catch (error) {
        const why = error instanceof McpFault ? error.message : whyNot(error, 'the MCP server');
        if (source.unreachable === 'stop') throw new Error(`${at}: ${why}`);
        server.keepTrying(why);
      }
    },
    close: () => server.close(),
  };
}

/** In words for the operator. What the other side said is not repeated: it may quote what we sent. */
function whyNot(error: unknown, what: string): string {
  const status = (error as { data?: { status?: unknown } } | null)?.data?.status;
  if (typeof status === 'number') return `${what} cannot be read: it answers with status ${status}`;
  const failure = error instanceof ToolFailure ? error : (error as { cause?: unknown } | null)?.cause;
  if (failure instanceof ToolFailure) return `${what} cannot be read: ${failure.message}`;
  if (error instanceof DocumentError) return `${what} is not usable: ${error.message}`;
  return `${what} cannot be reached or does not answer as agreed`;
}
