// A synthetic month of calls: what two sellers sold, what our ledger wrote of it, and the faults that were planted between the
// two, with their causes and amounts.
import {
  ASR,
  DAY,
  DAYS,
  FIRST,
  FULL,
  LEG_MINUTE,
  MINI,
  type Month,
  WHISPER,
  callRow,
  dayOf,
  minutesLine,
  plainMarket,
  tokenLine,
  whisperLine,
} from './ground.ts';
import { plantFaults } from './month-faults.ts';

export interface MonthOptions {
  calls: number;
  seed: number;
  faults: boolean;
}

/** Mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function makeMonth({ calls: howMany, seed, faults }: MonthOptions): Month {
  const random = seeded(seed);
  const between = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1));
  const month: Month = { market: plainMarket(), calls: [], lines: [], planted: new Map() };
  const { market, calls, lines, planted } = month;
  const plant = (day: string, product: string, cause: string, nano: number): void => {
    const key = `${day} ${product.startsWith('twilio') ? 'twilio' : 'openai'} ${product} ${cause}`;
    planted.set(key, (planted.get(key) ?? 0) + nano);
  };

  for (let n = 0; n < howMany; n++) {
    // An hour from either end of the month stays free, and five minutes around each midnight.
    const startMs = FIRST + Math.floor(n / (howMany / DAYS)) * DAY + between(3_700_000, DAY - 600_000);
    const id = `call-${n}`;
    const sid = `CA${(n + 1).toString(16).padStart(32, '0')}`;
    const durationMs = between(20_000, 280_000);
    const endMs = Math.floor((startMs + durationMs) / 1000) * 1000;
    const model = random() < 0.7 ? FULL : MINI;
    calls.push(callRow(id, sid, startMs));
    let context = 0;
    for (let i = 0; i < 3; i++) {
      const fresh = between(60, 400);
      const tokens = [
        i === 0 ? 900 + between(0, 40) : between(5, 40),
        context,
        between(20, 90),
        fresh,
        i * 128,
        between(90, 700),
        0,
        0,
      ];
      context += tokens[0] ?? 0;
      const atMs = startMs + Math.round((durationMs * (i + 1)) / 4);
      market.sold.push({ atMs, model, tokens, seconds: null });
      lines.push(tokenLine(id, 'answer', `resp_${n}_${i}`, model, atMs, tokens));
    }
    for (let i = 0; i < 2; i++) {
      const seconds = between(1, 14);
      const atMs = startMs + Math.round((durationMs * (i + 1)) / 4) - 900;
      if (n % 5 === 0) {
        market.sold.push({ atMs, model: WHISPER, tokens: Array<number>(8).fill(0), seconds });
        lines.push(whisperLine(id, `item_${n}_${i}`, atMs, seconds));
        continue;
      }
      const tokens = [0, 0, between(3, 60), seconds * 10, 0, 0, 0, 0];
      market.sold.push({ atMs, model: ASR, tokens, seconds });
      lines.push(tokenLine(id, 'transcription', `item_${n}_${i}`, ASR, atMs, tokens));
    }
    const seconds = Math.ceil(durationMs / 1000);
    const legMs = endMs + between(50, 600);
    const minutes = Math.ceil(durationMs / 60_000);
    market.calls.push({ sid, endMs, seconds, usd: (minutes * LEG_MINUTE) / 1e9, status: 'completed' });
    lines.push(minutesLine(id, 'leg', `leg-${n}`, legMs, durationMs));
    const streamMs = durationMs - between(300, 900);
    market.streams.push({ day: dayOf(endMs), minutes: Math.ceil(streamMs / 60_000) });
    lines.push(minutesLine(id, 'media_stream', `MZ${n}`, legMs, streamMs));
  }
  if (faults) plantFaults(month, random, plant);
  lines.sort((a, b) => a.at_ms - b.at_ms);
  return month;
}
