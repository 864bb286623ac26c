// Journals into the database: once each, whatever dies in between, and whatever a record looks like.
import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { faultOf } from '../../src/store/database-faults.ts';
import { shippedPrices } from '../../src/ledger/load-prices.ts';
import type { PriceBook } from '../../src/ledger/prices.ts';
import type { TurnLatency } from '../../src/metrics/latency.ts';
import type { CallerTurn } from '../../src/record/call-record.ts';
import type { StoreEvent } from '../../src/store/events.ts';
import { Intake } from '../../src/store/intake.ts';
import { badPath, journalFolder, type Position, segmentPath, segmentsOf } from '../../src/store/journal-folder.ts';
import { printRecord } from '../../src/store/journal-record.ts';
import { Recovery } from '../../src/store/recovery.ts';
import { ENGINES, useEngines } from './engines.ts';
import { audited, callerSaid, charged, ended, NODE, started } from './facts.ts';

const engines = useEngines();
const OWN = 'ffffffffffff';
const SEGMENT = 1_000;

let dataDir: string;
let told: { fields: Record<string, unknown>; message: string }[];
beforeEach(async () => {
  dataDir = await engines.folder();
  told = [];
});
const hear = (fields: object, message: string): void =>
  void told.push({ fields: fields as Record<string, unknown>, message });
const log = { warn: hear, error: hear, aside() {} };

const intake = (): Intake => new Intake({ dataDir, journal: NODE, log });
const fact = (n: number): StoreEvent => charged('c1', `r${n}`, n + 1);
const facts = (count: number, from = 0): StoreEvent[] => Array.from({ length: count }, (_, n) => fact(from + n));

/** Writes a segment; returns where it ends. */
async function write(segment: number, events: readonly StoreEvent[], tail = ''): Promise<Position> {
  await mkdir(journalFolder(dataDir, NODE), { recursive: true });
  const path = segmentPath(dataDir, NODE, segment);
  await appendFile(path, events.map(printRecord).join('') + tail);
  return { segment, offset: (await stat(path)).size };
}

const sources = async (db: Database): Promise<string[]> =>
  (await db.selectFrom('lines').select('source').execute())
    .map(({ source }) => source)
    .toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
const names = (count: number, from = 0): string[] => Array.from({ length: count }, (_, n) => `r${from + n}`);
const segments = async (): Promise<number[]> => (await segmentsOf(dataDir, NODE)).map(({ segment }) => segment);
const row = (db: Database) => db.selectFrom('journals').selectAll().execute();

describe.each(ENGINES)('%s', (engine) => {
  const open = async (): Promise<Database> => engines.open(await engines.place(engine));

  test('takes in what is flushed, up to there, and deletes segments behind it', async () => {
    const db = await open();
    await write(SEGMENT, facts(3));
    const upTo = await write(SEGMENT + 1, facts(2, 3));
    await write(SEGMENT + 1, facts(4, 5));
    const heard: Position[] = [];
    await intake().take(db, upTo, (taken) => heard.push(taken));
    expect(await sources(db)).toEqual(names(5));
    expect(heard.at(-1)).toEqual(upTo);
    expect(await segments()).toEqual([SEGMENT + 1]);
    expect(await row(db)).toEqual([{ journal: NODE, ...upTo }]);
    await intake().take(db, { segment: SEGMENT + 2, offset: 0 });
    expect(await sources(db)).toEqual(names(9));
    expect(await segments()).toEqual([]);
  });

  test('applies nothing twice, also where a fact would not mind being twice', async () => {
    const db = await open();
    const upTo = await write(SEGMENT, [audited('a'), audited('b')]);
    await intake().take(db, upTo);
    await intake().take(db, upTo);
    const more = await write(SEGMENT, [audited('c')]);
    await intake().take(db, upTo);
    await intake().take(db, more);
    const subjects = await db.selectFrom('audit').select('subject').orderBy('subject').execute();
    expect(subjects.map(({ subject }) => subject)).toEqual(['a', 'b', 'c']);
  });

  test('two workers over one journal apply each fact once between them', async () => {
    const place = await engines.place(engine);
    const [one, two] = [await engines.open(place), await engines.open(place)];
    const events = Array.from({ length: 2_500 }, (_, n) => audited(`${n}`));
    await write(SEGMENT, events.slice(0, 1_300));
    await write(SEGMENT + 1, events.slice(1_300));
    await Promise.all([intake().take(one, null), intake().take(two, null), intake().take(one, null)]);
    const { count } = await one
      .selectFrom('audit')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    expect(count).toBe(2_500);
    expect(await segments()).toEqual([]);
  });

  test('puts aside what the database refuses for good, and takes in the rest', async () => {
    const db = await open();
    const refused = charged('c1', 'bad', 1, { product: null as unknown as string });
    const upTo = await write(SEGMENT, [fact(0), refused, fact(1)]);
    await intake().take(db, upTo);
    expect(await sources(db)).toEqual(names(2));
    expect(await readFile(badPath(dataDir, NODE), 'utf8')).toBe(printRecord(refused));
    expect(told.map(({ message }) => message)).toEqual(['record of a journal is put aside']);
  });
});

