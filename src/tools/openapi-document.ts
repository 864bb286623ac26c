// Reads an OpenAPI document (3.0 or 3.1, YAML or JSON) and takes from it what an agent has chosen: each operation as one
// schema of arguments and one way to build the request. Nothing outside the document is ever read: a `$ref` that leads out of
// it is a fault, not an address. Only what the chosen operations reach is looked at.
import { parseDocument } from 'yaml';
import { compileParameters } from './parameters.ts';
import { followed, objectOf, reduceSchema, referredTo, SchemaFault, stepsOf } from './reduce-schema.ts';
import type { ChosenOperation, Described, HttpMethod, Operation } from './sources.ts';

/** What is wrong with the document, one sentence each; `operation` where it is about one that was chosen. */
export interface DocumentFault {
  operation: string | null;
  expected: string;
}

export const MAX_DOCUMENT_BYTES = 2 * 1024 * 1024;

/** Values that the chosen operations consist of, every reference followed. */
const MAX_EXPANDED = 100_000;
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

type Json = Record<string, unknown>;

/**
 * @param headers names of headers that the agent file gives itself: the model is not asked for them
 * @param trusted false for a document that came over the network
 */
export async function readOpenApi(
  text: string,
  chosen: readonly ChosenOperation[],
  { headers, trusted }: { headers: readonly string[]; trusted: boolean },
): Promise<{ described: Described } | { faults: DocumentFault[] }> {
  const whole = (expected: string) => ({ faults: [{ operation: null, expected }] });
  if (Buffer.byteLength(text) > MAX_DOCUMENT_BYTES)
    return whole(`expected an OpenAPI document of at most ${MAX_DOCUMENT_BYTES / 1024 / 1024} MB`);
  const document = parsed(text);
  if (typeof document === 'string') return whole(document);
  if (!/^3\.[01]\./.test(String(document['openapi'])))
    return whole('expected an OpenAPI document of version 3.0 or 3.1, as it says under `openapi`');

  const { kept, faults } = pruned(document, chosen);
  const invalid = faults.length > 0 ? null : await invalidity(kept);
  if (invalid !== null) return whole(`expected a valid OpenAPI document: ${invalid}`);
  const operations: Operation[] = [];
  if (faults.length === 0)
    for (const one of chosen)
      try {
        const given = [...headers, ...(one.idempotencyHeader === null ? [] : [one.idempotencyHeader])];
        operations.push(
          operationOf(
            kept,
            one.id,
            given.map((name) => name.toLowerCase()),
            trusted,
          ),
        );
      } catch (error) {
        if (!(error instanceof SchemaFault)) throw error;
        faults.push({ operation: one.id, expected: `expected ${error.message}` });
      }
  return faults.length > 0 ? { faults } : { described: { server: serverOf(document), operations } };
}

/** The document as plain data, or what is wrong with it. */
function parsed(text: string): Json | string {
  try {
    const document = parseDocument(text, { prettyErrors: false });
    const [error] = document.errors;
    if (error) return `expected YAML or JSON: ${error.message.split('\n', 1)[0]?.slice(0, 200)}`;
    const value = document.toJS({ maxAliasCount: 100 }) as unknown;
    // Anchors become shared objects; a copy without them is what the size of everything below is measured on.
    return typeof value === 'object' && value !== null
      ? (JSON.parse(JSON.stringify(value)) as Json)
      : 'expected a mapping';
  } catch {
    return 'expected YAML or JSON without circles and with few aliases';
  }
}

/** The chosen operations with everything that they refer to, at the same places; the rest of the document falls away. */
function pruned(document: Json, chosen: readonly ChosenOperation[]): { kept: Json; faults: DocumentFault[] } {
  const faults: DocumentFault[] = [];
  const kept: Json = { openapi: document['openapi'], info: document['info'], paths: {} };
  const known: string[] = [];
  for (const [path, item] of Object.entries(objectOf(document['paths'])))
    for (const method of METHODS) {
      const operation = objectOf(objectOf(item)[method]);
      const id = operation['operationId'];
      if (typeof id !== 'string') continue;
      known.push(id);
      if (!chosen.some((one) => one.id === id)) continue;
      // What it answers is read as it comes; callbacks, security and links say nothing that a request needs.
      const { callbacks: _, security: __, servers: ___, ...request } = operation;
      const paths = kept['paths'] as Json;
      paths[path] = {
        ...objectOf(paths[path]),
        ...('parameters' in objectOf(item) ? { parameters: objectOf(item)['parameters'] } : {}),
        [method]: { ...request, responses: { default: { description: 'The answer.' } } },
      };
      const wrong = bring(document, kept, paths[path]);
      if (wrong !== null) faults.push({ operation: id, expected: wrong });
    }
  for (const { id } of chosen)
    if (!known.includes(id))
      faults.push({
        operation: id,
        expected: `expected an operationId of the document: ${known.slice(0, 40).join(', ') || 'it has none'}`,
      });
  return { kept, faults };
}

