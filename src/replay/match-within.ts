// A regular expression that others wrote, within a time: some patterns take longer than the universe on a short text, and
// while one runs nothing else of the process does, Ctrl-C included.
import { runInNewContext } from 'node:vm';

/** Where a pattern was found. */
export interface Match {
  at: number;
  length: number;
}

/** What a regular expression of an expectation may take: a thousand times what an honest one needs. */
export const REGULAR_WITHIN_MS = 250;

/**
 * The first place where `pattern` is found in `text`; null without one, `too long` when that is not known after `ms`.
 * Only `vm` ends a regular expression that is under way.
 */
export function matchWithin(pattern: RegExp, text: string, ms: number): Match | null | 'too long' {
  const { source, flags } = pattern;
  const code = '(() => { const m = new RegExp(source, flags).exec(text); return m && [m.index, m[0].length]; })()';
  let found: [number, number] | null;
  try {
    found = runInNewContext(code, { source, flags, text }, { timeout: ms }) as [number, number] | null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'too long';
    throw error;
  }
  return found && { at: found[0], length: found[1] };
}
