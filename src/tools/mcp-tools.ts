// The allowed tools of one MCP server. Its first list is what holds: a tool that describes itself otherwise later could tell
// the model anything (a "rug pull"), so it is not offered until the server is back at what the operator started with.
import { createHash } from 'node:crypto';
import type { CallToolResult, Tool as ListedTool } from '@modelcontextprotocol/client';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Service } from './http-tool.ts';
import { oneLine, withoutTokens } from './json-service.ts';
import { openMcpSession } from './mcp-session.ts';
import type { McpSession, McpTarget } from './mcp-session.ts';
import { unclear } from './outbound.ts';
import { compileParameters } from './parameters.ts';
import { objectOf, reduceSchema, SchemaFault } from './reduce-schema.ts';
import { Retrying } from './retrying.ts';
import { mcpToolName } from './sources.ts';
import type { Chosen } from './sources.ts';
import { ToolFailure } from './tool.ts';
import type { Tool } from './tool.ts';

/** A server that says nothing of its changes, or is gone, is noticed after this time. */
const LOOK_MS = 5 * 60_000;
const MAX_DESCRIPTION = 4_000;
const MAX_RESULT_CHARS = 256 * 1024;

interface Pinned {
  /** Of what the server said of it. */
  hash: string;
  tool: Tool;
}

/** What is wrong with a server's list, in words for the operator; it will not be better the next time. */
export class McpFault extends Error {}

export interface McpOptions {
  label: string;
  allow: readonly Chosen[];
  target: McpTarget;
  service: Service;
  clock: Clock;
  log: Logger;
  /** Called when `tools` or `why` say something else. */
  changed: () => void;
}

/** Owns the connection to one server and keeps it up. */
export class McpServer {
  readonly #options: McpOptions;
  readonly #retrying: Retrying;
  readonly #pinned = new Map<string, Pinned>();
  #available = new Set<string>();
  #session: McpSession | null = null;
  #connecting: Promise<McpSession> | null = null;
  #why: string | null = 'not reached yet';
  #closed = false;
  #cancelLook = (): void => {};

  constructor(options: McpOptions) {
    this.#options = options;
    this.#retrying = new Retrying(options.clock, () => this.#look());
  }

