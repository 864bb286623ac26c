// Reads the sections `tools` and `outbound` of an agent file into sources, and finds what the schema cannot see: arguments that
// do not exist, hosts with holes in them, documents that describe no such operation, names that are taken. Every fault is told
// at its path.
import type { YamlSource } from '../yaml/source.ts';
import { hostEntry, Hosts } from './hosts.ts';
import type { Outbound } from './hosts.ts';
import { readOpenApi } from './openapi-document.ts';
import { compileParameters } from './parameters.ts';
import { objectOf } from './reduce-schema.ts';
import { outboundSchema, toolsSchema } from './schema.ts';
import type { HttpEntry, OpenApiEntry, PolicyKeys, SourceEntry, ToolsSection } from './schema.ts';
import { namesOf, objectSchema, sourcesOf } from './sources.ts';
import type { OpenApiSource, ToolSource } from './sources.ts';
import { argumentsIn, parseTemplate } from './template.ts';
import type { JsonTemplate } from './template.ts';

type Path = readonly PropertyKey[];

export interface ReadSources {
  sources: ToolSource[];
  outbound: Outbound;
  /** The documents that were read: they are part of what an agent is. */
  files: Buffer[];
}

/**
 * The two sections of an agent file. What breaks their schemas is left to whoever checks the whole file.
 * @param read reads a file that the agent file names; it throws an Error in words for the operator
 */
export async function readToolSources(
  source: YamlSource,
  read: (named: string) => Promise<Buffer>,
): Promise<ReadSources> {
  const section = toolsSchema.optional().safeParse(source.at('tools'));
  const listed = outboundSchema.prefault({}).safeParse(source.at('outbound'));
  const outbound = listed.success ? listed.data : { hosts: [], private: [] };
  if (!section.success) return { sources: [], outbound, files: [] };
  const files: Buffer[] = [];
  const sources = sourcesOf(section.data, (path) => source.where(['tools', ...path]));
  for (const [i, entry] of entriesOf(section.data).entries()) {
    if (entry.http) checkHttp(source, ['tools', i, 'http'], entry.http, outbound);
    if (entry.mcp) {
      checkUrl(source, ['tools', i, 'mcp', 'url'], entry.mcp.url, outbound);
      checkHeaders(source, ['tools', i, 'mcp', 'headers'], entry.mcp.headers);
      if (!Array.isArray(entry.mcp.allow))
        for (const [name, keys] of Object.entries(entry.mcp.allow))
          checkRetries(source, ['tools', i, 'mcp', 'allow', name], keys ?? {}, keys?.effect === 'reads');
    }
    const described = sources[i];
    if (entry.openapi && described?.kind === 'openapi')
      sources[i] = await checkOpenApi(source, ['tools', i, 'openapi'], {
        entry: entry.openapi,
        described,
        outbound,
        read,
        files,
      });
  }
  return { sources, outbound, files };
}

const entriesOf = (section: ToolsSection | undefined): readonly SourceEntry[] =>
  Array.isArray(section) ? section : [];

/**
 * Names that are declared twice, and `needs` and `fill` that name tools which nobody declares.
 * @param known names of the tools of files and of the server's own; null when they are not all known
 */
export function checkToolNames(
  source: YamlSource,
  sources: readonly ToolSource[],
  known: readonly string[] | null,
): void {
  const first = new Map<string, string>((known ?? []).map((name) => [name, 'another tool']));
  for (const [i, one] of sources.entries())
    for (const { name, at, step } of namesOf(one)) {
      const path = ['tools', i, ...listStep(source, ['tools', i], step)];
      const taken = first.get(name);
      if (taken !== undefined) source.fault(path, `expected each tool name once; ${name} is taken by ${taken}`);
      else if (!/^[A-Za-z0-9_-]{1,64}$/.test(name))
        source.fault(path, 'expected name: what is there makes no name of letters, digits, _ and -');
      first.set(name, taken ?? `the tool at ${at}`);
    }
  if (known === null) return;
  for (const { path, keys } of policiesOf(source, sources)) {
    for (const [i, name] of (keys.needs ?? []).entries())
      if (!first.has(name)) source.fault([...path, 'needs', i], `expected a tool of this agent: ${listOf(first)}`);
    for (const [key, from] of Object.entries(keys.fill ?? {}))
      if (!first.has(from.split('.', 1)[0] ?? ''))
        source.fault([...path, 'fill', key], `expected a tool of this agent before the first dot: ${listOf(first)}`);
  }
}

