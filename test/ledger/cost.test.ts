// What usage costs: the worked examples of the price list, the carriers' rounding, and what is unknown.
import { describe, expect, test } from 'vitest';
import { carrierLine, inboundLine, usageLine } from '../../src/ledger/cost.ts';
import { PRICE_BOOK } from '../../src/ledger/prices.ts';
import type { Usage } from '../../src/realtime/session.ts';

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
const costOf = (usage: Usage) => usageLine(usage, PRICE_BOOK).costNanoUsd;

describe('an answer', () => {
  test('costs what the formula says: fresh, cached and out by modality, cached counted once', () => {
    const line = usageLine(
      tokens({ textIn: 1410, audioIn: 280, cachedTextIn: 1408, cachedAudioIn: 128, textOut: 22, audioOut: 100 }),
      PRICE_BOOK,
    );
    // 2 * 4.00 + 1408 * 0.40 + 152 * 32.00 + 128 * 0.40 + 22 * 24.00 + 100 * 64.00 dollars per million
    expect(line).toEqual({
      source: 'resp_1',
      what: 'answer',
      model: 'gpt-realtime-2.1',
      quantities: {
        unit: 'tokens',
        text: { fresh: 2, cached: 1408, out: 22 },
        audio: { fresh: 152, cached: 128, out: 100 },
        image: { fresh: 0, cached: 0, out: 0 },
      },
      costNanoUsd: 12_414_400,
      state: 'metered',
      priceBook: '2026-11-20',
    });
  });

  // 20 turns, 6 s of caller and 6 s of agent each, a prompt of 1,500 tokens, 25 text tokens an answer.
  test.each([
    ['gpt-realtime-2.1', 0, 1.4374],
    ['gpt-realtime-2.1', 1, 0.23698],
    ['gpt-realtime-2.1-mini', 0, 0.42405],
    ['gpt-realtime-2.1-mini', 1, 0.074355],
  ])('over a whole call of %s, with cache %d, comes to the worked example', (model, cache, usd) => {
    let nano = 0;
    for (let turn = 1; turn <= 20; turn++) {
      const before = turn - 1;
      nano += costOf(
        tokens({
          model,
          textIn: 1_500 + 25 * before,
          audioIn: 60 * turn + 120 * before,
          cachedTextIn: cache * (before === 0 ? 0 : 1_500 + 25 * before),
          cachedAudioIn: cache * 180 * before,
          textOut: 25,
          audioOut: 120,
        }),
      ) as number;
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
      const line = usageLine(tokens({ model, textIn: 1 }), PRICE_BOOK);
      expect(line.costNanoUsd).toBeNull();
      expect(line.quantities).toMatchObject({ text: { fresh: 1 } });
    },
  );
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
    expect(usageLine(seconds(model, s), PRICE_BOOK)).toMatchObject({ costNanoUsd: nano, state: 'metered' });
  });

  test('sold by tokens is priced by tokens', () => {
    const usage = tokens({
      source: 'item_u1',
      what: 'transcription',
      model: 'gpt-4o-mini-transcribe',
      audioIn: 24,
      textOut: 5,
    });
    expect(costOf(usage)).toBe(24 * 3_000 + 5 * 5_000);
  });

  test('sold by time but reported in tokens is read as time, and says that it is an estimate', () => {
    const usage = tokens({
      source: 'item_u1',
      what: 'transcription',
      model: 'gpt-transcribe',
      audioIn: 24,
      textOut: 5,
    });
    expect(usageLine(usage, PRICE_BOOK)).toMatchObject({ costNanoUsd: 180_000, state: 'estimated' });
  });

  test('sold by tokens but reported in seconds has no price', () => {
    expect(costOf(seconds('gpt-4o-transcribe', 3))).toBeNull();
  });
});

describe('a carrier', () => {
  const leg = (line: Parameters<typeof carrierLine>[0]['line'], seconds: number, carrier = 'twilio') =>
    carrierLine({ source: 'l1', what: 'leg', carrier, line, seconds }, PRICE_BOOK);

  test.each([
    [0, 0],
    [0.4, 1],
    [60, 1],
    [60.001, 2],
    [78, 2],
  ])('bills %d s as %d minutes', (seconds, minutes) => {
    expect(leg('inbound_local', seconds)).toMatchObject({
      quantities: { unit: 'minutes', seconds, minutes },
      costNanoUsd: minutes * 8_500_000,
      state: 'estimated',
    });
  });

  test('adds the stream to the leg: 0.0129 dollars a minute before the model', () => {
    const stream = carrierLine(
      { source: 'l1', what: 'media_stream', carrier: 'twilio', line: 'media_stream', seconds: 60 },
      PRICE_BOOK,
    );
    expect((leg('inbound_local', 60).costNanoUsd ?? 0) + (stream.costNanoUsd ?? 0)).toBe(12_900_000);
  });

  test('unknown, or with a leg of an unknown kind, has no price', () => {
    expect(leg('inbound_local', 60, 'elsewhere')).toMatchObject({
      costNanoUsd: null,
      model: 'elsewhere/inbound_local',
    });
    expect(leg(null, 60)).toMatchObject({ costNanoUsd: null, model: 'twilio/unknown' });
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
    expect(inboundLine(from, to)).toBe(line);
  });
});
