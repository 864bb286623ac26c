// Forgetting: afterwards nothing of the person is in any byte of the data folder, and what is of others is as it was.
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CallFiles } from '../../src/privacy/call-files.ts';
import { forget, TRACES_LEFT } from '../../src/privacy/command.ts';
import { forgetPerson } from '../../src/privacy/forget.ts';
import { personOf } from '../../src/privacy/person.ts';
import { sayAlive } from '../../src/store/alive.ts';
import { printRecord } from '../../src/store/journal-record.ts';
import type { Store } from '../../src/store/store.ts';
import { ADMITTED_MS, carrierId, DAY_MS, DESK, factsOf, KeptFolder, type ToldCall } from './kept.ts';

let kept: KeptFolder;
beforeEach(async () => {
  kept = await KeptFolder.make();
});
afterEach(() => kept.remove());

const ANNA = '+15551230001';
const BEN = '+15551230002';
const NOW = ADMITTED_MS + DAY_MS;

/** Runs the command as an operator does. */
async function run(...args: string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const code = await forget(args, {
    open: async () => kept.store,
    dataDir: kept.dataDir,
    out: (text) => lines.push(text),
    wallMs: () => NOW,
  });
  return { code, text: lines.join('\n').replaceAll(kept.dataDir, 'DATA') };
}

/** Files of these calls, and what is in them. */
const filesOf = (...callIds: string[]): [string, string][] =>
  [...kept.snapshot()].filter(([path]) =>
    callIds.some((id) => path.includes(`/${id}/`) || path.includes(carrierId(id))),
  );

async function keepSome(): Promise<void> {
  for (const callId of ['anna-1', 'anna-2']) await kept.keep({ callId, from: ANNA });
  for (const callId of ['ben-1', 'ben-2']) await kept.keep({ callId, from: BEN });
}

test('every trace of a caller goes, and everything of the others stays as it is', async () => {
  await keepSome();
  const others = filesOf('ben-1', 'ben-2');
  const rows = await Promise.all((['calls', 'turns', 'tools'] as const).map((table) => kept.rows(table, 'ben-1')));
  const lines = await kept.rows('lines');
  expect(others).toHaveLength(8);
  expect(kept.filesWith(ANNA).length).toBeGreaterThan(2);

  const { code, text } = await run('--caller', ANNA);
  expect(text).toMatch(
    new RegExp(
      [
        String.raw`^Forgotten: 2 calls of this caller\.\n\n`,
        String.raw`  database     2 calls: the numbers, 4 turns, 2 tool runs; 2 lines of bills stay\n`,
        String.raw`  calls        2 folders: 6 files, [\d.]+ kB\n`,
        String.raw`  entries      2 files\n`,
        String.raw`  searched     \d+ files, [\d.]+ kB below DATA; every text of the database\n`,
        String.raw`  traces left  0$`,
      ].join(''),
    ),
  );
  expect(code).toBe(0);
  for (const trace of [ANNA, ANNA.slice(1), carrierId('anna-1')]) expect(kept.filesWith(trace), trace).toEqual([]);
  expect(filesOf('ben-1', 'ben-2')).toEqual(others);
  expect(kept.snapshot().size).toBe(8);
  expect(await Promise.all((['calls', 'turns', 'tools'] as const).map((table) => kept.rows(table, 'ben-1')))).toEqual(
    rows,
  );
  expect(await kept.rows('lines')).toBe(lines);
  expect(kept.closed).toBe(true);
  const audit = await kept.rows('audit');
  expect(audit).toContain('2 calls of one caller: 4 turns, 2 tool runs, 6 files, 2 entries; 0 live, 0 not removed');
  expect(audit + text).not.toContain(ANNA.slice(1));
});

test('a dry run tells the same and changes nothing', async () => {
  await keepSome();
  const before = kept.snapshot();
  const { code, text } = await run('--dry-run', '--caller', ANNA);
  expect(code).toBe(0);
  expect(text).toContain('Would be removed, of 2 calls:\n\n  database     2 calls: the numbers, 4 turns, 2 tool runs;');
  expect(kept.snapshot()).toEqual(before);
  expect(await kept.rows('calls', 'anna-1')).toContain(ANNA);
  expect(await kept.rows('audit')).toBe('[]');
});

