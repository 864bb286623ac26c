// Whatever schema a service describes itself with, what is left of it can be checked.
import { describe, expect, test } from 'vitest';
import { compileParameters } from '../../src/tools/parameters.ts';
import { reduceSchema } from '../../src/tools/reduce-schema.ts';
import fc from '../support/fast-check.ts';

const reduce = (schema: unknown, root: unknown = schema) => reduceSchema(schema, { trusted: true, root });

describe('a foreign schema', () => {
  test('of any shape becomes one that our check compiles', () => {
    const { schema } = fc.letrec((tie) => ({
      schema: fc.oneof({ depthSize: 'small' }, fc.jsonValue(), tie('object')),
      object: fc.record(
        {
          type: fc.oneof(
            fc.constantFrom('string', 'integer', 'number', 'object', 'array', 'boolean', 'null', 'file', 7),
            fc.array(fc.constantFrom('string', 'null', 'object', 'any')),
          ),
          nullable: fc.boolean(),
          description: fc.oneof(fc.string(), fc.integer()),
          format: fc.constantFrom('date', 'int32', 'uri', 'password', ''),
          pattern: fc.oneof(fc.string(), fc.constantFrom('^(?<x', '\\p{Lu}', '[', '^a$')),
          enum: fc.array(fc.jsonValue({ maxDepth: 1 })),
          const: fc.jsonValue({ maxDepth: 1 }),
          minimum: fc.oneof(fc.integer(), fc.string()),
          exclusiveMinimum: fc.oneof(fc.boolean(), fc.integer()),
          multipleOf: fc.integer(),
          minLength: fc.oneof(fc.integer(), fc.double()),
          uniqueItems: fc.boolean(),
          items: fc.oneof(tie('schema'), fc.array(tie('schema'), { maxLength: 2 })),
          properties: fc.oneof(
            fc.dictionary(
              fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '$ref', 'a.b')),
              tie('schema'),
              { maxKeys: 3 },
            ),
            fc.jsonValue(),
          ),
          required: fc.oneof(fc.array(fc.string()), fc.boolean()),
          additionalProperties: fc.oneof(fc.boolean(), tie('schema')),
          allOf: fc.array(tie('schema'), { maxLength: 2 }),
          oneOf: fc.array(tie('schema'), { maxLength: 2 }),
          anyOf: fc.oneof(fc.array(tie('schema'), { maxLength: 2 }), fc.string()),
          $ref: fc.constantFrom('#', '#/properties/a', 'http://x/', '#/%zz', 7),
          discriminator: fc.jsonValue(),
          'x-vendor': fc.jsonValue(),
          $id: fc.string(),
          $schema: fc.string(),
        },
        { requiredKeys: [] },
      ),
    }));
    fc.assert(
      fc.property(schema, (given) => {
        let reduced;
        try {
          reduced = reduce({ type: 'object', properties: { a: given } });
        } catch (error) {
          expect((error as Error).message).toContain('a schema of at most');
          return;
        }
        compileParameters(reduced)({ a: 1 });
      }),
      { numRuns: 150 },
    );
  });

  test('of OpenAPI 3.0 keeps what it means', () => {
    expect(
      reduce({
        type: 'number',
        nullable: true,
        minimum: 1,
        exclusiveMinimum: true,
        maximum: 9,
        format: 'float',
        example: 3,
        xml: {},
      }),
    ).toEqual({ type: ['number', 'null'], exclusiveMinimum: 1, maximum: 9 });
  });

  test('that refers to itself ends', () => {
    const tree = { type: 'object', properties: { left: { $ref: '#' }, name: { type: 'string' } } };
    expect(reduce({ $ref: '#' }, tree)).toEqual({ type: 'object', properties: { left: {}, name: { type: 'string' } } });
    const all = { allOf: [{ $ref: '#' }], type: 'object' };
    expect(reduce(all)).toEqual({ type: 'object' });
  });

  test.each([
    ['deep', Array.from({ length: 20 }).reduce<object>((inner) => ({ type: 'array', items: inner }), {})],
    ['wide', { type: 'object', properties: Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`p${i}`, {}])) }],
  ])('that is too %s is refused', (_, schema) => expect(() => reduce(schema)).toThrow('400 parts and 12 levels'));
});