describe.runIf(ENGINES.includes('postgres'))('what PostgreSQL refuses', () => {
  const open = async (): Promise<Database> => engines.open(await engines.place('postgres'));

  test('as too long for an index is put aside, and the rest is taken in', async () => {
    const db = await open();
    const tooLong = charged('c1', randomBytes(4_500).toString('base64'), 1);
    const upTo = await write(SEGMENT, [fact(0), tooLong, fact(1)]);
    await intake().take(db, upTo);
    expect(await sources(db)).toEqual(names(2));
    expect(await readFile(badPath(dataDir, NODE), 'utf8')).toBe(printRecord(tooLong));
    expect(told.map(({ fields }) => fields['why'])).toEqual(['PostgreSQL says 54000']);
  });

  test('holds no zero: what a seller or a tool says of itself is stored without it', async () => {
    const db = await open();
    const upTo = await write(SEGMENT, [charged('c1', 'r\u0000', 1, { product: 'a\u0000b', seller: '\u0000' })]);
    await intake().take(db, upTo);
    expect(await db.selectFrom('lines').select(['source', 'product', 'seller']).execute()).toEqual([
      { source: 'r\u{fffd}', product: 'a\u{fffd}b', seller: '\u{fffd}' },
    ]);
    expect(told).toEqual([]);
  });

  test('for a reason that nobody knows is tried again, and put aside where it is this fact each time', async () => {
    const db = await open();
    await refuseLines(db, 'P0001', `new.source = 'r1'`);
    const taking = intake();
    const upTo = await write(SEGMENT, facts(4));
    await expect(taking.take(db, upTo)).rejects.toThrow('refused');
    expect(told).toEqual([]);
    await expect(taking.take(db, upTo)).rejects.toThrow('refused');
    expect(await sources(db)).toEqual(['r0']);
    await taking.take(db, upTo);
    expect(await sources(db)).toEqual(['r0', 'r2', 'r3']);
    expect(await readFile(badPath(dataDir, NODE), 'utf8')).toBe(printRecord(fact(1)));
    expect(told.map(({ fields }) => fields['why'])).toEqual(['PostgreSQL says P0001']);
  });

  test.each(['25006', '42P01', 'XX002', '57P03'])('with %s it refuses all facts: they wait', async (code) => {
    const db = await open();
    await refuseLines(db, code, 'true');
    const taking = intake();
    const upTo = await write(SEGMENT, facts(2));
    for (let n = 0; n < 4; n++) await expect(taking.take(db, upTo)).rejects.toThrow('refused');
    expect(told).toEqual([]);
    await sql`drop trigger refuse on lines`.execute(db);
    await taking.take(db, upTo);
    expect(await sources(db)).toEqual(names(2));
  });

  /** What a trigger of somebody's, or a fault of the server, may do. */
  async function refuseLines(db: Database, code: string, when: string): Promise<void> {
    await sql
      .raw(
        `create function refuse() returns trigger language plpgsql as
         $$ begin if ${when} then raise exception 'refused' using errcode = '${code}'; end if; return new; end $$`,
      )
      .execute(db);
    await sql.raw('create trigger refuse before insert on lines for each row execute function refuse()').execute(db);
  }
});

