// Standard output that cannot be written loses lines and does nothing else.
import { closeSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
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
