// The retention at its boundaries, with everything that can come between: crashes, folders that will not go, links, live calls.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CallFiles } from '../../src/privacy/call-files.ts';
import type { RetentionReport } from '../../src/privacy/report.ts';
import { type RetentionRun, runRetention } from '../../src/privacy/retention.ts';
import type { CallRecord } from '../../src/record/call-record.ts';
import type { Store } from '../../src/store/store.ts';
import { ADMITTED_MS, DAY_MS, FOR_EVER, KeptFolder } from './kept.ts';

let kept: KeptFolder;
beforeEach(async () => {
  kept = await KeptFolder.make();
});
afterEach(() => kept.remove());

const ANNA = '+15551230001';
const THREE_DAYS = { audioDays: 1, textDays: 2, metadataDays: 3 };

const run = (nowWallMs: number, more: Partial<RetentionRun> = {}): Promise<RetentionReport> =>
  runRetention({
    ...{ files: kept.files, entries: kept.entries, store: kept.store, nowWallMs },
    ...{ agents: [{ retention: FOR_EVER }], strangers: true },
    ...more,
  });

const has = (...path: string[]): boolean => existsSync(kept.path(...path));
const after = (days: number): number => ADMITTED_MS + days * DAY_MS;

test('each part goes on its day, not a millisecond earlier', async () => {
  await kept.keep({ callId: 'one', from: ANNA, retention: THREE_DAYS });
  const whole = kept.snapshot();

  await run(after(1) - 1);
  expect(kept.snapshot()).toEqual(whole);

  const audio = await run(after(1));
  expect(audio).toMatchObject({ calls: { audio: 1, text: 0, metadata: 0 }, files: 1, failures: [] });
  whole.delete(kept.path('calls', 'one', 'audio.wav'));
  expect(kept.snapshot()).toEqual(whole);

  await run(after(2) - 1);
  expect(kept.snapshot()).toEqual(whole);
  expect(await kept.rows('turns')).toContain('where is my order');

  const text = await run(after(2));
  expect(text).toMatchObject({ calls: { audio: 0, text: 1, metadata: 0 }, turns: 2, tools: 1 });
  expect(has('calls', 'one', 'tape.jsonl')).toBe(false);

  await run(after(3) - 1);
  expect(has('calls', 'one', 'record.json')).toBe(true);
  expect(await kept.rows('calls', 'one')).toContain(ANNA);

  const metadata = await run(after(3));
  expect(metadata).toMatchObject({ calls: { audio: 0, text: 0, metadata: 1 } });
  expect([has('calls', 'one'), existsSync(kept.entryPath('one'))]).toEqual([false, false]);
  expect(kept.snapshot().size).toBe(0);
  expect(JSON.parse(await kept.rows('turns'))).toEqual([]);
  expect(JSON.parse(await kept.rows('tools'))).toEqual([]);
});

test('without words a record and its rows still tell how the call went', async () => {
  await kept.keep({ callId: 'one', from: ANNA, retention: { ...THREE_DAYS, textDays: 0 } });
  await run(after(0.5));
  const record = JSON.parse(readFileSync(kept.path('calls', 'one', 'record.json'), 'utf8')) as CallRecord;
  expect(record).toMatchObject({ from: { value: ANNA }, keysPressed: 2, sipHeaders: {} });
  expect(record.turns).toMatchObject([
    { who: 'caller', turn: 'item_1', speechStartAtMs: 1_000, transcript: null },
    { who: 'agent', outcome: 'interrupted', heardMs: 500, text: '', heardText: '', unheardText: '' },
  ]);
  expect(record.tools).toMatchObject([{ name: 'find_order', status: 'ok', arguments: '', output: null }]);
  const rows = (await kept.rows('turns')) + (await kept.rows('tools')) + JSON.stringify(record);
  for (const word of ['order', 'left', 'Monday', '4711', 'secret-account'])
    expect(rows.replaceAll('find_order', ''), word).not.toContain(word);
  expect(rows).toContain('\\"heardMs\\":500');
});

test('what is kept for ever stays', async () => {
  await kept.keep({ callId: 'one', from: ANNA });
  const whole = kept.snapshot();
  const report = await run(after(36_500));
  expect(report).toMatchObject({ calls: { audio: 0, text: 0, metadata: 0 }, files: 0 });
  expect(kept.snapshot()).toEqual(whole);
  expect(JSON.parse(await kept.rows('audit'))).toEqual([]);
});

test('the books add up as before: lines, calls and times stay, without a person', async () => {
  await kept.keep({ callId: 'one', from: ANNA, retention: THREE_DAYS });
  await kept.keep({ callId: 'two', from: '+15551230002' });
  const lines = await kept.rows('lines');
  const question = { from: '2026-01-01', to: '2026-01-31', by: 'agent' } as const;
  const costs = await kept.store.ask('readCosts', question);
  await run(after(400));
  expect(await kept.rows('lines')).toBe(lines);
  expect(await kept.store.ask('readCosts', question)).toEqual(costs);
  expect(JSON.parse(await kept.rows('calls', 'one'))).toEqual([
    expect.objectContaining({
      ...{ call_id: 'one', agent: 'clinic', day: '2026-01-01', ended_ms: ADMITTED_MS + 60_000 },
      ...{ from_value: null, to_value: null, carrier_call_id: '', attestation: null, detail: null },
      ...{ audio_until_ms: null, text_until_ms: null, metadata_until_ms: null },
    }),
  ]);
  expect(kept.filesWith(ANNA)).not.toContainEqual(expect.stringMatching(/^calls|^entries/));
});

