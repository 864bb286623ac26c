// What usage costs: the worked examples of the price list, the carriers' rounding, and what is unknown.
import { describe, expect, test } from 'vitest';
import { type CarrierUse, carrierLine, legLine, toolLine, usageLine } from '../../src/ledger/cost.ts';
import { shippedPrices } from '../../src/ledger/load-prices.ts';
import type { CarrierLine } from '../../src/ledger/prices.ts';
import type { Usage } from '../../src/realtime/session.ts';
import { Context, type ContextPiece } from '../../src/simulator/context.ts';
import { callerTokens, producedTokens } from '../../src/simulator/usage.ts';

const BOOK = shippedPrices();
const AT = Date.UTC(2026, 10, 20, 12);
const CHARGED = { seller: 'openai', atWallMs: AT };

const tokens = (part: Partial<Extract<Usage, { unit: 'tokens' }>>): Usage => ({
  source: 'resp_1',
  what: 'answer',
  model: 'gpt-realtime-2.1',
  unit: 'tokens',
  textIn: 0,
  audioIn: 0,
  imageIn: 0,
  cachedTextIn: 0,
  cachedAudioIn: 0,
  cachedImageIn: 0,
  textOut: 0,
  audioOut: 0,
  ...part,
});
const lineOf = (usage: Usage) => usageLine(usage, CHARGED, BOOK);
const sumOf = (pieces: readonly ContextPiece[], kind: 'text' | 'audio') =>
  pieces.reduce((sum, piece) => sum + piece[kind], 0);
const costOf = (usage: Usage) => lineOf(usage).costNanoUsd;

describe('an answer', () => {
  test('costs what the formula says: fresh, cached and out by modality, cached counted once', () => {
    const line = lineOf(
      tokens({ textIn: 1410, audioIn: 280, cachedTextIn: 1408, cachedAudioIn: 128, textOut: 22, audioOut: 100 }),
    );
    // 2 * 4.00 + 1408 * 0.40 + 152 * 32.00 + 128 * 0.40 + 22 * 24.00 + 100 * 64.00 dollars per million
    expect(line).toEqual({
      source: 'resp_1',
      what: 'answer',
      seller: 'openai',
      product: 'gpt-realtime-2.1',
      atWallMs: AT,
      quantities: {
        unit: 'tokens',
        text: { fresh: 2, cached: 1408, out: 22 },
        audio: { fresh: 152, cached: 128, out: 100 },
        image: { fresh: 0, cached: 0, out: 0 },
      },
      unitPrice: {
        per: 'token',
        text: { fresh: 4_000, cached: 400, out: 24_000 },
        audio: { fresh: 32_000, cached: 400, out: 64_000 },
        image: { fresh: 5_000, cached: 500, out: 0 },
      },
      costNanoUsd: 12_414_400,
      state: 'metered',
      priceBook: 'openai.yaml 2026-11-20',
      doubt: null,
    });
  });

  // 20 turns, 6 s of caller and 6 s of agent each, a prompt of 1,500 tokens, 25 text tokens an answer: $1.44 and $0.24.
  test.each([
    ['gpt-realtime-2.1', 'nothing', 1.4374],
    ['gpt-realtime-2.1', 'all that was said before', 0.23698],
    // The simulator's rule, and the safer guess about the real one: what the last answer said is read fresh once.
    ['gpt-realtime-2.1', 'what the last answer read', 0.310738],
    ['gpt-realtime-2.1-mini', 'nothing', 0.42405],
    ['gpt-realtime-2.1-mini', 'all that was said before', 0.074355],
  ] as const)('over a whole call of %s with %s cached comes to the worked example', (model, isCached, usd) => {
    const context = new Context();
    const pieces: ContextPiece[] = [{ id: 'prompt', key: 'prompt', text: 1_500, audio: 0 }];
    let nano = 0;
    for (let turn = 1; turn <= 20; turn++) {
      const before = turn === 1 ? [] : pieces.slice();
      pieces.push({ id: `caller_${turn}`, key: `caller_${turn}`, text: 0, audio: callerTokens(6_000) });
      const { all, cached: simulated } = context.read(pieces, { limit: 28_224, ratio: 1 });
      const said = { text: sumOf(before, 'text'), audio: sumOf(before, 'audio') };
      const none = { text: 0, audio: 0 };
      const cached = { nothing: none, 'all that was said before': said, 'what the last answer read': simulated }[
        isCached
      ];
      const output = { text: 25, audio: producedTokens(6_000) };
      nano += costOf(
        tokens({
          model,
          textIn: all.text,
          audioIn: all.audio,
          cachedTextIn: cached.text,
          cachedAudioIn: cached.audio,
          textOut: output.text,
          audioOut: output.audio,
        }),
      ) as number;
      pieces.push({ id: `agent_${turn}`, key: `agent_${turn}`, ...output });
    }
    expect(nano).toBe(Math.round(usd * 1e9));
  });

  test('is never charged less than nothing when more is called cached than went in', () => {
    expect(costOf(tokens({ textIn: 10, cachedTextIn: 99 }))).toBe(10 * 400);
  });

  test('of a dated snapshot costs what its family does', () => {
    expect(costOf(tokens({ model: 'gpt-realtime-2025-08-28', textOut: 1 }))).toBe(16_000);
  });

  test.each(['gpt-realtime-9', 'constructor', '__proto__', ''])(
    'of an unknown model (%j) has no price, which is not zero',
    (model) => {
      const line = lineOf(tokens({ model, textIn: 1 }));
      expect(line).toMatchObject({ costNanoUsd: null, unitPrice: null, priceBook: BOOK.version });
      expect(line.quantities).toMatchObject({ text: { fresh: 1 } });
    },
  );

  test('of a model sold by time has no price: its tokens are no measure of time', () => {
    expect(costOf(tokens({ model: 'gpt-live-1', audioIn: 100 }))).toBeNull();
  });

  test('with tokens of a kind that the book does not know has no price', () => {
    const usage = { source: 'i1', what: 'transcription', model: 'gpt-4o-transcribe', textIn: 1 } as const;
    expect(costOf(tokens(usage))).toBe(2_500);
    expect(costOf(tokens({ ...usage, imageIn: 1 }))).toBeNull();
  });

  test.each([
    ['cached_split_unknown', 'estimated'],
    ['absurd_count', 'estimated'],
    // Whoever it is for: the seller counted.
    ['unknown_answer', 'metered'],
  ] as const)('that is doubted as %s is %s', (doubt, state) => {
    expect(lineOf(tokens({ textOut: 1, doubt }))).toMatchObject({ doubt, state, costNanoUsd: 24_000 });
  });
});

