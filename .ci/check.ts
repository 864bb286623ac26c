// `npm run check`: everything that can be said about the tree without running it. One line per rule, details below it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { focusedTests } from './focused-tests.ts';
import { refusedImports } from './import-directions.ts';
import { lockfileFaults, npmrcFaults } from './lockfile.ts';
import { missingOpening, outsidePaths } from './text-rules.ts';
import { isCode, ROOT, textOf, treeFiles } from './tree.ts';

const CODE_FOLDERS = ['src', 'agents', 'test', '.ci', 'bench'].filter((folder) => existsSync(join(ROOT, folder)));
/** No tool takes longer than a few seconds; one that hangs must not hang the pipeline. */
const TOOL_DEADLINE_MS = 120_000;

const paths = treeFiles();
const code = new Map(paths.filter((path) => isCode(path, CODE_FOLDERS)).map((path) => [path, textOf(path) ?? '']));
const inFolder = (folder: string) => [...code].filter(([path]) => path.startsWith(`${folder}/`));

/** A rule of this check: its faults, one per line; none means that it holds. */
type Rule = [name: string, faults: () => Promise<string[]> | string[]];

const RULES: Rule[] = [
  ['tsc', () => tool('tsc', ['--noEmit', '--pretty', 'false'])],
  // Its own project: a folder that starts with a dot, named alone in `include`, is silently left out by tsc.
  ['tsc (.ci)', () => tool('tsc', ['--noEmit', '--pretty', 'false', '--project', '.ci'])],
  // What runs in a browser: other globals, and JSX.
  ['tsc (src/page)', () => tool('tsc', ['--noEmit', '--pretty', 'false', '--project', 'src/page'])],
  ['oxlint --type-aware', () => tool('oxlint', ['--type-aware', '--deny-warnings', '--format=unix', ...CODE_FOLDERS])],
  ['biome format', () => tool('biome', ['format', '--max-diagnostics=50', '.'])],
  ['import directions', () => refusedImports(new Map(inFolder('src')))],
  ['nothing outside the repository', () => paths.flatMap((path) => outsidePaths(path, textOf(path) ?? ''))],
  ['lockfile', () => [...lockfileFaults(textOf('package-lock.json') ?? ''), ...npmrcFaults(textOf('.npmrc') ?? '')]],
  [
    'opening comments',
    () => [...code].flatMap(([path, text]) => (path.startsWith('test/') ? [] : missingOpening(path, text))),
  ],
  [
    'no focused or unexplained skipped tests',
    () => inFolder('test').flatMap(([path, text]) => focusedTests(path, text)),
  ],
];

// Started together: the tools spend their time in processes of their own.
const results = await Promise.all(RULES.map(async ([name, faults]) => ({ name, faults: await settle(faults) })));
for (const { name, faults } of results) {
  console.log(`${faults.length === 0 ? 'ok    ' : 'FAILED'} ${name}`);
  for (const fault of faults) console.log(fault.replace(/^/gm, '         '));
}
process.exitCode = results.every(({ faults }) => faults.length === 0) ? 0 : 1;

/** A rule that throws (a file that does not parse, git that is missing) has failed, and the others still speak. */
async function settle(faults: Rule[1]): Promise<string[]> {
  try {
    return await faults();
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** Runs a locked tool; its whole output is the fault when it ends with anything but 0. */
function tool(name: string, args: string[]): Promise<string[]> {
  const bin = join(ROOT, 'node_modules', '.bin');
  // Node 24 first in PATH, also when the check was not started by npm.
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`, NO_COLOR: '1' };
  return new Promise((resolve) => {
    const child = spawn(join(bin, name), args, {
      cwd: ROOT,
      env,
      timeout: TOOL_DEADLINE_MS,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', (error) => resolve([error.message]));
    child.on('close', (status, signal) =>
      resolve(status === 0 ? [] : [output.trim() || `ended with ${signal ?? String(status)} and said nothing`]),
    );
  });
}