test('a live call is never touched, nor one that ended a moment ago', async () => {
  const soon = { ...FOR_EVER, audioDays: 0, textDays: 0 };
  const now = after(10);
  await kept.keep({ callId: 'live', from: ANNA, admittedMs: now - 4 * 3_600_000, endedMs: null, retention: soon });
  await kept.keep({ callId: 'over', from: ANNA, admittedMs: now - 3_600_000, endedMs: now - 599_999, retention: soon });
  const whole = kept.snapshot();
  await run(now);
  expect(kept.snapshot()).toEqual(whole);
  await run(now + 1);
  expect([has('calls', 'over', 'tape.jsonl'), has('calls', 'live', 'tape.jsonl')]).toEqual([false, true]);
});

test('a call whose process died is over when nobody can be talking any more', async () => {
  const now = after(10);
  const died = { from: ANNA, endedMs: null, retention: { ...FOR_EVER, audioDays: 0 } };
  await kept.keep({ callId: 'died', admittedMs: now - 5 * 3_600_000, ...died });
  await kept.keep({ callId: 'maybe', admittedMs: now - 5 * 3_600_000 + 1, ...died });
  await run(now);
  expect([has('calls', 'died', 'audio.wav'), has('calls', 'maybe', 'audio.wav')]).toEqual([false, true]);
});

test('a run that was broken off is finished by the next one', async () => {
  for (const callId of ['one', 'two', 'three']) await kept.keep({ callId, from: ANNA, retention: THREE_DAYS });
  const ask: Store['ask'] = (name, question) =>
    name === 'removeKept' ? Promise.reject(new Error('killed')) : kept.store.ask(name, question);
  // The files are gone, the rows are not: as after kill -9 in between.
  await expect(run(after(3), { store: { ask } })).rejects.toThrow('killed');
  expect(has('calls', 'one')).toBe(false);
  expect(await kept.rows('calls')).toContain(ANNA);
  await run(after(3));
  expect(await kept.rows('calls')).not.toContain(ANNA);
  expect(kept.snapshot().size).toBe(0);
});

test('a run that is given up ends after the call at hand', async () => {
  for (const callId of ['one', 'two', 'three']) await kept.keep({ callId, from: ANNA, retention: THREE_DAYS });
  const stop = new AbortController();
  const files = new CallFiles(kept.dataDir, async (path) => {
    rmSync(path, { recursive: true });
    stop.abort();
  });
  const report = await run(after(3), { files, signal: stop.signal });
  expect(report.calls).toEqual({ metadata: 1, text: 0, audio: 0 });
  await run(after(3));
  expect(kept.snapshot().size).toBe(0);
});

test('a folder that cannot be removed is told and tried again, and does not hold up the others', async () => {
  for (const callId of ['one', 'two', 'three']) await kept.keep({ callId, from: ANNA, retention: THREE_DAYS });
  const files = new CallFiles(kept.dataDir, async (path) => {
    if (path.endsWith('two')) throw Object.assign(new Error(`EACCES: ${path}`), { code: 'EACCES' });
    rmSync(path, { recursive: true });
  });
  const report = await run(after(3), { files });
  expect(report.failures).toEqual([{ callId: 'two', why: 'EACCES' }]);
  expect(report.calls.metadata).toBe(2);
  expect([has('calls', 'one'), has('calls', 'two'), has('calls', 'three')]).toEqual([false, true, false]);
  expect(await kept.rows('calls', 'two')).toContain(ANNA);
  expect(await kept.rows('audit')).toContain('1 not removed');
  expect((await run(after(3))).calls.metadata).toBe(1);
  expect(has('calls', 'two')).toBe(false);
});

test('two runs at once do no harm', async () => {
  const calls = Array.from({ length: 12 }, (_, i) => ({ callId: `call-${i}`, from: ANNA, retention: THREE_DAYS }));
  await kept.keep(...calls);
  const reports = await Promise.all([run(after(2)), run(after(2)), run(after(3))]);
  expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
  await run(after(3));
  expect(kept.snapshot().size).toBe(0);
  expect(await kept.rows('calls')).not.toContain(ANNA);
});

test('many calls are asked for a few at a time', async () => {
  const told = { from: ANNA, retention: THREE_DAYS, inFiles: false };
  await kept.keep(...Array.from({ length: 120 }, (_, i) => ({ callId: `call-${i}`, ...told })));
  const batches: number[] = [];
  const ask = (async (name: never, question: { callIds: string[] }) => {
    if (name === 'removeKept') batches.push(question.callIds.length);
    return kept.store.ask(name, question as never);
  }) as unknown as Store['ask'];
  expect(await run(after(3), { store: { ask } })).toMatchObject({ calls: { metadata: 120 }, more: false });
  expect(batches).toEqual([50, 50, 20]);
});

