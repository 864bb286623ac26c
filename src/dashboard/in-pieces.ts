// Prints a large JSON answer piece by piece: between two pieces the process does everything else that waits. A call of 5,000
// turns is some megabytes; printed in one go it would hold up every call that is live for tens of milliseconds.
import { setImmediate } from 'node:timers/promises';
import type { z } from 'zod';
import { jsonSchema } from './json-schema.ts';

/** Elements of a list in one piece: less than a millisecond of work. */
const ELEMENTS = 50;

/**
 * How to answer with what `schema` says, and nothing that it does not name. Lists directly below it are printed in parts, all
 * else at once.
 */
export function inPieces<T extends object>(schema: z.ZodType<T>): (value: T) => Response {
  const names = [...namesIn(jsonSchema(schema))];
  return (value) => {
    const parts = printed(value, names);
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await setImmediate();
        const { value: part, done } = parts.next();
        if (done === true) controller.close();
        else controller.enqueue(encoder.encode(part));
      },
    });
    return new Response(body, { headers: { 'content-type': 'application/json; charset=utf-8' } });
  };
}

function* printed(value: object, names: string[]): Generator<string, undefined> {
  let before = '{';
  for (const [key, field] of Object.entries(value)) {
    if (!names.includes(key) || field === undefined) continue;
    yield `${before}${JSON.stringify(key)}:`;
    before = ',';
    if (Array.isArray(field)) yield* list(field, names);
    else yield JSON.stringify(field, names);
  }
  yield before === '{' ? '{}' : '}';
  return undefined;
}

function* list(elements: readonly unknown[], names: string[]): Generator<string> {
  yield '[';
  for (let at = 0; at < elements.length; at += ELEMENTS) {
    const part = JSON.stringify(elements.slice(at, at + ELEMENTS), names).slice(1, -1);
    yield at === 0 ? part : `,${part}`;
  }
  yield ']';
}

/** Every name of a property in a JSON Schema. */
function namesIn(schema: unknown, found = new Set<string>()): Set<string> {
  if (typeof schema !== 'object' || schema === null) return found;
  for (const [key, part] of Object.entries(schema)) {
    if (key === 'properties') for (const name of Object.keys(part as object)) found.add(name);
    namesIn(part, found);
  }
  return found;
}
