// Calls for the tests of the list: few values of everything, so that every filter finds some, many are alike in what they are
// sorted by, and none is like all others.
import { seededRandom } from '../../src/phone/seeded-random.ts';
import type { Database } from '../../src/store/database.ts';
import type { CallFilter } from '../../src/store/queries/call-filter.ts';
import type { CallSort } from '../../src/store/queries/call-order.ts';
import type { CallRow, LinesTable } from '../../src/store/schema.ts';

/** 2026-11-01T00:00:00Z. */
export const FIRST_MS = Date.UTC(2026, 10, 1);
const DAY_MS = 86_400_000;
export const AGENTS = ['Clinic', "O'Neil; drop table calls", '%', 'Ä"b"'];
export const REASONS = ['agent_goodbye', 'caller_hung_up', 'model_lost'];
export const DISPOSITIONS = ['booked', 'asked', 'wrong number'];
export const NUMBERS = ['+14155550142', '+14155550143', '+491711234567', '+4917112345', 'sip:Anna@Example.com'];
export const WORDS = ['order', 'Friday', 'müller', "don't", '4711', 'two-thirds', 'ordering'];

/** A call with what was said in it. */
export interface Told extends Required<Omit<CallRow, 'line_count' | 'unpriced_lines'>> {
  seq: number;
  cost_nano_usd: number;
  duration_ms: number | null;
  said: string[];
}

export function manyCalls(count: number): Told[] {
  const random = seededRandom(11);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const some = <T>(value: T): T | null => (random() < 0.25 ? null : value);
  const step = (most: number, size: number): number => Math.floor(random() * most) * size;
  return Array.from({ length: count }, (_, i): Told => {
    const admitted = FIRST_MS + step(40, DAY_MS / 10);
    const started = some(admitted + 500);
    const reason = some(pick(REASONS));
    const ended = reason === null ? null : admitted + 500 + step(8, 15_000);
    return {
      seq: i + 1,
      call_id: `call-${Math.floor(random() * 1e9)}-${i}`,
      ...{
        carrier: 'twilio',
        carrier_call_id: `CA${i}`,
        direction: pick(['inbound', 'outbound']),
        agent: pick(AGENTS),
      },
      ...{
        agent_hash: 'h',
        model: 'm',
        node: 'n',
        from_kind: 'pstn',
        to_kind: 'pstn',
        attestation: null,
        detail: null,
      },
      from_value: some(pick(NUMBERS)),
      to_value: some(pick(NUMBERS)),
      admitted_ms: admitted,
      day: new Date(admitted).toISOString().slice(0, 10),
      media_started_ms: started,
      ended_ms: ended,
      reason,
      ended_by: reason === null ? null : 'caller',
      result: reason === null ? null : reason === 'model_lost' ? 'failure' : 'success',
      quality: some(step(4, 25)),
      ...{ audio_until_ms: null, text_until_ms: null, metadata_until_ms: null },
      duration_ms: ended === null || started === null ? null : ended - started,
      cost_nano_usd: step(6, 10_000_000),
      latency_ms: some(step(6, 300)),
      disposition: some(pick(DISPOSITIONS)),
      ...{ turn_count: 2, barge_ins: 0 },
      said: Array.from({ length: Math.floor(random() * 3) }, () => `${pick(WORDS)}, ${pick(WORDS)}.`),
    };
  });
}

export async function writeCalls(db: Database, calls: readonly Told[]): Promise<void> {
  await db.transaction().execute(async (inside) => {
    for (const { said, cost_nano_usd, duration_ms: _, ...call } of calls) {
      await inside.insertInto('calls').values(call).execute();
      await inside.insertInto('lines').values(lineOf(call.call_id, cost_nano_usd)).execute();
      for (const [turn, words] of said.entries())
        await inside
          .insertInto('turns')
          .values({ call_id: call.call_id, turn, who: 'caller', at_ms: 0, said: words, heard: null, facts: '{}' })
          .execute();
    }
  });
}

