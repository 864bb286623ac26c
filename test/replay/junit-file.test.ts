// The file of `--junit`: what it may replace, what stands there before the end, and devices.
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, open, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { JunitFile } from '../../src/replay/junit-file.ts';
import { junitXml } from '../../src/replay/junit.ts';
import { unendedSuite } from '../../src/replay/replay-junit.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trunkline-junit-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const unended = unendedSuite('it did not end', 0);
const good = { name: 'a.wav', startedWallMs: 0, tookMs: 1, cases: [{ name: 'answered', tookMs: 1 }] };
const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

test.each([
  ['a recording', 'RIFF....WAVE'],
  ['a caller', 'timeline:\n  - hangup\n'],
  ['other XML', '<?xml version="1.0"?>\n<project/>\n'],
])('%s is never overwritten, through a link neither', async (what, content) => {
  const path = join(dir, what);
  await writeFile(path, content, { mode: 0o644 });
  await symlink(path, `${path} linked`);
  for (const name of [path, `${path} linked`])
    await expect(JunitFile.open(name, unended)).rejects.toThrow(`--junit ${name}: this file is no JUnit file`);
  expect(await readFile(path, 'utf8')).toBe(content);
  expect(await modeOf(path)).toBe(0o644);
});

test.each([
  ['nothing', null],
  ['an empty file', ''],
  ['a JUnit file of others', '<!-- made by x -->\n<testsuite name="x"/>'],
  ['an older one', junitXml([good])],
])('%s is replaced, at first by a failure', async (what, content) => {
  const path = join(dir, what, 'junit.xml');
  if (content !== null) {
    await mkdir(dirname(path));
    await writeFile(path, content);
    await chmod(path, 0o644);
  }
  const file = await JunitFile.open(path, unended);
  const atFirst = await readFile(path, 'utf8');
  expect(atFirst).toContain('tests="1" failures="1"');
  expect(atFirst).toContain('<failure message="it did not end">');
  await file.write([good]);
  expect(await readFile(path, 'utf8')).toBe(junitXml([good]));
  expect(await modeOf(path)).toBe(0o600);
});

test('a pipe, and a device such as /dev/stdout, get the end alone and keep their rights', async () => {
  const pipe = join(dir, 'pipe');
  execFileSync('mkfifo', ['-m', '644', pipe]);
  await using reader = await open(pipe, 'r+');
  await (await JunitFile.open(pipe, unended)).write([good]);
  const { buffer, bytesRead } = await reader.read();
  expect(buffer.toString('utf8', 0, bytesRead)).toBe(junitXml([good]));
  expect(await modeOf(pipe)).toBe(0o644);

  // As `--junit /dev/stdout > report.txt`.
  const report = join(dir, 'report.txt');
  await using shell = await open(report, 'w', 0o644);
  await shell.write('told before\n');
  await (await JunitFile.open(`/dev/fd/${shell.fd}`, unended)).write([good]);
  expect(await readFile(report, 'utf8')).toBe(`told before\n${junitXml([good])}`);
  expect(await modeOf(report)).toBe(0o644);
});
