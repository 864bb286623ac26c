// The commands around the server: the launcher's one sentence, what the README promises, how tests are counted, the image.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { countTests, failures, type Report } from '../../.ci/count-tests.ts';
import { dockerIgnore, execForm, parseDockerfile } from '../../.ci/dockerfile.ts';
import { testCommand } from '../../.ci/readme-command.ts';
import { ROOT } from '../../.ci/tree.ts';

const text = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('the launcher on a Node that is too old', () => {
  /** Starts it in a Node that says it is another one. */
  function launch(version: string, platform: string, arch = 'x64') {
    const fake = { versions: { node: version }, platform, arch };
    const lines = Object.entries(fake).map(
      ([name, value]) => `Object.defineProperty(process, '${name}', { value: ${JSON.stringify(value)} });`,
    );
    const args = [
      '--import',
      `data:text/javascript,${encodeURIComponent(lines.join(''))}`,
      join(ROOT, 'src/trunkline.mjs'),
    ];
    return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 15_000 });
  }

  test('on Linux points to the locked Node 24, in one line and with exit code 1', () => {
    const { status, stdout, stderr } = launch('20.19.2', 'linux');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toBe(
      'Trunkline needs Node 24 or newer and this is Node 20.19.2: ' +
        'run "npm ci" and then "npx trunkline" or the npm scripts, which use the locked Node 24.\n',
    );
  });

  test.each([
    ['darwin', 'arm64'],
    ['win32', 'x64'],
    ['linux', 'riscv64'],
  ])('on %s %s, where no Node is locked, asks to install one', (platform, arch) => {
    const { status, stderr } = launch('22.20.0', platform, arch);
    expect(status).toBe(1);
    expect(stderr).toBe('Trunkline needs Node 24 or newer and this is Node 22.20.0: install Node 24 or newer.\n');
  });
});

test('each npm script starts a file that exists or a locked tool', () => {
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
  expect(Object.keys(scripts)).toEqual(
    expect.arrayContaining(['start', 'dev', 'demo', 'replay', 'simulator', 'check', 'test', 'prove', 'format']),
  );
  for (const command of Object.values(scripts)) {
    // `exec` gives npm's signals to the server itself.
    const [tool = '', ...args] = command.replace(/^exec /, '').split(' ');
    expect(existsSync(join(ROOT, 'node_modules/.bin', tool)) || tool === 'node', command).toBe(true);
    const file = args.find((arg) => /\.(?:ts|mjs)$/.test(arg));
    if (tool === 'node') expect(existsSync(join(ROOT, file ?? '')), command).toBe(true);
  }
});

describe('the test command of the README', () => {
  test('is the first fenced line with npm test, without its install part, prompt and comment', () => {
    const readme = 'Run `npm test`.\n\n```sh\nnpm ci && npm run demo\n$ npm ci && npm test   # the whole suite\n```\n';
    expect(testCommand(readme)).toBe('npm test');
  });

  test('is null when no fence has one', () => {
    expect(testCommand('Run npm test.\n```\nnpm start\n```\n')).toBeNull();
  });
});

describe('counting tests', () => {
  const report = (...files: [status: string, tests: string[]][]): Report => ({
    testResults: files.map(([status, tests]) => ({ status, assertionResults: tests.map((s) => ({ status: s })) })),
  });

  test('skipped tests are neither passed nor failed', () => {
    expect(countTests(report(['passed', ['passed', 'passed', 'skipped', 'todo']]), 0)).toEqual({
      passed: 2,
      failed: 0,
    });
  });

  test('a file that does not load is one failure', () => {
    const files = report(['passed', ['passed']], ['failed', []], ['failed', ['failed', 'failed']]);
    expect(countTests(files, 1)).toEqual({ passed: 1, failed: 3 });
  });

  test('a bad exit code is a failure even when each test passed', () => {
    expect(countTests(report(['passed', ['passed']]), 1)).toEqual({ passed: 1, failed: 1 });
  });

  test('each failure is told in a line of its own: file, test and what was wrong', () => {
    const failed = {
      status: 'failed',
      fullName: 'a call ends',
      failureMessages: ['Error: late\n  at \u001b[31mx\u001b[39m'],
    };
    const files: Report = {
      testResults: [
        { name: '/root/test/a.test.ts', status: 'failed', assertionResults: [failed, { status: 'passed' }] },
        { name: '/root/test/b.test.ts', status: 'failed', message: 'no such\nmodule', assertionResults: [] },
        { name: '/root/test/c.test.ts', status: 'passed', assertionResults: [{ status: 'passed' }] },
      ],
    };
    expect(failures(files, '/root')).toEqual([
      'test/a.test.ts: a call ends: Error: late at x',
      'test/b.test.ts: no such module',
    ]);
  });

  test('running nothing is a failure', () => {
    expect(countTests(report(), 0)).toEqual({ passed: 0, failed: 1 });
    expect(countTests(report(['passed', ['skipped']]), 0)).toEqual({ passed: 0, failed: 1 });
  });
});

describe('the image', () => {
  test('takes what the server needs and nothing else', () => {
    const passes = dockerIgnore(text('.dockerignore'));
    const yes = [
      'package.json',
      'package-lock.json',
      '.npmrc',
      'src',
      'src/call/call.ts',
      'agents/a.yaml',
      'twiml/a.xml',
    ];
    const no = [
      '.env',
      '.git',
      '.git/config',
      'node_modules/a.js',
      'test/a.ts',
      'data/trunkline.db',
      '.ci/run',
      'README.md',
    ];
    expect(yes.filter((path) => !passes(path))).toEqual([]);
    expect(no.filter(passes)).toEqual([]);
  });

  test('installs without optional packages, runs as a numbered user, and stops on SIGTERM', () => {
    const stages = parseDockerfile(text('Dockerfile'));
    const final = stages.at(-1)?.instructions ?? [];
    const rest = (word: string) => final.find((instruction) => instruction.word === word)?.rest ?? '';
    expect(stages.map((stage) => stage.base)).toEqual(['node:24-slim', 'node:24-slim', 'node:24-slim']);
    expect(stages[1]?.instructions.map(({ rest: command }) => command)).toContain(
      'npm ci --omit=dev --omit=optional --ignore-scripts',
    );
    expect(rest('USER')).toMatch(/^[1-9]\d*:\d+$/);
    // The shell form would leave a shell as process 1, and SIGTERM would never reach the server.
    expect(execForm(rest('CMD'))).toEqual(['node', '--max-semi-space-size=16', 'src/trunkline.mjs', 'serve']);
    expect(execForm(rest('HEALTHCHECK').replace('CMD ', '')).join(' ')).toContain('/healthz');
  });

  test('reads continued lines, flags and stage names', () => {
    const [stage] = parseDockerfile('# c\nFROM a:1 AS one\nCOPY --from=zero --chmod=1 a \\\n  b\n');
    expect(stage).toEqual({
      name: 'one',
      base: 'a:1',
      instructions: [{ word: 'COPY', flags: { from: 'zero', chmod: '1' }, rest: 'a b', line: 3 }],
    });
  });
});