test('of somebody who never called nothing is kept', async () => {
  await keepSome();
  const before = kept.snapshot();
  expect((await run('--caller', '+15551239999', '--dry-run')).text).toBe('Nothing is kept of this caller.');
  const { code, text } = await run('--caller', '+15551239999');
  expect([code, text.split('\n')[0]]).toEqual([0, 'Nothing was kept of this caller.']);
  expect(kept.snapshot()).toEqual(before);
});

test('what SQLite left in free pages goes too', async () => {
  await kept.keep({ callId: 'ben-1', from: BEN });
  await kept.db.destroy();
  const path = kept.path('trunkline.sqlite');
  // Another program, without secure_delete: the number stays in the file although no row has it.
  const other = new DatabaseSync(path);
  other.exec('pragma secure_delete = off; create table notes (text)');
  for (let i = 0; i < 50; i++) other.prepare('insert into notes values (?)').run(`${ANNA}${'x'.repeat(500)}`);
  other.exec('delete from notes; pragma wal_checkpoint(truncate)');
  other.close();
  expect(readFileSync(path).includes(ANNA)).toBe(true);
  const reopened = await KeptFolder.make({ engine: 'sqlite', path });
  try {
    const lines: string[] = [];
    const desk = { open: async () => reopened.store, dataDir: kept.dataDir, wallMs: () => NOW };
    const code = await forget(['--caller', ANNA], { ...desk, out: (text) => lines.push(text) });
    expect([code, kept.filesWith(ANNA)]).toEqual([0, []]);
  } finally {
    await reopened.remove();
    rmSync(kept.dataDir, { recursive: true });
    kept = await KeptFolder.make();
  }
});

test('a caller by SIP is forgotten in every spelling of the address', async () => {
  const told = (callId: string, value: string): ToldCall => ({ callId, from: { kind: 'sip', value } });
  await kept.keep(told('one', 'sip:alice@pbx.example.com'));
  await kept.keep(told('two', 'sips:Alice@PBX.example.com:5061;transport=tls'));
  await kept.keep(told('three', 'sip:malice@pbx.example.com'));
  const others = filesOf('three');
  expect((await run('--caller', 'sip:alice@pbx.example.com')).code).toBe(0);
  expect([...kept.snapshot()]).toEqual(others);
  expect(JSON.parse(await kept.rows('calls')).map((row: { from_value: string }) => row.from_value)).toEqual([
    ...[null, null, 'sip:malice@pbx.example.com'],
  ]);
});

test('a number is forgotten as a softphone, by SIP, and where we called it', async () => {
  await kept.keep({ callId: 'sip', from: { kind: 'sip', value: `sip:${ANNA}@pbx.example.com` } });
  await kept.keep({ callId: 'app', from: { kind: 'client', value: ANNA } });
  await kept.keep({ callId: 'out', direction: 'outbound', from: '+15550009999', to: ANNA });
  await kept.keep({ callId: 'ben', from: BEN });
  const { code, text } = await run('--caller', ANNA);
  expect([code, text]).toEqual([0, expect.stringContaining('Forgotten: 3 calls')]);
  expect(kept.filesWith(ANNA)).toEqual([]);
  expect(filesOf('ben')).toHaveLength(4);
});

test('the number that everybody calls is nobody who could be forgotten', async () => {
  await keepSome();
  const before = kept.snapshot();
  const { code, text } = await run('--caller', DESK.value);
  expect([code, text]).toEqual([0, expect.stringContaining('Nothing was kept of this caller.')]);
  expect(kept.snapshot()).toEqual(before);
  expect(await kept.rows('calls', 'ben-1')).toContain(BEN);
});

