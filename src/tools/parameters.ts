// Tool parameters: the JSON Schema (2020-12) that a tool declares, compiled once, and its violations in words that a
// model can act on.
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ErrorObject } from 'ajv/dist/2020.js';
import type { Tool } from './tool.ts';

/** Null when the arguments fit, else what is wrong, as one clause per violation. */
export type ArgumentCheck = (args: unknown) => string | null;

const compiled = new WeakMap<object, ArgumentCheck>();

/**
 * The check for one schema; the same schema object is compiled once per process.
 * @throws Error with the compiler's text when the schema is not valid or not understood (unknown keyword or format)
 */
export function compileParameters(parameters: Record<string, unknown>): ArgumentCheck {
  const known = compiled.get(parameters);
  if (known) return known;
  // Compiling what schemas must look like takes 15 ms: once is enough.
  judge ??= new Ajv2020(OPTIONS);
  if (judge.validateSchema(parameters) !== true)
    throw new Error(`schema is invalid: ${judge.errorsText(judge.errors, { dataVar: 'data' })}`);
  // One compiler per schema: two tools may use the same $id.
  const ajv = new Ajv2020({ ...OPTIONS, validateSchema: false });
  const validate = ajv.compile(parameters);
  const check: ArgumentCheck = (args) => (validate(args) ? null : describe(validate.errors ?? []));
  compiled.set(parameters, check);
  return check;
}

let judge: Ajv2020 | undefined;

const MAX_VIOLATIONS = 8;
const MAX_CLAUSE = 300;

function describe(errors: ErrorObject[]): string {
  const clauses = [...new Set(errors.map((error) => clause(error).slice(0, MAX_CLAUSE)))];
  const more = clauses.length - MAX_VIOLATIONS;
  return clauses.slice(0, MAX_VIOLATIONS).join('; ') + (more > 0 ? `; and ${more} more` : '');
}

function clause({ instancePath, keyword, params, message }: ErrorObject): string {
  const path = instancePath
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const where = instancePath === '' ? 'the arguments' : path.join('.');
  const { allowedValues, allowedValue, additionalProperty, unevaluatedProperty } = params as Record<string, unknown>;
  if (keyword === 'enum') return `${where} must be one of ${JSON.stringify(allowedValues)}`;
  if (keyword === 'const') return `${where} must be ${JSON.stringify(allowedValue)}`;
  const extra = additionalProperty ?? unevaluatedProperty;
  if (extra !== undefined) return `${where} must not have ${JSON.stringify(extra)}`;
  return `${where} ${message ?? 'do not fit'}`;
}

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const TIME = /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;

function isDate(text: string): boolean {
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (!year) return false;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}

/** Formats that a schema may name (RFC 3339 dates and times, RFC 9562 ids); any other is refused when it is compiled. */
const FORMATS = {
  date: isDate,
  time: TIME,
  'date-time': (text: string) =>
    text[10]?.toLowerCase() === 't' && isDate(text.slice(0, 10)) && TIME.test(text.slice(11)),
  email: /^[^\s@"(),:;<>[\\\]]{1,64}@(?=.{1,253}$)([a-z\d]([a-z\d-]{0,61}[a-z\d])?\.)+[a-z\d-]{2,63}$/i,
  uuid: /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i,
};

/** What the model is told of a tool's parameters: those that it has to give, without what `fill` takes from elsewhere. */
export function modelParameters({ parameters, policy }: Tool): Record<string, unknown> {
  const filled = new Set(Object.keys(policy?.fill ?? {}));
  if (filled.size === 0) return parameters;
  const { properties, required, ...rest } = parameters;
  const asked = Array.isArray(required) ? required.filter((name) => !filled.has(name as string)) : [];
  return {
    ...rest,
    properties: Object.fromEntries(Object.entries(properties ?? {}).filter(([name]) => !filled.has(name))),
    ...(asked.length > 0 ? { required: asked } : {}),
  };
}

const OPTIONS = { allErrors: true, strict: true, allowUnionTypes: true, logger: false, formats: FORMATS } as const;
