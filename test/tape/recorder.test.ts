// The tape's way to the disk: private files, few writes, bounds, and faults that stay where they are.
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Onlooker } from '../../src/call/feed.ts';
import { createLogger } from '../../src/log.ts';
import { foldTape } from '../../src/replay/fold.ts';
import { VirtualClock } from '../../src/replay/virtual-clock.ts';
import { tapeRecorder, type TapeRecorderOptions } from '../../src/tape/recorder.ts';
import { parseTape } from '../../src/tape/tape.ts';
import { playWholeCall, StagedCall, stagedFacts } from './staged-call.ts';

const facts = stagedFacts();
const { atMs, callId } = facts.opening;

let dataDir: string;
let file: string;
let logged: string[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'trunkline-tape-'));
  file = join(dataDir, 'calls', callId, 'tape.jsonl');
  logged = [];
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const options = (more: Partial<TapeRecorderOptions> = {}): TapeRecorderOptions => ({
  dataDir,
  log: createLogger({ level: 'info', destination: { write: (line: string) => void logged.push(line) } }),
  ...more,
});
const recorder = (more: Partial<TapeRecorderOptions> = {}): Onlooker => tapeRecorder(options(more))(facts) as Onlooker;
const press = (o: Onlooker, ms: number): void =>
  o.input?.(atMs + ms, { from: 'call', event: { type: 'leg.digit_pressed', digit: '5' } });

/** What the file holds once `enough` is in it. */
async function written(enough: (text: string) => boolean): Promise<string> {
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (enough(text)) return text;
    await new Promise(setImmediate);
  }
}

test("writes a whole call that replays to the same decisions, for the owner's eyes only", async () => {
  const staged = new StagedCall(facts, [tapeRecorder(options())]);
  await playWholeCall(staged);
  await staged.call.closed;
  const tape = parseTape(readFileSync(file, 'utf8'));
  expect(tape).toMatchObject({
    complete: true,
    cutOff: false,
    header: { trunkline: expect.stringMatching(/^\d+\.\d+/) },
  });
  expect(foldTape(tape).report).toBeNull();
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(join(dataDir, 'calls', callId))).mode & 0o777).toBe(0o700);
  expect(logged).toEqual([]);
});

test('gathers lines and writes them when their time is over', async () => {
  const clock = new VirtualClock();
  const o = recorder({ clock, flushEveryMs: 250 });
  for (let i = 0; i < 20; i++) press(o, i);
  expect(clock.armed).toBe(1);
  clock.runTo(249);
  expect(statSync(file, { throwIfNoEntry: false })).toBeUndefined();
  clock.runTo(250);
  expect(parseTape(await written((text) => text !== '')).entries).toHaveLength(20);
  expect(clock.armed).toBe(0);
  press(o, 300);
  expect(clock.armed).toBe(1);
  await o.closed?.(atMs + 301);
  expect(clock.armed).toBe(0);
  expect(parseTape(readFileSync(file, 'utf8'))).toMatchObject({ complete: true });
});

test('writes at once when much has gathered', async () => {
  const clock = new VirtualClock();
  const o = recorder({ clock, flushAtBytes: 4_000 });
  for (let i = 0; i < 100; i++) press(o, i);
  // A write may be seen while it is half done.
  const text = await written((t) => t.length >= 4_000 && t.endsWith('\n'));
  expect(parseTape(text).cutOff).toBe(false);
  await o.closed?.(atMs + 100);
});

test('ends a tape at its bound with a line that says so', async () => {
  const why: string[] = [];
  const o = recorder({ maxBytes: 6_000, incomplete: (w) => why.push(w) });
  for (let i = 0; i < 1_000; i++) press(o, i);
  await o.closed?.(atMs + 1_000);
  const text = readFileSync(file, 'utf8');
  const tape = parseTape(text);
  expect(tape.entries.at(-1)).toMatchObject({ kind: 'stopped', why: 'size' });
  expect(tape.complete).toBe(false);
  expect(text.length).toBeLessThan(6_100);
  expect(why).toEqual(['size']);
});

test('logs a fault of the disk once and lets the call go on', async () => {
  const why: string[] = [];
  writeFileSync(join(dataDir, 'calls'), 'a file where the folder belongs');
  const o = recorder({ flushAtBytes: 1, incomplete: (w) => why.push(w) });
  for (let i = 0; i < 50; i++) {
    press(o, i);
    await new Promise(setImmediate);
  }
  await o.closed?.(atMs + 50);
  expect(why).toEqual(['failed']);
  expect(logged).toHaveLength(1);
  expect(JSON.parse(logged[0] as string)).toMatchObject({ msg: 'tape not written', callId, level: 'error' });
});

test('never writes over a tape that is there', async () => {
  mkdirSync(join(dataDir, 'calls', callId), { recursive: true });
  writeFileSync(file, 'an older tape');
  const o = recorder();
  press(o, 1);
  await o.closed?.(atMs + 2);
  expect(readFileSync(file, 'utf8')).toBe('an older tape');
  expect(logged).toHaveLength(1);
});

test('never writes outside the data folder', async () => {
  const o = tapeRecorder(options())({ ...facts, opening: { ...facts.opening, callId: '../../outside' } }) as Onlooker;
  await o.closed?.(atMs);
  expect(logged).toHaveLength(1);
  expect(statSync(join(dataDir, '..', 'outside'), { throwIfNoEntry: false })).toBeUndefined();
});

test('no line of a call lands on the tape of another, though they take turns with the same buffers', async () => {
  const make = tapeRecorder(options({ flushAtBytes: 512, flushEveryMs: 1 }));
  const calls = Array.from({ length: 30 }, (_, i) => ({ callId: `call-${i}`, recorder: null as unknown as Onlooker }));
  for (const call of calls)
    call.recorder = make({ ...facts, opening: { ...facts.opening, callId: call.callId } }) as Onlooker;
  const { on } = facts.opening;
  for (let n = 1; n <= 200; n++) {
    for (const [i, { callId, recorder: o }] of calls.entries()) {
      const chunk = { payload: 'AAAA', bytes: 3 };
      o.frame?.({ type: 'leg.audio', sequence: n, timestampMs: i, chunk, atMs: atMs + n, on });
      if (n % 7 === 0) o.sent?.(atMs + n, { said: `${callId} ${'ü'.repeat(n)}` });
    }
    // Some writes end meanwhile, and their buffers are taken by whoever comes next.
    if (n % 3 === 0) await new Promise(setImmediate);
  }
  await Promise.all(calls.map(async ({ recorder: o }) => o.closed?.(atMs + 201)));
  for (const [i, { callId }] of calls.entries()) {
    const { entries, complete } = parseTape(readFileSync(join(dataDir, 'calls', callId, 'tape.jsonl'), 'utf8'));
    expect(complete).toBe(true);
    const frames = entries.flatMap((e) => (e.kind === 'frame' ? [[e.sequence, e.timestampMs]] : []));
    expect(frames).toEqual(Array.from({ length: 200 }, (_, n) => [n + 1, i]));
    const said = entries.flatMap((e) => (e.kind === 'sent' ? [(e.message as { said: string }).said] : []));
    expect(said).toEqual(Array.from({ length: 28 }, (_, k) => `${callId} ${'ü'.repeat((k + 1) * 7)}`));
  }
});
