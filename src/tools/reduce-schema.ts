// Other people's JSON Schemas (OpenAPI 3.0 and 3.1, drafts 4 to 2020-12) cut down to what both the model and our strict
// check of arguments understand. What is left out is left to the service: it checks what it gets anyway.

/** A document that cannot be reduced, in words for the operator. */
export class SchemaFault extends Error {}

export interface Reduction {
  /**
   * False: it comes over the network, while we run. Its patterns are not made our own: one that backtracks without end would
   * stop every call of this process.
   */
  trusted: boolean;
  /** What holds the targets of references that are still there: those in circles, and those of MCP servers. */
  root: unknown;
}

const TYPES = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null'];
const FORMATS = ['date', 'time', 'date-time', 'email', 'uuid'];
const BOUNDS: Readonly<Record<string, readonly string[]>> = {
  string: ['minLength', 'maxLength'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  array: ['minItems', 'maxItems'],
};

/** References between schemas multiply; each tool's are paid for on each turn, and compiled. */
const MAX_PARTS = 400;
const MAX_DEPTH = 12;
const MAX_TEXT = 1_000;
const MAX_PATTERN = 300;

type Schema = Record<string, unknown>;

/**
 * @throws SchemaFault when it is too large or goes round in circles too long
 */
export function reduceSchema(schema: unknown, { trusted, root }: Reduction): Schema {
  let parts = 0;
  /** References that are being followed: one that leads back into itself may be anything. */
  const open: string[] = [];

  function reduce(given: unknown, depth: number): Schema {
    const ref = objectOf(given)['$ref'];
    if (typeof ref === 'string') {
      if (open.includes(ref)) return {};
      open.push(ref);
      const target = reduce(referredTo(root, ref), depth + 1);
      open.pop();
      return target;
    }
    parts += 1;
    if (parts > MAX_PARTS || depth > MAX_DEPTH)
      throw new SchemaFault(`a schema of at most ${MAX_PARTS} parts and ${MAX_DEPTH} levels`);
    const source = flattened(given, root);
    const result: Schema = {};
    const types = typesOf(source);
    if (types.length > 0) result['type'] = types.length === 1 ? types[0] : types;
    describe(source, result);
    values(source, types, result);
    bounds(source, types, result);
    texts(source, types, result);
    if (types.includes('array'))
      result['items'] = reduce(source['items'] ?? source['additionalItems'] ?? {}, depth + 1);
    if (types.includes('object')) members(source, result, depth);
    for (const key of ['oneOf', 'anyOf']) {
      const choices = source[key];
      // Beside a type of its own, a choice would have to repeat it for the strict check; the service checks what is left out.
      if (types.length === 0 && Array.isArray(choices) && choices.length > 0)
        result[key] = choices.map((choice: unknown) => reduce(choice, depth + 1));
    }
    return result;
  }

  function members(source: Schema, result: Schema, depth: number): void {
    const properties = Object.entries(objectOf(source['properties'])).filter(
      ([, property]) => objectOf(property)['readOnly'] !== true,
    );
    if (properties.length > 0)
      result['properties'] = Object.fromEntries(properties.map(([name, value]) => [name, reduce(value, depth + 1)]));
    const required = strings(source['required']).filter((name) => properties.some(([key]) => key === name));
    if (required.length > 0) result['required'] = [...new Set(required)];
    const more = source['additionalProperties'];
    if (more === false) result['additionalProperties'] = false;
    else if (Object.keys(objectOf(more)).length > 0) result['additionalProperties'] = reduce(more, depth + 1);
  }

  function texts(source: Schema, types: readonly string[], result: Schema): void {
    if (!types.includes('string')) return;
    const { format, pattern } = source;
    if (typeof format === 'string' && FORMATS.includes(format)) result['format'] = format;
    if (typeof pattern !== 'string' || pattern.length > MAX_PATTERN || !isPattern(pattern)) return;
    if (trusted) result['pattern'] = pattern;
    else result['description'] = `${describedAs(result)}Pattern: ${pattern}`;
  }

  return reduce(schema, 0);
}

/** `allOf` of objects as one object. */
function flattened(given: unknown, root: unknown, depth = 0): Schema {
  const schema = objectOf(given);
  const parts = Array.isArray(schema['allOf']) && depth < MAX_DEPTH ? (schema['allOf'] as unknown[]) : [];
  const all = parts.map((part) => flattened(followed(part, root), root, depth + 1));
  if (all.length === 0) return schema;
  const merged: Schema = {};
  for (const part of [...all, { ...schema, allOf: undefined }])
    for (const [key, value] of Object.entries(part)) {
      if (value === undefined) continue;
      if (key === 'properties') merged[key] = { ...objectOf(merged[key]), ...objectOf(value) };
      else if (key === 'required') merged[key] = [...strings(merged[key]), ...strings(value)];
      else merged[key] = value;
    }
  return merged;
}

/** The types that a value may have; [] where the schema does not say. */
function typesOf(schema: Schema): string[] {
  const named = (Array.isArray(schema['type']) ? schema['type'] : [schema['type']]).filter((type) =>
    TYPES.some((known) => known === type),
  ) as string[];
  // Many leave the type out where the keywords tell it.
  if (named.length === 0 && 'properties' in schema) named.push('object');
  if (named.length === 0 && 'items' in schema) named.push('array');
  // OpenAPI 3.0.
  if (schema['nullable'] === true && named.length > 0) named.push('null');
  return [...new Set(named)];
}

function describe(source: Schema, result: Schema): void {
  const text = [source['description'], source['title']].find((one) => typeof one === 'string' && one.trim() !== '');
  if (typeof text === 'string') result['description'] = text.trim().slice(0, MAX_TEXT).toWellFormed();
}

const describedAs = ({ description }: Schema): string => (typeof description === 'string' ? `${description} ` : '');

function values(source: Schema, types: readonly string[], result: Schema): void {
  const listed = Array.isArray(source['enum']) ? (source['enum'] as unknown[]) : [];
  const unique = [...new Map(listed.map((value) => [JSON.stringify(value), value])).values()];
  if (unique.length > 0)
    result['enum'] = types.includes('null') && !unique.includes(null) ? [...unique, null] : unique.slice(0, 200);
  if ('const' in source && unique.length === 0) result['const'] = source['const'];
}

function bounds(source: Schema, types: readonly string[], result: Schema): void {
  for (const [type, keys] of Object.entries(BOUNDS)) {
    if (!types.includes(type) && !(type === 'number' && types.includes('integer'))) continue;
    for (const key of keys) {
      const value = source[key];
      if (typeof value !== 'number' || !Number.isFinite(value)) continue;
      if (type !== 'number' && (value < 0 || !Number.isInteger(value))) continue;
      if (key !== 'multipleOf' || value > 0) result[key] = value;
    }
  }
  // Draft 4 and OpenAPI 3.0 say `exclusiveMinimum: true` beside `minimum`.
  for (const [exclusive, inclusive] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const)
    if (source[exclusive] === true && result[inclusive] !== undefined) {
      result[exclusive] = result[inclusive];
      delete result[inclusive];
    }
  if (types.includes('array') && source['uniqueItems'] === true) result['uniqueItems'] = true;
}

/** As the check compiles it. */
function isPattern(pattern: string): boolean {
  try {
    new RegExp(pattern, 'u');
    return true;
  } catch {
    return false;
  }
}

/** A value, or what it refers to. */
export function followed(value: unknown, root: unknown): Record<string, unknown> {
  let here = objectOf(value);
  for (let hops = 0; typeof here['$ref'] === 'string' && hops < 8; hops += 1)
    here = objectOf(referredTo(root, here['$ref']));
  return here;
}

/** What a reference within a document refers to; undefined where it leads out of it or nowhere. */
export function referredTo(root: unknown, ref: string): unknown {
  if (ref === '#') return root;
  if (!ref.startsWith('#/')) return undefined;
  let value = root;
  for (const step of stepsOf(ref)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}

/** The steps of a JSON pointer in a URL fragment (RFC 6901 §6). */
export const stepsOf = (ref: string): string[] =>
  ref
    .slice(2)
    .split('/')
    .map((step) => {
      const plain = step.replaceAll('~1', '/').replaceAll('~0', '~');
      try {
        return decodeURIComponent(plain);
      } catch {
        return plain;
      }
    });

export const objectOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
