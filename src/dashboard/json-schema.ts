// The schemas of the API as JSON Schema: for what goes out, which holds nothing else, and for the OpenAPI description.
import { z } from 'zod';

/** What every refusal looks like. */
export const failure = z.object({
  error: z.object({ code: z.string(), message: z.string() }).describe('codes are explained in docs/errors.md'),
});

const PLAIN = new Set(['string', 'integer', 'number']);

/** As JSON Schema, for answers and for the description. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'output'): Record<string, unknown> {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, {
    io,
    // An integer is bounded by what a double holds, and a date has its format: neither needs to be spelt out.
    override({ jsonSchema: made }) {
      if (made.format === 'date') delete made.pattern;
      // Of a plain type, null is another type: a choice between schemas is found out by trying each.
      const [only, none] = made.anyOf ?? [];
      if (typeof only?.type === 'string' && none?.type === 'null' && PLAIN.has(only.type)) {
        delete made.anyOf;
        // One of some words, or null: which is then one of them.
        const words = only.enum === undefined ? {} : { enum: [...only.enum, null] };
        Object.assign(made, { ...only, type: [only.type, 'null'], ...words });
      }
      if (made.minimum === Number.MIN_SAFE_INTEGER) delete made.minimum;
      if (made.maximum === Number.MAX_SAFE_INTEGER) delete made.maximum;
    },
  });
  return plain;
}
