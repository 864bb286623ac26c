// Made-up calls with their bills, written as rows of the tables: the same ones for the same seed. What they come to is for
// each test to add up.
import { openDatabase, type Database } from '../../src/store/database.ts';
import { QUERIES } from '../../src/store/queries.ts';
import type { Store } from '../../src/store/store.ts';
import type { CallRow, LinesTable, ToolsTable, TurnsTable } from '../../src/store/schema.ts';
import { seededRandom } from '../../src/phone/seeded-random.ts';

export const FIRST_DAY = '2026-11-01';
const DAY_MS = 86_400_000;
export const AGENTS = ['Harbor Clinic', 'Night Desk', '=Bank, "Main"'];
const MODELS = ['gpt-realtime-2.1', 'gpt-realtime-2.1-mini'];
const REASONS = ['agent_goodbye', 'caller_hung_up', 'caller_silent', 'model_lost'];

/** Nano-dollars a token, as a unit price is kept. */
const TOKEN_PRICES: Record<string, string> = {
  'gpt-realtime-2.1':
    '{"per":"token","text":{"fresh":4000,"cached":400,"out":24000},"audio":{"fresh":32000,"cached":400,"out":64000},"image":{"fresh":5000,"cached":500,"out":0}}',
  'gpt-realtime-2.1-mini':
    '{"per":"token","text":{"fresh":600,"cached":60,"out":2400},"audio":{"fresh":10000,"cached":300,"out":20000},"image":{"fresh":800,"cached":80,"out":0}}',
};

/** A call with every column that is given to it; the database makes the others. */
export type SeededCall = Required<Omit<CallRow, 'seq' | 'cost_nano_usd' | 'line_count' | 'unpriced_lines'>>;

export interface Seeded {
  calls: SeededCall[];
  lines: LinesTable[];
  turns: TurnsTable[];
  tools: ToolsTable[];
}

export interface SeedOptions {
  calls: number;
  days: number;
  /** Answers of each call; four lines come with each besides. */
  answers: number;
  seed?: number;
}

type Random = () => number;

export function seed({ calls: count, days, answers, seed: number = 1 }: SeedOptions): Seeded {
  const random = seededRandom(number);
  const seeded: Seeded = { calls: [], lines: [], turns: [], tools: [] };
  for (let i = 0; i < count; i++) {
    const call = aCall(i, days, random);
    seeded.calls.push(call);
    for (let n = 0; n < answers; n++) seeded.lines.push(anAnswer(call, n, random));
    const minute = { call, unit: 'minutes', seller: 'twilio' };
    const pieces = 1 + Math.floor(random() * 5);
    seeded.lines.push(
      aLine(
        { ...minute, what: 'leg', product: 'twilio/inbound_local', pieces, durationMs: pieces * 60_000 - 500 },
        8_500_000,
      ),
      aLine(
        { ...minute, what: 'media_stream', product: 'twilio/media_stream', pieces, durationMs: pieces * 60_000 - 900 },
        4_000_000,
      ),
      aLine(
        { call, what: 'tool', product: 'find_slot', seller: 'tool', unit: 'count', pieces: 1, durationMs: 0 },
        2_000_000,
      ),
      aTranscription(call, random),
    );
    seeded.turns.push(...someTurns(call));
    seeded.tools.push(aTool(call));
  }
  return seeded;
}

function aCall(i: number, days: number, random: Random): SeededCall {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const admitted = Date.parse(FIRST_DAY) + Math.floor(random() * days * DAY_MS);
  const started = random() < 0.05 ? null : admitted + Math.floor(random() * 2_000);
  const ended = random() < 0.05 ? null : (started ?? admitted) + 5_000 + Math.floor(random() * 295_000);
  return {
    call_id: `${i.toString(16).padStart(8, '0')}-aaaa-4bbb-8ccc-dddddddddddd`,
    carrier: 'twilio',
    carrier_call_id: `CA${i.toString(16).padStart(32, '0')}`,
    direction: 'inbound',
    agent: pick(AGENTS),
    agent_hash: 'h1',
    model: pick(MODELS),
    node: 'n1',
    from_kind: 'pstn',
    from_value: `+1555000${String(i % 500).padStart(4, '0')}`,
    to_kind: 'pstn',
    to_value: '+15559990000',
    attestation: 'A',
    admitted_ms: admitted,
    day: new Date(admitted).toISOString().slice(0, 10),
    media_started_ms: started,
    ended_ms: ended,
    reason: ended === null ? null : pick(REASONS),
    ended_by: ended === null ? null : 'agent',
    result: ended === null ? null : 'success',
    detail: null,
    quality: ended === null ? null : Math.floor(random() * 101),
    audio_until_ms: null,
    text_until_ms: null,
    metadata_until_ms: null,
    ...{ latency_ms: null, disposition: null, turn_count: null, barge_ins: null },
  };
}

interface LineFacts {
  call: SeededCall;
  what: string;
  product: string;
  seller: string;
  unit: string;
  pieces: number;
  durationMs: number;
}

/** A line sold by the minute or the piece. */
function aLine({ call, what, product, seller, unit, pieces, durationMs }: LineFacts, nanoUsd: number): LinesTable {
  return {
    ...EMPTY,
    ...placed(call, call.ended_ms ?? call.admitted_ms),
    ...{ what, product, seller, unit, pieces, source: `${what}-1`, duration_ms: durationMs },
    state: what === 'tool' ? 'metered' : 'estimated',
    unit_price: JSON.stringify({ per: unit === 'minutes' ? 'minute' : 'piece', nanoUsd }),
    cost_nano_usd: pieces * nanoUsd,
  };
}

