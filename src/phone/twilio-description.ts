// The official description of the REST API (twilio-voice-subset.openapi.json, its licence beside it) as a judge of requests:
// which operation one is, and what the API would refuse about its form. Read and compiled when it is first asked.
import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';

interface Schema {
  $ref?: string;
  type?: string;
  enum?: readonly string[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: readonly string[];
}

interface Operation {
  operationId: string;
  requestBody?: { content: { 'application/x-www-form-urlencoded': { schema: Schema } } };
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** What a request asks for. */
export interface Asked {
  operationId: string;
  /** The ids in its path. */
  ids: Record<string, string>;
}

/** A field of the form that the description refuses, or misses. */
export interface FormFault {
  field: string;
  missing: boolean;
  /** What it should be, as the description has it. */
  expected: string;
}

/** The form as the description understands it: numbers and booleans are what they say, lists are lists. */
export interface ReadForm {
  faults: FormFault[];
  /** Fields that the description does not know. The API takes no notice of them, and nor do we; they are told. */
  unknown: string[];
}

const E164 = /^\+[1-9]\d{6,14}$/;
const isUrl = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
/** What a validator of JSON Schema does not know. Numbers of messages may be short codes, or senders by name. */
const FORMATS = {
  uri: isUrl,
  endpoint: (text: string) => E164.test(text) || /^(sips?|client):\S+$/.test(text),
  'phone-number': (text: string) => E164.test(text) || /^(\d{3,8}|[A-Za-z0-9 ]{2,11}|\w+:\+?\S+)$/.test(text),
  'http-method': true,
  twiml: true,
  'date-time': (text: string) => !Number.isNaN(Date.parse(text)),
  int32: true,
  int64: true,
} as const;

const FILE = new URL('twilio-voice-subset.openapi.json', import.meta.url);

export class TwilioDescription {
  readonly #document: Document;
  readonly #paths: { parts: RegExp; operations: Record<string, Operation> }[];
  readonly #ajv = new Ajv({ strict: false, allErrors: true, formats: FORMATS });
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor() {
    this.#document = JSON.parse(readFileSync(FILE, 'utf8')) as Document;
    this.#paths = Object.entries(this.#document.paths).map(([path, operations]) => ({
      parts: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{(\w+)\}/g, '(?<$1>[^/]+?)')}$`),
      operations,
    }));
  }

  /** The operation; `method` where the path is known but not with it; undefined for an unknown path. */
  asked(method: string, path: string): Asked | 'method' | undefined {
    for (const { parts, operations } of this.#paths) {
      const found = parts.exec(path);
      if (!found) continue;
      const operation = operations[method.toLowerCase()];
      const ids = Object.entries(found.groups ?? {}).map(([name, text]) => [name, decoded(text)]);
      return operation ? { operationId: operation.operationId, ids: Object.fromEntries(ids) } : 'method';
    }
    return undefined;
  }

  /** Holds a form against its operation. */
  read(operationId: string, form: URLSearchParams): ReadForm {
    const schema = this.#formOf(operationId);
    if (!schema) return { faults: [], unknown: [] };
    const properties = schema.properties ?? {};
    const names = [...new Set(form.keys())];
    const known = names.filter((name) => Object.hasOwn(properties, name));
    const values = known.map((name) => [name, this.#valueOf(form.getAll(name), properties[name] ?? {})]);
    const validate = this.#validator(operationId, schema);
    validate(Object.fromEntries(values));
    return {
      faults: (validate.errors ?? []).map(faultOf),
      unknown: names.filter((name) => !known.includes(name)),
    };
  }

  #formOf(operationId: string): Schema | undefined {
    for (const { operations } of this.#paths)
      for (const operation of Object.values(operations))
        if (operation.operationId === operationId)
          return operation.requestBody?.content['application/x-www-form-urlencoded'].schema;
    return undefined;
  }

  #validator(operationId: string, schema: Schema): ValidateFunction {
    const known = this.#compiled.get(operationId);
    if (known) return known;
    const components = { schemas: this.#document.components.schemas };
    const compiled = this.#ajv.compile({ ...schema, components });
    this.#compiled.set(operationId, compiled);
    return compiled;
  }

  /** A form knows only texts; what cannot be read as its type stays one and is refused. */
  #valueOf(texts: readonly string[], schema: Schema): unknown {
    const [last = ''] = texts.slice(-1);
    switch (schema.type) {
      case 'array':
        return texts.map((text) => this.#valueOf([text], schema.items ?? {}));
      case 'integer':
      case 'number':
        return last.trim() === '' || Number.isNaN(Number(last)) ? last : Number(last);
      case 'boolean':
        return /^(true|false)$/i.test(last) ? last.toLowerCase() === 'true' : last;
      default:
        return last;
    }
  }
}

function faultOf({ instancePath, keyword, params, message = '' }: ErrorObject): FormFault {
  if (keyword === 'required')
    return { field: String(params['missingProperty']), missing: true, expected: 'to be given' };
  const [, field = ''] = instancePath.split('/');
  const allowed = keyword === 'enum' ? `one of ${(params['allowedValues'] as string[]).join(', ')}` : message;
  return { field, missing: false, expected: allowed };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
