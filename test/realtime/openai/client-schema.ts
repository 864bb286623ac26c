// The official client event schema in its strict form, as a check on everything that is sent to the model.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'vitest';

const file = new URL('../../fixtures/openai/openai-realtime-client-events.strict.schema.json', import.meta.url);
const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(
  JSON.parse(readFileSync(file, 'utf8')) as object,
);

/** Fails unless the API would take the message as it is, without a field that it does not know. */
export function expectClientMessage(message: unknown): void {
  const ok = validate(message);
  expect(ok, `${JSON.stringify(message)}\n${JSON.stringify(validate.errors?.slice(0, 4))}`).toBe(true);
}