function anAnswer(call: SeededCall, n: number, random: Random): LinesTable {
  const upTo = (most: number): number => Math.floor(random() * most);
  const price = JSON.parse(TOKEN_PRICES[call.model] as string) as Record<
    'text' | 'audio' | 'image',
    Record<string, number>
  >;
  const tokens = {
    text_fresh: upTo(900),
    text_cached: upTo(3_000),
    text_out: upTo(120),
    audio_fresh: upTo(400),
    audio_cached: upTo(2_000),
    audio_out: upTo(300),
    image_fresh: n === 0 ? upTo(40) : 0,
    image_cached: 0,
  };
  let cost = 0;
  for (const [column, count] of Object.entries(tokens)) {
    const [modality, part] = column.split('_') as ['text' | 'audio' | 'image', string];
    cost += count * (price[modality][part] as number);
  }
  const state = random();
  const billed = state > 0.8;
  return {
    ...EMPTY,
    ...placed(call, call.admitted_ms + 3_000 + n * 7_000),
    ...tokens,
    source: `resp_${call.call_id.slice(0, 8)}_${n}`,
    what: 'answer',
    seller: 'openai',
    product: call.model,
    state: billed ? 'billed' : state < 0.1 ? 'estimated' : 'metered',
    unit: 'tokens',
    unit_price: TOKEN_PRICES[call.model] as string,
    cost_nano_usd: cost,
    billed_nano_usd: billed ? cost + upTo(2_001) - 1_000 : null,
    doubt: n === 1 && random() < 0.1 ? 'more cached than input (5 of 3); counted as 3' : null,
  };
}

/** Of a model that no price is known of, now and then. */
function aTranscription(call: SeededCall, random: Random): LinesTable {
  const known = random() > 0.02;
  const duration = 1_000 + Math.floor(random() * 60_000);
  return {
    ...EMPTY,
    ...placed(call, call.admitted_ms + 4_000),
    ...{ source: 'item_1', what: 'transcription', seller: 'openai', unit: 'seconds', state: 'metered' },
    product: known ? 'gpt-transcribe' : 'gpt-of-tomorrow',
    duration_ms: duration,
    unit_price: known ? '{"per":"hour","nanoUsd":270000000}' : null,
    cost_nano_usd: known ? Math.round((duration * 270_000_000) / 3_600_000) : null,
  };
}

const placed = (call: SeededCall, atMs: number): Pick<LinesTable, 'call_id' | 'at_ms' | 'day'> => ({
  call_id: call.call_id,
  at_ms: atMs,
  day: new Date(atMs).toISOString().slice(0, 10),
});

const EMPTY = {
  ...{ text_fresh: 0, text_cached: 0, text_out: 0, audio_fresh: 0, audio_cached: 0, audio_out: 0 },
  ...{ image_fresh: 0, image_cached: 0, duration_ms: 0, pieces: 0, doubt: null, billed_nano_usd: null },
  price_book: '2026-11-20',
};

function someTurns({ call_id }: SeededCall): TurnsTable[] {
  const latency = { turn: 't1', voiceToVoiceMs: 812 };
  return [
    {
      ...{ call_id, turn: 0, who: 'agent', at_ms: 40, said: 'Harbor Clinic, hello.', heard: 'Harbor Clinic, hello.' },
      facts: JSON.stringify({ who: 'agent', outcome: 'heard', heardMs: 1_500, receivedMs: 1_500, text: 'SECRET FACT' }),
    },
    {
      ...{ call_id, turn: 1, who: 'caller', at_ms: 2_000, said: 'I need a slot on Friday.', heard: null },
      facts: JSON.stringify({ who: 'caller', transcript: 'SECRET FACT', latency }),
    },
    {
      ...{ call_id, turn: 2, who: 'agent', at_ms: 4_812, said: 'Friday at nine, or at ten?', heard: 'Friday at nine,' },
      facts: JSON.stringify({ who: 'agent', outcome: 'interrupted', heardMs: 900, receivedMs: 2_100 }),
    },
  ];
}

const aTool = ({ call_id }: SeededCall): ToolsTable => ({
  ...{ call_id, tool: 0, tool_call: 'c1', name: 'find_slot', status: 'ok', at_ms: 3_000, duration_ms: 42 },
  arguments: '{"day":"Friday"}',
  output: '{"slots":["9:00","10:00"]}',
});

/** The store as far as it is asked, without a thread. */
export const askOf =
  (db: Database): Store['ask'] =>
  (name, question) =>
    (QUERIES[name] as (db: Database, question: unknown) => Promise<never>)(db, question);

/** A database of its own in memory. */
export const inMemory = (): Promise<Database> => openDatabase({ engine: 'sqlite', path: ':memory:' });

const ROWS_AT_ONCE = 500;

export async function write(db: Database, { calls, lines, turns, tools }: Seeded): Promise<void> {
  await db.transaction().execute(async (inside) => {
    for (const part of parts(calls)) await inside.insertInto('calls').values(part).execute();
    for (const part of parts(lines)) await inside.insertInto('lines').values(part).execute();
    for (const part of parts(turns)) await inside.insertInto('turns').values(part).execute();
    for (const part of parts(tools)) await inside.insertInto('tools').values(part).execute();
  });
}

function* parts<T>(rows: readonly T[]): Generator<T[]> {
  for (let i = 0; i < rows.length; i += ROWS_AT_ONCE) yield rows.slice(i, i + ROWS_AT_ONCE);
}
