// Prints the test command that the README promises, without its install part: what readers are told is what CI runs.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './tree.ts';

/** The first line with `npm test` inside a code fence, prompt and comment removed; null when the README has none. */
export function testCommand(readme: string): string | null {
  const fences = readme.matchAll(/^[ \t]*(```|~~~)[^\n]*\n([\s\S]*?)^[ \t]*\1/gm);
  const line = [...fences].flatMap((fence) => (fence[2] ?? '').split('\n')).find((text) => /\bnpm test\b/.test(text));
  if (line === undefined) return null;
  const parts = line
    .replace(/^\s*\$\s+/, '')
    .replace(/\s#.*$/, '')
    .split('&&');
  return parts.find((part) => /\bnpm test\b/.test(part))?.trim() ?? null;
}

if (import.meta.main) {
  const command = testCommand(readFileSync(join(ROOT, 'README.md'), 'utf8'));
  if (command === null) throw new Error('README.md has no `npm test` in a code fence');
  console.log(command);
}
