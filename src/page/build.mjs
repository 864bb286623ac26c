#!/usr/bin/env node
// Builds the operators' page into dist/page. Plain JavaScript, because npm runs it after every install, on whatever Node it
// finds and whether or not Vite was installed. With --if-possible what cannot be built here is said in one line and is no
// failure; a build that fails always is one.

import { access, constants, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants as zlib, gzip } from 'node:zlib';

const SOURCE = dirname(fileURLToPath(import.meta.url));
const DIST = join(SOURCE, '../../dist');
const OUT = join(DIST, 'page');

/** All scripts of the page together, before compression. */
const MOST_SCRIPT_BYTES = 300_000;
/** Files of an earlier build stay so long: pages that are open still ask for them. */
const KEEP_EARLIER_MS = 24 * 3_600_000;
/** A folder in which a build was cut short. */
const ABANDONED_MS = 3_600_000;

/** Worth a compressed neighbour, which the server gives to whoever takes it. */
const COMPRESSED = /\.(?:js|css|svg)$/;

class NotPossible extends Error {}

/** Vite, or a sentence on why there is none. */
async function loadVite() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (!(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)))
    throw new NotPossible(`Vite needs Node 20.19 or 22.12 and newer, and this is ${process.version}`);
  try {
    import.meta.resolve('vite');
    return await import('vite');
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new NotPossible('Vite is not installed (devDependencies were left out)');
  }
}

/** An empty folder beside the result, so that its files can be renamed into place. */
async function makeFolder() {
  try {
    await mkdir(join(OUT, 'assets'), { recursive: true });
    await access(OUT, constants.W_OK);
    await access(join(OUT, 'assets'), constants.W_OK);
    return await mkdtemp(join(DIST, '.page-'));
  } catch (error) {
    throw new NotPossible(`${error.path ?? DIST} cannot be written (${error.code})`);
  }
}

/** @param {string} folder where the files go */
async function build(folder) {
  const { build: viteBuild } = await loadVite();
  await viteBuild({
    configFile: false,
    root: SOURCE,
    base: '/',
    publicDir: 'public',
    logLevel: 'warn',
    // `mode` and not the environment decides: a NODE_ENV of development would ship Preact's checks.
    mode: 'production',
    define: { 'process.env.NODE_ENV': '"production"' },
    envDir: false,
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    worker: { format: 'es' },
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2022',
      sourcemap: false,
      manifest: false,
      // Nothing as a data: address: the content security policy takes scripts from this server only.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
  });
}

const filesBelow = async (folder) =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();

/** Writes the compressed neighbours, prints what was made, and refuses a page that has grown too large. */
async function compressAndWeigh(folder) {
  let scriptBytes = 0;
  for (const name of await filesBelow(folder)) {
    const bytes = await readFile(join(folder, name));
    if (name.endsWith('.js')) scriptBytes += bytes.length;
    let packed = '';
    if (COMPRESSED.test(name)) {
      const [br, gz] = await Promise.all([
        promisify(brotliCompress)(bytes, { params: { [zlib.BROTLI_PARAM_QUALITY]: 11 } }),
        promisify(gzip)(bytes, { level: 9 }),
      ]);
      await writeFile(join(folder, `${name}.br`), br);
      await writeFile(join(folder, `${name}.gz`), gz);
      packed = kB(br.length);
    }
    console.log(`${name.padEnd(44)} ${kB(bytes.length)} ${packed}`);
  }
  const sum = `scripts together ${kB(scriptBytes).trim()} of ${kB(MOST_SCRIPT_BYTES).trim()}`;
  if (scriptBytes >= MOST_SCRIPT_BYTES) throw new Error(`the page is too large: ${sum}, before compression`);
  console.log(sum);
}

const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(10);

/**
 * Puts the new files into place one by one, the document last: a server that serves meanwhile always has a whole page. Names
 * of assets hold a hash, so those of two builds do not meet.
 */
async function putInPlace(folder) {
  const made = await filesBelow(folder);
  for (const name of made.filter((one) => one !== 'index.html')) {
    await mkdir(dirname(join(OUT, name)), { recursive: true });
    await rename(join(folder, name), join(OUT, name));
  }
  await rename(join(folder, 'index.html'), join(OUT, 'index.html'));
  const isMade = new Set(made);
  for (const name of await filesBelow(OUT)) if (!isMade.has(name)) await removeOlder(join(OUT, name), KEEP_EARLIER_MS);
  for (const name of await readdir(DIST))
    if (name.startsWith('.page-')) await removeOlder(join(DIST, name), ABANDONED_MS);
}

async function removeOlder(path, ms) {
  // Another build may have been here first.
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
  if (Date.now() - mtimeMs > ms) await rm(path, { recursive: true, force: true });
}

async function main() {
  await access(join(SOURCE, 'index.html')).catch(() => {
    throw new NotPossible('its sources are not here');
  });
  await loadVite();
  const startMs = performance.now();
  const folder = await makeFolder();
  try {
    await build(folder);
    await compressAndWeigh(folder);
    await putInPlace(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  console.log(`page built in ${Math.round(performance.now() - startMs)} ms`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof NotPossible)) throw error;
  console.log(`The operators' page was not built: ${error.message}.`);
  if (!process.argv.includes('--if-possible')) process.exitCode = 1;
}
