// What a tool answered: read by path, for the arguments of later tools and for what the model is shown of it.

/** Longest text that is looked at as JSON: an MCP server answers with text even where it means fields. */
const MAX_JSON_TEXT = 1024 * 1024;

/** Lists within lists, at most. */
const MAX_LISTS = 8;

/** The answer as fields where it is the text of a JSON object or list, else as it is. */
export function asFields(answer: unknown): unknown {
  if (typeof answer !== 'string' || answer.length > MAX_JSON_TEXT || !/^\s*[[{]/.test(answer)) return answer;
  try {
    return JSON.parse(answer) as unknown;
  } catch {
    return answer;
  }
}

/** The value at a path of own keys and list positions; undefined where there is none. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string, unknown>)[step];
  }
  return at;
}

/** A path and all that go on from the same keys; an empty one keeps what is there whole. */
interface Wanted {
  [key: string]: Wanted;
}

/** Only what the paths name; lists are gone through. Undefined where nothing of it is there. */
export function fieldsOf(value: unknown, paths: readonly string[]): unknown {
  const wanted: Wanted = Object.create(null) as Wanted;
  for (const path of paths) {
    let at = wanted;
    for (const step of path.split('.')) at = at[step] ??= Object.create(null) as Wanted;
  }
  return kept(value, wanted, 0);
}

function kept(value: unknown, wanted: Wanted, lists: number): unknown {
  const keys = Object.keys(wanted);
  if (keys.length === 0) return value;
  if (Array.isArray(value)) {
    if (lists === MAX_LISTS) return undefined;
    return value.map((each) => kept(each, wanted, lists + 1)).filter((each) => each !== undefined);
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const found: [string, unknown][] = [];
  for (const key of keys) {
    if (!Object.hasOwn(value, key)) continue;
    const inner = kept((value as Record<string, unknown>)[key], wanted[key]!, lists);
    if (inner !== undefined) found.push([key, inner]);
  }
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}

/** The answer as the model reads it; null where it cannot be read (a circle, a BigInt, a toJSON that throws). */
export function written(name: string, answer: unknown, returns: readonly string[] | null): string | null {
  if (answer === undefined) return `${name} is done; it has nothing to report.`;
  try {
    if (returns === null) return typeof answer === 'string' ? answer : (JSON.stringify(answer) ?? null);
    const shown = fieldsOf(asFields(answer), returns);
    return shown === undefined
      ? `${name} is done; its answer has none of the expected fields.`
      : (JSON.stringify(shown) ?? null);
  } catch {
    return null;
  }
}
