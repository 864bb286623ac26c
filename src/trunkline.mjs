#!/usr/bin/env node
// The door to every command. Plain JavaScript, so that an old Node can parse it and say in one sentence what it needs.

/** The first Node that runs our `.ts` files as they are and has `node:sqlite` without a flag. */
const NEEDED_MAJOR = 24;

const found = process.versions.node;
if (Number.parseInt(found, 10) < NEEDED_MAJOR) {
  // npm brings Node 24 as a locked package for exactly these two; elsewhere it has to be installed.
  const locked = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
  const cure = locked
    ? 'run "npm ci" and then "npx trunkline" or the npm scripts, which use the locked Node 24'
    : 'install Node 24 or newer';
  process.stderr.write(`Trunkline needs Node 24 or newer and this is Node ${found}: ${cure}.\n`);
  process.exitCode = 1;
} else {
  await import('./cli.ts');
}
