// The script that builds the page after every install: what it makes, what it refuses, and what it lives with.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let root: string;

/** A checkout with a page of one line, and packages. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'trunkline-build-'));
  mkdirSync(join(root, 'src/page/public'), { recursive: true });
  cpSync(join(ROOT, 'src/page/build.mjs'), join(root, 'src/page/build.mjs'));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(join(root, 'src/page/index.html'), '<!doctype html><script type="module" src="./main.tsx"></script>');
  writeFileSync(join(root, 'src/page/public/icon.svg'), '<svg/>');
  page('first');
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const page = (says: string): void =>
  writeFileSync(
    join(root, 'src/page/main.tsx'),
    `import { render } from 'preact';\nimport icon from './small.svg';\nrender(<b title={icon}>${says}</b>, document.body);`,
  );

function build(...args: string[]) {
  writeFileSync(join(root, 'src/page/small.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['src/page/build.mjs', ...args], {
    ...{ cwd: root, encoding: 'utf8', timeout: 60_000 },
    env: { ...process.env, NODE_ENV: 'development' },
  });
  return { status, stdout, stderr };
}

const built = (path: string): string => readFileSync(join(root, 'dist/page', path), 'utf8');
const scripts = (): string[] => readdirSync(join(root, 'dist/page/assets')).filter((name) => name.endsWith('.js'));

test('it makes a page of hashed files with compressed neighbours, and nothing that the security policy forbids', () => {
  const { status, stdout } = build();
  expect([status, stdout]).toEqual([
    0,
    expect.stringMatching(/scripts together [\d.]+ kB of 300\.0 kB\npage built in \d+ ms/),
  ]);
  const [script = '', ...more] = scripts();
  expect([script, more]).toEqual([expect.stringMatching(/^index-[\w-]+\.js$/), []]);
  const code = built(`assets/${script}`);
  expect(code).toContain('first');
  expect(code).not.toMatch(/data:image|jsxDEV|sourceMappingURL/);
  expect(built('index.html')).toContain(`src="/assets/${script}"`);
  expect(built('index.html')).not.toMatch(/<script(?![^>]* src=)|<style|data:/);
  const bytes = (path: string) => readFileSync(join(root, 'dist/page', path));
  expect(brotliDecompressSync(bytes(`assets/${script}.br`)).toString()).toBe(code);
  expect(gunzipSync(bytes(`assets/${script}.gz`)).toString()).toBe(code);
  expect(built('icon.svg')).toBe('<svg/>');
  expect(readdirSync(join(root, 'dist'))).toEqual(['page']);
});

test('a later build leaves the files of the one before to pages that are open, for a day', () => {
  build();
  const [before = ''] = scripts();
  page('second');
  expect(build().status).toBe(0);
  expect(scripts()).toHaveLength(2);
  expect(built('index.html')).not.toContain(before);
  const long = new Date(Date.now() - 25 * 3_600_000);
  utimesSync(join(root, 'dist/page/assets', before), long, long);
  page('third');
  expect(build().status).toBe(0);
  expect(scripts()).toHaveLength(2);
  expect(existsSync(join(root, 'dist/page/assets', before))).toBe(false);
});

test('a page that has grown too large is refused, and the one before stays', () => {
  build();
  const before = built('index.html');
  const words = Array.from({ length: 80_000 }, (_, i) => i.toString(36)).join(' ');
  page(words);
  const { status, stderr } = build('--if-possible');
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(/the page is too large: scripts together \d{3}\.\d kB of 300\.0 kB/),
  ]);
  expect(built('index.html')).toBe(before);
  expect(readdirSync(join(root, 'dist'))).toEqual(['page']);
});

test('a page that cannot be compiled fails the install, and the one before stays', () => {
  build();
  const before = built('index.html');
  page('{</b>');
  const { status, stderr } = build('--if-possible');
  expect(status).toBe(1);
  expect(stderr).toContain('main.tsx');
  expect(built('index.html')).toBe(before);
  expect(readdirSync(join(root, 'dist'))).toEqual(['page']);
});

test.each<[string, () => void, RegExp]>([
  ['without Vite', () => rmSync(join(root, 'node_modules')), /Vite is not installed \(devDependencies were left out\)/],
  ['where nothing can be written', () => writeFileSync(join(root, 'dist'), ''), /dist.* cannot be written \(E\w+\)/],
  ['without sources', () => rmSync(join(root, 'src/page/index.html')), /its sources are not here/],
])('%s an install goes on with one line, and a build that was asked for fails', (_name, spoil, why) => {
  spoil();
  const installed = build('--if-possible');
  expect(installed).toEqual({ status: 0, stdout: expect.stringMatching(why), stderr: '' });
  expect(installed.stdout.trim().split('\n')).toHaveLength(1);
  expect(build().status).toBe(1);
});

test('on a Node that Vite cannot run on, an install goes on with one line', () => {
  const fake = `Object.defineProperty(process.versions, 'node', { value: '20.11.1' });`;
  const { status, stdout } = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(fake)}`, 'src/page/build.mjs', '--if-possible'],
    { cwd: root, encoding: 'utf8', timeout: 60_000 },
  );
  expect([status, stdout]).toEqual([
    0,
    expect.stringMatching(/was not built: Vite needs Node 20\.19 or 22\.12 and newer/),
  ]);
});
