// The way of facts to the local disk: together, checked, bounded, and through the faults of a disk.
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isAlive } from '../../src/store/alive.ts';
import type { StoreEvent } from '../../src/store/events.ts';
import { type Position, segmentPath } from '../../src/store/journal-folder.ts';
import { linesOf, parseRecord, printRecord } from '../../src/store/journal-record.ts';
import { Journal, type JournalOptions } from '../../src/store/journal.ts';
import type { SegmentFile } from '../../src/store/segment-file.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { callerSaid, charged, NODE } from './facts.ts';

let folder: string;
let dataDir: string;
let clock: FakeClock;
let told: { level: string; fields: object; message: string }[];
let journals: Journal[];
beforeEach(async () => {
  folder = dataDir = await mkdtemp(join(tmpdir(), 'trunkline-journal-'));
  clock = new FakeClock();
  told = [];
  journals = [];
});
afterEach(async () => {
  for (const journal of journals) {
    await journal.close();
    await journal.release();
  }
  await rm(folder, { recursive: true, force: true });
});

const fact = (n: number): StoreEvent => charged('c1', `r${n}`, n);

function start(given: Partial<JournalOptions> = {}): Journal {
  const journal = new Journal({
    dataDir,
    journal: NODE,
    clock,
    log: {
      warn: (fields, message) => told.push({ level: 'warn', fields, message }),
      error: (fields, message) => told.push({ level: 'error', fields, message }),
    },
    flushed() {},
    ...given,
  });
  journals.push(journal);
  return journal;
}

async function read(segment: number): Promise<(StoreEvent | null)[]> {
  return [...linesOf(await readFile(segmentPath(dataDir, NODE, segment)))].map(({ event }) => event);
}

/** A disk that can be broken; it counts what it is asked. */
class Disk {
  fault: string | null = null;
  /** How much of a write it takes before it fails. */
  takes = 0;
  readonly written: number[] = [];
  syncs = 0;
  content = Buffer.alloc(0);

  open = (): Promise<SegmentFile> =>
    Promise.resolve({
      write: (bytes, offset) => {
        const taken = this.fault === null ? bytes.length : this.takes;
        const grown = Buffer.alloc(Math.max(this.content.length, offset + taken));
        this.content.copy(grown);
        grown.set(bytes.subarray(0, taken), offset);
        this.content = grown;
        this.#mayFail();
        this.written.push(bytes.length);
        return Promise.resolve();
      },
      sync: () => {
        this.#mayFail();
        this.syncs += 1;
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    });

  #mayFail(): void {
    if (this.fault !== null) throw Object.assign(new Error('broken'), { code: this.fault });
  }
}

describe('a record', () => {
  test('is read as it was printed', () => {
    const event = callerSaid('c1', 0, 'línea\n"two" \u{1f600}');
    const line = printRecord(event);
    expect(line.endsWith('\n')).toBe(true);
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(parseRecord(Buffer.from(line.slice(0, -1)))).toEqual(event);
  });

  test('is refused with any bit of it flipped', () => {
    const line = Buffer.from(printRecord(fact(1)).slice(0, -1));
    let read = 0;
    for (let at = 0; at < line.length; at++) {
      const flipped = Buffer.from(line);
      flipped[at] = (flipped[at] as number) ^ 0x01;
      if (parseRecord(flipped) !== null) read += 1;
    }
    expect(read).toBe(0);
  });

  test('of a kind that this version does not know is refused', () => {
    const line = printRecord({ type: 'moon.rose', callId: 'c1' } as unknown as StoreEvent);
    expect(parseRecord(Buffer.from(line.slice(0, -1)))).toBeNull();
  });
});

