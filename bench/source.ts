// Which tree was measured: the commit, and where the tree differs from it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

/** The commit, and the top folders with changes that are not in it. Documents do not make the measured code another one. */
export function measuredTree(): { commit: string; changed: string[] } {
  const git = (...args: string[]): string =>
    spawnSync('git', args, { cwd: ROOT, encoding: 'utf8', timeout: 10_000 }).stdout?.trimEnd() ?? '';
  const lines = git('status', '--porcelain', '--untracked-files=all', '--', '.', ':!docs').split('\n').filter(Boolean);
  const changed = [...new Set(lines.map((line) => line.slice(3).split('/')[0] ?? ''))].sort();
  return { commit: git('rev-parse', 'HEAD') || 'unknown', changed };
}
