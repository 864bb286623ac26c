// The search, byte by byte: nothing is missed where a file is read in parts, and no link leads it elsewhere.
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { personOf } from '../../src/privacy/person.ts';
import { search } from '../../src/privacy/search.ts';
import fc from '../support/fast-check.ts';

const NUMBER = '+15551234567';
const { marks } = personOf(NUMBER);
const CHUNK = 1024 * 1024;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkline-search-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a number is found wherever it lies in a file, also where one part of it ends and the next begins', async () => {
  const path = join(folder, 'file');
  const near = fc.oneof(
    fc.integer({ min: -30, max: 30 }).map((off) => CHUNK + off),
    fc.integer({ min: -30, max: 30 }).map((off) => 2 * CHUNK - 2048 + off),
    fc.integer({ min: 0, max: 3 * CHUNK - 40 }),
  );
  const around = fc.constantFrom('"', '+', 'x', '%2b');
  await fc.assert(
    fc.asyncProperty(near, around, fc.constantFrom('"', ' ', '\0'), async (at, before, behind) => {
      const bytes = Buffer.alloc(3 * CHUNK, 'a');
      bytes.write(before + NUMBER.slice(1) + behind, at, 'latin1');
      writeFileSync(path, bytes);
      expect((await search(folder, marks)).found).toEqual(['file']);
    }),
    { numRuns: 40 },
  );
});

test('a longer number is somebody else, also where a part ends inside of it', async () => {
  const path = join(folder, 'file');
  writeFileSync(path, Buffer.alloc(3 * CHUNK, 'a'));
  const file = openSync(path, 'r+');
  try {
    // Where parts end, and where those begin that are read a second time.
    for (let step = -60; step < 30; step++) {
      const shift = Math.floor(step / 2);
      // By what stands before it, and by what stands behind it.
      const longer = step % 2 === 0 ? `${NUMBER}9` : `+49${NUMBER.slice(1)}`;
      const places = [CHUNK, 2 * CHUNK, CHUNK - 2048, 2 * CHUNK - 2048].map((edge) => edge + shift);
      for (const at of places) writeSync(file, longer, at, 'latin1');
      expect((await search(folder, marks)).found, `${longer} ${shift}`).toEqual([]);
      for (const at of places) writeSync(file, 'a'.repeat(longer.length), at, 'latin1');
    }
  } finally {
    closeSync(file);
  }
});

test('every file is searched, sockets and links are not', async () => {
  mkdirSync(join(folder, 'a', 'b', 'c'), { recursive: true });
  writeFileSync(join(folder, 'a', 'b', 'c', 'deep'), NUMBER);
  writeFileSync(join(folder, 'a', 'empty'), '');
  const outside = mkdtempSync(join(tmpdir(), 'trunkline-outside-'));
  const server = createServer();
  try {
    writeFileSync(join(outside, 'file'), NUMBER);
    symlinkSync(outside, join(folder, 'link'));
    symlinkSync(join(outside, 'file'), join(folder, 'a', 'file-link'));
    await new Promise<void>((resolve) => server.listen(join(folder, 'a', 's.sock'), resolve));
    const { found, files, bytes, unseen } = await search(folder, marks);
    expect(found).toEqual([join('a', 'b', 'c', 'deep')]);
    expect([files, bytes]).toEqual([2, NUMBER.length]);
    const why = 'it is a link, which is not followed';
    expect(unseen.toSorted((a, b) => a.path.localeCompare(b.path))).toEqual([
      { path: join('a', 'file-link'), why },
      { path: 'link', why },
    ]);
  } finally {
    server.close();
    rmSync(outside, { recursive: true });
  }
});

test('in a database a number counts whatever stands around it', async () => {
  const path = join(folder, 'some.file');
  const db = new DatabaseSync(path);
  db.exec('pragma journal_mode = wal; create table t (a text, b text)');
  db.prepare('insert into t values (?, ?)').run('9', `${NUMBER.slice(1)}9`);
  // Still in its log only.
  const logged = await search(folder, marks);
  expect(logged).toMatchObject({ found: [], databases: ['some.file-wal'] });
  db.close();
  expect(await search(folder, marks)).toMatchObject({ found: [], databases: ['some.file'] });
  truncateSync(path, 0);
  expect(await search(folder, marks)).toMatchObject({ found: [], databases: [] });
});