describe('flushing', () => {
  test('writes what came in 150 ms with one write and one sync, as it was when it came', async () => {
    const disk = new Disk();
    const flushed = Promise.withResolvers<Position>();
    const journal = start({ openSegment: disk.open, flushed: flushed.resolve });
    const first = charged('c1', 'r1', 1);
    journal.append(first);
    first.line.source = 'changed afterwards';
    journal.append(fact(2));
    clock.advance(149);
    expect(journal.unflushed).toBe(2);
    clock.advance(1);
    expect((await flushed.promise).offset).toBe(disk.content.length);
    expect([disk.written.length, disk.syncs]).toEqual([1, 1]);
    expect([...linesOf(disk.content)].map(({ event }) => event)).toEqual([fact(1), fact(2)]);
    expect(journal.unflushed).toBe(0);
  });

  test('puts private files under the process, and tells others that it lives', async () => {
    const journal = start();
    expect(await isAlive(dataDir, NODE)).toBe(false);
    journal.append(fact(1));
    await journal.flushed();
    const { segment } = journal.end;
    expect(await read(segment)).toEqual([fact(1)]);
    expect((await stat(segmentPath(dataDir, NODE, segment))).mode & 0o777).toBe(0o600);
    expect((await stat(join(dataDir, 'journal'))).mode & 0o777).toBe(0o700);
    expect(await isAlive(dataDir, NODE)).toBe(true);
    await journal.close();
    await journal.release();
    expect(await isAlive(dataDir, NODE)).toBe(false);
    expect(await readdir(join(dataDir, 'journal'))).toEqual([NODE]);
  });

  test('leaves nothing on the disk as long as nothing comes', async () => {
    const journal = start();
    await journal.flushed();
    expect(await readdir(dataDir)).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('goes on in another segment where one is large', async () => {
    const journal = start({ bounds: { segmentBytes: 1_000 } });
    const first = journal.end.segment;
    for (let n = 0; n < 9; n++) {
      journal.append(fact(n));
      await journal.flushed();
    }
    expect(journal.end.segment).toBeGreaterThan(first);
    const events: (StoreEvent | null)[] = [];
    for (let segment = first; segment <= journal.end.segment; segment++)
      events.push(...(await read(segment).catch(() => [])));
    expect(events).toEqual(Array.from({ length: 9 }, (_, n) => fact(n)));
  });

  test('closes the segment of a busy server after a minute', async () => {
    const journal = start();
    const { segment } = journal.end;
    for (let n = 0; n < 3; n++) {
      journal.append(fact(n));
      await journal.flushed();
      clock.advance(30_000);
    }
    expect(journal.end).toEqual({ segment: segment + 1, offset: 0 });
    expect(await read(segment)).toEqual([fact(0), fact(1), fact(2)]);
  });

  test('closes the segment when all of it is in the database and nothing comes for three seconds', async () => {
    const positions: Position[] = [];
    const journal = start({ flushed: (upTo) => positions.push(upTo) });
    journal.append(fact(1));
    const upTo = await journal.flushed();
    clock.advance(10_000);
    expect(positions).toEqual([upTo]);
    journal.taken(upTo);
    clock.advance(2_999);
    expect(positions).toEqual([upTo]);
    clock.advance(1);
    expect(positions).toEqual([upTo, { segment: upTo.segment + 1, offset: 0 }]);
  });

  test('tells how old the oldest fact is that the database has not', async () => {
    const journal = start();
    expect([journal.lagMs, journal.bytes]).toEqual([0, 0]);
    journal.append(fact(1));
    clock.advance(100);
    const first = await journal.flushed();
    clock.advance(400);
    journal.append(fact(2));
    const second = await journal.flushed();
    expect([journal.lagMs, journal.bytes]).toEqual([500, second.offset]);
    journal.taken(first);
    expect([journal.lagMs, journal.bytes]).toEqual([0, second.offset - first.offset]);
    journal.taken(second);
    expect([journal.lagMs, journal.bytes]).toEqual([0, 0]);
  });
});

describe('a full disk', () => {
  test('keeps facts in memory, says why, and writes them all once there is room', async () => {
    const disk = new Disk();
    const journal = start({ openSegment: disk.open });
    journal.append(fact(1));
    await journal.flushed();
    disk.fault = 'ENOSPC';
    disk.takes = 30;
    journal.append(fact(2));
    journal.append(fact(3));
    const flushed = journal.flushed();
    await expect.poll(() => journal.full).toBe('the journal cannot be written (ENOSPC)');
    journal.append(fact(4));
    clock.advance(150);
    expect([journal.unflushed, journal.lost]).toEqual([3, 0]);
    disk.fault = null;
    const untilWritten = setInterval(() => clock.advance(150), 1);
    await flushed;
    await journal.flushed();
    clearInterval(untilWritten);
    expect([...linesOf(disk.content)].map(({ event }) => event)).toEqual([fact(1), fact(2), fact(3), fact(4)]);
    expect([journal.full, journal.unflushed, journal.lost]).toEqual([null, 0, 0]);
    expect(told.map(({ message }) => message)).toEqual([
      'the journal cannot be written: facts wait in memory',
      'the journal is written again',
    ]);
  });

  test('loses facts only beyond the bound of memory, counts them, and says so once', async () => {
    const disk = new Disk();
    disk.fault = 'EIO';
    const journal = start({ openSegment: disk.open, bounds: { memoryBytes: 2_000 } });
    for (let n = 0; n < 50; n++) journal.append(fact(n));
    const kept = journal.unflushed;
    expect(kept).toBeGreaterThan(2);
    expect(journal.lost).toBe(50 - kept);
    expect(told.filter(({ message }) => message.startsWith('facts are lost')).length).toBe(1);
    disk.fault = null;
    await journal.flushed();
    expect([...linesOf(disk.content)].map(({ event }) => event)).toEqual(
      Array.from({ length: kept }, (_, n) => fact(n)),
    );
    journal.append(fact(99));
    await journal.flushed();
    expect([...linesOf(disk.content)].at(-1)?.event).toEqual(fact(99));
  });
});

describe('the bound of the journal', () => {
  test('keeps facts in memory until the database has taken in enough', async () => {
    const journal = start({ bounds: { journalBytes: 1_500, segmentBytes: 500 } });
    for (let n = 0; n < 12; n++) journal.append(fact(n));
    // The bound is looked at before each write.
    await journal.flushed();
    journal.append(fact(12));
    const flushed = journal.flushed();
    await expect.poll(() => journal.full).toBe('the journal has reached its bound of 0 MiB');
    expect(journal.unflushed).toBe(1);
    journal.taken(journal.end);
    const untilWritten = setInterval(() => clock.advance(150), 1);
    await flushed;
    clearInterval(untilWritten);
    expect([journal.full, journal.unflushed, journal.lost]).toEqual([null, 0, 0]);
  });

  test('counts what dead processes left', async () => {
    const journal = start({ bounds: { journalBytes: 1_500 } });
    journal.left(1_500);
    journal.append(fact(1));
    const flushed = journal.flushed();
    await expect.poll(() => journal.full).toContain('reached its bound');
    journal.left(0);
    const untilWritten = setInterval(() => clock.advance(150), 1);
    await flushed;
    clearInterval(untilWritten);
    expect(journal.full).toBeNull();
  });
});

test('what the disk did not take at the end is counted and told', async () => {
  const disk = new Disk();
  disk.fault = 'ENOSPC';
  const journal = start({ openSegment: disk.open });
  for (let n = 0; n < 3; n++) journal.append(fact(n));
  await journal.close();
  expect(journal.lost).toBe(3);
  expect(told.at(-1)).toMatchObject({ level: 'error', fields: { lost: 3 } });
});

test('where there can be no socket, the number of the process tells that it lives', async () => {
  dataDir = join(dataDir, 'a'.repeat(100), 'b'.repeat(100));
  await mkdir(dataDir, { recursive: true });
  const journal = start();
  journal.append(fact(1));
  await journal.flushed();
  expect(await readdir(join(dataDir, 'journal'))).toEqual([NODE, `${NODE}.pid`]);
  expect(await isAlive(dataDir, NODE)).toBe(true);
  await journal.close();
  await journal.release();
  expect(await isAlive(dataDir, NODE)).toBe(false);
});

test('what comes after the end is counted as lost', async () => {
  const journal = start();
  journal.append(fact(1));
  await journal.close();
  expect(await read(journal.end.segment - 1)).toEqual([fact(1)]);
  journal.append(fact(2));
  expect(journal.lost).toBe(1);
});