/** Copies what a value refers to, and what that refers to. A sentence when it leads out of the document or nowhere. */
function bring(document: Json, kept: Json, from: unknown): string | null {
  const seen = new Set<string>();
  const queue: unknown[] = [from];
  for (let value = queue.pop(); value !== undefined; value = queue.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    const ref = (value as Json)['$ref'];
    if (typeof ref === 'string' && !seen.has(ref)) {
      seen.add(ref);
      if (!ref.startsWith('#/'))
        return `expected everything inside the document; $ref ${JSON.stringify(ref.slice(0, 200))} leads out of it and is not followed`;
      const target = referredTo(document, ref);
      if (target === undefined) return `expected what $ref ${JSON.stringify(ref.slice(0, 200))} refers to`;
      place(kept, stepsOf(ref), target);
      queue.push(target);
    }
    for (const item of Object.values(value) as unknown[]) if (item !== undefined) queue.push(item);
  }
  return null;
}

/** Puts a value where it stood; the mappings above it are made. */
function place(kept: Json, steps: readonly string[], value: unknown): void {
  let here = kept;
  for (const step of steps.slice(0, -1)) {
    if (step === '__proto__') return;
    if (!Object.hasOwn(here, step)) here[step] = {};
    here = objectOf(here[step]);
  }
  const last = steps.at(-1);
  if (last !== undefined && last !== '__proto__' && !Object.hasOwn(here, last)) here[last] = value;
}

/** Why the document is none, as its specification has it; null when it is one. Leaves the references in it followed. */
async function invalidity(document: Json): Promise<string | null> {
  if (expandedSize(document) > MAX_EXPANDED)
    return `the chosen operations consist of more than ${MAX_EXPANDED} values, references followed`;
  // 7 MB of packages that only agents with such a source need.
  const { default: parser } = await import('@apidevtools/swagger-parser');
  try {
    await parser.validate(document as never, { resolve: { external: false }, dereference: { circular: 'ignore' } });
    return null;
  } catch (error) {
    return (error as Error).message.replace(/\s+/g, ' ').trim().slice(0, 300);
  }
}

/** How many values it has once each reference is replaced by what it refers to; one that leads back to itself is one value. */
function expandedSize(document: Json): number {
  const sizes = new Map<object, number>();
  const open = new Set<object>();
  const size = (value: unknown): number => {
    if (typeof value !== 'object' || value === null) return 1;
    const known = sizes.get(value);
    if (known !== undefined) return known;
    if (open.has(value)) return 1;
    open.add(value);
    const ref = (value as Json)['$ref'];
    let total = 1;
    if (typeof ref === 'string') total += size(referredTo(document, ref));
    for (const item of Object.values(value)) total += size(item);
    open.delete(value);
    sizes.set(value, total);
    return total;
  };
  try {
    return size(document);
  } catch {
    // Nested deeper than the stack is long.
    return Number.POSITIVE_INFINITY;
  }
}

const serverOf = (document: Json): string | null => {
  const [first] = Array.isArray(document['servers']) ? (document['servers'] as unknown[]) : [];
  const url = objectOf(first)['url'];
  return typeof url === 'string' && url.trim() !== '' ? url.trim() : null;
};

