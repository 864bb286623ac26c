// docs/replay.md and the ten lines of docs/testing.md against the code: every flag, key and field is listed, and every
// example is a file that the command takes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { callerSchema, networkSchema } from '../../src/replay/caller-schema.ts';
import { loadCaller } from '../../src/replay/caller-file.ts';
import { loadExpectation } from '../../src/replay/expect-file.ts';
import { expectSchema } from '../../src/replay/expect-schema.ts';
import { FLAGS, readOptions, USAGE } from '../../src/replay/replay-options.ts';
import { loadScript } from '../../src/simulator/script-file.ts';
import { keysAt } from '../../src/yaml/check.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const PAGE = read('docs/replay.md');
const TESTING = read('docs/testing.md');

const dir = mkdtempSync(join(tmpdir(), 'trunkline-docs-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map((match) => match[1] as string);

/** The code words in the first column of the tables below a heading. */
function firstColumn(heading: string): string[] {
  const section = PAGE.split(/^(?=## )/m).find((part) => part.startsWith(`## ${heading}\n`)) ?? '';
  const cells = [...section.matchAll(/^\| (`[^|]*) \|/gm)].map((match) => match[1] as string);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string));
}

const sorted = (words: Iterable<string>): string[] => [...new Set(words)].toSorted();

test('every flag is listed, and none that is not there', () => {
  const named = firstColumn('Flags').map((flag) => flag.replace(/^--([\w-]+).*/, '$1'));
  expect(sorted(named)).toEqual(sorted(Object.keys(FLAGS)));
});

test('the usage names every flag and fits a terminal', () => {
  for (const flag of Object.keys(FLAGS)) expect(USAGE).toContain(`  --${flag} `);
  for (const line of USAGE.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

test('every key of a caller file is listed', () => {
  const words = [...PAGE.matchAll(/`([^`\n]+)`/g)].map((match) => (match[1] as string).replace(/:.*/, ''));
  const keys = [...keysAt(callerSchema, []), ...keysAt(callerSchema, ['timeline']), ...keysAt(networkSchema, [])];
  expect(keys.length).toBeGreaterThan(20);
  expect(keys.filter((key) => !words.includes(key))).toEqual([]);
});

test('every key of an expectation is listed, and none that is not there', () => {
  const paths = keysAt(expectSchema, []).flatMap((key) => {
    if (key === 'tools') return [key];
    const below = keysAt(expectSchema, [key]).filter((inner) => !['min', 'max'].includes(inner) || key === 'answer_ms');
    const alone = key === 'answer_ms' ? [key] : [];
    return below.length === 0 ? [key] : [...alone, ...below.map((inner) => `${key}.${inner}`)];
  });
  expect(sorted(firstColumn('Expectation file'))).toEqual(sorted(paths));
});

test('every field of result.json is listed, and none that is not there', () => {
  const source = read('src/replay/call-result.ts').split('export interface CallResult {')[1] as string;
  const fields = [...source.matchAll(/^ {2}(\w+)\??:/gm)].map((match) => match[1] as string);
  expect(fields.length).toBeGreaterThan(20);
  const listed = firstColumn('What `--out` keeps').filter((word) => !word.includes('.'));
  expect(sorted(listed)).toEqual(sorted(fields));
});

describe('every example is a file that the command takes', () => {
  // Paths in them are seen from the repository's root.
  const inRoot = (text: string) =>
    text.replaceAll(/(user: )(\S+)/g, (_, key: string, path: string) => key + join(ROOT, path));

  test.each(blocks(PAGE, 'yaml').map((text) => [(text.split('\n')[0] as string).replace('# ', ''), text]))(
    '%s',
    (kind, text) => {
      const path = join(dir, 'example.yaml');
      writeFileSync(path, text);
      if (kind.startsWith('caller')) {
        writeFileSync(path, inRoot(text));
        expect(loadCaller(path).track.steps.length).toBeGreaterThan(3);
      } else expect(Object.keys(loadExpectation(path).expected).length).toBeGreaterThan(3);
    },
  );

  test.each(['caller', 'expect'])('there is an example of %s', (kind) => {
    expect(blocks(PAGE, 'yaml').some((text) => text.startsWith(`# ${kind}`))).toBe(true);
  });

  test('the fixtures that the commands name', async () => {
    const folder = join(ROOT, 'test/fixtures/replay');
    const { script, expectation } = loadCaller(join(folder, 'billing.yaml'));
    expect(Object.keys(expectation?.expected ?? {})).toContain('tools');
    expect(typeof (await loadScript(script as string))).toBe('function');
    expect(loadExpectation(join(folder, 'expect.yaml')).expected).toMatchObject({ warnings: 'none' });
  });
});

test('a WAV becomes a check in ten lines, and each of them is right', async () => {
  const section = TESTING.split('## From a WAV to a CI check in ten lines')[1] as string;
  const [block = ''] = blocks(section, 'bash');
  expect(block.trimEnd().split('\n')).toHaveLength(10);
  const documents = [...block.matchAll(/^cat > (\S+) <<'END'\n([^]*?)^END$/gm)];
  for (const [, name = '', text = ''] of documents) writeFileSync(join(dir, name), text);
  expect(documents.map((match) => match[1])).toEqual(['model.yaml', 'expect.yaml']);
  expect(typeof (await loadScript(join(dir, 'model.yaml')))).toBe('function');
  expect(Object.keys(loadExpectation(join(dir, 'expect.yaml')).expected).length).toBeGreaterThan(4);
  const command = block.split('\n').find((line) => line.startsWith('npx')) as string;
  expect(readOptions(command.split(' ').slice(3), {})).toMatchObject({
    files: ['caller.wav'],
    script: 'model.yaml',
    expectFiles: ['expect.yaml'],
    junitFile: 'replay.xml',
  });
  // The step on GitHub is the same command.
  expect(section).toContain(`- run: ${command}\n`);
  expect(block).toContain('sox my-call.wav -r 8000 -e u-law -b 8 caller.wav remix 1\n');
});

test.each([
  ['docs/replay.md', PAGE],
  ['docs/testing.md', TESTING],
])('every replay command on %s is one that the command takes', (_page, text) => {
  const commands = blocks(text, 'bash')
    .flatMap((block) => block.split('\n'))
    .filter((line) => line.startsWith('npx trunkline replay '));
  expect(commands.length).toBeGreaterThan(0);
  for (const command of commands) expect(() => readOptions(command.split(' ').slice(3), {})).not.toThrow();
});
