// The export of a list: every call once as CSV and JSON, nothing in it that a spreadsheet would run, and nothing of it waiting
// in memory for a client that does not read.
import type { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportCalls, oneAtATime, MOST_ROWS } from '../../src/dashboard/export.ts';
import { csvRow } from '../../src/dashboard/export-csv.ts';
import { callRoutes } from '../../src/dashboard/routes/calls.ts';
import { TrunklineError } from '../../src/errors.ts';
import type { Database } from '../../src/store/database.ts';
import { ANY_CALL } from '../../src/store/queries/call-filter.ts';
import type { CallSummary } from '../../src/store/queries/calls.ts';
import type { Store } from '../../src/store/store.ts';
import { askOf, inMemory, seed, write } from '../costs/seed.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { get, refusal, serve, storeOf, watched } from './routes-served.ts';

const seeded = seed({ calls: 450, days: 3, answers: 1 });
const LIST = { filter: ANY_CALL, sort: 'admitted', order: 'desc' } as const;

let db: Database;
let app: FastifyInstance;
let store: ReturnType<typeof storeOf>;

beforeAll(async () => {
  db = await inMemory();
  await write(db, seeded);
  store = storeOf(askOf(db));
  app = await serve(callRoutes(store, new FakeClock()));
});
afterAll(async () => {
  await app.close();
  await db.destroy();
});

/** RFC 4180, as strictly as it is written. */
function rowsOf(csv: string): string[][] {
  const rows: string[][] = [[]];
  const cells = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/gy;
  for (let found = cells.exec(csv); found !== null && found.index < csv.length; found = cells.exec(csv)) {
    const [, inQuotes, plain, end] = found;
    rows.at(-1)?.push(inQuotes?.replaceAll('""', '"') ?? (plain as string));
    if (end === '\r\n') rows.push([]);
  }
  expect(rows.pop(), 'the last row ends as the others do').toEqual([]);
  return rows;
}

test('CSV: a heading, then each call once in the order of the list, over several pages', async () => {
  const answer = await get(app, '/calls.csv?sort=cost&order=asc');
  expect(answer.headers).toMatchObject({
    'content-type': 'text/csv; charset=utf-8; header=present',
    'content-disposition': expect.stringMatching(/^attachment; filename="trunkline-calls-\d{4}-\d\d-\d\d\.csv"$/),
    'cache-control': 'no-store',
  });
  const [heading = [], ...rows] = rowsOf(answer.body);
  expect(rows.every((row) => row.length === heading.length)).toBe(true);
  const cell = (row: string[], name: string): string => row[heading.indexOf(name)] as string;
  expect(rows.map((row) => cell(row, 'call_id')).toSorted()).toEqual(
    seeded.calls.map(({ call_id }) => call_id).toSorted(),
  );
  const costs = rows.map((row) => Number(cell(row, 'cost_usd')));
  expect(costs).toEqual(costs.toSorted((a, b) => a - b));
  for (const row of rows) {
    const call = seeded.calls.find(({ call_id }) => call_id === cell(row, 'call_id'));
    expect(cell(row, 'admitted')).toBe(new Date(call?.admitted_ms ?? 0).toISOString());
    expect(cell(row, 'from')).toBe(call?.from_value);
    const own = seeded.lines.filter(({ call_id }) => call_id === call?.call_id);
    const nanoUsd = own.reduce((sum, { cost_nano_usd }) => sum + (cost_nano_usd ?? 0), 0);
    expect(Math.round(Number(cell(row, 'cost_usd')) * 1e9)).toBe(nanoUsd);
  }
});

test('JSON: the same calls as the list gives, narrowed as it is', async () => {
  const answer = await get(app, '/calls.json?reason=agent_goodbye');
  expect(answer.headers['content-disposition']).toContain('.json"');
  const { calls } = (await get(app, '/calls?reason=agent_goodbye&limit=200')).json();
  expect(answer.json()).toEqual(calls);
  expect(calls.length).toBeGreaterThan(20);
});

test('no call at all is a heading, or an empty list', async () => {
  expect(rowsOf((await get(app, '/calls.csv?words=zebra')).body)).toHaveLength(1);
  expect((await get(app, '/calls.json?words=zebra')).json()).toEqual([]);
});

test('each export is in the audit, without by what it was narrowed', async () => {
  store.appended.length = 0;
  await get(app, '/calls.csv?from=%2B15550000001');
  expect(store.appended).toEqual([
    expect.objectContaining({ type: 'audited', action: 'export', subject: 'calls', note: 'csv' }),
  ]);
  expect(JSON.stringify(store.appended)).not.toContain('0000001');
});

test('parameters are held against the same rules as those of the list', async () => {
  expect(await refusal(app, '/calls.csv?limit=5')).toEqual([400, expect.stringContaining('limit: no such parameter')]);
  expect(await refusal(app, '/calls.json?reason=bored')).toEqual([
    400,
    expect.stringContaining('one of agent_goodbye'),
  ]);
});

const CALL: CallSummary = {
  ...{ callId: 'c1', agent: 'a', model: 'm', carrier: 'twilio', direction: 'inbound', admittedWallMs: 0 },
  ...{ from: { kind: 'pstn', value: '+15551234567' }, to: { kind: 'pstn', value: null } },
  ...{ mediaStartedWallMs: null, endedWallMs: null, reason: null, by: null, result: null, quality: null },
  ...{ durationMs: null, latencyMs: null, disposition: null, turnCount: null, bargeIns: null },
  cost: { nanoUsd: 1, lines: 1, unpricedLines: 0 },
};

