// docs/simulator.md against the code: the same keys, the same example.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseScript } from '../../src/simulator/script-file.ts';
import { scriptSchema } from '../../src/simulator/script-schema.ts';
import { keysAt } from '../../src/yaml/check.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/simulator.md');

const ANSWER = [['turns'], ['greeting'], ['when_instructions'], ['on_keys'], ['on_text'], ['out_of_band']];
const DEEPER = [
  ['turns', 'after', 'when'],
  ['sessions', 'match'],
  ['turns', 'calls'],
  ['turns', 'says'],
  ['turns', 'stall'],
  ['turns', 'error'],
  ['faults', 'refuse_handshake'],
  ['faults', 'refuse_update'],
  ['faults', 'drop'],
  ['faults', 'broken_frames'],
];

test('every key of a script is described, and no other', () => {
  const tables = [[], ...ANSWER, ['turns', 'calls'], ['turns', 'says'], ['turns', 'after'], ['sessions']];
  const inTables = [...tables, ['timing'], ['faults']].flatMap((path) => keysAt(scriptSchema, path));
  const rows = [...page.matchAll(/^\| `([a-z_]+)` +\|/gm)].map(([, key]) => key as string);
  const kinds = rows.slice(rows.indexOf('malformed_json'));
  expect(new Set(rows.filter((row) => !kinds.includes(row)))).toEqual(new Set(inTables));
  for (const path of DEEPER)
    for (const key of keysAt(scriptSchema, path)) expect(page, [...path, key].join('.')).toContain(`\`${key}`);
});

test('every kind of broken frame is described', () => {
  const rows = [...page.matchAll(/^\| `([a-z_]+)` +\|/gm)].map(([, key]) => key as string);
  const script = (kind: string): string => `faults: [{ broken_frames: [{ kind: ${kind}, at: response.done }] }]`;
  const kinds = rows.slice(rows.indexOf('malformed_json'));
  for (const kind of kinds) parseScript(script(kind), kind);
  const known = /one of ([^(]+) \(/.exec(messageOf(() => parseScript(script('nonsense'), 'x')))?.[1];
  expect(kinds.sort()).toEqual(known?.split(', ').sort());
});

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

test('the example is the one that the command line in it names, uses every key at the top, and works', () => {
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];
  const file = read('test/fixtures/scripts/example.yaml');
  expect(file.replace(/^#.*\n/, '')).toBe(example);
  for (const key of keysAt(scriptSchema, [])) expect(example).toMatch(new RegExp(`^${key}:`, 'm'));
  expect(parseScript(example, 'example.yaml')(2).script?.turns).toHaveLength(4);
});

test('every example on the page is a script', () => {
  const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text as string);
  expect(examples.length).toBeGreaterThan(5);
  for (const [i, text] of examples.entries()) parseScript(text, `example ${i + 1}`);
});
