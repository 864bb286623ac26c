// `trunkline costs` and `trunkline calls` as they are typed: what they print, and what they say to what cannot be.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { calls } from '../../src/costs/calls-command.ts';
import { costs } from '../../src/costs/costs-command.ts';
import { realClock } from '../../src/clock.ts';
import { type Desk, standardDesk } from '../../src/costs/desk.ts';
import { startStore } from '../../src/store/start.ts';
import type { Database } from '../../src/store/database.ts';
import { lineRow } from '../../src/store/line-row.ts';
import { readCosts } from '../../src/store/queries/costs.ts';
import type { LedgerLine } from '../../src/ledger/line.ts';
import { widthOf } from '../../src/replay/text-layout.ts';
import { askOf, inMemory, seed, type Seeded, write } from './seed.ts';

const seeded = seed({ calls: 60, days: 3, answers: 3 });
const [first] = seeded.calls as [Seeded['calls'][number]];
const NOW = Date.parse('2026-11-03T20:00:00Z');
// A call that lasts beyond midnight is charged for its end on the day after.
const inside = seeded.lines.filter(({ day }) => day <= '2026-11-03');
const TABLE = ['--from', '2026-11-01', '--to', '2026-11-03'];

let db: Database;
let empty: Database;
beforeAll(async () => {
  [db, empty] = await Promise.all([inMemory(), inMemory()]);
  await write(db, seeded);
});
afterAll(() => Promise.all([db.destroy(), empty.destroy()]));

interface Written {
  out: string;
  err: string;
  opened: number;
  closed: number;
}

async function typed(
  command: typeof costs,
  args: string[],
  { of = db, columns = Number.POSITIVE_INFINITY }: { of?: Database; columns?: number } = {},
): Promise<Written> {
  const written: Written = { out: '', err: '', opened: 0, closed: 0 };
  const desk: Desk = {
    open: async () => {
      written.opened += 1;
      return { ask: askOf(of), close: async () => void (written.closed += 1) };
    },
    paper: {
      out: (text) => void (written.out += `${text}\n`),
      err: (text) => void (written.err += `${text}\n`),
      columns,
    },
    clock: { wallMs: () => NOW },
  };
  await command(args, desk).finally(() => expect(written.closed).toBe(written.opened));
  return written;
}

const refusal = (command: typeof costs, args: string[], of = db): Promise<string> =>
  typed(command, args, { of }).then(
    ({ out }) => Promise.reject(new Error(`was not refused: ${out}`)),
    (error: Error) => error.message,
  );

const NO_CALL =
  'No call is kept yet. Calls are kept when they come in: start the server with "npm start", or see one with "npm run demo".\n';

