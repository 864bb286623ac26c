// Digits that the caller keyed in, for tools that need them: the model writes `digits:<field>`, the tool gets the digits,
// and nothing that the model, a record or a log sees afterwards contains them.

/** Different digits that one call remembers to keep out of every text; a form has a few fields, each keyed in a few times. */
const MAX_KEYED = 32;

const REFERENCE = /^digits:([A-Za-z0-9_-]{1,64})$/;
/** What can only be meant as a reference, however it is spelt. */
const LOOKS_LIKE_ONE = /^\s*digits\s*:\s*\S*\s*$/i;

/** The keyed digits of one call. */
export interface KeyedDigits {
  /**
   * The arguments with their digits, and without (`told`: each reference names which digits it stood for, so that the same
   * field keyed in anew is another effect). `fault`: one sentence for the model.
   */
  put(name: string, args: Record<string, unknown>, fields: readonly string[]): Put;
  /** The text without any digits that were put anywhere in this call. */
  scrub(text: string): string;
}

export type Put = { args: Record<string, unknown>; told: Record<string, unknown> } | { fault: string };

export function createKeyedDigits(keyedIn: (field: string) => string | null): KeyedDigits {
  const known = new Map<string, { number: number; pattern: RegExp | null }>();

  function numberOf(digits: string): number | null {
    const before = known.get(digits);
    if (before) return before.number;
    if (known.size >= MAX_KEYED) return null;
    known.set(digits, { number: known.size + 1, pattern: patternOf(digits) });
    return known.size;
  }

  function put(name: string, args: Record<string, unknown>, fields: readonly string[]): Put {
    let fault: string | null = null;
    const told = mapStrings(args, (text) => {
      if (!LOOKS_LIKE_ONE.test(text)) return text;
      const field = REFERENCE.exec(text)?.[1];
      if (fields.length === 0) fault = `${name} was not run: keyed digits may not be given to it.`;
      else if (field === undefined || !fields.includes(field))
        fault = `${name} was not run: it takes only ${fields.map((each) => `digits:${each}`).join(' and ')}, written exactly so.`;
      else {
        const digits = keyedIn(field);
        if (digits === null || digits === '')
          fault = `${name} was not run: the caller has not keyed in ${field} yet. Collect it first.`;
        else {
          const number = numberOf(digits);
          if (number === null) fault = `${name} was not run: digits were keyed in too often in this call.`;
          else return `${text}#${number}`;
        }
      }
      return text;
    });
    if (fault !== null) return { fault };
    const digitsOf = new Map([...known].map(([digits, { number }]) => [number, digits]));
    const filled = mapStrings(told, (text) => {
      if (!LOOKS_LIKE_ONE.test(text)) return text;
      return digitsOf.get(Number(text.slice(text.lastIndexOf('#') + 1))) ?? text;
    });
    return { args: filled as Record<string, unknown>, told: told as Record<string, unknown> };
  }

  return {
    put,
    scrub(text) {
      let clean = text;
      for (const { pattern } of known.values()) if (pattern) clean = clean.replace(pattern, '[digits]');
      return clean;
    },
  };
}

/**
 * The digits as services write them back: grouped (4111 1111 …), or as a number without its leading zeros. One or two of
 * them are no secret, and stand in every date and time: they are left out only where they stand alone.
 */
function patternOf(digits: string): RegExp | null {
  const keys = digits.match(/[0-9A-D*#]/gi);
  if (!keys) return null;
  const zeros = /^0*/.exec(digits)![0].length;
  const gap = '[\\s.\\-_/]{0,3}';
  const spelt = keys.map((key) => key.replace('*', '\\*'));
  const leading = keys.length - zeros >= 3 ? zeros : 0;
  const joined = `(?:0${gap}){0,${leading}}${spelt.slice(leading).join(gap)}`;
  return keys.length >= 3 ? new RegExp(joined, 'gi') : new RegExp(`(?<![0-9])${joined}(?![0-9])`, 'gi');
}

/** A copy with every text in it replaced; depth was bounded when the arguments were parsed. */
function mapStrings(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((each) => mapStrings(each, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, mapStrings(inner, change)]));
}