test('links are not followed', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'trunkline-outside-'));
  try {
    for (const name of ['audio.wav', 'tape.jsonl', 'record.json']) writeFileSync(join(outside, name), '{"not":"ours"}');
    await kept.keep({ callId: 'linked', from: ANNA, retention: THREE_DAYS, inFiles: false });
    await kept.keep({ callId: 'inside', from: ANNA, retention: THREE_DAYS, inFiles: false });
    mkdirSync(kept.path('calls', 'inside'), { recursive: true });
    symlinkSync(outside, kept.path('calls', 'linked'));
    for (const name of ['audio.wav', 'tape.jsonl', 'record.json'])
      symlinkSync(join(outside, name), kept.path('calls', 'inside', name));
    const text = await run(after(2));
    expect(text.failures).toEqual([{ callId: 'linked', why: 'it is a link, which is not followed' }]);
    // The links themselves went with the words.
    expect(readdirSync(kept.path('calls', 'inside'))).toEqual([]);
    expect((await run(after(3))).failures).toHaveLength(1);
    expect(has('calls', 'inside')).toBe(false);
    for (const name of ['audio.wav', 'tape.jsonl', 'record.json'])
      expect(readFileSync(join(outside, name), 'utf8')).toBe('{"not":"ours"}');
  } finally {
    rmSync(outside, { recursive: true });
  }
});

test('no id of a call leads out of the folder', async () => {
  await kept.put('precious/audio.wav', 'not ours');
  await kept.keep({ callId: '../precious', from: ANNA, retention: THREE_DAYS, inFiles: false });
  expect((await run(after(3))).failures).toEqual([]);
  expect(has('precious', 'audio.wav')).toBe(true);
});

test('a record that cannot be taken apart goes with its words', async () => {
  const texts = { torn: '{"from":{"value":"+1555', none: 'null', large: JSON.stringify({ x: 'y'.repeat(1_100_000) }) };
  for (const [callId, text] of Object.entries(texts)) {
    await kept.keep({ callId, from: ANNA, retention: THREE_DAYS });
    writeFileSync(kept.path('calls', callId, 'record.json'), text);
    writeFileSync(kept.path('calls', callId, '.record.json.0a1b2c3d4e5f.tmp'), '{"half":');
  }
  await run(after(2));
  expect([...kept.snapshot('calls').keys()]).toEqual([]);
});

test('files of calls that the database does not know follow the longest retention of any agent', async () => {
  await kept.keep({ callId: 'stranger', from: ANNA, inDatabase: false });
  await kept.keep({ callId: 'known', from: ANNA });
  utimesSync(kept.path('calls', 'stranger', 'record.json'), after(1) / 1000, after(1) / 1000);
  const agents = [
    { retention: { audioDays: 1, textDays: 10, metadataDays: 30 } },
    { retention: { audioDays: 5, textDays: 20, metadataDays: null } },
  ];
  const whole = kept.snapshot();
  // Whatever the files' own times say, they were not written by a call that is live.
  for (const path of whole.keys()) utimesSync(path, ADMITTED_MS / 1000, ADMITTED_MS / 1000);
  await run(after(5) - 1, { agents });
  expect(kept.snapshot()).toEqual(whole);
  expect((await run(after(5), { agents, strangers: false })).files).toBe(0);
  expect((await run(after(5), { agents })).calls.audio).toBe(1);
  expect([has('calls', 'stranger', 'audio.wav'), has('calls', 'known', 'audio.wav')]).toEqual([false, true]);
  for (const name of ['record.json', 'tape.jsonl'])
    utimesSync(kept.path('calls', 'stranger', name), ADMITTED_MS / 1000, ADMITTED_MS / 1000);
  await run(after(20), { agents });
  expect(has('calls', 'stranger', 'tape.jsonl')).toBe(false);
  await run(after(10_000), { agents });
  expect(has('calls', 'stranger', 'record.json')).toBe(true);
  await run(after(10_000), { agents: agents.slice(0, 1) });
  expect([has('calls', 'stranger'), existsSync(kept.entryPath('stranger'))]).toEqual([false, false]);
  expect(has('calls', 'known', 'audio.wav')).toBe(true);
});

test('files that were just written are not a stranger: their call is on its way into the database', async () => {
  await kept.keep({ callId: 'new', from: ANNA, inDatabase: false, endedMs: null });
  const agents = [{ retention: { audioDays: 0, textDays: 0, metadataDays: 1 } }];
  expect((await run(Date.now(), { agents })).files).toBe(0);
  expect(has('calls', 'new', 'tape.jsonl')).toBe(true);
});

test('an audit row says how much went, and of nobody', async () => {
  await kept.keep({ callId: 'one', from: ANNA, retention: THREE_DAYS });
  await run(after(3));
  expect(JSON.parse(await kept.rows('audit'))).toEqual([
    {
      ...{ id: 1, at_ms: after(3), actor: 'retention', action: 'prune', subject: 'calls' },
      note: 'metadata of 1 calls, text of 0, audio of 0; 4 files; 0 not removed',
    },
  ]);
});