describe('costs', () => {
  test('are those of the last seven days, by day, unless something else is asked for', async () => {
    const byItself = await typed(costs, []);
    expect(byItself.out).toContain('Costs by day, 2026-10-28 to 2026-11-03 (UTC, list prices)');
    expect(byItself.out).toBe((await typed(costs, ['--from', '2026-10-28', '--to', '2026-11-03', '--by', 'day'])).out);
    expect((await typed(costs, ['--to', '2026-11-01'])).out).toContain('2026-10-26 to 2026-11-01');
  });

  test('have a row for each day and the sum below, which is that of the lines', async () => {
    const { out } = await typed(costs, TABLE);
    const rows = out.split('\n').map((line) => line.trim().split(/ {2,}/));
    const [title] = rows.filter(([name]) => name === 'day');
    expect(title).toEqual('day,calls,minutes,model,transcripts,carrier,tools,cost,$/min,cached'.split(','));
    const known = inside.reduce((sum, { cost_nano_usd }) => sum + (cost_nano_usd ?? 0), 0);
    const total = rows.find(([name]) => name === 'total') ?? [];
    expect(total[1]).toBe('60');
    expect(total[7]).toBe(`≥$${(known / 1e9).toFixed(4)}`);
    const talkMs = seeded.calls.reduce(
      (ms, call) => ms + (call.ended_ms && call.media_started_ms ? call.ended_ms - call.media_started_ms : 0),
      0,
    );
    expect(total[2]).toBe((talkMs / 60_000).toFixed(1));
    expect(total[8]).toBe(`≥$${(known / 1e9 / (talkMs / 60_000)).toFixed(4)}`);
    expect(out).toMatch(/No price is known of gpt-of-tomorrow \(\d+ lines?\): ≥ says that a sum is at least that\./);
  });

  test.each([99, 79])('take at most %s columns and say which ones had no room', async (columns) => {
    for (const by of ['day', 'agent', 'model']) {
      const { out } = await typed(costs, [...TABLE, '--by', by], { columns });
      const widest = Math.max(...out.split('\n').map(widthOf));
      expect(widest).toBeLessThanOrEqual(columns);
      expect(widest).toBeGreaterThan(columns - 25);
    }
    const narrow = await typed(costs, TABLE, { columns: 79 });
    expect(narrow.out).toContain('No room for: transcripts, tools. A wider terminal or a pipe has them.');
    expect((await typed(costs, TABLE)).out).not.toContain('No room');
  });

  test('by CSV are exact, and a name cannot break out of its cell', async () => {
    const { out, err } = await typed(costs, [...TABLE, '--by', 'agent', '--csv']);
    const [heading = '', ...rows] = out.trimEnd().split('\r\n');
    expect(err).toBe('');
    const names = heading.split(',');
    expect(names.slice(0, 4)).toEqual(['agent', 'calls', 'talk_seconds', 'text_in_usd']);
    const bank = rows.find((row) => row.startsWith('"=Bank, ""Main"""'));
    expect(bank).toBeDefined();
    const totalAt = names.indexOf('total_usd');
    const sum = rows
      .map((row) => row.replace(/^"(?:[^"]|"")*"/, 'x').split(',')[totalAt] as string)
      .reduce((all, usd) => all + BigInt(usd.replace('.', '')), 0n);
    expect(sum).toBe(inside.reduce((all, { cost_nano_usd }) => all + BigInt(cost_nano_usd ?? 0), 0n));
    for (const usd of rows.join().matchAll(/\d+\.(\d{4,})/g)) expect(usd[1]).toHaveLength(9);
  });

  test('by JSON are what the store answers', async () => {
    const question = { from: '2026-11-01', to: '2026-11-03', by: 'model' } as const;
    const { out } = await typed(costs, [...TABLE, '--by', 'model', '--json']);
    expect(JSON.parse(out)).toEqual({ ...question, ...(await readCosts(db, question)) });
  });

  test('of nothing are a sentence that says what there is instead', async () => {
    expect((await typed(costs, ['--from', '2026-12-24', '--to', '2026-12-25'])).out).toBe(
      'Nothing was charged and no call was let in from 2026-12-24 to 2026-12-25. ' +
        'The newest day with any is 2026-11-04: trunkline costs --to 2026-11-04\n',
    );
    expect((await typed(costs, [], { of: empty })).out).toBe(NO_CALL);
  });

  test('of nothing keep CSV and JSON readable by programs', async () => {
    const csv = await typed(costs, ['--csv'], { of: empty });
    expect([csv.out.trimEnd().split('\r\n').length, csv.err]).toEqual([1, NO_CALL]);
    const json = await typed(costs, ['--json'], { of: empty });
    expect([JSON.parse(json.out).rows, json.err]).toEqual([[], NO_CALL]);
  });

  test('that were reconciled are told beside what sellers say, with where they differ', async () => {
    const own = await inMemory();
    try {
      await own
        .insertInto('lines')
        .values([
          { ...charged({ source: 'r1', costNanoUsd: 2_000_000_000, state: 'billed' }), billed_nano_usd: 2_100_000_000 },
          charged({ source: 'r2', costNanoUsd: 500_000_000, state: 'metered' }),
        ])
        .execute();
      const residue = { day: '2026-11-03', seller: 'openai', product: 'gpt-live-1', note: '' };
      await own
        .insertInto('residues')
        .values([
          { ...residue, cause: 'price_change', nano_usd: 100_000_000, beside_nano_usd: 0 },
          { ...residue, cause: 'lost_event', nano_usd: 30_000, beside_nano_usd: 30_000 },
        ])
        .execute();
      const { out } = await typed(costs, ['--from', '2026-11-03'], { of: own });
      expect(out.slice(out.indexOf('How sure')).split('\n')).toEqual([
        'How sure it is',
        '  day         estimated  metered   billed  sellers say  difference',
        '  2026-11-03          -  $0.5000  $2.0000      $2.1000    +$0.1000',
        '  estimated: Trunkline counted; metered: the seller counted; billed: the seller’s report was seen.',
        '  cached: share of what went into answers.',
        '',
        'Where reports and lines differ',
        '  seller  product     cause         difference  on no line',
        '  openai  gpt-live-1  lost_event      <$0.0001    <$0.0001',
        '  openai  gpt-live-1  price_change    +$0.1000           -',
        '  total                               +$0.1000    <$0.0001',
        '',
      ]);
    } finally {
      await own.destroy();
    }
  });

  test.each([
    [['--by', 'week'], '--by: expected day, agent or model (found week)'],
    [['--from', 'yesterday'], '--from: expected a day as 2026-11-21 (found yesterday)'],
    [['--to', '2026-02-30'], '--to: expected a day as 2026-11-21 (found 2026-02-30)'],
    [['--from', '2026-11-09', '--to', '2026-11-01'], '--from: expected a day that is not after 2026-11-01'],
    [['--csv', '--json'], '--csv and --json cannot both be had'],
    [['--form', '2026-11-01'], "Unknown option '--form'"],
    [['recocnile'], 'There is no "trunkline costs recocnile".'],
  ])('%j is refused with the usage', async (args, sentence) => {
    const said = await refusal(costs, args);
    expect(said.split('\n')[0]).toContain(sentence);
    expect(said).toContain('usage: trunkline costs');
  });
});

