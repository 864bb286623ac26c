// Where an agent's tools come from, as plain data: what an Agent holds, frozen, hashed and printed. No secret is in it; the
// environment is filled in when the sources are opened (open-sources.ts).
import { basename } from 'node:path';
import type { HttpEntry, McpEntry, OpenApiEntry, PolicyKeys, ToolsSection } from './schema.ts';
import type { JsonTemplate } from './template.ts';
import type { ToolPolicy } from './tool.ts';

/** The functions of one file beside the agent file; the agent's loader imports it. */
export interface FileSource {
  readonly kind: 'file';
  /** `file:line:column` of the declaration; so in all of these. */
  readonly at: string;
  readonly file: string;
}

/** One request as one tool. Texts are templates (template.ts). */
export interface HttpSource {
  readonly kind: 'http';
  readonly at: string;
  readonly name: string;
  readonly description: string;
  readonly parameters: Record<string, unknown>;
  readonly method: HttpMethod;
  readonly url: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: none. */
  readonly body: JsonTemplate | undefined;
  readonly idempotencyHeader: string | null;
  readonly policy: Partial<ToolPolicy>;
  readonly priceUsd: number | null;
}

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Operations of a described service. */
export interface OpenApiSource {
  readonly kind: 'openapi';
  readonly at: string;
  /** As it is written: a file of the agents folder, or a URL. */
  readonly document: string;
  /** What the file says; null where it is a URL, which is read when the source is opened. */
  readonly described: Described | null;
  readonly baseUrl: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly unreachable: 'stop' | 'start_without';
  readonly operations: readonly ChosenOperation[];
}

/** What an agent file says of one tool that is declared elsewhere. */
export interface Chosen {
  readonly at: string;
  /** The name there: an operationId, a tool of an MCP server. */
  readonly id: string;
  /** The name for the model; null: made from `id`. */
  readonly name: string | null;
  readonly description: string | null;
  readonly policy: Partial<ToolPolicy>;
  readonly priceUsd: number | null;
}

export interface ChosenOperation extends Chosen {
  readonly idempotencyHeader: string | null;
}

/** The chosen operations of an OpenAPI document, reduced to what a request needs. */
export interface Described {
  /** `servers[0].url`, absolute; null where there is none. */
  readonly server: string | null;
  readonly operations: readonly Operation[];
}

export interface Operation {
  readonly id: string;
  readonly description: string;
  readonly parameters: Record<string, unknown>;
  readonly method: HttpMethod;
  /** With `{name}` of path parameters. */
  readonly path: string;
  readonly query: readonly { readonly name: string; readonly explode: boolean }[];
  readonly headers: readonly string[];
  /** Names of arguments that are the body's properties; `{ whole }`: one argument is the body; null: no body. */
  readonly body: readonly string[] | { readonly whole: string } | null;
}

/** Tools of an MCP server over streamable HTTP. */
export interface McpSource {
  readonly kind: 'mcp';
  readonly at: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly unreachable: 'stop' | 'start_without';
  readonly allow: readonly Chosen[];
}

export type ToolSource = FileSource | HttpSource | OpenApiSource | McpSource;

type Path = readonly PropertyKey[];

/** The section as sources. `where` gives the place of a path below `tools`; documents are not read yet. */
export function sourcesOf(section: ToolsSection | undefined, where: (path: Path) => string): ToolSource[] {
  if (section === undefined) return [];
  if (typeof section === 'string') return [{ kind: 'file', at: where([]), file: section }];
  return section.flatMap(({ file, http, openapi, mcp }, i): ToolSource[] => {
    if (file !== undefined) return [{ kind: 'file', at: where([i, 'file']), file }];
    if (http !== undefined) return [httpSource(http, where([i, 'http']))];
    if (openapi !== undefined) return [openApiSource(openapi, [i, 'openapi'], where)];
    return mcp === undefined ? [] : [mcpSource(mcp, [i, 'mcp'], where)];
  });
}

function httpSource(entry: HttpEntry, at: string): HttpSource {
  const { name, description, method, url, query, headers, body } = entry;
  const idempotencyHeader = entry.idempotency_header ?? null;
  return {
    kind: 'http',
    at,
    name,
    description,
    parameters: objectSchema(entry.parameters),
    method,
    url,
    query,
    headers,
    body,
    idempotencyHeader,
    policy: policyOf(entry, { reads: method === 'GET', idempotent: idempotencyHeader !== null }),
    priceUsd: entry.price_usd ?? null,
  };
}