/** @throws SchemaFault with what was expected */
function operationOf(document: Json, id: string, given: readonly string[], trusted: boolean): Operation {
  const [path, method, item] = find(document, id);
  const operation = objectOf(item[method]);
  const properties = new Map<string, unknown>();
  const required: string[] = [];
  const add = (name: string, schema: unknown, needed: boolean, place: string): void => {
    if (properties.has(name))
      throw new SchemaFault(`each argument in one place; ${name} is in the ${place} and elsewhere too`);
    properties.set(name, schema);
    if (needed) required.push(name);
  };
  const query: { name: string; explode: boolean }[] = [];
  const headers: string[] = [];
  for (const parameter of parametersOf(item, operation)) {
    const name = String(parameter['name']);
    const place = String(parameter['in']);
    const needed = parameter['required'] === true;
    // OpenAPI itself says that these three are not parameters.
    if (place === 'header' && [...given, 'accept', 'content-type', 'authorization'].includes(name.toLowerCase()))
      continue;
    if (place === 'cookie') {
      if (needed) throw new SchemaFault(`an operation without required cookies; ${name} is one`);
      continue;
    }
    const media = objectOf(Object.values(objectOf(parameter['content']))[0]);
    const schema = followed(parameter['schema'] ?? media['schema'], document);
    add(name, { ...schema, description: parameter['description'] ?? schema['description'] }, needed, place);
    if (place === 'query') query.push({ name, explode: parameter['explode'] !== false });
    if (place === 'header') headers.push(name);
  }
  const body = bodyOf(document, operation, add);
  const parameters = reduceSchema(
    { type: 'object', properties: Object.fromEntries(properties), required, additionalProperties: false },
    { trusted, root: document },
  );
  try {
    compileParameters(parameters);
  } catch (error) {
    throw new SchemaFault(`arguments that can be checked: ${(error as Error).message.slice(0, 200)}`);
  }
  const verb = method.toUpperCase() as HttpMethod;
  return { id, description: descriptionOf(operation, id), parameters, method: verb, path, query, headers, body };
}

function find(document: Json, id: string): [path: string, method: string, item: Json] {
  for (const [path, item] of Object.entries(objectOf(document['paths'])))
    for (const method of METHODS)
      if (objectOf(objectOf(item)[method])['operationId'] === id) return [path, method, objectOf(item)];
  throw new SchemaFault('an operationId of the document');
}

/** Those of the operation replace those of its path. */
function parametersOf(item: Json, operation: Json): Json[] {
  const list = (value: unknown) => (Array.isArray(value) ? value.map(objectOf) : []);
  const key = (parameter: Json) => `${String(parameter['in'])} ${String(parameter['name'])}`;
  const all = [...list(item['parameters']), ...list(operation['parameters'])];
  return [...new Map(all.map((parameter) => [key(parameter), parameter])).values()];
}

/** A JSON object as the body gives its properties; any other JSON is one argument, `body`. */
function bodyOf(
  document: Json,
  operation: Json,
  add: (name: string, schema: unknown, needed: boolean, place: string) => void,
): Operation['body'] {
  const body = objectOf(operation['requestBody']);
  const content = objectOf(body['content']);
  const needed = body['required'] === true;
  const type = Object.keys(content).find((name) => /^application\/(?:[\w.+-]+\+)?json(?:;|$)/i.test(name));
  if (type === undefined) {
    if (Object.keys(content).length > 0 && needed)
      throw new SchemaFault(`an operation that takes JSON, not ${Object.keys(content)[0]}`);
    return null;
  }
  const schema = objectOf(objectOf(content[type])['schema']);
  const { properties, required } = membersOf(document, schema);
  const names = Object.keys(properties);
  if (names.length === 0) {
    add('body', schema, needed, 'body');
    return { whole: 'body' };
  }
  for (const name of names) add(name, properties[name], needed && required.includes(name), 'body');
  return names;
}

/** The properties of an object schema, those of its `allOf` included; without those that only answers have. */
function membersOf(document: Json, given: Json, depth = 0): { properties: Json; required: string[] } {
  const schema = followed(given, document);
  const all = depth < 8 && Array.isArray(schema['allOf']) ? (schema['allOf'] as unknown[]) : [];
  const parts = all.map((part) => membersOf(document, objectOf(part), depth + 1));
  const own = Object.entries(objectOf(schema['properties'])).filter(
    ([, value]) => objectOf(value)['readOnly'] !== true,
  );
  const required = Array.isArray(schema['required']) ? (schema['required'] as string[]) : [];
  return {
    properties: Object.fromEntries([...parts.flatMap((part) => Object.entries(part.properties)), ...own]),
    required: [...parts.flatMap((part) => part.required), ...required],
  };
}

function descriptionOf(operation: Json, id: string): string {
  const texts = [operation['summary'], operation['description']].filter(
    (t) => typeof t === 'string' && t.trim() !== '',
  );
  return [...new Set(texts)].join('. ').replaceAll('..', '.').slice(0, 2_000) || id;
}