test('costs reconcile is the other command of that name', async () => {
  expect(await refusal(costs, ['reconcile', '--by', 'day'])).toContain('usage: trunkline costs reconcile');
});

describe('calls', () => {
  test('are listed with the newest first, and what is left out is told', async () => {
    const { out } = await typed(calls, ['--limit', '3']);
    const [title, ...rows] = out.trimEnd().split('\n');
    expect(title?.trim().split(/ {2,}/)).toEqual(['let in (UTC)', 'id', 'agent', 'caller', 'length', 'ended', 'cost']);
    const newest = seeded.calls.toSorted((a, b) => b.admitted_ms - a.admitted_ms).slice(0, 3);
    expect(rows.slice(0, 3).map((row) => row.split(/ {2,}/)[1])).toEqual(newest.map(({ call_id }) => call_id));
    expect(rows.slice(3)).toEqual(['The newest 3 of 60 calls; --limit N shows more.']);
    expect((await typed(calls, ['--limit', '60'])).out).not.toContain('newest');
  });

  test('show how numbers end, and whole ones only when asked, in JSON too', async () => {
    for (const args of [[], ['--json']]) {
      const discreet = (await typed(calls, args)).out;
      expect(discreet).not.toMatch(/\+1555/);
      expect(discreet).toMatch(/…\d\d/);
      expect((await typed(calls, [...args, '--numbers'])).out).toMatch(/\+1555000\d{4}/);
    }
  });

  test.each([99, 79])('take at most %s columns, with ids that `show` understands', async (columns) => {
    const lines = (await typed(calls, [], { columns })).out.trimEnd().split('\n');
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(columns);
    const id = lines[1]?.split(/ {2,}/)[1] as string;
    expect(id).toHaveLength(8);
    expect((await typed(calls, ['show', id])).out).toContain(`Call ${id}-`);
  });

  test('are narrowed by number however it is written', async () => {
    const { out } = await typed(calls, ['--from-number', '+1 (555) 000-0007', '--json']);
    expect(JSON.parse(out).calls).toMatchObject([{ callId: seeded.calls[7]?.call_id }]);
  });

  test('that do not fit are a sentence that says what there is instead', async () => {
    expect((await typed(calls, ['--day', '2026-12-24'])).out).toBe(
      'There is no call of 2026-12-24. Of 60 calls the newest is of 2026-11-03: trunkline calls --day 2026-11-03\n',
    );
    expect((await typed(calls, ['--agent', 'Nobody'])).out).toBe(
      'There is no call of the agent "Nobody". Agents with calls: =Bank, "Main", Harbor Clinic and Night Desk.\n',
    );
    expect((await typed(calls, ['--agent', 'Nobody'], { of: empty })).out).toBe(NO_CALL);
    const json = await typed(calls, ['--json'], { of: empty });
    expect([JSON.parse(json.out), json.err]).toEqual([{ calls: [], leftOut: 0 }, NO_CALL]);
  });

  test.each([
    [['--limit', '0'], '--limit: expected a whole number from 1 to 1000 (found 0)'],
    [['--limit', '1e3'], '--limit: expected a whole number from 1 to 1000 (found 1e3)'],
    [['--day', 'today'], '--day: expected a day as 2026-11-21 (found today)'],
    [['--from-number', '5551234567'], '--from-number: expected a number with its plus'],
    [['--from-number', ''], '--from-number: expected a number with its plus'],
    [['--reason', 'agent_godbye'], '--reason: expected an end reason; did you mean agent_goodbye?'],
    [['--reason', 'bored'], '--reason: expected one of agent_goodbye, transferred, caller_hung_up,'],
    [['shwo', 'x'], 'There is no "trunkline calls shwo x".'],
    [['show'], 'calls show: expected the id of one call'],
    [['show', 'a', 'b'], 'calls show: expected the id of one call'],
    [['show', "' or 1=1"], 'calls show: expected the id of a call'],
  ])('%j is refused with the usage', async (args, sentence) => {
    const said = await refusal(calls, args);
    expect(said.split('\n')[0]).toContain(sentence);
    expect(said).toContain('usage: trunkline calls');
  });

  test('that are not there, or not the only one, are told apart', async () => {
    expect(await refusal(calls, ['show', 'zzz'])).toBe(
      'There is no call zzz; "trunkline calls" lists those that are kept.',
    );
    expect(await refusal(calls, ['show', '0000'])).toMatch(/^More than one call begins with 0000; give more of the id/);
    expect(await refusal(calls, ['show', '%'])).toContain('expected the id of a call');
  });
});

