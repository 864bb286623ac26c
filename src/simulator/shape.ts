// Shapes of client events and the check that refuses whatever does not fit, naming the parameter as the API does.
import { refusal } from './fault.ts';
import type { Fault } from './fault.ts';

/** Says what is wrong with `value` at `path`, or undefined. */
export type Shape = (value: unknown, path: string) => Fault | undefined;

type Properties = Record<string, unknown>;

/** True for a JSON object. */
export const isObject = (value: unknown): value is Properties =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Any value. */
export const anything: Shape = () => undefined;

/** A string no longer than `max` characters. */
export const text =
  (max = Number.POSITIVE_INFINITY): Shape =>
  (value, path) =>
    typeof value !== 'string'
      ? wrongType(value, path, 'a string')
      : value.length > max
        ? invalid(path, `string too long. Expected a string with maximum length ${max}`)
        : undefined;

/** A number from `min` to `max`. */
export const number =
  (min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY): Shape =>
  (value, path) =>
    typeof value !== 'number' || !Number.isFinite(value)
      ? wrongType(value, path, 'a number')
      : value < min || value > max
        ? invalid(path, `expected a value between ${min} and ${max}, but got ${value} instead`)
        : undefined;

/** A whole number from `min` to `max`. */
export const integer =
  (min?: number, max?: number): Shape =>
  (value, path) =>
    Number.isInteger(value) ? number(min, max)(value, path) : wrongType(value, path, 'an integer');

/** `true` or `false`. */
export const boolean: Shape = (value, path) =>
  typeof value === 'boolean' ? undefined : wrongType(value, path, 'a boolean');

/** One of these values. */
export const oneOf =
  (...values: readonly (string | number)[]): Shape =>
  (value, path) =>
    values.includes(value as string)
      ? undefined
      : invalid(path, `'${String(value)}'. Supported values are: ${values.map((v) => `'${v}'`).join(', ')}`);

/** `null`, or this. */
export const nullable =
  (shape: Shape): Shape =>
  (value, path) =>
    value === null ? undefined : shape(value, path);

/** A list whose every entry fits. */
export const list =
  (shape: Shape, max = Number.POSITIVE_INFINITY): Shape =>
  (value, path) => {
    if (!Array.isArray(value)) return wrongType(value, path, 'an array');
    if (value.length > max) return invalid(path, `array too long. Expected at most ${max} entries`);
    return first(value.map((entry, i) => () => shape(entry, `${path}[${i}]`)));
  };

/** An object with these properties and no others. */
export const object =
  (properties: Record<string, Shape>, required: readonly string[] = []): Shape =>
  (value, path) => {
    if (!isObject(value)) return wrongType(value, path, 'an object');
    const at = (key: string): string => (path ? `${path}.${key}` : key);
    return first([
      ...required.map((key) => () => (value[key] === undefined ? missing(at(key)) : undefined)),
      ...Object.entries(value).map(([key, entry]) => () => {
        const shape = Object.hasOwn(properties, key) ? properties[key] : undefined;
        return shape ? shape(entry, at(key)) : unknownParameter(at(key));
      }),
    ]);
  };

/** An object whose property `key` says which shape it must fit. */
export const variant =
  (key: string, shapes: Record<string, Shape>): Shape =>
  (value, path) => {
    if (!isObject(value)) return wrongType(value, path, 'an object');
    const param = path ? `${path}.${key}` : key;
    const chosen = value[key];
    if (chosen === undefined) return missing(param);
    const shape = typeof chosen === 'string' && Object.hasOwn(shapes, chosen) ? shapes[chosen] : undefined;
    return shape ? shape(value, path) : oneOf(...Object.keys(shapes))(chosen, param);
  };

/** The first shape for a string, the second for everything else. */
export const textOr =
  (string: Shape, other: Shape): Shape =>
  (value, path) =>
    (typeof value === 'string' ? string : other)(value, path);

/** The refusal of a parameter that the API does not know. */
export const unknownParameter = (path: string): Fault =>
  refusal('unknown_parameter', `Unknown parameter: '${path}'.`, path);

/** The refusal of a value that the API does not take. */
export const invalid = (path: string, why: string): Fault =>
  refusal('invalid_value', `Invalid value for '${path}': ${why}.`, path);

const missing = (path: string): Fault =>
  refusal('missing_required_parameter', `Missing required parameter: '${path}'.`, path);

const wrongType = (value: unknown, path: string, expected: string): Fault =>
  invalid(
    path,
    `expected ${expected}, but got ${value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`} instead`,
  );

function first(checks: readonly (() => Fault | undefined)[]): Fault | undefined {
  for (const check of checks) {
    const fault = check();
    if (fault) return fault;
  }
  return undefined;
}
