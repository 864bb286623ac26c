// The main thread of a server never opens a database: nothing that it loads can.
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { expect, test } from 'vitest';
import { importsOf } from '../../.ci/imports.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const DATABASES = new Set(['kysely', 'kysely/migration', 'pg', 'node:sqlite']);

/** Which file loads which package, of all that are loaded with a file; what is imported as a type only is not loaded. */
function loadedWith(entry: string): { files: string[]; databases: string[] } {
  const files = new Set<string>();
  const databases: string[] = [];
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const { from, typeOnly } of importsOf(readFileSync(join(ROOT, file), 'utf8'), file)) {
      if (typeOnly || from === null) continue;
      if (from.startsWith('.')) visit(posix.join(posix.dirname(file), from));
      else if (DATABASES.has(from)) databases.push(`${file}: ${from}`);
    }
  };
  visit(entry);
  return { files: [...files], databases };
}

test('a server loads its database in the worker thread only', () => {
  const server = loadedWith('src/main.ts');
  expect(server.files).toContain('src/store/start.ts');
  expect(server.databases).toEqual([]);
  expect(loadedWith('src/store/worker.ts').databases).toContain('src/store/database.ts: node:sqlite');
});
