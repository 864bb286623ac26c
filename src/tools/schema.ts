// The sections `tools` and `outbound` of an agent file: every key and its bounds. What depends on several keys is decided in
// source-checks.ts. As in the agent file's own schema, each schema carries one text: what was expected.
import { z } from 'zod';
import { hostEntry } from './hosts.ts';
import { parseTemplate } from './template.ts';
import type { JsonTemplate } from './template.ts';

/** What Node can import, TypeScript included. */
const TOOL_FILE = /\.[cm]?[jt]s$/;
const TOOL_NAME = /^[A-Za-z0-9_-]{1,64}$/;
/** RFC 9110 §5.6.2. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~\dA-Za-z-]{1,128}$/;
/** Headers that belong to the connection, not to who declares a tool. */
const OWN_HEADERS = /^(?:host|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|accept-encoding)$/i;

const integer = (min: number, max: number, unit = '') => {
  const expected = `a whole number${unit} from ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
};
const text = (what: string, pattern = /\S/) => z.string(what).trim().regex(pattern, what);
const oneOf = <const T extends readonly string[]>(values: T) => z.enum(values, `one of ${values.join(', ')}`);
const section = <T extends z.core.$ZodLooseShape>(shape: T) =>
  z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'a mapping of keys') });

/** A text that may take something from the environment. */
const template = (what: string, max = 2_000) => {
  const expected = `${what} of at most ${max} characters; from the environment: \${NAME} or \${NAME:-default}`;
  return z.string(expected).trim().min(1, expected).max(max, expected).refine(readable, expected);
};
function readable(value: string): boolean {
  try {
    parseTemplate(value);
    return true;
  } catch {
    return false;
  }
}

/** A mapping whose keys are bounded too: a bad key is told as one. */
const mapping = <V extends z.ZodType>(key: z.ZodType<string, string>, keyWhat: string, value: V, what: string) =>
  z.record(key, value, { error: (issue) => (issue.code === 'invalid_key' ? keyWhat : what) });

const listOf = (what: string, of: z.ZodString, max = 100) =>
  z.array(of, `a list of ${what}`).max(max, `a list of at most ${max} ${what}`);
const toolName = () => text('a name of 1 to 64 letters, digits, _ and -', TOOL_NAME);
const ARGUMENT_NAME = 'the name of an argument, without spaces and braces';
const argumentName = () => text(ARGUMENT_NAME, /^[^\s{}]{1,128}$/);
const description = () => {
  const expected = 'a text of at most 4000 characters that tells the model when to use it';
  return text(expected).max(4_000, expected);
};
const PATH = /^[^\s.]+(?:\.[^\s.]+)*$/;
const dollars = 'a number of dollars from 0 to 1000';

const POLICY = {
  effect: oneOf(['reads', 'writes', 'irreversible']).optional(),
  deadline_ms: integer(100, 120_000, ' of milliseconds').optional(),
  retries: integer(0, 5).optional(),
  at_once: integer(1, 1_000).optional(),
  per_call: integer(1, 1_000).optional(),
  needs: listOf('tool names', toolName()).optional(),
  fill: mapping(
    argumentName(),
    ARGUMENT_NAME,
    text('what an earlier tool answered: tool.path.to.field', /^[\w-]{1,64}(?:\.[^\s.]+)+$/),
    'a mapping: argument to tool.path.to.field',
  ).optional(),
  digits: listOf('field names', text('the name of a keypad field', /^\w{1,64}$/)).optional(),
  returns: listOf('paths of the answer', text('a path of the answer such as slots.start', PATH)).optional(),
  max_output_bytes: integer(100, 16_384, ' of bytes').optional(),
  on_failure: text('a sentence for the model').max(1_000, 'a sentence of at most 1000 characters').optional(),
  redact: listOf('argument names', argumentName()).optional(),
  price_usd: z.number(dollars).min(0, dollars).max(1_000, dollars).optional(),
};

const headerName = () => text('the name of a header', HEADER_NAME);
const headers = () => {
  const name = 'the name of a header that is not the connection’s own';
  const key = z
    .string(name)
    .regex(HEADER_NAME, name)
    .refine((header) => !OWN_HEADERS.test(header), name);
  return mapping(key, name, template('a text', 8_000), 'a mapping of headers').default({});
};
const idempotencyHeader = () => headerName().optional();
const unreachable = () => oneOf(['stop', 'start_without']).default('stop');

const BODY = 'JSON: texts, numbers, true, false, null, lists and mappings, at most 20 deep';
const json: z.ZodType<JsonTemplate> = z.custom<JsonTemplate>((value) => isJson(value, 20), BODY);
function isJson(value: unknown, depth: number): boolean {
  if (value === null || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value === 'string') return readable(value);
  if (typeof value !== 'object' || depth === 0) return false;
  return Object.values(value).every((item) => isJson(item, depth - 1));
}

/** Checked by the compiler that checks the arguments, once `optional` is taken off. */
const parameters = mapping(
  argumentName(),
  ARGUMENT_NAME,
  z.looseObject({ optional: z.boolean('true or false').optional() }, 'a JSON Schema, as a mapping'),
  'a mapping: name of an argument to its JSON Schema',
).default({});

const QUERY_NAME = text('the name of a query value');

const http = section({
  name: toolName(),
  description: description(),
  parameters,
  method: oneOf(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET'),
  url: template('an https URL'),
  query: mapping(QUERY_NAME, 'the name of a query value', template('a text'), 'a mapping of query values').default({}),
  headers: headers(),
  body: json.optional(),
  idempotency_header: idempotencyHeader(),
  ...POLICY,
});

const operation = section({
  name: toolName().optional(),
  description: description().optional(),
  idempotency_header: idempotencyHeader(),
  ...POLICY,
});
/** `findPatient:` with nothing behind it chooses it as it is. */
const orNothing = <S extends z.ZodType>(schema: S) => z.union([z.null(), schema], 'a mapping of keys, or nothing');

const openapi = section({
  document: template('the path of an OpenAPI document (YAML or JSON), or its https URL'),
  base_url: template('an https URL').optional(),
  headers: headers(),
  idempotency_header: idempotencyHeader(),
  unreachable: unreachable(),
  operations: mapping(
    text('an operationId'),
    'an operationId',
    orNothing(operation),
    'a mapping: operationId to keys',
  ).refine((chosen) => Object.keys(chosen).length > 0, 'a mapping with at least one operationId'),
});

const mcpTool = section({ name: toolName().optional(), description: description().optional(), ...POLICY });
const mcpName = () => text('the name of a tool of the server', /^\S{1,128}$/);
const ALLOW = 'a list of at most 100 tool names, or a mapping: tool name to keys';

const mcp = section({
  url: template('an https URL'),
  headers: headers(),
  unreachable: unreachable(),
  allow: z.union(
    [
      z.array(mcpName(), ALLOW).min(1, 'a list with at least one tool name').max(100, ALLOW),
      mapping(mcpName(), 'the name of a tool of the server', orNothing(mcpTool), ALLOW).refine(
        (chosen) => Object.keys(chosen).length > 0,
        'a mapping with at least one tool name',
      ),
    ],
    ALLOW,
  ),
});

const toolFile = () => text('the path of a tool file (.ts, .js or .mjs)', TOOL_FILE);
const ONE_KIND = 'a mapping with one of file, http, openapi and mcp';

const source = section({
  file: toolFile().optional(),
  http: http.optional(),
  openapi: openapi.optional(),
  mcp: mcp.optional(),
}).refine((entry) => Object.values(entry).filter((kind) => kind !== undefined).length === 1, {
  error: ONE_KIND,
  when: ({ issues }) => issues.length === 0,
});

const TOOLS =
  'the path of a tool file (.ts, .js or .mjs), or a list of at most 50 sources, each with file, http, openapi or mcp';

/** `tools` of an agent file. */
export const toolsSchema = z.union(
  [z.string(TOOLS).trim().regex(TOOL_FILE, TOOLS), z.array(source, TOOLS).max(50, TOOLS)],
  TOOLS,
);

const HOST = 'a host or host:port, such as api.example.com or "127.0.0.1:4010"';
const hostList = () =>
  z
    .array(
      template(HOST, 300).refine((entry) => entry.includes('${') || hostEntry(entry) !== null, HOST),
      `a list of hosts: ${HOST}`,
    )
    .max(100, 'a list of at most 100 hosts')
    .default([]);

/** `outbound` of an agent file. */
export const outboundSchema = section({ hosts: hostList(), private: hostList() });

export type ToolsSection = z.infer<typeof toolsSchema>;
export type OutboundSection = z.infer<typeof outboundSchema>;
export type SourceEntry = z.infer<typeof source>;
export type HttpEntry = z.infer<typeof http>;
export type OpenApiEntry = z.infer<typeof openapi>;
export type McpEntry = z.infer<typeof mcp>;
export type PolicyKeys = { [K in keyof typeof POLICY]?: z.infer<(typeof POLICY)[K]> | undefined };