test('files that are older than the database are found by their record', async () => {
  await kept.keep({ callId: 'old', from: ANNA, inDatabase: false, voicemail: true });
  const { code, text } = await run('--caller', ANNA);
  expect(code).toBe(0);
  expect(text).toContain('1 folder: 3 files');
  expect(text).toContain('carrier      1 message left by the caller: remove them there');
  expect(kept.snapshot().size).toBe(0);
});

test('rows whose files are gone, and half-written files, go too', async () => {
  await kept.keep({ callId: 'rows', from: ANNA, inFiles: false });
  await kept.keep({ callId: 'half', from: ANNA });
  renameSync(kept.path('calls', 'half', 'record.json'), kept.path('calls', 'half', '.record.json.0a1b2c3d4e5f.tmp'));
  renameSync(kept.entryPath('half'), kept.path('entries', `.twilio-${carrierId('half')}.json.0a1b2c3d4e5f.tmp`));
  expect((await run('--caller', ANNA)).code).toBe(0);
  expect(kept.snapshot().size).toBe(0);
  expect(kept.filesWith(ANNA)).toEqual([]);
});

test('a live call stays, and so does one that ended a moment ago: both are told, and the command says so', async () => {
  await kept.keep({ callId: 'live', from: ANNA, admittedMs: NOW - 60_000, endedMs: null });
  await kept.keep({ callId: 'closing', from: ANNA, admittedMs: NOW - 60_000, endedMs: NOW - 9_999 });
  await kept.keep({ callId: 'over', from: ANNA });
  const live = filesOf('live', 'closing');
  const first = await run('--caller', ANNA);
  expect(first.code).toBe(TRACES_LEFT);
  expect(first.text).toContain('Forgotten: 1 call of this caller.');
  expect(first.text).toMatch(/database: call live: a call that is live, or ended a moment ago/);
  expect(first.text).toMatch(/calls\/closing\/record\.json: a call that is live/);
  expect(first.text).toContain('Run it again in a few minutes');
  expect([...kept.snapshot()]).toEqual(live);
  await kept.db
    .updateTable('calls')
    .set({ ended_ms: NOW - 60_000 })
    .where('call_id', '=', 'live')
    .execute();
  await kept.db
    .updateTable('calls')
    .set({ ended_ms: NOW - 10_000 })
    .where('call_id', '=', 'closing')
    .execute();
  expect((await run('--caller', ANNA)).code).toBe(0);
  expect(kept.filesWith(ANNA)).toEqual([]);
});

test('a journal that its process has not cleared away is told, and searched again the next time', async () => {
  const facts = factsOf({ callId: 'new', from: ANNA }).map(printRecord).join('');
  await kept.put('journal/0a1b2c3d4e5f/1.jsonl', facts);
  const first = await run('--caller', ANNA);
  expect(first.code).toBe(TRACES_LEFT);
  expect(first.text).toContain(
    'journal/0a1b2c3d4e5f/1.jsonl: not in the database yet, or not cleared away by its process',
  );
  rmSync(kept.path('journal'), { recursive: true });
  expect((await run('--caller', ANNA)).code).toBe(0);
});

test('what a process that died had left is taken in first', async () => {
  const { store } = kept;
  const open = async () => ({
    ...store,
    settled: async () => void (await kept.store.ask('applyEvents', factsOf({ callId: 'late', from: ANNA }))),
  });
  const lines: string[] = [];
  const desk = { open, dataDir: kept.dataDir, out: (text: string) => void lines.push(text), wallMs: () => NOW };
  expect(await forget(['--caller', ANNA], desk)).toBe(0);
  expect(lines.join('\n')).toContain('Forgotten: 1 call of this caller.');
});

test('lines that a live process may still put aside are left to it', async () => {
  const bad = printRecord(factsOf({ callId: 'bad', from: ANNA })[0] as never);
  await kept.put('journal/0a1b2c3d4e5f.bad', bad);
  const goodbye = await sayAlive(kept.dataDir, '0a1b2c3d4e5f');
  try {
    const { code, text } = await run('--caller', ANNA);
    expect([code, text]).toEqual([
      TRACES_LEFT,
      expect.stringContaining('journal/0a1b2c3d4e5f.bad: not in the database'),
    ]);
  } finally {
    await goodbye();
  }
  expect((await run('--caller', ANNA)).code).toBe(0);
});

