// docs/events-and-effects.md against the sources, both ways: what is listed exists, and what exists is listed.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const PAGE = textOf('docs/events-and-effects.md');

const sorted = (names: Iterable<string>): string[] => [...new Set(names)].toSorted();

const NOTES = 'What `note.ignored` may say';

/** The first column of the tables below a heading; with `NOTES`, of the table below that line instead. */
function listed(heading: string, table?: typeof NOTES): string[] {
  const section = PAGE.split(/^(?=## )/m).find((part) => part.startsWith(`## ${heading}\n`)) ?? '';
  const [main = '', notes = ''] = section.split(NOTES);
  return sorted([...(table ? notes : main).matchAll(/^\| `([\w.]+)` +\|/gm)].map((m) => m[1] as string));
}

const literals = (path: string, pattern: RegExp): string[] =>
  [...textOf(path).matchAll(pattern)].map((m) => m[1] as string);

const TYPE = /\btype: '([\w.]+)'/g;
const DO = /\bdo: '([\w.]+)'/g;

describe('the page lists exactly what the source has', () => {
  test.each([
    ['Events of the leg', 'src/carrier/carrier.ts', TYPE],
    ['Events of the session', 'src/realtime/session.ts', TYPE],
    ['Events of the shell', 'src/call/event.ts', TYPE],
    ['Effects', 'src/call/effect.ts', DO],
    ['Requests', 'src/realtime/session.ts', DO],
    ['Next steps', 'src/carrier/carrier.ts', DO],
    ['Timers', 'src/call/event.ts', /^ {2}\| '(\w+)'/gm],
    ['Phases', 'src/call/state.ts', /^ {2}phase: '(\w+)';/gm],
  ])('%s', (heading, path, pattern) => {
    const names = sorted(literals(path, pattern));
    expect(names.length).toBeGreaterThan(3);
    expect(listed(heading)).toEqual(names);
  });

  test('what note.ignored may say', () => {
    const files = readdirSync(join(ROOT, 'src/call')).map((name) => `src/call/${name}`);
    const said = sorted(files.flatMap((path) => literals(path, /\bwhat: '(\w+)'/g)));
    expect(said.length).toBeGreaterThan(3);
    expect(listed('Effects', NOTES)).toEqual(said);
  });
});

test.each([
  'README.md',
  'flow.md',
  'events-and-effects.md',
  'adding-a-carrier.md',
  'adding-a-model.md',
  'testing.md',
  'replay.md',
])('%s names only files that exist', (name) => {
  const text = textOf(name === 'README.md' ? name : `docs/${name}`);
  const named = [...text.matchAll(/`((?:src|test|bench|twiml|\.ci)\/[\w./-]+)`/g)].map((m) => m[1] as string);
  // flow.md speaks of files below src.
  const below = name === 'flow.md' ? [...text.matchAll(/`((?:\w+\/)+[\w-]+\.ts)`/g)].map((m) => `src/${m[1]}`) : [];
  expect([...named, ...below].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
