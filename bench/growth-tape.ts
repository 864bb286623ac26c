// How a tape grows with its call, and what reading it costs: parsed, and folded through the core again.
import { randomUUID } from 'node:crypto';
import type { Agent } from '../src/agent/agent.ts';
import { foldTape } from '../src/replay/fold.ts';
import { parseTape } from '../src/tape/tape.ts';
import { benchAgent, factsOf, LongCall } from './growth-call.ts';
import { brief, type PartOptions, PartReport, whole } from './growth-report.ts';
import { tapeText } from './tape-text.ts';

/** The recorder's bound (src/tape/recorder.ts). */
const MAX_TAPE_BYTES = 64 * 1024 * 1024;
const MAX_CALL_MINUTES = 240;

export const tapeSizes = (short: boolean): number[] => (short ? [1, 4] : [1, 10, 60, 180]);

export interface TapeFigures {
  minutes: number;
  bytes: number;
  lines: number;
  parseMs: number;
  foldMs: number;
  identical: boolean;
}

/** The tape of a call of so many minutes, as the recorder would write it had it no bound. */
export async function longTape(agent: Agent, minutes: number): Promise<string> {
  const parts: string[] = [];
  const call = new LongCall(factsOf(agent, randomUUID()), [tapeText((text) => void parts.push(text))]);
  await call.begin();
  for (let minute = 0; minute < minutes; minute++) await call.minute();
  await call.end();
  // Flat: a rope would be flattened by whoever reads it first.
  return Buffer.from(parts.join('')).toString();
}

/** Read once: parsed, then folded. */
export function readTape(text: string, minutes: number): TapeFigures {
  let startMs = performance.now();
  const tape = parseTape(text);
  const parseMs = performance.now() - startMs;
  startMs = performance.now();
  const { identical } = foldTape(tape);
  const foldMs = performance.now() - startMs;
  return { minutes, bytes: text.length, lines: tape.entries.length + 1, parseMs, foldMs, identical };
}

/** The sizes take turns, so that a machine that is slower for a moment slows them all; the least of each counts. */
function leastOf(texts: ReadonlyMap<number, string>, rounds: number, say: (text: string) => void): TapeFigures[] {
  const all = new Map<number, TapeFigures[]>();
  for (let round = 1; round <= rounds; round++)
    for (const [minutes, text] of texts) {
      say(`round ${round} of ${rounds}: the tape of ${minutes} minutes`);
      all.set(minutes, [...(all.get(minutes) ?? []), readTape(text, minutes)]);
    }
  return [...all.values()].map((runs) => ({
    ...(runs[0] as TapeFigures),
    parseMs: Math.min(...runs.map(({ parseMs }) => parseMs)),
    foldMs: Math.min(...runs.map(({ foldMs }) => foldMs)),
    identical: runs.every(({ identical }) => identical),
  }));
}

export async function measureTapes({ short, say }: PartOptions): Promise<PartReport> {
  const report = new PartReport();
  const agent = await benchAgent();
  const sizes = tapeSizes(short);
  say('warming up');
  const warming = await longTape(agent, short ? 1 : 10);
  for (let round = 0; round < 2; round++) readTape(warming, 0);
  const texts = new Map<number, string>();
  for (const minutes of sizes) {
    say(`a tape of ${minutes} minutes is made`);
    texts.set(minutes, await longTape(agent, minutes));
  }
  const all = leastOf(texts, short ? 2 : 5, say);
  const perMinute = ({ parseMs, foldMs, minutes }: TapeFigures): number => (parseMs + foldMs) / minutes;
  // The first minute holds the greeting: beside it ten of them are the smallest fair size.
  const base = all[Math.min(1, all.length - 1)] as TapeFigures;
  for (const one of all) {
    const { minutes, bytes, parseMs, foldMs } = one;
    report.fault(!one.identical, `the tape of ${minutes} minutes does not fold to what it says`);
    report.point('tape_parse_ms_per_minute', minutes, parseMs / minutes);
    report.point('tape_fold_ms_per_minute', minutes, foldMs / minutes);
    report.figure(`tape_${minutes}_bytes_per_minute`, bytes / minutes);
    report.figure(`tape_${minutes}_parse_ms`, parseMs);
    report.figure(`tape_${minutes}_fold_ms`, foldMs);
  }
  const largest = all.at(-1) as TapeFigures;
  const fullAfter = MAX_TAPE_BYTES / (largest.bytes / largest.minutes);
  report.figure('tape_ratio', perMinute(largest) / perMinute(base));
  report.figure('tape_full_after_minutes', fullAfter);
  report.table(
    'A tape of so many minutes, read back: the least of some rounds',
    [
      'minutes',
      'MiB',
      'KiB per minute',
      'lines',
      'parsed, ms',
      'folded, ms',
      'ms per minute of call',
      `to ${base.minutes}`,
    ],
    all.map((one) => [
      String(one.minutes),
      (one.bytes / 2 ** 20).toFixed(2),
      brief(one.bytes / one.minutes / 1_024),
      whole(one.lines),
      brief(one.parseMs),
      brief(one.foldMs),
      brief(perMinute(one)),
      `${(perMinute(one) / perMinute(base)).toFixed(2)} ×`,
    ]),
  );
  report.remark(
    `At this rate a tape reaches its bound of 64 MiB after ${whole(fullAfter)} minutes; the longest call that can be configured is ${MAX_CALL_MINUTES} minutes${fullAfter < MAX_CALL_MINUTES ? ', so the tape of such a call ends early' : ''}.`,
  );
  return report;
}
