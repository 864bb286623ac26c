// Holds a YAML file against a zod schema: every fault at once, at its line and column, with what was expected there and,
// for a misspelled key, which one was meant.
import { z } from 'zod';
import { edits } from '../spelling.ts';
import type { YamlSource } from './source.ts';

/** One fault in a value: where, and what was expected there. */
interface SchemaFault {
  path: PropertyKey[];
  /** True: the last step of `path` is a key that should not be there. */
  unknownKey: boolean;
  /** True: a text belongs there, so what YAML took for a number or a truth value may only lack quotes. */
  wantsText: boolean;
  expected: string;
}

/**
 * The file as the schema types it, or undefined with the reasons in `source.faults`. The schema's messages are what was
 * expected ("a number from 1 to 5").
 */
export function checkYaml<S extends z.ZodType>(source: YamlSource, schema: S): z.infer<S> | undefined {
  const parsed = schema.safeParse(source.value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap((issue) => faultsOf(schema, issue, []));
  for (const { path, unknownKey, wantsText, expected } of faults) {
    const found = source.at(...path);
    const unquoted = wantsText && /^(number|bigint|boolean)$/.test(typeof found);
    const hint = unquoted ? `; YAML takes this for a ${typeof found}: quote it: "${source.written(path)}"` : '';
    source.fault(path, expected + hint, unknownKey ? 'key' : 'value');
  }
  return undefined;
}

function faultsOf(schema: z.core.$ZodType, issue: z.core.$ZodIssue, above: PropertyKey[]): SchemaFault[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, path);
    return issue.keys.map((key) => {
      const near = nearest(key, known);
      const expected = near ? `no such key; did you mean ${near}?` : `no such key; known here: ${known.join(', ')}`;
      return { path: [...path, key], unknownKey: true, wantsText: false, expected };
    });
  }
  // A name that the operator chose.
  if (issue.code === 'invalid_key')
    return [
      { path, unknownKey: true, wantsText: false, expected: `expected ${issue.issues[0]?.message ?? 'another name'}` },
    ];
  let wantsText = issue.code === 'invalid_type' && issue.expected === 'string';
  if (issue.code === 'invalid_union') {
    // `off | mapping`: if a mapping was given, its own faults say more than "neither fits".
    const inner = issue.errors.find((branch) =>
      branch.every((i) => i.path.length > 0 || i.code === 'unrecognized_keys'),
    );
    if (inner) return inner.flatMap((i) => faultsOf(schema, i, path));
    wantsText = issue.errors.some((branch) => branch.some((i) => i.code === 'invalid_type' && i.expected === 'string'));
  }
  return [{ path, unknownKey: false, wantsText, expected: `expected ${issue.message}` }];
}

/** The keys that a mapping at `path` may have. */
export function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  let here = objectsOf(schema);
  for (const step of path) {
    // An item of a list, and an entry of a record, are reached inside `objectsOf`.
    const inner = here.map((object) => object.shape[String(step)]).filter((shape) => shape !== undefined);
    if (inner.length > 0) here = inner.flatMap(objectsOf);
  }
  return [...new Set(here.flatMap((object) => Object.keys(object.shape)))];
}

/** The object schemas inside defaults, options, alternatives, lists and records. */
function objectsOf(schema: z.core.$ZodType): z.ZodObject[] {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional)
    return objectsOf(schema.def.innerType);
  if (schema instanceof z.ZodUnion) return (schema.def.options as z.core.$ZodType[]).flatMap(objectsOf);
  if (schema instanceof z.ZodArray) return objectsOf(schema.def.element);
  if (schema instanceof z.ZodRecord) return objectsOf(schema.def.valueType);
  return schema instanceof z.ZodObject ? [schema] : [];
}

/** The known word within two edits, or the one that a word of three letters and more begins or ends. */
function nearest(word: string, known: readonly string[]): string | undefined {
  const plain = word.toLowerCase().replaceAll('-', '_');
  const ranked = known.map((key) => ({ key, edits: edits(plain, key) })).sort((a, b) => a.edits - b.edits);
  if (ranked[0] && ranked[0].edits <= 2) return ranked[0].key;
  return known.find((key) => plain.length > 3 && (key.includes(plain) || plain.includes(key)));
}
