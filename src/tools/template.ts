// Texts of an agent file with holes in them: `${NAME}` and `${NAME:-default}` come from the environment when the sources are
// opened, `{argument}` from the model when the tool runs. What came out of the environment is never looked at for arguments.

export type Part = { text: string } | { env: string; otherwise: string | null } | { argument: string };

/** A template whose environment is filled in. */
export type Filled = readonly ({ text: string } | { argument: string })[];

const HOLE = /\$\{([^}]*)\}?|\{([^{}]*)\}/g;
const ENV = /^([A-Za-z_][A-Za-z0-9_]{0,127})(?::-([^{}]*))?$/;
const ARGUMENT = /^[A-Za-z_][\w.-]{0,63}$/;

/**
 * A text taken apart.
 * @throws Error with what was expected, in words for the operator
 */
export function parseTemplate(text: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const hole of text.matchAll(HOLE)) {
    const [whole, env, argument] = hole;
    if (hole.index > from) parts.push({ text: text.slice(from, hole.index) });
    from = hole.index + whole.length;
    if (env !== undefined) {
      const [, name, otherwise] = (whole.endsWith('}') && ENV.exec(env)) || [];
      if (name === undefined) throw new Error(`expected \${NAME} or \${NAME:-default}, not ${shown(whole)}`);
      parts.push({ env: name, otherwise: otherwise ?? null });
    } else if (argument !== undefined && ARGUMENT.test(argument)) parts.push({ argument });
    // Any other pair of braces is text, so that a note may hold them.
    else parts.push({ text: whole });
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

const shown = (text: string) => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

/** Names of the arguments in a text; those of an unreadable one are none. */
export function argumentsIn(text: string): string[] {
  try {
    return parseTemplate(text).flatMap((part) => ('argument' in part ? [part.argument] : []));
  } catch {
    return [];
  }
}

/** The text as one argument's place, `{order}`, or null. */
export const soleArgument = (filled: Filled): string | null => {
  const [only, ...others] = filled;
  return only !== undefined && 'argument' in only && others.length === 0 ? only.argument : null;
};

/** Neighbouring texts as one. */
export const joined = (filled: Filled): string | null =>
  filled.every((part) => 'text' in part) ? filled.map((part) => part.text).join('') : null;

/** The text with its arguments in, each as `write` writes it; undefined where one is absent. */
export function fillText(
  filled: Filled,
  args: Readonly<Record<string, unknown>>,
  write: (text: string) => string = (text) => text,
): string | undefined {
  let result = '';
  for (const part of filled) {
    if ('text' in part) result += part.text;
    else {
      const value = argument(args, part.argument);
      if (value === undefined) return undefined;
      result += write(textOf(value));
    }
  }
  return result;
}

/** An argument that the model gave; null says nothing and counts as absent. */
export const argument = (args: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(args, name) ? (args[name] ?? undefined) : undefined;

/** A value as a text: as it is, or as JSON. */
export const textOf = (value: unknown): string =>
  (typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed();

/** JSON with templates for texts, as it stands in an agent file. */
export type JsonTemplate = string | number | boolean | null | JsonTemplate[] | { [key: string]: JsonTemplate };

/** The same with the environment filled in; texts are kept apart from what is no text. */
export type FilledJson =
  | { value: number | boolean | null }
  | { filled: Filled }
  | { list: FilledJson[] }
  | { entries: [string, FilledJson][] };

/** Goes through every text of a JSON template. */
export function fillTemplate(json: JsonTemplate, fill: (text: string) => Filled): FilledJson {
  if (typeof json === 'string') return { filled: fill(json) };
  if (typeof json !== 'object' || json === null) return { value: json };
  if (Array.isArray(json)) return { list: json.map((item) => fillTemplate(item, fill)) };
  return { entries: Object.entries(json).map(([key, item]) => [key, fillTemplate(item, fill)]) };
}

/** The JSON of one run. A text that is exactly `{argument}` takes its type; what needs an absent argument is left out. */
export function fillJson(json: FilledJson, args: Readonly<Record<string, unknown>>): unknown {
  if ('value' in json) return json.value;
  if ('filled' in json) {
    const sole = soleArgument(json.filled);
    return sole === null ? fillText(json.filled, args) : argument(args, sole);
  }
  if ('list' in json) return json.list.map((item) => fillJson(item, args)).filter((item) => item !== undefined);
  const entries = json.entries.map(([key, item]) => [key, fillJson(item, args)] as const);
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}