test('of lines that no database took only the caller’s go', async () => {
  const line = (from: string) => printRecord(factsOf({ callId: 'bad', from })[0] as never);
  await kept.put('journal/0a1b2c3d4e5f.bad', `${line(BEN)}\u00ff\n${line(ANNA)}${line(BEN)}`);
  await kept.put('journal/0a1b2c3d4e50.bad', line(ANNA));
  const { code, text } = await run('--caller', ANNA);
  expect([code, text]).toEqual([0, expect.stringContaining('journal      2 lines that had been put aside')]);
  expect(readFileSync(kept.path('journal', '0a1b2c3d4e5f.bad'), 'utf8')).toBe(`${line(BEN)}\u00ff\n${line(BEN)}`);
  expect(existsSync(kept.path('journal', '0a1b2c3d4e50.bad'))).toBe(false);
});

test('words that were put aside under the id of their call alone go too; bills stay', async () => {
  await keepSome();
  const [, bill, turn] = factsOf({ callId: 'anna-1', from: ANNA, words: 'my knee hurts' }).map(printRecord);
  const [, , other] = factsOf({ callId: 'ben-1', from: BEN }).map(printRecord);
  const damaged = `${turn}`.replace('"committedAtMs"', '"comm1ttedAtMs"');
  const byCarrier = `00000000 {"type":"call.started","c@llId":"x","carrierCallId":"${carrierId('anna-2')}"}\n`;
  await kept.put('journal/0a1b2c3d4e5f.bad', `${bill}${damaged}${other}${byCarrier}`);
  const { code, text } = await run('--caller', ANNA);
  expect(code).toBe(0);
  expect(text).toContain('2 lines that had been put aside');
  expect(readFileSync(kept.path('journal', '0a1b2c3d4e5f.bad'), 'utf8')).toBe(`${bill}${other}`);
  for (const trace of ['my knee hurts', carrierId('anna-2')]) expect(kept.filesWith(trace), trace).toEqual([]);
});

test('words that a live process has put aside are told, and the next try knows whose they are', async () => {
  await keepSome();
  const turn = factsOf({ callId: 'anna-1', from: ANNA, words: 'my knee hurts' })[2] as never;
  const other = printRecord(factsOf({ callId: 'ben-1', from: BEN })[2] as never);
  await kept.put('journal/0a1b2c3d4e5f.bad', printRecord(turn).replace('"committedAtMs"', '"comm1ttedAtMs"') + other);
  const goodbye = await sayAlive(kept.dataDir, '0a1b2c3d4e5f');
  try {
    const { code, text } = await run('--caller', ANNA);
    expect(code).toBe(TRACES_LEFT);
    expect(text).toContain('Forgotten: 1 call of this caller.');
    expect(text).toContain('journal/0a1b2c3d4e5f.bad: not in the database yet, or not cleared away by its process');
    expect(text).toContain('calls/anna-1: a live process has lines of it that were put aside');
    expect(existsSync(kept.path('calls', 'anna-1'))).toBe(false);
    expect(await kept.rows('calls', 'anna-1')).toContain(ANNA);
    expect(await kept.rows('turns', 'anna-1')).not.toContain('order');
  } finally {
    await goodbye();
  }
  expect((await run('--caller', ANNA)).code).toBe(0);
  for (const trace of ['my knee hurts', ANNA]) expect(kept.filesWith(trace), trace).toEqual([]);
  expect(readFileSync(kept.path('journal', '0a1b2c3d4e5f.bad'), 'utf8')).toBe(other);
});