describe('a journal that is not as it was written', () => {
  const open = async (): Promise<Database> => engines.open(await engines.place('sqlite'));

  test('of a dead process: a torn last record is ignored, with file and offset', async () => {
    for (const tear of ['', ' ', '0', '01234567 {"type":"line.charged"', `${printRecord(fact(9)).slice(0, -2)}`]) {
      dataDir = await engines.folder();
      told = [];
      const db = await open();
      const { offset } = await write(SEGMENT, facts(3));
      await write(SEGMENT, [], tear);
      await intake().take(db, null);
      expect(await sources(db)).toEqual(names(3));
      expect(told).toEqual(
        tear === ''
          ? []
          : [
              {
                fields: { file: `${NODE}/${SEGMENT}.jsonl`, offset },
                message: 'last record of a journal is torn and ignored',
              },
            ],
      );
      expect(await segments()).toEqual([]);
    }
  });

  test('a broken last record that has its newline is torn too', async () => {
    const db = await open();
    await write(SEGMENT, facts(2), '00000000 {"type":"line.charged"}\n');
    await intake().take(db, null);
    expect(await sources(db)).toEqual(names(2));
    expect(told.map(({ message }) => message)).toEqual(['last record of a journal is torn and ignored']);
  });

  test('a broken record in the middle is put aside once, however often its batch is tried', async () => {
    const db = await open();
    const { offset } = await write(SEGMENT, facts(2));
    const broken = printRecord(fact(2)).replace('gpt', 'gqt');
    await write(SEGMENT, [], broken);
    await write(SEGMENT, facts(2, 3));
    const taking = intake();
    await db.schema.alterTable('lines').renameTo('away').execute();
    await expect(taking.take(db, null)).rejects.toThrow('no such table: lines');
    await expect(taking.take(db, null)).rejects.toThrow('no such table: lines');
    await db.schema.alterTable('away').renameTo('lines').execute();
    await taking.take(db, null);
    expect(await sources(db)).toEqual(['r0', 'r1', 'r3', 'r4']);
    expect(await readFile(badPath(dataDir, NODE), 'utf8')).toBe(broken);
    expect((await stat(badPath(dataDir, NODE))).mode & 0o777).toBe(0o600);
    expect(told).toEqual([
      {
        fields: { file: `${NODE}/${SEGMENT}.jsonl`, offset, why: 'unreadable', aside: `${NODE}.bad` },
        message: 'record of a journal is put aside',
      },
    ]);
  });

  test('waits as it is while the disk of the database is full', async () => {
    const db = await open();
    await sql`pragma max_page_count = 60`.execute(db);
    const upTo = await write(SEGMENT, facts(1_000));
    const error = await intake()
      .take(db, upTo)
      .catch((thrown: unknown) => thrown);
    expect(faultOf(error)).toEqual({ kind: 'busy', why: 'database or disk is full (13)' });
    await sql`pragma max_page_count = 1000`.execute(db);
    await intake().take(db, upTo);
    expect(await sources(db)).toEqual(names(1_000));
    expect(told).toEqual([]);
  });

  test('garbage of every kind never stops the rest', async () => {
    const db = await open();
    await write(SEGMENT, facts(1), '\n\n\0\0\0\n{}\nnull\n');
    await writeFile(segmentPath(dataDir, NODE, SEGMENT + 1), Buffer.from([0xff, 0xfe, 0x0a, 0x20]));
    await write(SEGMENT + 2, facts(1, 1));
    await intake().take(db, null);
    expect(await sources(db)).toEqual(names(2));
  });

  test('a segment that is cut under a live process is told of, and what comes behind it is taken in', async () => {
    const db = await open();
    const upTo = await write(SEGMENT, facts(4));
    await truncate(segmentPath(dataDir, NODE, SEGMENT), Math.round(upTo.offset / 2) - 5);
    await intake().take(db, upTo);
    expect(told.map(({ message }) => message)).toContain('a journal was removed or cut before it was read');
    const more = await write(SEGMENT + 1, facts(1, 7));
    await intake().take(db, more);
    expect(await sources(db)).toEqual(['r0', 'r7']);
  });

  test('a journal that was removed under a live process is told of', async () => {
    const db = await open();
    await intake().take(db, { segment: SEGMENT, offset: 500 });
    expect(told.map(({ message }) => message)).toEqual(['a journal was removed or cut before it was read']);
    expect(await row(db)).toEqual([{ journal: NODE, segment: SEGMENT, offset: 500 }]);
  });
});

