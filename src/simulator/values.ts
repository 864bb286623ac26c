// Values that a script takes from what tools have answered: `{{list_slots.slots.0.id}}` in arguments and in what is said.
import { isObject } from './shape.ts';

/** What a tool has answered in this session. */
export interface ToolOutput {
  tool: string;
  callId: string;
  output: string;
}

/** Looks up `tool.path`; undefined where there is no such value. */
export type Lookup = (path: readonly string[]) => unknown;

/** A text with the values in it, and the placeholders that had none. */
export interface Filled<T> {
  value: T;
  missing: string[];
}

const PLACE = /\{\{\s*([\w-]+(?:\.[^.{}\s]+)*)\s*\}\}/g;

/** True if `text` holds a placeholder. */
export const hasPlaceholder = (text: string): boolean => text.search(PLACE) >= 0;

/**
 * Finds values in `outputs` (oldest first): `tool.path` in the newest output of the tool that has it, as JSON; `last.path` in the
 * newest of all. `own` goes before tools of the same name.
 */
export function lookupIn(outputs: readonly ToolOutput[], own: Readonly<Record<string, unknown>> = {}): Lookup {
  return ([name = '', ...path]) => {
    if (Object.hasOwn(own, name)) return at(own[name], path);
    // Tools answer with a text when they fail: what an earlier run has said still holds for the model, and so it does here.
    const told = name === 'last' ? outputs.slice(-1) : outputs.filter(({ tool }) => tool === name).toReversed();
    for (const { output } of told) {
      const value = at(parsed(output), path);
      if (value !== undefined) return value;
    }
    return undefined;
  };
}

/** `template` with its values; a text that is one placeholder becomes the value itself. What has no value stays as it is. */
export function fill(template: unknown, lookup: Lookup): Filled<unknown> {
  if (typeof template === 'string') {
    const [whole, path] = new RegExp(`^${PLACE.source}$`).exec(template) ?? [];
    if (whole === undefined || path === undefined) return fillText(template, lookup);
    const value = lookup(path.split('.'));
    return value === undefined ? { value: template, missing: [whole] } : { value, missing: [] };
  }
  if (Array.isArray(template)) {
    const entries = template.map((entry) => fill(entry, lookup));
    return { value: entries.map(({ value }) => value), missing: entries.flatMap(({ missing }) => missing) };
  }
  if (!isObject(template)) return { value: template, missing: [] };
  const entries = Object.entries(template).map(([key, entry]) => ({ key, ...fill(entry, lookup) }));
  return {
    value: Object.fromEntries(entries.map(({ key, value }) => [key, value])),
    missing: entries.flatMap(({ missing }) => missing),
  };
}

/** The same where the result has to be a text. */
export function fillText(template: string, lookup: Lookup): Filled<string> {
  const missing: string[] = [];
  const value = template.replace(PLACE, (whole, path: string) => {
    const found = lookup(path.split('.'));
    if (found === undefined) missing.push(whole);
    return found === undefined ? whole : asText(found);
  });
  return { value, missing };
}

const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function at(value: unknown, path: readonly string[]): unknown {
  let here = value;
  for (const step of path) {
    if (Array.isArray(here) && /^-?\d+$/.test(step)) here = here.at(Number(step)) as unknown;
    else if (isObject(here) && Object.hasOwn(here, step)) here = here[step];
    else return undefined;
  }
  return here;
}

/** JSON as its value, any other text as it is. */
function parsed(output: string): unknown {
  try {
    const value = JSON.parse(output) as unknown;
    // Digits that are no count, such as those of an account, would be rounded.
    return typeof value === 'number' && String(value) !== output ? output : value;
  } catch {
    return output;
  }
}