/** The shorthand of an agent file as the schema of an object: all are required that do not say `optional: true`. */
export function objectSchema(
  properties: Readonly<Record<string, { readonly optional?: boolean | undefined }>>,
): Record<string, unknown> {
  const entries = Object.entries(properties);
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, { optional: _, ...schema }]) => [name, schema])),
    required: entries.filter(([, { optional }]) => optional !== true).map(([name]) => name),
    additionalProperties: false,
  };
}

function openApiSource(entry: OpenApiEntry, path: Path, where: (path: Path) => string): OpenApiSource {
  return {
    kind: 'openapi',
    at: where(path),
    document: entry.document,
    described: null,
    baseUrl: entry.base_url ?? null,
    headers: entry.headers,
    unreachable: entry.unreachable,
    operations: Object.entries(entry.operations).map(([id, keys]) => {
      const idempotencyHeader = keys?.idempotency_header ?? entry.idempotency_header ?? null;
      return {
        ...chosen(id, keys, where([...path, 'operations', id]), idempotencyHeader !== null),
        idempotencyHeader,
      };
    }),
  };
}

function mcpSource(entry: McpEntry, path: Path, where: (path: Path) => string): McpSource {
  const allowed: [string, ChosenKeys | null, PropertyKey][] = Array.isArray(entry.allow)
    ? entry.allow.map((id, i) => [id, null, i])
    : Object.entries(entry.allow).map(([id, keys]) => [id, keys, id]);
  return {
    kind: 'mcp',
    at: where(path),
    url: entry.url,
    headers: entry.headers,
    unreachable: entry.unreachable,
    // Nothing in the protocol carries our key: what a server says of its tools being idempotent is only its word.
    allow: allowed.map(([id, keys, step]) => chosen(id, keys, where([...path, 'allow', step]), false)),
  };
}

type ChosenKeys = PolicyKeys & { name?: string | undefined; description?: string | undefined };

function chosen(id: string, keys: ChosenKeys | null, at: string, idempotent: boolean): Chosen {
  return {
    at,
    id,
    name: keys?.name ?? null,
    description: keys?.description ?? null,
    policy: policyOf(keys ?? {}, { reads: false, idempotent }),
    priceUsd: keys?.price_usd ?? null,
  };
}

/** Only what is said, so that the defaults stay in one place. `reads`: it reads unless the file says otherwise. */
function policyOf(keys: PolicyKeys, known: { reads: boolean; idempotent: boolean }): Partial<ToolPolicy> {
  const effect = keys.effect ?? (known.reads ? 'reads' : undefined);
  const policy: { [K in keyof ToolPolicy]: ToolPolicy[K] | undefined } = {
    effect,
    deadlineMs: keys.deadline_ms,
    retries: keys.retries,
    idempotent: known.idempotent ? true : undefined,
    atOnce: keys.at_once,
    perCall: keys.per_call,
    needs: keys.needs,
    fill: keys.fill,
    digits: keys.digits,
    returns: keys.returns,
    maxOutputBytes: keys.max_output_bytes,
    onFailure: keys.on_failure,
    redact: keys.redact,
  };
  return Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined));
}

/** `findPatient` is `find_patient` for the model; other marks become `_` too. */
export const snakeCase = (id: string): string =>
  id
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .toLowerCase()
    .slice(0, 64);

/** The name that the model sees for something that is declared elsewhere. MCP names stay as they are where they can. */
export const operationName = ({ name, id }: Chosen): string => name ?? snakeCase(id);
export const mcpToolName = ({ name, id }: Chosen): string => name ?? id.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);

/** The names of all tools that a source declares; those of a file are in the file. */
export function namesOf(source: ToolSource): readonly { name: string; at: string; step: Path }[] {
  if (source.kind === 'http') return [{ name: source.name, at: source.at, step: ['http', 'name'] }];
  if (source.kind === 'openapi')
    return source.operations.map((one) => ({
      name: operationName(one),
      at: one.at,
      step: ['openapi', 'operations', one.id],
    }));
  if (source.kind === 'mcp')
    return source.allow.map((one) => ({ name: mcpToolName(one), at: one.at, step: ['mcp', 'allow', one.id] }));
  return [];
}

/** What a source is called on `/readyz` and in the log: nothing that could hold a secret or the environment. */
export function labelOf(source: ToolSource): string {
  // Where it stands, without the folders above: /readyz is open to everybody.
  const at = source.at.split(/[/\\]/).slice(-2).join('/');
  if (source.kind === 'openapi') return `openapi ${source.described ? basename(source.document) : at}`;
  return source.kind === 'http' ? `http ${source.name}` : `${source.kind} ${at}`;
}
