// Makes a database with very many calls in it, as a year of a busy server would leave it: to look at lists of a million calls,
// and to measure them (calls-list.ts). The same calls for the same number of them.
//   node bench/seed-calls.ts --calls 1000000 --data-dir /tmp/million [--words 0.1] [--database-url postgres://…]
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type RawBuilder, sql } from 'kysely';
import { seededRandom } from '../src/phone/seeded-random.ts';
import { type Database, openDatabase } from '../src/store/database.ts';
import { placeOf } from '../src/store/place.ts';
import type { CallRow, LinesTable, TurnsTable } from '../src/store/schema.ts';
import { Progress } from './progress.ts';

const YEAR_MS = 365 * 86_400_000;
/** 2026-11-21T00:00:00Z: the calls end there. */
const UNTIL_MS = Date.UTC(2026, 10, 21);
const CALLS_AT_ONCE = 2_000;
/** The keys are random: so many touch most pages of them once, instead of once for each two thousand. */
const CALLS_A_TRANSACTION = 100_000;
const CALLS_A_SECOND = 14_000;
/** Of the keys of ten million calls the most part. */
const CACHE_KIB = 2_000_000;

/** With how many of all calls each has, and what its callers want. */
const AGENTS: [string, number, string[]][] = [
  ['Harbor Clinic', 0.3, ['booked', 'moved', 'cancelled', 'question']],
  ['Night Desk', 0.2, ['message taken', 'emergency']],
  ['Parcel Tracing', 0.18, ['found', 'lost', 'claim opened']],
  ['Table Booking', 0.14, ['booked', 'full', 'cancelled']],
  ['Bank Cards', 0.1, ['blocked', 'unblocked', 'not identified']],
  ['Roadside', 0.05, ['truck sent', 'declined']],
  ['Surveys', 0.03, ['answered', 'declined', 'voicemail']],
];
const REASONS: [string, number][] = [
  ['agent_goodbye', 0.52],
  ['caller_hung_up', 0.3],
  ['transferred', 0.08],
  ['caller_silent', 0.05],
  ['max_duration', 0.01],
  ['media_lost', 0.015],
  ['model_lost', 0.01],
  ['model_stalled', 0.01],
  ['internal_error', 0.005],
];
const FAILURES = new Set(['media_lost', 'model_lost', 'model_stalled', 'internal_error']);
const SENTENCES = [
  ...['I would like to book an appointment for', 'where is my parcel it should have come on', 'can you move it to'],
  ...['my card was stolen please block it since', 'a table for four people on', 'I need to speak to somebody about'],
  ...['let me look that up for you, one moment, it says', 'you are booked for', 'is there anything else I can do on'],
  ...[
    'thank you very much, goodbye until',
    'I am sorry, nothing is free on',
    'could you spell your name for me, please,',
  ],
];
const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

type Random = () => number;

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '1000000' },
    'data-dir': { type: 'string', default: 'data' },
    'database-url': { type: 'string' },
    words: { type: 'string', default: '0.1' },
  },
});
const count = wholeNumber(values.calls);
const path = join(values['data-dir'], 'trunkline.sqlite');
if (values['database-url'] === undefined && existsSync(path))
  throw new Error(`${path} is there already: give --data-dir another folder, or remove it`);
const isSqlite = values['database-url'] === undefined;
const db = await openDatabase(placeOf(values['database-url'] ?? null, path));
try {
  await seed(db, count, Number(values.words));
} finally {
  await db.destroy();
}

function wholeNumber(given: string): number {
  if (/^[1-9]\d{0,7}$/.test(given)) return Number(given);
  throw new Error(`--calls: expected a whole number up to 99999999 (found ${given})`);
}