describe('a transcription', () => {
  const seconds = (model: string, s: number): Usage => ({
    source: 'item_u1',
    what: 'transcription',
    model,
    unit: 'seconds',
    seconds: s,
  });

  test.each([
    ['whisper-1', 2.4, 240_000],
    ['gpt-transcribe', 2.4, 180_000],
    ['gpt-realtime-whisper', 1, 283_333],
  ])('sold by time (%s, %d s) is rounded once', (model, s, nano) => {
    expect(lineOf(seconds(model, s))).toMatchObject({ costNanoUsd: nano, state: 'metered' });
  });

  const used = (model: string): Usage =>
    tokens({ source: 'item_u1', what: 'transcription', model, audioIn: 24, textOut: 5 });

  test('sold by tokens is priced by tokens', () => {
    expect(costOf(used('gpt-4o-mini-transcribe'))).toBe(24 * 3_000 + 5 * 5_000);
  });

  test('sold by time but reported in tokens is read as time, and says that it is an estimate', () => {
    expect(lineOf(used('gpt-transcribe'))).toMatchObject({ costNanoUsd: 180_000, state: 'estimated' });
  });

  test('sold by tokens but reported in seconds has no price', () => {
    expect(costOf(seconds('gpt-4o-transcribe', 3))).toBeNull();
  });
});

test('a session of a model that is sold by time is priced by its seconds', () => {
  const usage: Usage = { source: 'live_1', what: 'session', model: 'gpt-live-1', unit: 'seconds', seconds: 90 };
  expect(lineOf(usage)).toMatchObject({ costNanoUsd: 75_000_000, unitPrice: { per: 'hour', nanoUsd: 3_000_000_000 } });
});

