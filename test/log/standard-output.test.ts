// Standard output that cannot be written loses lines and does nothing else.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, createReadStream, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { standardOutput } from '../../src/log.ts';

test('a full disk costs the lines and nothing else', async () => {
  const fd = openSync('/dev/full', 'w');
  const out = standardOutput(fd);
  for (let i = 0; i < 100; i++) out.write('a line\n');
  // Still answering: the loop turns, later lines are taken.
  await new Promise(setImmediate);
  expect(() => out.write('another\n')).not.toThrow();
  // Left open: a write under way must not meet another file under the same number.
});

test('a reader that is too slow loses lines, and is told how many', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'trunkline-log-')), 'pipe');
  execFileSync('mkfifo', [path]);
  // Open for both, so that it waits for no reader; the pipe is full after 64 KiB.
  const fd = openSync(path, constants.O_RDWR);
  const line = `${'x'.repeat(64 * 1024)}\n`;
  const out = standardOutput(fd, 16 * line.length);
  // The first is under way, sixteen wait, three are too many.
  for (let i = 0; i < 20; i++) out.write(line);
  let text = '';
  for await (const part of createReadStream(path, 'utf8')) {
    text += part as string;
    // With its last writer gone the pipe comes to its end.
    if (text.endsWith('log lines dropped"}\n')) closeSync(fd);
  }
  const lines = text.trimEnd().split('\n');
  expect(JSON.parse(lines.at(-1) as string)).toMatchObject({ level: 'warn', count: 3, msg: 'log lines dropped' });
  expect(lines).toHaveLength(1 + 16 + 1);
});

test('lines come out whole and in order', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'trunkline-log-')), 'out');
  writeFileSync(file, '');
  const fd = openSync(file, 'a');
  const out = standardOutput(fd);
  const lines = Array.from({ length: 500 }, (_, i) => `line ${i}\n`);
  for (const line of lines) out.write(line);
  await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toBe(lines.join('')));
  closeSync(fd);
});