async function seed(db: Database, calls: number, withWords: number): Promise<void> {
  const random = seededRandom(7);
  const indices = isSqlite ? await hurry(db) : [];
  const progress = new Progress([calls / CALLS_A_SECOND], process.stderr);
  progress.begin(`${calls} calls`, calls / CALLS_A_SECOND);
  for (let from = 0; from < calls; from += CALLS_A_TRANSACTION)
    await db.transaction().execute(async (inside) => {
      for (let at = from; at < Math.min(calls, from + CALLS_A_TRANSACTION); at += CALLS_AT_ONCE) {
        const rows = { calls: [] as CallRow[], lines: [] as LinesTable[], turns: [] as TurnsTable[] };
        for (let i = at; i < Math.min(calls, at + CALLS_AT_ONCE); i++) {
          const call = aCall(i, calls, random);
          rows.calls.push(call);
          rows.lines.push(...itsLines(call, random));
          if (random() < withWords) rows.turns.push(...itsTurns(call, random));
        }
        // Lines first: so a call is summed once, when it comes.
        await insert(inside, 'lines', rows.lines);
        await insert(inside, 'calls', rows.calls);
        await insert(inside, 'turns', rows.turns);
        progress.say(`${at} are made`);
      }
    });
  for (const { name, sql: made } of indices) {
    progress.say(`index ${name}`);
    await sql.raw(made).execute(db);
  }
  await sql`analyze`.execute(db);
  progress.end();
}

/**
 * Of a database that is only made to be measured nothing has to outlive the machine; and an index that is made at the end, in
 * its order, is made in a tenth of the time.
 * @returns those that were taken away
 */
async function hurry(db: Database): Promise<{ name: string; sql: string }[]> {
  for (const pragma of ['journal_mode = delete', 'journal_mode = memory', 'synchronous = off', 'secure_delete = off'])
    await sql.raw(`pragma ${pragma}`).execute(db);
  await sql.raw(`pragma cache_size = -${CACHE_KIB}`).execute(db);
  const { rows } = await sql<{ name: string; sql: string }>`select name, sql from sqlite_master
    where type = 'index' and sql is not null and tbl_name in ('calls', 'lines')`.execute(db);
  for (const { name } of rows) await sql`drop index ${sql.ref(name)}`.execute(db);
  return rows;
}

/** One value for all rows: a statement with as many values as the rows have takes longer to read than to do. */
async function insert(db: Database, table: 'calls' | 'lines' | 'turns', rows: readonly object[]): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  const columns = Object.keys(first);
  const json = JSON.stringify(rows);
  const from: RawBuilder<unknown> = isSqlite
    ? sql`select ${sql.join(columns.map((column) => sql`value ->> ${sql.lit(column)}`))} from json_each(${json})`
    : sql`select ${sql.join(columns.map((column) => sql.ref(column)))}
        from json_populate_recordset(null::${sql.table(table)}, ${json}::json)`;
  await sql`insert into ${sql.table(table)} (${sql.join(columns.map((column) => sql.ref(column)))}) ${from}`.execute(
    db,
  );
}

function aCall(i: number, of: number, random: Random): CallRow {
  const admitted = Math.floor(UNTIL_MS - YEAR_MS + ((i + random()) * YEAR_MS) / of);
  const [agent, , dispositions] = chosen(AGENTS, random);
  const outbound = agent === 'Surveys';
  const started = random() < 0.01 ? null : admitted + 300 + Math.floor(random() * 1_500);
  // Half of them are shorter than two minutes, a few are very long.
  const lasted = Math.min(3_600_000, Math.floor(110_000 * Math.exp(normal(random) * 0.9)) + 2_000);
  const lives = i >= of - 20;
  const ended = lives ? null : (started ?? admitted) + lasted;
  const [reason] = started === null ? ['media_never_started'] : chosen(REASONS, random);
  const caller = `+1415${String(2_000_000 + Math.floor(random() ** 2 * 400_000)).padStart(7, '0')}`;
  return {
    call_id: callIdOf(random),
    carrier: 'twilio',
    carrier_call_id: `CA${i.toString(16).padStart(32, '0')}`,
    direction: outbound ? 'outbound' : 'inbound',
    agent,
    agent_hash: `made-up-${agent}`,
    model: random() < 0.7 ? 'gpt-realtime-2.1' : 'gpt-realtime-2.1-mini',
    node: 'seed',
    from_kind: 'pstn',
    from_value: outbound ? '+15559990000' : caller,
    to_kind: 'pstn',
    to_value: outbound ? caller : '+15559990000',
    attestation: 'A',
    admitted_ms: admitted,
    day: new Date(admitted).toISOString().slice(0, 10),
    media_started_ms: started,
    ended_ms: ended,
    reason: lives ? null : reason,
    ended_by: lives ? null : 'caller',
    result: lives ? null : FAILURES.has(reason) || started === null ? 'failure' : 'success',
    detail: lives ? null : '',
    quality: lives || started === null ? null : Math.max(0, 100 - Math.floor(Math.abs(normal(random)) * 12)),
    audio_until_ms: null,
    text_until_ms: null,
    metadata_until_ms: null,
    latency_ms: lives || started === null || random() < 0.03 ? null : Math.floor(850 * Math.exp(normal(random) * 0.35)),
    disposition: lives || random() < 0.3 ? null : (dispositions[Math.floor(random() * dispositions.length)] ?? null),
    turn_count: 6,
    barge_ins: Math.floor(random() ** 3 * 5),
  };
}