  /** Those that a call that begins now may use. One whose server is away stays: it may be back before it is asked. */
  get tools(): readonly Tool[] {
    return [...this.#pinned.values()].map(({ tool }) => tool).filter(({ name }) => this.#available.has(name));
  }

  /** Why not everything is there; null when it is. */
  get why(): string | null {
    return this.#why;
  }

  /**
   * Connects and lists for the first time.
   * @throws Error or McpFault
   */
  async open(): Promise<void> {
    await this.#connected();
    this.#lookLater();
  }

  /** Goes on trying where `open` failed. */
  keepTrying(why: string): void {
    this.#tell(why);
    this.#retrying.start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retrying.stop();
    this.#cancelLook();
    const session = this.#session;
    this.#session = null;
    await session?.close(true);
  }

  /** The session, or a new one; those who ask meanwhile wait for the same. */
  #connected(): Promise<McpSession> {
    if (this.#session) return Promise.resolve(this.#session);
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  async #connect(): Promise<McpSession> {
    const { target, service, clock } = this.#options;
    const again = () => this.#retrying.start();
    const session = await openMcpSession(target, service.client, { clock, troubled: again, listChanged: again });
    if (this.#closed) {
      await session.close();
      throw new Error('closed');
    }
    try {
      const listed = await session.list();
      this.#session = session;
      // Before anything is called: a server that was started anew may be another one.
      this.#take(listed);
    } catch (error) {
      if (this.#session !== session) await session.close();
      throw error;
    }
    return session;
  }

  /** Looks at what the server offers now, over a new session where the old one is lost. False: not reached. */
  async #look(): Promise<boolean> {
    if (this.#closed) return true;
    this.#cancelLook();
    const old = this.#session;
    try {
      if (old === null) await this.#connected();
      else this.#take(await old.list());
      this.#lookLater();
      return true;
    } catch (error) {
      if (this.#closed) return true;
      // A list that is not usable says nothing against the connection.
      if (!(error instanceof McpFault) && old !== null) this.#drop(old);
      this.#tell(error instanceof McpFault ? error.message : 'the server cannot be reached');
      return false;
    }
  }

  #lookLater(): void {
    const { clock } = this.#options;
    this.#cancelLook();
    this.#cancelLook = clock.at(clock.nowMs() + LOOK_MS, () => this.#retrying.start(0));
  }

  /** Its calls fail, as their request has or will. */
  #drop(session: McpSession): void {
    if (this.#session === session) this.#session = null;
    void session.close();
  }

  /**
   * What a list changes. The first holds.
   * @throws McpFault
   */
  #take(listed: readonly ListedTool[]): void {
    const { allow, label, log } = this.#options;
    const available = new Set<string>();
    const missing: string[] = [];
    for (const chosen of allow) {
      const name = mcpToolName(chosen);
      const found = listed.find((tool) => tool.name === chosen.id);
      const pinned = this.#pinned.get(name);
      if (found === undefined) {
        missing.push(chosen.id);
        continue;
      }
      const hash = hashOf(found);
      if (pinned === undefined) this.#pinned.set(name, { hash, tool: this.#toolOf(chosen, found) });
      else if (pinned.hash !== hash) {
        if (this.#available.has(name))
          log.warn(
            { source: label, tool: name },
            'mcp tool changed its description or arguments: not offered any more',
          );
        missing.push(chosen.id);
        continue;
      }
      available.add(name);
    }
    const before = [...this.#available].sort().join();
    this.#available = available;
    if (missing.length > 0) {
      const offered = listed.slice(0, 40).map(({ name }) => oneLine(name).slice(0, 64));
      this.#tell(
        `the server does not offer ${missing.join(', ')} as it was allowed; it offers ${offered.join(', ') || 'nothing'}`,
      );
      // At boot the operator is told; later what is left goes on.
      if (before === '' && available.size < allow.length) throw new McpFault(this.#why ?? '');
    } else this.#tell(null);
    if (before !== [...available].sort().join()) this.#options.changed();
  }

  #tell(why: string | null): void {
    if (this.#why === why) return;
    this.#why = why;
    const { label, log, changed } = this.#options;
    if (why === null) log.info({ source: label }, 'mcp server is reached');
    else log.warn({ source: label, why }, 'mcp server lacks something');
    changed();
  }

  #toolOf(chosen: Chosen, listed: ListedTool): Tool {
    const name = mcpToolName(chosen);
    let parameters: Record<string, unknown>;
    try {
      parameters = reduceSchema(
        { ...objectOf(listed.inputSchema), type: 'object' },
        { trusted: false, root: listed.inputSchema },
      );
      compileParameters(parameters);
    } catch (error) {
      const what = error instanceof SchemaFault ? error.message : 'arguments that can be checked';
      throw new McpFault(`expected of the tool ${chosen.id} ${what}`);
    }
    return {
      name,
      description: chosen.description ?? ((listed.description ?? '').trim().slice(0, MAX_DESCRIPTION) || name),
      parameters,
      kind: 'mcp',
      policy: chosen.policy,
      ...(chosen.priceUsd === null ? {} : { priceUsd: chosen.priceUsd }),
      run: (args, { signal }) => this.#call(chosen.id, name, args, signal),
    };
  }

  async #call(id: string, name: string, args: Record<string, unknown>, signal: AbortSignal): Promise<unknown> {
    for (let first = true; ; first = false) {
      if (!this.#available.has(name)) throw new ToolFailure('The service does not offer this at the moment.');
      const session = await this.#reached(signal);
      // Connecting may have shown that it is another one now.
      if (!this.#available.has(name)) continue;
      try {
        return valueOf(await session.call(id, args, signal), this.#options.service.secrets);
      } catch (error) {
        if (error instanceof ToolFailure && !error.passing) throw error;
        if (signal.aborted)
          throw new ToolFailure('The request was stopped before the service answered.', { passing: true });
        // A server that was started anew does not know the session, and has done nothing: it may be asked again.
        if (isUnknownSession(error)) {
          this.#drop(session);
          if (first) continue;
        } else if (isAnswer(error)) throw unclear('The service refused these arguments.');
        else if (isRefusal(error)) throw new ToolFailure('The service does not let us do this.');
        this.#retrying.start();
        throw new ToolFailure('The service cannot be reached at the moment.', { passing: true });
      }
    }
  }

  /** A session within the call's own time. */
  async #reached(signal: AbortSignal): Promise<McpSession> {
    if (this.#session) return this.#session;
    const failed = () =>
      new ToolFailure('The service cannot be reached at the moment.', { passing: true, nothingDone: true });
    let stop = (): void => {};
    try {
      const aborted = new Promise<never>((_, reject) => {
        stop = () => reject(failed());
        signal.addEventListener('abort', stop, { once: true });
      });
      if (signal.aborted) throw failed();
      return await Promise.race([this.#connected(), aborted]);
    } catch {
      this.#retrying.start();
      throw failed();
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}

/** What the model would see of it, and what it is asked for. */
const hashOf = ({ name, title, description, inputSchema }: ListedTool): string =>
  createHash('sha256')
    .update(JSON.stringify([name, title, description, inputSchema]))
    .digest('hex');

const statusOf = (error: unknown): unknown => (error as { data?: { status?: unknown } } | null)?.data?.status;

/** The protocol's word for a session that is not known (any more). */
const isUnknownSession = (error: unknown): boolean => statusOf(error) === 404;

const isRefusal = (error: unknown): boolean => statusOf(error) === 401 || statusOf(error) === 403;

/** An error of JSON-RPC: the server has answered. */
const isAnswer = (error: unknown): boolean =>
  error instanceof Error && typeof (error as { code?: unknown }).code === 'number' && error.name === 'ProtocolError';

/** A result as a value: its structured content, else its texts, as JSON where they are. */
function valueOf(result: CallToolResult, secrets: ReadonlySet<string>): unknown {
  const text = (Array.isArray(result.content) ? result.content : []).map(textOf).join('\n').trim();
  if (result.isError === true) {
    const quoted = [...secrets].some((secret) => text.includes(secret)) ? '' : oneLine(text);
    // A tool may have done half of it.
    throw unclear(quoted === '' ? 'The service refused.' : `The service refused. It says: ${quoted}`);
  }
  if (result.structuredContent !== undefined)
    return JSON.parse(withoutTokens(JSON.stringify(result.structuredContent), secrets)) as unknown;
  if (text === '') return undefined;
  if (text.length > MAX_RESULT_CHARS) throw unclear('The service answered more than we can read.');
  const clean = withoutTokens(text, secrets);
  if (/^[[{]/.test(clean))
    try {
      return JSON.parse(clean) as unknown;
    } catch {
      // A text that only begins like JSON.
    }
  return clean;
}

/** Only texts can be spoken of. */
function textOf(part: CallToolResult['content'][number]): string {
  if (part.type === 'text') return part.text;
  if (part.type === 'resource' && 'text' in part.resource) return String(part.resource.text);
  return `[${part.type} left out]`;
}
