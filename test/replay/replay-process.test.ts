// `trunkline replay` as a process: a reader who leaves, and a signal that ends it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let dir: string;
let caller: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trunkline-replay-process-'));
  caller = join(dir, 'caller.yaml');
  // Long enough to hear the agent begin.
  await writeFile(caller, 'timeline:\n  - at: 1.5\n    hangup: true\n');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function replay(...args: string[]) {
  const env = { ...process.env, DATA_DIR: join(dir, 'data') };
  const child = spawn(process.execPath, ['src/trunkline.mjs', 'replay', caller, ...args], { cwd: ROOT, env });
  const ended = once(child, 'close').then(([code, signal]) => ({ code: code as number, signal: signal as unknown }));
  return { child, ended };
}

test('a reader who leaves after the first line ends no call', { timeout: 30_000 }, async () => {
  const junit = join(dir, 'left.xml');
  const { child, ended } = replay('--junit', junit);
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  await once(child.stdout, 'data');
  child.stdout.destroy();
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(errors).not.toContain('EPIPE');
  expect(await readFile(junit, 'utf8')).toContain('failures="0"');
});

test('SIGTERM hangs up, leaves a JUnit file that is not green, and the exit code 143', {
  timeout: 30_000,
}, async () => {
  const junit = join(dir, 'ended.xml');
  const { child, ended } = replay('--junit', junit, '--callers', '4', '--parallel', '1');
  await once(child.stdout, 'data');
  expect(await readFile(junit, 'utf8')).toContain('<failure message="it did not end">');
  child.kill('SIGTERM');
  expect(await ended).toEqual({ code: 143, signal: null });
  expect(await readFile(junit, 'utf8')).toContain('<failure message="it was given up (SIGTERM)">');
});

test('--junit /dev/stdout goes where the shell sends it, between what others write there', async () => {
  const path = join(dir, 'shell.txt');
  await using shell = await open(path, 'w', 0o644);
  await shell.write('before\n');
  const missing = join(dir, 'missing.wav');
  const args = ['src/trunkline.mjs', 'replay', missing, '--junit', '/dev/stdout'];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', shell.fd, 'ignore'] });
  expect(await once(child, 'close')).toEqual([1, null]);
  await shell.write('after\n');
  expect(await readFile(path, 'utf8')).toMatch(/^before\n<\?xml [^]*name="can be used"[^]*<\/testsuites>\nafter\n$/);
  expect((await stat(path)).mode & 0o777).toBe(0o644);
});
