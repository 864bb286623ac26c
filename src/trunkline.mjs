#!/usr/bin/env node
// The door to every command. Plain JavaScript, so that an old Node can parse it and say in one sentence what it needs.

import { fileURLToPath } from 'node:url';

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
  // 400 files of TypeScript are stripped and compiled once, not at every start; where nothing can be written it is done anew.
  const { enableCompileCache, flushCompileCache } = await import('node:module');
  const cache = fileURLToPath(new URL('../node_modules/.cache/trunkline', import.meta.url));
  enableCompileCache(cache);
  // For the threads: each has a cache of its own, which it is told of by its environment alone.
  process.env['NODE_COMPILE_CACHE'] ??= cache;
  // It is written when a process ends by itself, and one that serves for months seldom does.
  setTimeout(flushCompileCache, 5_000).unref();
  await import('./cli.ts');
}