const listOf = (names: ReadonlyMap<string, unknown>): string => [...names.keys()].slice(0, 30).join(', ');

/** A tool of an MCP server may stand in a list or in a mapping. */
function listStep(source: YamlSource, above: Path, step: Path): Path {
  const list = source.at(...above, ...step.slice(0, -1));
  return Array.isArray(list) ? [...step.slice(0, -1), list.indexOf(step.at(-1))] : step;
}

/** Every mapping with policy keys, where it stands. */
function policiesOf(source: YamlSource, sources: readonly ToolSource[]): { path: Path; keys: PolicyKeys }[] {
  return sources.flatMap((one, i) => {
    const below: Path[] =
      one.kind === 'http'
        ? [['http']]
        : one.kind === 'openapi' || one.kind === 'mcp'
          ? namesOf(one).map(({ step }) => step)
          : [];
    return below.map((steps) => {
      const path = ['tools', i, ...steps];
      return { path, keys: objectOf(source.at(...path)) as PolicyKeys };
    });
  });
}

function checkHttp(source: YamlSource, path: Path, entry: HttpEntry, outbound: Outbound): void {
  const { parameters, url, query, headers, body, method } = entry;
  for (const [name, { optional: _, ...schema }] of Object.entries(parameters)) {
    const fault = uncheckable({ type: 'object', properties: { [name]: schema } });
    if (fault !== null)
      source.fault([...path, 'parameters', name], `expected a JSON Schema that can be checked: ${fault}`);
  }
  const used = new Set<string>();
  const check = (at: Path, text: string): void => {
    for (const name of argumentsIn(text)) {
      used.add(name);
      if (!Object.hasOwn(parameters, name))
        source.fault(
          at,
          `expected {${name}} under parameters; known there: ${Object.keys(parameters).join(', ') || 'none'}`,
        );
    }
  };
  check([...path, 'url'], url);
  for (const name of argumentsIn(url))
    if (parameters[name]?.optional === true)
      source.fault(
        [...path, 'parameters', name, 'optional'],
        `expected it to be required, or {${name}} under query: it is part of the URL`,
      );
  checkUrl(source, [...path, 'url'], url, outbound, true);
  for (const [key, text] of Object.entries(query)) check([...path, 'query', key], text);
  checkHeaders(source, [...path, 'headers'], headers);
  if (body !== undefined) eachText(body, [...path, 'body'], check);
  if (body !== undefined && method === 'GET')
    source.fault([...path, 'body'], 'expected no body with method: GET', 'key');
  for (const name of Object.keys(parameters))
    if (!used.has(name))
      source.fault(
        [...path, 'parameters', name],
        `expected {${name}} in url, query or body: nothing is done with it`,
        'key',
      );
  checkArguments(source, path, entry, objectSchema(parameters));
  checkRetries(
    source,
    path,
    entry,
    (entry.effect ?? (method === 'GET' ? 'reads' : 'writes')) === 'reads' || entry.idempotency_header !== undefined,
  );
}

function uncheckable(schema: Record<string, unknown>): string | null {
  try {
    compileParameters(schema);
    return null;
  } catch (error) {
    return (error as Error).message.replace(/\s+/g, ' ').slice(0, 200);
  }
}

function eachText(json: JsonTemplate, path: Path, check: (path: Path, text: string) => void): void {
  if (typeof json === 'string') check(path, json);
  else if (Array.isArray(json)) for (const [i, item] of json.entries()) eachText(item, [...path, i], check);
  else if (typeof json === 'object' && json !== null)
    for (const [key, item] of Object.entries(json)) eachText(item, [...path, key], check);
}

/** Names of arguments in policy keys. */
function checkArguments(source: YamlSource, path: Path, keys: PolicyKeys, parameters: Record<string, unknown>): void {
  const names = Object.keys(objectOf(parameters['properties']));
  const known = `expected an argument of this tool: ${names.join(', ') || 'it has none'}`;
  for (const name of Object.keys(keys.fill ?? {}))
    if (!names.includes(name)) source.fault([...path, 'fill', name], known, 'key');
  for (const [i, name] of (keys.redact ?? []).entries())
    if (!names.includes(name)) source.fault([...path, 'redact', i], known);
}

function checkRetries(source: YamlSource, path: Path, keys: PolicyKeys, repeatable: boolean): void {
  if ((keys.retries ?? 0) > 0 && !repeatable)
    source.fault(
      [...path, 'retries'],
      'expected 0: it writes, and nothing (idempotency_header) makes sure that it is done once',
    );
}

