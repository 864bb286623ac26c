// Zod's schemas as JSON Schema: what answers are printed by must take all that the schemas take.
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { jsonSchema } from '../../src/dashboard/json-schema.ts';

test.each([
  ['a word', z.string().nullable(), ['x', null], [1]],
  ['one of some words', z.enum(['a', 'b']).nullable(), ['a', 'b', null], ['c', 1]],
  ['a count', z.int().min(0).nullable(), [0, 7, null], [-1, 'x']],
  ['an object', z.object({ a: z.int() }).nullable(), [{ a: 1 }, null], [{}]],
])('%s or null', (_name, schema, good, bad) => {
  const holds = new Ajv2020({ strict: false }).compile(jsonSchema(schema));
  for (const value of good) expect([value, holds(value)]).toEqual([value, true]);
  for (const value of bad) expect([value, holds(value)]).toEqual([value, false]);
});