test('words in a journal that its process has not cleared away are told, though no number stands there', async () => {
  await keepSome();
  const words = factsOf({ callId: 'anna-1', from: ANNA })[2] as never;
  const bill = factsOf({ callId: 'anna-1', from: ANNA })[1] as never;
  await kept.put('journal/0a1b2c3d4e5f/1.jsonl', printRecord(words));
  await kept.put('journal/0a1b2c3d4e5e/1.jsonl', printRecord(bill));
  const { code, text } = await run('--caller', ANNA);
  expect([code, text]).toEqual([TRACES_LEFT, expect.stringContaining('Forgotten: 2 calls of this caller.')]);
  expect(text).toMatch(
    /traces left {2}1\n\nStill there:\n {2}journal\/0a1b2c3d4e5f\/1\.jsonl: not in the database yet/,
  );
});

test('a number in the words of another caller, or in a longer number, is not this caller’s trace', async () => {
  await kept.keep({ callId: 'anna', from: ANNA });
  await kept.keep({ callId: 'told', from: BEN, words: `my mother is ${ANNA}` });
  await kept.keep({ callId: 'longer', from: `${ANNA}9` });
  await kept.keep({ callId: 'talking', from: BEN, admittedMs: NOW - 60_000, endedMs: null, words: `call ${ANNA}` });
  const others = filesOf('told', 'longer', 'talking');
  const { code, text } = await run('--caller', ANNA);
  expect(code).toBe(0);
  expect(text).toContain('traces left  0');
  const [, elsewhere = ''] = text.split('The same text stands in what is not of this caller, and stays there:\n');
  expect(
    elsewhere
      .split('\n')
      .map((line) => line.trim())
      .toSorted(),
  ).toEqual([
    'calls/talking/tape.jsonl',
    'calls/told/record.json',
    'calls/told/tape.jsonl',
    'database: calls.from_value, 1 row',
    'database: turns.facts, 2 rows',
    'database: turns.said, 2 rows',
    'database: turns_words_terms.term, 1 row',
  ]);
  expect([...kept.snapshot()]).toEqual(others);
});

test('a file that nobody knows is a trace', async () => {
  await kept.put('backup/old.csv', `"Anna","${ANNA}"\n`);
  await kept.put('calls/lost/tape.jsonl', `{"said":"${ANNA}"}\n`);
  const { code, text } = await run('--caller', ANNA);
  expect(code).toBe(TRACES_LEFT);
  expect(text).toContain('backup/old.csv: nothing of ours is known to lie there');
  expect(text).toContain('calls/lost/tape.jsonl: nobody knows whose call it is');
});

test('links are not followed, and told', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'trunkline-outside-'));
  try {
    writeFileSync(join(outside, 'record.json'), ANNA);
    await kept.keep({ callId: 'anna', from: ANNA });
    rmSync(kept.path('calls', 'anna'), { recursive: true });
    symlinkSync(outside, kept.path('calls', 'anna'));
    const { code, text } = await run('--caller', ANNA);
    expect(code).toBe(TRACES_LEFT);
    expect(text).toContain('calls/anna: it is a link, which is not followed');
    expect(text).toContain('traces left  1');
    expect(readFileSync(join(outside, 'record.json'), 'utf8')).toBe(ANNA);
    // What was not removed is still known to be the caller's.
    expect(await kept.rows('calls', 'anna')).toContain(ANNA);
  } finally {
    rmSync(outside, { recursive: true });
  }
});

const hunt = (more: object = {}) => ({
  ...{ dataDir: kept.dataDir, store: kept.store, person: personOf(ANNA), nowWallMs: NOW },
  ...{ files: kept.files, entries: kept.entries },
  ...more,
});

test('a folder that cannot be removed is told by name, and the next try removes it', async () => {
  await keepSome();
  const files = new CallFiles(kept.dataDir, async (path) => {
    if (path.endsWith('anna-2')) throw Object.assign(new Error(`EBUSY: ${path}`), { code: 'EBUSY' });
    rmSync(path, { recursive: true });
  });
  const forgotten = await forgetPerson(hunt({ files }));
  expect(forgotten.notRemoved).toEqual([{ path: 'calls/anna-2', why: 'EBUSY' }]);
  expect(forgotten.traces).toEqual([{ path: join('calls', 'anna-2', 'record.json'), why: 'EBUSY' }]);
  expect(existsSync(kept.path('calls', 'anna-1'))).toBe(false);
  expect((await run('--caller', ANNA)).code).toBe(0);
  expect(kept.filesWith(ANNA)).toEqual([]);
});

