// What a script looks for in a text: words in any case, or a regular expression between slashes.

const EXPRESSION = /^\/(.+)\/([imsu]*)$/s;

/** True if `pattern` is words, or an expression that can be read. */
export function isPattern(pattern: string): boolean {
  try {
    matches(pattern, '');
    return true;
  } catch {
    return false;
  }
}

/**
 * True if `text` contains the words, or fits the expression.
 * @throws SyntaxError for an expression that cannot be read
 */
export function matches(pattern: string, text: string): boolean {
  const [, expression, flags] = EXPRESSION.exec(pattern) ?? [];
  if (expression === undefined) return text.toLowerCase().includes(pattern.toLowerCase());
  return new RegExp(expression, flags).test(text);
}
