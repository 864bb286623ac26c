// The files that a commit would hold: tracked, or untracked and not ignored. Every rule over text reads them from here.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Repository root, with no slash at the end. */
export const ROOT = join(import.meta.dirname, '..');

/** Paths below the root, with forward slashes; files deleted but not yet committed are left out. */
export function treeFiles(root = ROOT): string[] {
  const git = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (git.status !== 0) throw new Error(`git ls-files failed: ${git.stderr || String(git.error)}`);
  return [...new Set(git.stdout.split('\0'))].filter((path) => path !== '' && existsSync(join(root, path))).sort();
}

/** The text of one file, or null when it is binary. */
export function textOf(path: string, root = ROOT): string | null {
  const bytes = readFileSync(join(root, path));
  return bytes.subarray(0, 8192).includes(0) ? null : bytes.toString('utf8');
}

const CODE = /\.(?:ts|tsx|mts|cts|js|mjs|cjs)$/;

/** Whether a path is code of ours (not a fixture) under one of the given top folders. */
export const isCode = (path: string, folders: readonly string[]): boolean =>
  CODE.test(path) && !path.startsWith('test/fixtures/') && folders.some((folder) => path.startsWith(`${folder}/`));