const lineOf = (call_id: string, cost_nano_usd: number): LinesTable => ({
  ...{ call_id, what: 'answer', source: 'r', seller: 'openai', product: 'm', at_ms: 0, day: '2026-11-01' },
  ...{ state: 'metered', unit: 'tokens', text_fresh: 1, text_cached: 0, text_out: 0, audio_fresh: 0, audio_cached: 0 },
  ...{ audio_out: 0, image_fresh: 0, image_cached: 0, duration_ms: 0, pieces: 0, unit_price: null, cost_nano_usd },
  ...{ price_book: 't', doubt: null, billed_nano_usd: null },
});

/** Whether a call fits, told once more in plain words. */
export function fits(call: Told, filter: CallFilter): boolean {
  const equal = (asked: string | null, value: string | null) => asked === null || asked === value;
  const within = (value: number | null, least: number | null, most: number | null) =>
    (least === null || (value !== null && value >= least)) && (most === null || (value !== null && value <= most));
  const { sinceMs, untilMs, reasons, number, words } = filter;
  return (
    equal(filter.day, call.day ?? null) &&
    (sinceMs === null || call.admitted_ms >= sinceMs) &&
    (untilMs === null || call.admitted_ms < untilMs) &&
    equal(filter.agent, call.agent) &&
    equal(filter.direction, call.direction) &&
    equal(filter.from, call.from_value ?? null) &&
    (reasons === null || reasons.includes(call.reason ?? '')) &&
    equal(filter.result, call.result ?? null) &&
    within(call.duration_ms, filter.minDurationMs, filter.maxDurationMs) &&
    within(call.cost_nano_usd, filter.minNanoUsd, filter.maxNanoUsd) &&
    within(call.latency_ms ?? null, filter.minLatencyMs, filter.maxLatencyMs) &&
    equal(filter.disposition, call.disposition ?? null) &&
    (number === null || [call.from_value, call.to_value].some((value) => hasNumber(value ?? '', number))) &&
    (words === null || hasWords(call.said, words))
  );
}

function hasNumber(value: string, number: string): boolean {
  const bare = number.replace(/[\s().-]/g, '');
  if (/^\+\d+$/.test(bare)) return value.startsWith(bare);
  return value.toLowerCase().includes(/^\d+$/.test(bare) ? bare : number.toLowerCase());
}

/** Words of letters and digits; one with a dash or an apostrophe is a sequence. */
function hasWords(said: readonly string[], asked: string): boolean {
  const tokens = (text: string): string[] => plain(text).match(/[\p{L}\p{N}]+/gu) ?? [];
  const turns = said.map(tokens);
  const parts = asked.split(/\s+/).filter((part) => tokens(part).length > 0);
  return (
    parts.length > 0 &&
    parts.every((part, i) => {
      const sequence = tokens(part);
      const isBeginning = i === parts.length - 1 && part.length >= 3;
      return turns.some((turn) =>
        turn.some((_, at) =>
          sequence.every((token, n) =>
            isBeginning && n === sequence.length - 1 ? turn[at + n]?.startsWith(token) : turn[at + n] === token,
          ),
        ),
      );
    })
  );
}

const plain = (text: string): string => text.toLowerCase();

const VALUES = {
  admitted: (call: Told) => call.admitted_ms,
  duration: (call: Told) => call.duration_ms,
  cost: (call: Told) => call.cost_nano_usd,
  latency: (call: Told) => call.latency_ms ?? null,
  quality: (call: Told) => call.quality ?? null,
} satisfies Record<CallSort, (call: Told) => number | null>;

/** Their ids in the order of the list: those without a value last, those that are alike as they came. */
export function sortedIds(calls: readonly Told[], sort: CallSort, order: 'asc' | 'desc'): string[] {
  const sign = order === 'asc' ? 1 : -1;
  const compare = (a: Told, b: Told): number => {
    const [x, y] = [VALUES[sort](a), VALUES[sort](b)];
    if (x === y) return sign * (a.seq - b.seq);
    return x === null ? 1 : y === null ? -1 : sign * (x - y);
  };
  return calls.toSorted(compare).map(({ call_id }) => call_id);
}
