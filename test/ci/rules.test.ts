// The other rules of `npm run check`: what each lets pass and what it stops.
import { describe, expect, test } from 'vitest';
import { focusedTests } from '../../.ci/focused-tests.ts';
import { lockfileFaults, npmrcFaults } from '../../.ci/lockfile.ts';
import { missingOpening, outsidePaths } from '../../.ci/text-rules.ts';

// Spelled in two halves: this file is read by the rule, too.
const BESIDE = ['..', 'sha' + 'red'];

describe('nothing outside the repository', () => {
  test.each([
    BESIDE.join('/'),
    `../${BESIDE.join('/')}/a.md`,
    `join(root, '${BESIDE.join("', '")}')`,
    `/work/${BESIDE[1]}`,
  ])('stops %s', (text) => {
    expect(outsidePaths('a.ts', `first\n${text}`)).toEqual([`a.ts:2: ${text}`]);
  });

  test.each(["'./shared/a.ts'", '[...shared]', "'...', shared", 'a shared buffer', '../sharedness'])(
    'lets %s pass',
    (text) => {
      expect(outsidePaths('a.ts', text)).toEqual([]);
    },
  );
});

test('a source file opens with a comment, after its shebang if it has one', () => {
  expect(missingOpening('a.ts', '// What it owns.\n')).toEqual([]);
  expect(missingOpening('a.mjs', '#!/usr/bin/env node\n// What it owns.\n')).toEqual([]);
  expect(missingOpening('a.ts', 'export {};\n// Too late.')).toHaveLength(1);
  expect(missingOpening('a.mjs', '#!/usr/bin/env node\nexport {};')).toHaveLength(1);
});

describe('tests that would not run', () => {
  test.each([
    ["test.only('a', f);", 1],
    ["describe.only.each([1])('a', f);", 1],
    ["it.concurrent.only('a', f);", 1],
    ["test.skip('a', f);", 1],
    ["test('a', (context) => { context.skip(); });", 1],
    ["test('a', ({ skip }) => { skip(); });", 1],
    ["test('a', (context) => { context.skip('needs a Redis'); });", 0],
    ["test('a', (context) => { context.skip(!redis, 'needs a Redis'); });", 0],
    ["reader.skip(4); const only = 1; // test.only('a')", 0],
  ])('%s', (source, faults) => {
    expect(focusedTests('a.test.ts', source)).toHaveLength(faults);
  });
});

describe('the lockfile', () => {
  const lock = (entry: object, root: object = {}) =>
    lockfileFaults(
      JSON.stringify({
        lockfileVersion: 3,
        packages: { '': root, 'node_modules/a': { integrity: 'sha512-x', ...entry } },
      }),
    );

  test('a hash and a version are enough, a homepage is no registry', () => {
    expect(lock({ version: '1.0.0', funding: { url: 'https://example.com' } })).toEqual([]);
  });

  test.each([
    [{ resolved: 'a.tgz' }],
    [{ hasInstallScript: true }],
    [{ integrity: undefined }],
    [{ version: 'git+ssh://git@example.com/a.git' }],
    [{ version: 'https://example.com/a.tgz' }],
    [{ optionalDependencies: { 'a-win32': '1.0.0' } }],
  ])('stops %j', (entry) => {
    expect(lock(entry)).toHaveLength(1);
  });

  test('finds a dependency as Node would, in any folder above its user', () => {
    const packages = {
      '': { dependencies: { a: '1' } },
      'node_modules/a': { integrity: 'x', dependencies: { b: '1', c: '1' } },
      'node_modules/a/node_modules/b': { integrity: 'x', dependencies: { c: '1' } },
      'node_modules/c': { integrity: 'x' },
    };
    expect(lockfileFaults(JSON.stringify({ lockfileVersion: 3, packages }))).toEqual([]);
    expect(lock({}, { dependencies: { b: '1' } })).toEqual([
      'package.json needs b, which is not locked: npm ci refuses to run',
    ]);
  });

  test('.npmrc names no registry, and a token in it is not printed', () => {
    expect(npmrcFaults('omit-lockfile-registry-resolved=true\n# registry=x')).toEqual([]);
    expect(npmrcFaults('//host/:_authToken=secret')).toEqual(['.npmrc: //host/:_authToken=…']);
  });
});