/** Two: all answers, and the leg. */
function itsLines(call: CallRow, random: Random): LinesTable[] {
  const lastedMs = (call.ended_ms ?? call.admitted_ms) - (call.media_started_ms ?? call.admitted_ms);
  const minutes = Math.max(1, Math.ceil(lastedMs / 60_000));
  const none = {
    ...{ text_fresh: 0, text_cached: 0, text_out: 0, audio_fresh: 0, audio_cached: 0, audio_out: 0 },
    ...{ image_fresh: 0, image_cached: 0, duration_ms: 0, pieces: 0, doubt: null, billed_nano_usd: null },
    ...{ call_id: call.call_id, at_ms: call.admitted_ms, day: call.day, price_book: 'made up', unit_price: null },
  };
  const tokens = Math.floor(lastedMs / 50);
  const leg = { seller: 'twilio', product: 'twilio/inbound_local', what: 'leg', source: 'l1', unit: 'minutes' };
  const lines: LinesTable[] = [
    { ...none, ...leg, state: 'estimated', pieces: minutes, cost_nano_usd: minutes * 8_500_000 },
  ];
  if (call.media_started_ms !== null)
    lines.push({
      ...none,
      ...{ seller: 'openai', product: call.model, what: 'answer', source: 'resp_1', unit: 'tokens', state: 'metered' },
      audio_fresh: tokens,
      cost_nano_usd: random() < 0.01 ? null : tokens * 32_000 + Math.floor(random() * 1_000_000),
    });
  return lines;
}

function itsTurns({ call_id }: CallRow, random: Random): TurnsTable[] {
  return Array.from({ length: 6 }, (_, turn) => {
    const sentence = SENTENCES[Math.floor(random() * SENTENCES.length)];
    const day = DAYS[Math.floor(random() * DAYS.length)];
    const said = `${sentence} ${day} at ${Math.floor(random() * 12)}, number ${Math.floor(random() * 100_000)}.`;
    const agent = turn % 2 === 0;
    return {
      ...{ call_id, turn, who: agent ? 'agent' : 'caller', at_ms: turn * 6_000, said, heard: agent ? said : null },
      facts: JSON.stringify({ who: agent ? 'agent' : 'caller', outcome: agent ? 'heard' : undefined }),
    };
  });
}

function chosen<One extends readonly [string, number, ...unknown[]]>(from: readonly One[], random: Random): One {
  let left = random();
  for (const one of from) if ((left -= one[1]) < 0) return one;
  return from[0] as One;
}

/** Of the standard normal distribution, near enough. */
function normal(random: Random): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random();
  return sum;
}

function callIdOf(random: Random): string {
  const hex = () =>
    Math.floor(random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, '0');
  const [a, b, c, d] = [hex(), hex(), hex(), hex()];
  return `${a}-${b.slice(4)}-4${b.slice(1, 4)}-8${c.slice(1, 4)}-${c.slice(0, 4)}${d}`;
}
