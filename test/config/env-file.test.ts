// The file `.env`: what it adds to the environment, and that a file which cannot be read is never taken for none.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readEnvFile } from '../../src/env-file.ts';

const PROGRAM = fileURLToPath(new URL('../../src/trunkline.mjs', import.meta.url));

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trunkline-env-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const folder = (): Promise<string> => mkdtemp(join(root, 'cwd-'));

test('sets what the environment does not have; what it has, empty or not, wins', async () => {
  const path = join(await folder(), '.env');
  await writeFile(path, '# keys\nPORT=3001\nHOST="::1"\nLOG_LEVEL=debug # loud\nOPENAI_API_KEY=sk-file\n');
  const env: NodeJS.ProcessEnv = { PORT: '3002', OPENAI_API_KEY: '' };
  await readEnvFile(path, env);
  expect(env).toEqual({ PORT: '3002', HOST: '::1', LOG_LEVEL: 'debug', OPENAI_API_KEY: '' });
});

test('no file is no fault', async () => {
  const env = {};
  await readEnvFile(join(await folder(), '.env'), env);
  expect(env).toEqual({});
});

/** Root reads whatever its mode: a link in a circle is what root cannot read either, and what Node calls ENOENT. */
const UNREADABLE: [code: string, make: (path: string) => Promise<unknown>][] = [
  ['ELOOP', (path) => symlink(path, path)],
  ['EISDIR', (path) => mkdir(path)],
  ...(process.getuid?.() === 0
    ? []
    : ([['EACCES', (path) => writeFile(path, 'PORT=3001', { mode: 0 })]] satisfies typeof UNREADABLE)),
];

test.each(UNREADABLE)('a file that cannot be read stops every command: %s', async (code, make) => {
  const cwd = await folder();
  await make(join(cwd, '.env'));
  const { PATH = '' } = process.env;
  const run = promisify(execFile)(process.execPath, [PROGRAM, 'serve'], {
    cwd,
    env: { PATH, PORT: '0' },
    timeout: 15_000,
  });
  await expect(run).rejects.toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(new RegExp(`^\\.env cannot be read \\(${code}\\); .*environment\\n$`)),
  });
});