describe('a carrier', () => {
  const timed = (line: CarrierLine | null, seconds: number | null, carrier = 'twilio') =>
    carrierLine({ source: 'l1', what: 'leg', carrier, line, seconds, atWallMs: AT }, BOOK);

  test.each([
    [0, 0],
    [0.4, 1],
    [60, 1],
    [60.001, 2],
    [78, 2],
  ])('bills %d s as %d minutes', (seconds, minutes) => {
    expect(timed('inbound_local', seconds)).toMatchObject({
      seller: 'twilio',
      quantities: { unit: 'minutes', seconds, minutes },
      unitPrice: { per: 'minute', nanoUsd: 8_500_000 },
      costNanoUsd: minutes * 8_500_000,
      state: 'estimated',
      priceBook: 'twilio.yaml 2026-11-20',
    });
  });

  test.each([
    ['completed within a second', 0, 1],
    ['completed', 61, 2],
    ['unanswered', null, 0],
  ])('bills an outbound leg that was %s (%d s) as %d minutes', (_, seconds, minutes) => {
    expect(timed('outbound', seconds)).toMatchObject({
      quantities: { unit: 'minutes', seconds: seconds ?? 0, minutes },
      costNanoUsd: minutes * 14_000_000,
    });
  });

  test.each([
    ['media_stream', 'media_stream', 4_400_000],
    ['recording', 'recording', 2_500_000],
  ] as const)('bills a %s by the begun minute', (what, line, nanoUsd) => {
    const use: CarrierUse = { source: 'x', what, carrier: 'twilio', line, seconds: 61, atWallMs: AT };
    expect(carrierLine(use, BOOK)).toMatchObject({ product: `twilio/${line}`, costNanoUsd: 2 * nanoUsd });
  });

  test.each([
    ['message', 'sms', 3, 24_900_000],
    ['machine_detection', 'machine_detection', 1, 7_500_000],
  ] as const)('bills a %s by the piece', (what, line, count, costNanoUsd) => {
    const use: CarrierUse = { source: 'x', what, carrier: 'twilio', line, count, atWallMs: AT };
    expect(carrierLine(use, BOOK)).toMatchObject({
      quantities: { unit: 'count', count },
      unitPrice: { per: 'piece' },
      costNanoUsd,
    });
  });

  test('adds the stream to the leg: 0.0129 dollars a minute before the model', () => {
    const stream = carrierLine(
      { source: 'l1', what: 'media_stream', carrier: 'twilio', line: 'media_stream', seconds: 60, atWallMs: AT },
      BOOK,
    );
    expect((timed('inbound_local', 60).costNanoUsd ?? 0) + (stream.costNanoUsd ?? 0)).toBe(12_900_000);
  });

  test('unknown, or with a leg of an unknown kind, has no price', () => {
    expect(timed('inbound_local', 60, 'elsewhere')).toMatchObject({
      costNanoUsd: null,
      product: 'elsewhere/inbound_local',
    });
    expect(timed(null, 60)).toMatchObject({ costNanoUsd: null, product: 'twilio/unknown' });
  });

  const pstn = (value: string) => ({ kind: 'pstn' as const, value });
  test.each([
    ['a local number', pstn('+14155550142'), pstn('+14155550199'), 'inbound_local'],
    ['a withheld caller', { kind: 'withheld' as const, value: '' }, pstn('+14155550199'), 'inbound_local'],
    ['a toll-free number', pstn('+14155550142'), pstn('+18885550199'), 'inbound_toll_free'],
    ['a number that begins like a toll-free one', pstn('+14155550142'), pstn('+18815550199'), 'inbound_local'],
    ['a SIP call', { kind: 'sip' as const, value: 'sip:a@b.example' }, pstn('+14155550199'), 'sip'],
    ['a call to a SIP user', pstn('+14155550142'), { kind: 'sip' as const, value: 'sip:clinic@b.example' }, 'sip'],
    ['an app', { kind: 'client' as const, value: 'client:me' }, pstn('+14155550199'), 'app'],
    ['a number abroad', pstn('+14155550142'), pstn('+442079460000'), null],
  ])('sells %s as %4$s', (_, from, to, line) => {
    expect(legLine('inbound', from, to)).toBe(line);
    // Whoever calls a toll-free number pays nothing extra for it.
    const outbound = line === 'inbound_local' || line === 'inbound_toll_free' ? 'outbound' : line;
    expect(legLine('outbound', from, to)).toBe(outbound);
  });
});

test('a run of a tool costs what its declaration says', () => {
  const run = { source: 'call_1', name: 'credit_check', nanoUsd: 25_000_000, atWallMs: AT };
  expect(toolLine({ ...run, declaredIn: 'clinic.yaml abc', doubt: null })).toEqual({
    source: 'call_1',
    what: 'tool',
    seller: 'tool',
    product: 'credit_check',
    atWallMs: AT,
    quantities: { unit: 'count', count: 1 },
    unitPrice: { per: 'piece', nanoUsd: 25_000_000 },
    costNanoUsd: 25_000_000,
    state: 'estimated',
    priceBook: 'clinic.yaml abc',
    doubt: null,
  });
});