describe('what dead processes left', () => {
  const answered = callerSaid('', 0, 'hello');
  const latency = { turn: 't0', voiceToVoiceMs: 800 } as TurnLatency;
  const heardIn800Ms = { ...answered, said: { ...answered.said, latency } as CallerTurn };
  const open = async (): Promise<Database> => engines.open(await engines.place('sqlite'));

  test('is taken in, and the calls that died with them end when they were last heard of', async () => {
    const db = await open();
    await write(SEGMENT, [
      started('over'),
      ended('over'),
      started('cut'),
      charged('cut', 'r1', 5, { atWallMs: started('cut').atWallMs + 9_000 }),
      { ...heardIn800Ms, callId: 'cut' },
      started('silent'),
      started('elsewhere', { node: OWN }),
    ]);
    const recovery = new Recovery({ dataDir, own: OWN, prices: null, log });
    const { journals, bytes } = await recovery.left();
    expect(journals).toEqual([NODE]);
    expect(bytes).toBeGreaterThan(1_000);
    await recovery.recover(db, NODE);
    const calls = await db.selectFrom('calls').selectAll().orderBy('call_id').execute();
    const died = { reason: 'internal_error', ended_by: 'us', result: 'failure', detail: 'the process died' };
    expect(calls).toMatchObject([
      { call_id: 'cut', ended_ms: started('cut').atWallMs + 9_000, ...died, latency_ms: 800, turn_count: 1 },
      { call_id: 'elsewhere', ended_ms: null, reason: null },
      { call_id: 'over', reason: 'caller_hung_up' },
      { call_id: 'silent', ended_ms: started('silent').atWallMs, ...died },
    ]);
    expect(await recovery.left()).toEqual({ journals: [], bytes: 0 });
    expect(told.map(({ fields, message }) => [message, fields['calls']])).toEqual([
      ['journal of a process that is gone was taken in, its open calls are ended', 2],
    ]);
  });

  describe('of what the carrier carried of such a call', () => {
    const { atWallMs } = started('c1');
    const AT_61_S = { atWallMs: atWallMs + 61_000 };

    async function linesAfter(events: readonly StoreEvent[], prices: PriceBook | null = shippedPrices()) {
      const db = await open();
      await write(SEGMENT, events);
      const recovery = new Recovery({ dataDir, own: OWN, prices, log });
      // Whoever comes second, or tries again, changes nothing.
      await recovery.recover(db, NODE);
      await recovery.recover(db, NODE);
      return db
        .selectFrom('lines')
        .select(['what', 'source', 'seller', 'product', 'at_ms', 'state', 'duration_ms', 'pieces', 'cost_nano_usd'])
        .select(['doubt'])
        .where('what', 'in', ['leg', 'media_stream'])
        .orderBy('call_id')
        .orderBy('what')
        .orderBy('source')
        .execute();
    }

    const line = (what: string, minutes: number, costNanoUsd: number | null, source = 'l1') => ({
      ...{ what, source, seller: 'twilio', product: what === 'leg' ? 'twilio/inbound_local' : 'twilio/media_stream' },
      ...{ state: 'estimated', pieces: minutes, cost_nano_usd: costNanoUsd, doubt: 'process_died' },
    });

    test('the leg and the stream are reckoned up to what was heard last, in begun minutes, and doubted', async () => {
      const lines = await linesAfter([started('c1'), charged('c1', 'r1', 5, AT_61_S)]);
      expect(lines).toMatchObject([line('leg', 2, 2 * 8_500_000), line('media_stream', 2, 2 * 4_400_000)]);
      expect(lines).toMatchObject(Array(2).fill({ at_ms: AT_61_S.atWallMs, duration_ms: 61_000 }));
    });

    test('words count as heard; where nothing was heard the leg alone was there, for a begun minute', async () => {
      const said = callerSaid('c1', 0, 'hello');
      const lines = await linesAfter([
        started('c1'),
        { ...said, said: { ...said.said, speechStartAtMs: 130_000 } as CallerTurn },
        started('c2'),
      ]);
      expect(lines).toMatchObject([
        line('leg', 3, 3 * 8_500_000),
        line('media_stream', 3, 3 * 4_400_000),
        line('leg', 1, 8_500_000),
      ]);
    });

    test('a stream that had ended is not counted again, nor is what was charged at the end of the call', async () => {
      const stream = {
        what: 'media_stream',
        seller: 'twilio',
        product: 'twilio/media_stream',
        doubt: 'as it was',
      } as const;
      const lines = await linesAfter([
        started('c1'),
        charged('c1', 'l1', 0, { ...stream, atWallMs: atWallMs + 50_000 }),
        charged('c1', 'r1', 5, AT_61_S),
        started('c2'),
        charged('c2', 'l1', 0, stream),
        charged('c2', 'l1', 0, { ...stream, what: 'leg', product: 'twilio/inbound_local' }),
      ]);
      expect(lines.map(({ what, source, doubt }) => [what, source, doubt])).toEqual([
        ['leg', 'l1', 'process_died'],
        ['media_stream', 'l1', 'as it was'],
        ['media_stream', 'l2', 'process_died'],
        ['leg', 'l1', 'as it was'],
        ['media_stream', 'l1', 'as it was'],
      ]);
      expect(lines[2]).toMatchObject({ duration_ms: 11_000, pieces: 1 });
    });

    test('nobody who has no prices makes it cost nothing', async () => {
      const lines = await linesAfter([started('c1'), charged('c1', 'r1', 5, AT_61_S)], null);
      expect(lines).toMatchObject([line('leg', 2, null), line('media_stream', 2, null)]);
    });
  });

  test('is only its folder where everything was in the database before it died: its calls end all the same', async () => {
    const db = await open();
    const upTo = await write(SEGMENT, [started('cut')]);
    await intake().take(db, { segment: upTo.segment + 1, offset: 0 });
    expect(await segments()).toEqual([]);
    await new Recovery({ dataDir, own: OWN, prices: null, log }).recover(db, NODE);
    expect(await db.selectFrom('calls').select('reason').execute()).toEqual([{ reason: 'internal_error' }]);
  });

  test('does not hold up what this process writes, where the folder of all journals is no folder', async () => {
    await writeFile(join(dataDir, 'journal'), '');
    const recovery = new Recovery({ dataDir, own: OWN, prices: null, log });
    expect([await recovery.left(), await recovery.left()]).toEqual(Array(2).fill({ journals: [], bytes: 0 }));
    expect(told.map(({ fields }) => fields['code'])).toEqual(['ENOTDIR']);
  });

  test('is a socket alone where it died before it wrote anything: that goes too, and leaves no row', async () => {
    const db = await open();
    await mkdir(join(dataDir, 'journal'));
    await writeFile(join(dataDir, 'journal', `${NODE}.sock`), '');
    const recovery = new Recovery({ dataDir, own: OWN, prices: null, log });
    expect(await recovery.left()).toEqual({ journals: [NODE], bytes: 0 });
    await recovery.recover(db, NODE);
    expect(await readdir(join(dataDir, 'journal'))).toEqual([]);
    expect(await row(db)).toEqual([]);
  });

  test('is left where it lies when it cannot be read, and told once', async () => {
    const db = await open();
    // What root cannot read either: a folder in the place of a segment.
    await mkdir(segmentPath(dataDir, NODE, SEGMENT), { recursive: true });
    const recovery = new Recovery({ dataDir, own: OWN, prices: null, log });
    for (const journal of (await recovery.left()).journals) await recovery.recover(db, journal);
    expect(await recovery.left()).toEqual({ journals: [], bytes: 0 });
    expect(told).toEqual([
      { fields: { journal: NODE, code: 'EISDIR' }, message: 'a journal that a dead process left cannot be read' },
    ]);
    expect(await readdir(journalFolder(dataDir, NODE))).toEqual([`${SEGMENT}.jsonl`]);
  });

  test('is not any folder', async () => {
    await mkdir(join(dataDir, 'journal', 'notes'), { recursive: true });
    expect(await new Recovery({ dataDir, own: OWN, prices: null, log }).left()).toEqual({ journals: [], bytes: 0 });
  });
});
