// Puts the neighbours' packages where their servers can run: one folder per set of exact versions, kept under .tmp/ so
// that the next run need not ask the registry again. Nothing of it reaches the product's own dependencies.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const CACHE = join(ROOT, '.tmp', 'neighbours');
/** A registry that answers slower than this is no registry for a bench. */
const INSTALL_WITHIN_MS = 120_000;
const NPM_FLAGS = [
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
  '--no-progress',
  '--no-update-notifier',
  '--fetch-retries=1',
  '--fetch-retry-mintimeout=1000',
  '--fetch-timeout=20000',
];

/** The folder whose `node_modules` holds these versions; throws with a few words when they cannot be had. */
export async function installed(name: string, dependencies: Record<string, string>): Promise<string> {
  const versions = JSON.stringify(dependencies);
  const folder = join(CACHE, `${name}-${createHash('sha256').update(versions).digest('hex').slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  mkdirSync(CACHE, { recursive: true });
  const making = mkdtempSync(join(CACHE, 'installing-'));
  try {
    writeFileSync(join(making, 'package.json'), JSON.stringify({ private: true, dependencies }));
    await npmInstall(making);
    // Complete or not there; somebody else's copy of the same versions is as good.
    if (!existsSync(folder)) renameSync(making, folder);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return folder;
}

function npmInstall(folder: string): Promise<void> {
  // The project's own Node first, which npm and the measured servers then run on.
  const env = { ...process.env, PATH: `${join(ROOT, 'node_modules', '.bin')}${delimiter}${process.env['PATH'] ?? ''}` };
  return new Promise((resolve, reject) => {
    const npm = spawn('npm', ['install', '--prefix', folder, ...NPM_FLAGS], {
      cwd: folder,
      env,
      timeout: INSTALL_WITHIN_MS,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    npm.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    npm.once('error', (error) => reject(new Error(`npm did not start: ${error.message}`)));
    npm.once('close', (status) => {
      if (status === 0) return resolve();
      if (status === null) return reject(new Error(`npm took longer than ${INSTALL_WITHIN_MS / 1_000} s`));
      // The code says what was wrong (ENOTFOUND, E404, …); the rest names hosts and folders.
      reject(new Error(`npm ended with ${/^npm (?:error|ERR!) code (\S+)/m.exec(said)?.[1] ?? status}`));
    });
  });
}
