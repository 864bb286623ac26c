// The faults of a synthetic month, each with the cause and the amount that must be found for it.
import type { LinesTable } from '../../src/store/schema.ts';
import {
  DAY,
  FIRST,
  FULL,
  LEG,
  LEG_MINUTE,
  MINI,
  type Month,
  PRICES,
  STREAM,
  STREAM_MINUTE,
  callRow,
  dayNo,
  dayOf,
  minutesLine,
  tokenLine,
} from './ground.ts';

/** From this day on (counted from 0) the sellers ask for more, and the book does not know. */
export const AUDIO_RISE = { from: 20, nanoUsd: 70_000 };
const LEG_RISE = { from: 22, nanoUsd: 9_000_000 };
const STREAM_RISE = { from: 25, nanoUsd: 4_600_000 };

export function plantFaults(
  { market, lines, calls }: Month,
  random: () => number,
  plant: (day: string, product: string, cause: string, nano: number) => void,
): void {
  const used = new Set<LinesTable>();
  /** Any line of the month that no fault has touched, from days before prices rise where `early` says so. */
  function take(what: string, early = false): LinesTable {
    for (;;) {
      const line = lines[Math.floor(random() * lines.length)] as LinesTable;
      if (line.what !== what || used.has(line) || (early && line.at_ms >= FIRST + 19 * DAY)) continue;
      used.add(line);
      return line;
    }
  }
  const cost = (line: LinesTable): number => line.cost_nano_usd ?? 0;
  const drop = (line: LinesTable): void => void lines.splice(lines.indexOf(line), 1);

  for (const what of ['answer', 'transcription', 'media_stream', 'leg'])
    for (let i = 0; i < (what === 'answer' ? 12 : 4); i++) {
      const lost = take(what, what === 'leg');
      drop(lost);
      // Who lost a leg does not know what it was sold as.
      plant(lost.day, what === 'leg' ? 'twilio/leg' : lost.product, 'lost_event', cost(lost));
    }
  for (const what of ['answer', 'media_stream', 'leg'])
    for (let i = 0; i < (what === 'answer' ? 8 : 3); i++) {
      const twice = take(what);
      lines.push({ ...twice, source: `${twice.source}-again`, at_ms: twice.at_ms + 40, day: dayOf(twice.at_ms + 40) });
      plant(twice.day, twice.product, 'duplicate', -cost(twice));
    }
  for (let i = 0; i < 3; i++) {
    const late = take('answer', true);
    const before = late.day;
    late.at_ms += DAY;
    late.day = dayOf(late.at_ms);
    plant(before, late.product, 'late_event', cost(late));
    plant(late.day, late.product, 'late_event', -cost(late));
  }
  for (let i = 0; i < 4; i++) {
    const reckoned = take('answer');
    const real = cost(reckoned);
    const heard = Math.floor(reckoned.audio_out / 2);
    const guess = tokenLine(reckoned.call_id, 'answer', reckoned.source, reckoned.product, reckoned.at_ms, [
      0,
      0,
      0,
      0,
      0,
      heard,
      0,
      0,
    ]);
    Object.assign(reckoned, guess, { state: 'estimated' });
    plant(reckoned.day, reckoned.product, 'lost_event', real - cost(reckoned));
  }

  // Calls across midnight: their last answer, their leg and their stream end within seconds of it, on either side of it.
  const crossings: [n: number, theirs: number, ours: number][] = [
    [7, -2_000, 1_500],
    [10, 2_000, -1_200],
    [13, -1_000, 3_000],
    [16, 4_000, -2_000],
  ];
  crossings.forEach(([n, theirs, ours], i) => {
    const midnight = FIRST + n * DAY;
    const [theirDay, ourDay] = [dayOf(midnight + theirs), dayOf(midnight + ours)];
    const id = `crossing-${i}`;
    const sid = `CA${'f'.repeat(31)}${i}`;
    calls.push(callRow(id, sid, midnight - 100_000));
    const tokens = [950 + i, 0, 44, 210 + i, 0, 333 + i, 0, 0];
    market.sold.push({ atMs: midnight + theirs, model: FULL, tokens, seconds: null });
    const answer = tokenLine(id, 'answer', `resp_x${i}`, FULL, midnight + ours, tokens);
    market.calls.push({ sid, endMs: midnight + theirs, seconds: 100, usd: 0.017, status: 'completed' });
    const leg = minutesLine(id, 'leg', `leg-x${i}`, midnight + ours, 100_000);
    market.streams.push({ day: theirDay, minutes: 2 });
    const stream = minutesLine(id, 'media_stream', `MZx${i}`, midnight + ours, 99_300);
    for (const line of [answer, leg, stream]) {
      lines.push(line);
      plant(theirDay, line.product, 'clock_boundary', cost(line));
      plant(ourDay, line.product, 'clock_boundary', -cost(line));
    }
  });

  // Prices that rise at midnight, of which the book knows nothing.
  market.tokenPrice = (model, day) => {
    const prices = [...(PRICES[model] ?? [])];
    if (model === FULL && day >= dayNo(AUDIO_RISE.from)) prices[5] = AUDIO_RISE.nanoUsd;
    return prices;
  };
  for (const { atMs, model, tokens } of market.sold)
    if (model === FULL && dayOf(atMs) >= dayNo(AUDIO_RISE.from))
      plant(dayOf(atMs), FULL, 'price_change', (tokens[5] ?? 0) * (AUDIO_RISE.nanoUsd - 64_000));
  market.streamUsd = (day) => (day >= dayNo(STREAM_RISE.from) ? STREAM_RISE.nanoUsd : STREAM_MINUTE) / 1e9;
  for (const { day, minutes } of market.streams)
    if (day >= dayNo(STREAM_RISE.from))
      plant(day, STREAM, 'price_change', minutes * (STREAM_RISE.nanoUsd - STREAM_MINUTE));
  for (const call of market.calls) {
    const day = dayOf(call.endMs);
    if (day < dayNo(LEG_RISE.from)) continue;
    const minutes = Math.round((call.usd ?? 0) / (LEG_MINUTE / 1e9));
    call.usd = (minutes * LEG_RISE.nanoUsd) / 1e9;
    plant(day, LEG, 'price_change', minutes * (LEG_RISE.nanoUsd - LEG_MINUTE));
  }

  market.freeTokens = (model, day) => (model === MINI && day === dayNo(5) ? [2_000] : []);
  plant(dayNo(5), MINI, 'free_tier', -2_000 * 600);
  const free = Math.floor(market.streams.filter(({ day }) => day === dayNo(6)).length / 4);
  market.freeMinutes = (day) => (day === dayNo(6) ? free : 0);
  plant(dayNo(6), STREAM, 'free_tier', -free * STREAM_MINUTE);
  market.extraItems = (day) => (day === dayNo(12) ? [{ name: 'Sales tax', usd: 1.234567 }] : []);
  plant(dayNo(12), 'tax', 'tax', 1_234_567_000);
}