describe('one call', () => {
  test('is told with heard and unheard words, tools, and its bill line by line', async () => {
    const own = await inMemory();
    try {
      const call = { ...first, call_id: 'c-1', admitted_ms: NOW, media_started_ms: NOW + 800, ended_ms: NOW + 63_800 };
      const said = (row: Seeded['turns'][number]) => ({ ...row, call_id: 'c-1' });
      await write(own, {
        calls: [{ ...call, agent: 'Desk\u001b[31m', reason: 'agent_goodbye', ended_by: 'agent', result: 'success' }],
        turns: seeded.turns.filter(({ call_id }) => call_id === first.call_id).map(said),
        tools: seeded.tools
          .filter(({ call_id }) => call_id === first.call_id)
          .map((run) => ({ ...run, call_id: 'c-1' })),
        lines: [
          charged({ source: 'r1', costNanoUsd: 12_400_000, doubt: 'more cached than input' }),
          charged({ source: 'leg', what: 'leg', product: 'twilio/inbound_local', ...LEG }),
          charged({ source: 'r2', product: 'gpt-of-tomorrow', costNanoUsd: null, unitPrice: null }),
        ],
      });
      const { out } = await typed(calls, ['show', 'c-1'], { of: own, columns: 99 });
      expect(out.split('\n')).toEqual([
        'Call c-1',
        '  agent     Desk [31m on gpt-realtime-2.1',
        '  from, to  …00, …00, attested A',
        `  carrier   twilio ${first.carrier_call_id}, inbound`,
        '  let in    2026-11-03 20:00:00 UTC, media after 0.8 s',
        '  length    1:03',
        '  ended     agent_goodbye, by the agent: success',
        `  quality   ${first.quality} of 100`,
        '  cost      at least $0.0294, at least $0.0280 a minute',
        '',
        'Turns',
        '  00:00.0  agent   Harbor Clinic, hello.',
        '  00:02.0  caller  I need a slot on Friday.',
        '  00:04.8  agent   Friday at nine, —',
        '                   never heard: or at ten?',
        '',
        'Tools',
        '  at       tool       asked and answered                             status   took',
        '  00:03.0  find_slot  {"day":"Friday"} → {"slots":["9:00","10:00"]}  ok      42 ms',
        '',
        'Bill (list prices of 2026-11-20)',
        '  when      what      sold as               units  of                  each      cost  state',
        '  20:00:01  call leg  twilio/inbound_local      2  min, 63.8 s  $0.0085/min   $0.0170  estimated',
        '  20:00:01  answer    gpt-realtime-2.1      1,000  text             $4.00/M   $0.0124  metered *',
        '                                              900  text cached      $0.40/M',
        '                                               50  audio out       $64.00/M',
        '  20:00:01  answer    gpt-of-tomorrow       1,000  text                   -  no price  metered',
        '                                              900  text cached            -',
        '                                               50  audio out              -',
        '  * 20:00:01 answer: more cached than input',
        '  No room for: event. A wider terminal or a pipe has them.',
        '',
        'Sums',
        '  state      lines              cost',
        '  estimated      1           $0.0170',
        '  metered        2  at least $0.0124',
        '  total          3  at least $0.0294',
        '',
      ]);
    } finally {
      await own.destroy();
    }
  });

  test.each([99, 79])('takes at most %s columns', async (columns) => {
    for (const { call_id } of seeded.calls.slice(0, 10)) {
      const lines = (await typed(calls, ['show', call_id], { columns })).out.split('\n');
      expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(columns);
    }
  });

  test('comes as JSON with its bill, without whole numbers unless asked', async () => {
    const { out } = await typed(calls, ['show', first.call_id, '--json']);
    const { call, bill } = JSON.parse(out);
    expect([call.callId, call.from.value, bill.callId]).toEqual([first.call_id, '…00', first.call_id]);
    expect(bill.lines).toHaveLength(7);
    const whole = JSON.parse((await typed(calls, ['show', first.call_id, '--json', '--numbers'])).out);
    expect(whole.call.from.value).toBe(first.from_value);
  });

  test('names every price book, and the book of each line where there are several', async () => {
    const own = await inMemory();
    try {
      const line = charged({ source: 'r1' });
      const lines = ['a.yaml 2026-11-20', 'b.yaml 2026-11-01'].map((priceBook, i) => ({
        ...line,
        call_id: first.call_id,
        source: `r${i}`,
        price_book: priceBook,
      }));
      await write(own, { calls: [first], turns: [], tools: [], lines });
      const { out } = await typed(calls, ['show', first.call_id], { of: own });
      expect(out).toContain('Bill (list prices of a.yaml 2026-11-20, b.yaml 2026-11-01)');
      for (const { price_book, source } of lines) expect(out).toMatch(new RegExp(`  ${price_book}  ${source}\n`));
    } finally {
      await own.destroy();
    }
  });

  test('whose words are gone is told all the same', async () => {
    const own = await inMemory();
    try {
      const turns = seeded.turns
        .filter(({ call_id }) => call_id === first.call_id)
        .map((turn) => ({ ...turn, said: null, heard: null, facts: '{}' }));
      await write(own, { calls: [{ ...first, from_value: null }], turns, tools: [], lines: [] });
      const { out } = await typed(calls, ['show', first.call_id], { of: own });
      expect(out.match(/\(no words are kept\)/g)).toHaveLength(3);
      expect(out).toContain('from, to  (forgotten), …00');
      expect(out).toContain('nothing was charged');
    } finally {
      await own.destroy();
    }
  });
});

