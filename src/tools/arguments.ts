// The arguments of a tool call as the model wrote them: text that may be anything. What passes here is an object of bounded
// size and depth whose keys cannot reach a prototype; whether it fits the tool is for its schema to say.

/** Longest text in characters. The longest business argument is a note of a few sentences. */
export const MAX_ARGUMENTS_CHARACTERS = 32 * 1024;

/** Objects and lists within each other. Deeper than any form, and far from where recursion over it could end a stack. */
const MAX_DEPTH = 16;

export type ParsedArguments = { args: Record<string, unknown> } | { fault: string };

/** The arguments, or what is wrong with them as the rest of a sentence that begins with "The arguments of … ". */
export function parseArguments(text: string): ParsedArguments {
  if (text.length > MAX_ARGUMENTS_CHARACTERS)
    return { fault: `are ${text.length} characters long; at most ${MAX_ARGUMENTS_CHARACTERS} are taken.` };
  let value: unknown;
  try {
    // A model may leave the arguments of a tool without parameters empty.
    value = text.trim() === '' ? {} : JSON.parse(text);
  } catch {
    return { fault: 'are not valid JSON. Call it again with a JSON object.' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { fault: 'do not fit: the arguments must be object. Call it again with corrected arguments.' };
  const odd = oddity(value);
  return odd === null ? { args: value as Record<string, unknown> } : { fault: odd };
}

/** Walks without recursion: the text has a bound, its depth has none yet. */
function oddity(root: object): string | null {
  let level: object[] = [root];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return `are nested more than ${MAX_DEPTH} deep. Call it again with simpler arguments.`;
    const inner: object[] = [];
    for (const value of level) {
      if (reachesPrototype(value)) return 'have a key that is not allowed. Call it again without it.';
      for (const child of Object.values(value))
        if (typeof child === 'object' && child !== null) inner.push(child as object);
    }
    level = inner;
  }
  return null;
}

/** Keys that change a prototype where a tool copies its arguments into another object key by key. */
function reachesPrototype(value: object): boolean {
  if (Object.hasOwn(value, '__proto__')) return true;
  const constructor: unknown = Object.hasOwn(value, 'constructor')
    ? (value as { constructor: unknown }).constructor
    : null;
  return typeof constructor === 'object' && constructor !== null && Object.hasOwn(constructor, 'prototype');
}