test('a command that was broken off is finished by the next one', async () => {
  await keepSome();
  const ask: Store['ask'] = (name, question) =>
    name === 'removeKept' ? Promise.reject(new Error('killed')) : kept.store.ask(name, question);
  await expect(forgetPerson(hunt({ store: { ask } }))).rejects.toThrow('killed');
  expect(existsSync(kept.path('calls', 'anna-1'))).toBe(false);
  expect(await kept.rows('calls')).toContain(ANNA);
  expect((await run('--caller', ANNA)).code).toBe(0);
  expect(kept.filesWith(ANNA)).toEqual([]);
});

test('what a database that could not be built anew still holds is told', async () => {
  await keepSome();
  await kept.keep({ callId: 'told', from: BEN, words: `my mother is ${ANNA}` });
  const late = new Error('the database did not answer "scrub" within 10 s');
  const ask: Store['ask'] = (name, question) =>
    name === 'scrub' ? Promise.reject(late) : kept.store.ask(name, question);
  const forgotten = await forgetPerson(hunt({ store: { ask } }));
  // The rows as they were are in the log until it is written back; also where somebody else has said the number.
  expect(forgotten.traces).toContainEqual({
    path: 'trunkline.sqlite-wal',
    why: 'the database did not answer "scrub" within 10 s',
  });
  expect(forgotten.elsewhere).toContain('database: turns.said, 1 row');
  expect((await run('--caller', ANNA)).code).toBe(0);
});

test('texts of the database that could not be searched are told', async () => {
  await keepSome();
  const away = new Error('the database did not answer');
  const ask: Store['ask'] = (name, question) =>
    name === 'textsLike' ? Promise.reject(away) : kept.store.ask(name, question);
  const { traces } = await forgetPerson(hunt({ store: { ask } }));
  expect(traces).toEqual([{ path: 'database', why: 'not searched: the database did not answer' }]);
});

test('tables of others in the database are not looked into, those that are made of ours are', async () => {
  await kept.keep({ callId: 'anna', from: ANNA });
  await sql`create table customers (phone text)`.execute(kept.db);
  await sql`create table turns_copied (words text)`.execute(kept.db);
  expect(await kept.store.ask('textsLike', { contains: 'find_order' })).toMatchObject([{ table: 'tools', rows: 1 }]);
  expect(await kept.store.ask('textsLike', { contains: 'find_orde_' })).toEqual([]);
  expect(await kept.store.ask('textsLike', { contains: ANNA })).toEqual([
    { table: 'calls', column: 'from_value', rows: 1 },
  ]);
  await sql`insert into customers values (${ANNA})`.execute(kept.db);
  await sql`insert into turns_copied values (${`call ${ANNA}`}), ('other')`.execute(kept.db);
  expect(await kept.store.ask('textsLike', { contains: ANNA })).toEqual([
    { table: 'calls', column: 'from_value', rows: 1 },
    { table: 'turns_copied', column: 'words', rows: 1 },
  ]);
});

test('wrong flags are told with how the command is used', async () => {
  for (const args of [[], ['--caller'], ['--caller', 'nobody'], ['--caller', ANNA, '--dryrun'], ['extra']])
    await expect(run(...args)).rejects.toMatchObject({
      code: 'TRK_CONFIG',
      message: expect.stringContaining('usage: trunkline forget --caller NUMBER'),
    });
  expect((await run('--help')).text).toMatch(/^usage: trunkline forget/);
  const nowhere = { open: async () => kept.store, dataDir: '/nonexistent', out: () => {}, wallMs: () => NOW };
  await expect(forget(['--caller', ANNA], nowhere)).rejects.toMatchObject({ code: 'TRK_DATA_DIR' });
});