test.each([
  ['=1+1', "'=1+1"],
  ['+SUM(A1)', "'+SUM(A1)"],
  ['-2+3', "'-2+3"],
  ['@cmd', "'@cmd"],
  ['\t=1', "'\t=1"],
  ['\r=1', '"\'\r=1"'],
  ['\n=1', '"\'\n=1"'],
  ['\uff1d1', "'\uff1d1"],
  // Where the comma is for decimals, a semicolon ends the cell.
  ['sip:a;=1+1;x=1; -2@b', "sip:a;'=1+1;x=1;' -2@b"],
  ['=HYPERLINK("http://x","y")', '"\'=HYPERLINK(""http://x"",""y"")"'],
  ['a "b", c', '"a ""b"", c"'],
  ['+15551234567', '+15551234567'],
  ['-12.5', '-12.5'],
  ['plain', 'plain'],
])('a cell %j is written as %j', (given, written) => {
  const row = csvRow({ ...CALL, agent: given });
  expect(row).toBe(
    `c1,1970-01-01T00:00:00.000Z,,,,${written},m,twilio,inbound,pstn,+15551234567,pstn,,,,,,,,,,0.000000001,1,0\r\n`,
  );
});

/** A store with so many calls, which notes what it was asked. */
function endless(count: number, listed: () => void = () => {}): Pick<Store, 'ask'> {
  let told = 0;
  const ask = async (name: string, question: unknown): Promise<unknown> => {
    if (name === 'countCalls') return count;
    const { limit } = question as { limit: number };
    listed();
    const calls = Array.from({ length: Math.min(limit, count - told) }, (_, i) => ({
      ...CALL,
      callId: `c${told + i}`,
    }));
    told += calls.length;
    return { calls, more: told < count };
  };
  return { ask: ask as Store['ask'] };
}

test('a client that does not read costs one page; one that has gone costs no more', async () => {
  let pages = 0;
  const { body } = await exportCalls(
    endless(900_000, () => void pages++),
    LIST,
    'csv',
    0,
  );
  const stream = body as Readable;
  await new Promise((resolve) => void stream.once('readable', resolve));
  for (let i = 0; i < 50; i++) await new Promise((resolve) => void setImmediate(resolve));
  const whileUnread = pages;
  expect(whileUnread).toBeLessThanOrEqual(2);
  expect(stream.read()).not.toBe(null);
  stream.destroy();
  for (let i = 0; i < 50; i++) await new Promise((resolve) => void setImmediate(resolve));
  expect(pages - whileUnread).toBeLessThanOrEqual(1);
});

test('forty exports at once ask for one page at a time, each in its turn; one that has gone or failed holds up none', async () => {
  const inTurn = oneAtATime();
  const order: number[] = [];
  let [asking, most] = [0, 0];
  const begun = Array.from({ length: 40 }, async (_, n) => {
    const { ask } = endless(450, () => {
      if (n === 7 && order.includes(7)) throw new TrunklineError('TRK_STORE', 'away');
      order.push(n);
    });
    const slowly = async (name: string, question: unknown): Promise<unknown> => {
      if (name === 'countCalls') return 450;
      most = Math.max(most, ++asking);
      await new Promise((resolve) => void setImmediate(resolve));
      asking -= 1;
      return ask(name as 'listCalls', question as never);
    };
    const { body } = await exportCalls({ ask: slowly as Store['ask'] }, LIST, 'csv', 0, inTurn);
    return body as Readable;
  });
  const streams = await Promise.all(begun);
  const ended = await Promise.allSettled(
    streams.map(async (stream, n) => {
      if (n === 3) return stream.destroy();
      let rows = -1;
      for await (const piece of stream) rows += String(piece).split('\r\n').length - 1;
      return expect(rows).toBe(450);
    }),
  );
  expect(ended.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  expect(most).toBe(1);
  // Nobody has a third page before all have had the second.
  expect(order.length).toBe(1 + 3 * 38);
  expect(order.slice(0, 39).toSorted((a, b) => a - b)).toEqual([...Array(40).keys()].filter((n) => n !== 3));
});

test('more calls than a file holds are refused with what to do, not cut off', async () => {
  await expect(exportCalls(endless(MOST_ROWS + 1), LIST, 'csv', 0)).rejects.toThrow(/narrow them by since and until/);
});

test('a database that goes away in the middle breaks the file off, and does not end it', async () => {
  let asked = 0;
  const broken = endless(5_000, () => {
    asked += 1;
    if (asked > 3) throw new TrunklineError('TRK_STORE', 'away');
  });
  const { body } = await exportCalls(broken, LIST, 'json', 0);
  let text = '';
  const read = async (): Promise<void> => {
    for await (const piece of body as Readable) text += String(piece);
  };
  await expect(read()).rejects.toThrow('away');
  expect(text.endsWith(']\n')).toBe(false);
  expect(() => JSON.parse(text)).toThrow(/JSON/);
});

test('a hundred thousand calls are printed, and everything else has its turn between two pages', async () => {
  const { body } = await exportCalls(endless(100_000), LIST, 'csv', 0);
  const { answer, turns } = await watched(async () => {
    let bytes = 0;
    for await (const piece of body as Readable) bytes += (piece as Buffer).length;
    return bytes;
  });
  expect(answer).toBeGreaterThan(8_000_000);
  expect(turns).toBeGreaterThan(400);
});