/** Headers hold secrets; the model has no part in them. */
function checkHeaders(source: YamlSource, path: Path, headers: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(headers))
    if (argumentsIn(text).length > 0)
      source.fault([...path, name], 'expected no {argument}: headers take only ${NAME} from the environment');
}

/** A URL as far as it is known without the environment. */
function checkUrl(source: YamlSource, path: Path, text: string, outbound: Outbound, takesArguments = false): void {
  let parts;
  try {
    parts = parseTemplate(text);
  } catch {
    return;
  }
  let sample = '';
  let known = true;
  let fixed: string | null = null;
  for (const part of parts) {
    if ('text' in part) sample += part.text;
    else if ('env' in part) {
      known = false;
      sample += part.otherwise ?? (sample === '' ? 'https://environment.invalid' : '1');
    } else {
      if (!takesArguments)
        return source.fault(path, `expected no {${part.argument}}: this URL is the same for every call`);
      fixed ??= sample;
      sample += 'x';
    }
  }
  if (fixed !== null && !/^https?:\/\/[^/?#\\]+[/?]/i.test(fixed))
    return source.fault(
      path,
      'expected the whole host before the first {argument}: the model does not choose where to connect',
    );
  if (!URL.canParse(sample) || !/^https?:/i.test(sample))
    return source.fault(path, 'expected an https URL such as https://api.example.com/orders/{order}');
  const url = new URL(sample);
  if (url.username !== '' || url.password !== '')
    return source.fault(path, 'expected a URL without user name and password: use headers with ${NAME}');
  // Where the environment has a say, in the URL or in the lists, it is looked at when the sources are opened.
  if (!known || outbound.private.some((entry) => hostEntry(entry) === null)) return;
  const hosts = new Hosts(outbound);
  hosts.add(url);
  const refusal = hosts.refusal(url);
  if (refusal !== null) source.fault(path, refusal);
}

interface OpenApiCheck {
  entry: OpenApiEntry;
  described: OpenApiSource;
  outbound: Outbound;
  read: (named: string) => Promise<Buffer>;
  files: Buffer[];
}

/** Reads the document where it is a file: then everything about its operations is known without a network. */
async function checkOpenApi(source: YamlSource, path: Path, check: OpenApiCheck): Promise<OpenApiSource> {
  const { entry, described, outbound, read, files } = check;
  checkHeaders(source, [...path, 'headers'], entry.headers);
  if (entry.base_url !== undefined) checkUrl(source, [...path, 'base_url'], entry.base_url, outbound);
  for (const [id, keys] of Object.entries(entry.operations)) {
    const safe = (keys?.idempotency_header ?? entry.idempotency_header) !== undefined;
    // What its method is only the document knows.
    checkRetries(
      source,
      [...path, 'operations', id],
      keys ?? {},
      safe || keys?.effect === undefined || keys.effect === 'reads',
    );
  }
  if (/^(?:https?:\/\/|\$\{)/i.test(entry.document)) {
    checkUrl(source, [...path, 'document'], entry.document, outbound);
    return described;
  }
  let text: Buffer;
  try {
    text = await read(entry.document);
  } catch (error) {
    source.fault([...path, 'document'], (error as Error).message);
    return described;
  }
  files.push(text);
  const options = { headers: Object.keys(entry.headers), trusted: true };
  const found = await readOpenApi(text.toString('utf8'), described.operations, options);
  if ('faults' in found) {
    for (const { operation, expected } of found.faults)
      if (operation === null) source.fault([...path, 'document'], expected);
      else source.fault([...path, 'operations', operation], expected, 'key');
    return described;
  }
  const { server } = found.described;
  if (entry.base_url === undefined && (server === null || /[{}]/.test(server) || !URL.canParse(server)))
    source.fault([...path, 'document'], 'expected servers[0].url with a whole URL in it, or base_url here');
  else if (entry.base_url === undefined && server !== null) {
    const hosts = new Hosts(outbound);
    hosts.add(new URL(server));
    const refusal = outbound.private.some((one) => hostEntry(one) === null) ? null : hosts.refusal(new URL(server));
    if (refusal !== null) source.fault([...path, 'document'], `servers[0].url: ${refusal}, or base_url here`);
  }
  for (const operation of found.described.operations)
    checkArguments(
      source,
      [...path, 'operations', operation.id],
      entry.operations[operation.id] ?? {},
      operation.parameters,
    );
  return { ...described, described: found.described };
}