test('the desk of a command has the store of the environment, and leaves nothing running', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'trunkline-desk-'));
  try {
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const store = await startStore({ dataDir, databaseUrl: null, nodeId: '00112233aabb', clock: realClock, log });
    store.append({ type: 'line.charged', callId: 'c-1', line: ledgerLine({ ...LEG, what: 'leg' }) });
    await store.settled();
    await store.close();
    const out: string[] = [];
    const desk = standardDesk({ DATA_DIR: dataDir });
    const paper = { out: (text: string) => void out.push(text), err: () => {}, columns: 99 };
    await costs(['--from', '2026-11-03', '--to', '2026-11-03', '--by', 'agent'], { ...desk, paper });
    expect(out.join('\n')).toMatch(/\(unknown call\) +0 +0\.0 +- +- +\$0\.0170 +- +\$0\.0170/);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

const TOKENS: LedgerLine['quantities'] = {
  unit: 'tokens',
  text: { fresh: 1_000, cached: 900, out: 0 },
  audio: { fresh: 0, cached: 0, out: 50 },
  image: { fresh: 0, cached: 0, out: 0 },
};
const each = (fresh: number, cached: number, out: number) => ({ fresh, cached, out });
const LEG: Partial<LedgerLine> = {
  quantities: { unit: 'minutes', seconds: 63.8, minutes: 2 },
  unitPrice: { per: 'minute', nanoUsd: 8_500_000 },
  costNanoUsd: 17_000_000,
  state: 'estimated',
  atWallMs: NOW + 1_000,
};

/** A line of call `c-1` as a row. */
const charged = (line: Partial<LedgerLine>) => lineRow('c-1', ledgerLine(line));

/** Of an answer unless it says otherwise. */
const ledgerLine = (line: Partial<LedgerLine>): LedgerLine => ({
  source: 'r1',
  what: 'answer',
  seller: 'openai',
  product: 'gpt-realtime-2.1',
  atWallMs: NOW + 1_500,
  quantities: TOKENS,
  unitPrice: {
    per: 'token',
    text: each(4_000, 400, 24_000),
    audio: each(32_000, 400, 64_000),
    image: each(5_000, 500, 0),
  },
  costNanoUsd: 0,
  state: 'metered',
  priceBook: '2026-11-20',
  doubt: null,
  ...line,
});
