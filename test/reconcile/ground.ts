// What calls are made of in these tests: prices, lines of bills, rows of calls, and what a seller sold of it all. Prices and
// sums are this file's own.
import type { CallRow, LinesTable } from '../../src/store/schema.ts';
import type { Market, Sold, SoldCall, SoldStream } from './reports.ts';

export const FULL = 'gpt-realtime-2.1';
export const MINI = 'gpt-realtime-2.1-mini';
export const ASR = 'gpt-4o-mini-transcribe';
export const WHISPER = 'whisper-1';
export const LEG = 'twilio/inbound_local';
export const STREAM = 'twilio/media_stream';

/** Nano-dollars per token: text fresh, cached, out; audio fresh, cached, out; image fresh, cached. */
export const PRICES: Record<string, readonly number[]> = {
  [FULL]: [4000, 400, 24000, 32000, 400, 64000, 5000, 500],
  [MINI]: [600, 60, 2400, 10000, 300, 20000, 800, 80],
  [ASR]: [1250, 1250, 5000, 3000, 3000, 0, 0, 0],
};
const WHISPER_HOUR = 360_000_000;
export const LEG_MINUTE = 8_500_000;
export const STREAM_MINUTE = 4_400_000;

export const FIRST = Date.parse('2026-09-01T00:00:00Z');
export const DAYS = 30;
export const DAY = 86_400_000;
export const dayNo = (n: number): string => new Date(FIRST + n * DAY).toISOString().slice(0, 10);
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

export interface Month {
  market: Market;
  calls: CallRow[];
  lines: LinesTable[];
  /** `day seller product cause` to nano-dollars. */
  planted: Map<string, number>;
}

const worth = (model: string, tokens: readonly number[]): number =>
  tokens.reduce((sum, n, i) => sum + n * (PRICES[model]?.[i] ?? 0), 0);

const unitPriceOf = (model: string): string => {
  const [a, b, c, d, e, f, g, h] = PRICES[model] ?? [];
  return JSON.stringify({
    per: 'token',
    text: { fresh: a, cached: b, out: c },
    audio: { fresh: d, cached: e, out: f },
    image: { fresh: g, cached: h, out: 0 },
  });
};

export const lineOf = (
  facts: Pick<LinesTable, 'call_id' | 'what' | 'source' | 'seller' | 'product' | 'at_ms' | 'unit'> &
    Partial<LinesTable>,
): LinesTable => ({
  day: dayOf(facts.at_ms),
  state: 'metered',
  text_fresh: 0,
  text_cached: 0,
  text_out: 0,
  audio_fresh: 0,
  audio_cached: 0,
  audio_out: 0,
  image_fresh: 0,
  image_cached: 0,
  duration_ms: 0,
  pieces: 0,
  unit_price: null,
  cost_nano_usd: null,
  price_book: 'test 2026-09-01',
  doubt: null,
  billed_nano_usd: null,
  ...facts,
});

export function tokenLine(
  call: string,
  what: string,
  source: string,
  model: string,
  atMs: number,
  tokens: readonly number[],
): LinesTable {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = tokens;
  return lineOf({
    ...{ call_id: call, what, source, seller: 'openai', product: model, at_ms: atMs, unit: 'tokens' },
    ...{ text_fresh: a, text_cached: b, text_out: c, audio_fresh: d, audio_cached: e, audio_out: f },
    ...{ image_fresh: g, image_cached: h, unit_price: unitPriceOf(model), cost_nano_usd: worth(model, tokens) },
  });
}

export const whisperLine = (call: string, source: string, atMs: number, seconds: number): LinesTable =>
  lineOf({
    ...{
      call_id: call,
      what: 'transcription',
      source,
      seller: 'openai',
      product: WHISPER,
      at_ms: atMs,
      unit: 'seconds',
    },
    ...{ duration_ms: seconds * 1000, unit_price: JSON.stringify({ per: 'hour', nanoUsd: WHISPER_HOUR }) },
    cost_nano_usd: (seconds * WHISPER_HOUR) / 3600,
  });

export function minutesLine(
  call: string,
  what: 'leg' | 'media_stream',
  source: string,
  atMs: number,
  durationMs: number,
): LinesTable {
  const minutes = Math.ceil(durationMs / 60_000);
  const nanoUsd = what === 'leg' ? LEG_MINUTE : STREAM_MINUTE;
  return lineOf({
    ...{
      call_id: call,
      what,
      source,
      seller: 'twilio',
      product: what === 'leg' ? LEG : STREAM,
      at_ms: atMs,
      unit: 'minutes',
    },
    ...{ state: 'estimated', duration_ms: durationMs, pieces: minutes },
    ...{ unit_price: JSON.stringify({ per: 'minute', nanoUsd }), cost_nano_usd: minutes * nanoUsd },
  });
}

export const callRow = (callId: string, sid: string, admittedMs: number): CallRow => ({
  call_id: callId,
  carrier: 'twilio',
  carrier_call_id: sid,
  direction: 'inbound',
  agent: 'test',
  agent_hash: '0',
  model: FULL,
  node: 'n',
  from_kind: 'pstn',
  from_value: null,
  to_kind: 'pstn',
  to_value: null,
  attestation: null,
  admitted_ms: admittedMs,
  day: dayOf(admittedMs),
  media_started_ms: null,
  ended_ms: null,
  reason: null,
  ended_by: null,
  result: null,
  detail: null,
  quality: null,
  audio_until_ms: null,
  text_until_ms: null,
  metadata_until_ms: null,
});

/** A market without anything unusual. */
export const plainMarket = (sold: Sold[] = [], calls: SoldCall[] = [], streams: SoldStream[] = []): Market => ({
  sold,
  calls,
  streams,
  tokenPrice: (model) => [...(PRICES[model] ?? [])],
  hourPrice: (model) => (model === WHISPER ? WHISPER_HOUR : null),
  freeTokens: () => [],
  extraItems: () => [],
  streamUsd: () => STREAM_MINUTE / 1e9,
  freeMinutes: () => 0,
  extraRecords: () => [],
});

/** One call of a minute and a half at noon: an answer, a leg and a stream. */
export function oneCall(): Month {
  const atMs = FIRST + 12 * 3_600_000;
  const tokens = [900, 0, 40, 200, 0, 300, 0, 0];
  const sid = `CA${'a'.repeat(32)}`;
  return {
    calls: [callRow('one', sid, atMs)],
    lines: [
      tokenLine('one', 'answer', 'resp_1', FULL, atMs, tokens),
      minutesLine('one', 'leg', 'leg-1', atMs, 90_000),
      minutesLine('one', 'media_stream', 'MZ1', atMs, 89_000),
    ],
    market: plainMarket(
      [{ atMs, model: FULL, tokens, seconds: null }],
      [{ sid, endMs: atMs, seconds: 90, usd: 0.017, status: 'completed' }],
      [{ day: dayNo(0), minutes: 2 }],
    ),
    planted: new Map(),
  };
}
