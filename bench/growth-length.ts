// Does the last minute of a long call cost what its first did? Processor time of every minute of one call with everything
// on, and its memory; then, of the core alone, a turn after so many turns.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Agent } from '../src/agent/agent.ts';
import type { CallEvent } from '../src/call/event.ts';
import { step } from '../src/call/machine.ts';
import { admittedCall, type CallState } from '../src/call/state.ts';
import { realClock } from '../src/clock.ts';
import { createLogger } from '../src/log.ts';
import { startStore } from '../src/store/start.ts';
import { benchAgent, CallClock, factsOf, LongCall } from './growth-call.ts';
import { standingOnlookers } from './growth-onlookers.ts';
import { brief, type PartOptions, PartReport, whole } from './growth-report.ts';
import { median, trendOf } from './slope.ts';

export interface LengthSizes {
  minutes: number;
  warmUpMinutes: number;
  /** Calls of each kind. */
  rounds: number;
  /** Minutes between two looks at the memory. */
  lookEvery: number;
}

export const lengthSizes = (short: boolean): LengthSizes =>
  short
    ? { minutes: 9, warmUpMinutes: 2, rounds: 1, lookEvery: 3 }
    : { minutes: 180, warmUpMinutes: 30, rounds: 3, lookEvery: 10 };

/** How one call went. */
export interface LengthRun {
  /** Of the main thread, ms, minute by minute. */
  cpuMs: number[];
  /** Heap and what lies outside of it, after a collection, KiB; every `lookEvery` minutes. */
  heapKib: number[];
  /** Of the call's folder, bytes. */
  tapeBytes: number;
  wavBytes: number;
  recordBytes: number;
  turns: number;
  faults: string[];
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** A call in a data folder of its own, which is removed. @param record whether it keeps its turns */
export async function lengthRun(
  agent: Agent,
  { minutes, lookEvery, record }: { minutes: number; lookEvery: number; record: boolean },
  say: (text: string) => void = () => {},
): Promise<LengthRun> {
  const dataDir = mkdtempSync(join(tmpdir(), 'trunkline-growth-'));
  const log = createLogger({ level: 'error' });
  const store = await startStore({ dataDir, databaseUrl: null, nodeId: 'a1a2a3a4a5a6', clock: realClock, log });
  const facts = factsOf(agent, randomUUID());
  const clock = new CallClock(facts);
  const faults: string[] = [];
  const onlookers = standingOnlookers({
    ...{ dataDir, clock, record },
    keep: (fact) => store.append(fact),
    incomplete: (what) => void faults.push(`${what} of the call was not written whole`),
  });
  try {
    const call = new LongCall(facts, onlookers, clock);
    const cpuMs: number[] = [];
    const heapKib: number[] = [];
    await call.begin();
    for (let minute = 1; minute <= minutes; minute++) {
      const before = process.threadCpuUsage();
      await call.minute();
      const { user, system } = process.threadCpuUsage(before);
      cpuMs.push((user + system) / 1_000);
      if (call.isOver) faults.push(`the call ended in minute ${minute}`);
      if (faults.length > 0) break;
      if (minute % lookEvery === 0) {
        await store.settled();
        heapKib.push(await heldKib());
        say(`minute ${minute} of ${minutes}`);
      }
    }
    const { turns } = call;
    await call.end();
    const bytesOf = (name: string): number => {
      const path = join(dataDir, 'calls', facts.opening.callId, name);
      return existsSync(path) ? statSync(path).size : 0;
    };
    const files = { tapeBytes: bytesOf('tape.jsonl'), wavBytes: bytesOf('audio.wav') };
    return { cpuMs, heapKib, ...files, recordBytes: bytesOf('record.json'), turns, faults };
  } finally {
    await store.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** What is held after a collection; what the disk still has is given a moment to go. */
async function heldKib(): Promise<number> {
  await sleep(20);
  collect();
  await sleep(5);
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1_024;
}

/** By Theil and Sen: a single look that caught something else counts little. */
const kibGrowth = (heapKib: readonly number[], lookEvery: number): number =>
  trendOf(heapKib.map((value, look) => ({ atMs: look * lookEvery * 60_000, value }))).perHour / 60;

/** The last minutes to the first, but for the very first, in which the greeting is. */
export function lastToFirst(cpuMs: readonly number[]): { first: number; last: number; ratio: number } {
  const width = Math.min(10, Math.floor((cpuMs.length - 1) / 2));
  const first = median(cpuMs.slice(1, 1 + width));
  const last = median(cpuMs.slice(-width));
  return { first, last, ratio: last / first };
}

/** Of equal calls what they have in common: the least of each figure, which other work on the machine raises and never lowers. */
export function together(runs: readonly LengthRun[]): LengthRun {
  const [first] = runs;
  if (first === undefined) throw new Error('no runs');
  const least = (of: (run: LengthRun) => number[]): number[] =>
    of(first).map((_, at) => Math.min(...runs.map((run) => of(run)[at] ?? Number.POSITIVE_INFINITY)));
  return {
    ...first,
    cpuMs: least(({ cpuMs }) => cpuMs),
    heapKib: least(({ heapKib }) => heapKib),
    faults: runs.flatMap(({ faults }) => faults),
  };
}

export async function measureLengths({ short, say }: PartOptions): Promise<PartReport> {
  const report = new PartReport();
  const { minutes, warmUpMinutes, rounds, lookEvery } = lengthSizes(short);
  const agent = await benchAgent();
  say('a call for warming up');
  await lengthRun(agent, { minutes: warmUpMinutes, lookEvery, record: true });
  const all: { entire: LengthRun[]; bare: LengthRun[] } = { entire: [], bare: [] };
  for (let round = 1; round <= rounds; round++)
    for (const kind of ['entire', 'bare'] as const) {
      const tell = (text: string): void => say(`${kind} call ${round} of ${rounds}, ${text}`);
      all[kind].push(await lengthRun(agent, { minutes, lookEvery, record: kind === 'entire' }, tell));
    }
  const [entire, bare] = [together(all.entire), together(all.bare)];
  const rows = [entire, bare].map((run, i) => {
    const { first, last, ratio } = lastToFirst(run.cpuMs);
    const name = i === 0 ? 'everything' : 'no_record';
    const kibPerMinute = kibGrowth(run.heapKib, lookEvery);
    report.figure(`length_${name}_first_ms`, first);
    report.figure(`length_${name}_last_ms`, last);
    report.figure(`length_${name}_ratio`, ratio);
    report.figure(`length_${name}_kib_per_minute`, kibPerMinute);
    for (const [at, ms] of run.cpuMs.entries()) report.point(`length_${name}_ms`, at + 1, ms);
    for (const [at, kib] of run.heapKib.entries()) report.point(`length_${name}_kib`, (at + 1) * lookEvery, kib);
    for (const fault of run.faults) report.fault(true, `${name}: ${fault}`);
    return [
      i === 0 ? 'everything on' : 'everything but the record, its bill and its facts',
      ...[brief(first), brief(last), `${ratio.toFixed(2)} ×`],
      ...[whole(run.heapKib[0] ?? Number.NaN), whole(run.heapKib.at(-1) ?? Number.NaN), kibPerMinute.toFixed(2)],
    ];
  });
  report.table(
    `One call of ${minutes} minutes in virtual time, five turns a minute`,
    [
      ...['with', 'first minutes, ms', 'last minutes, ms', 'last to first'],
      ...['held at first, KiB', 'held at last, KiB', 'KiB per minute'],
    ],
    rows,
  );
  const grown = kibGrowth(entire.heapKib, lookEvery) - kibGrowth(bare.heapKib, lookEvery);
  const perTurn = (grown * 1_024 * minutes) / entire.turns;
  report.figure('length_record_bytes_per_turn', perTurn);
  report.figure('length_record_file_bytes_per_turn', entire.recordBytes / entire.turns);
  report.figure('length_tape_bytes_per_minute', entire.tapeBytes / minutes);
  report.figure('length_wav_bytes_per_minute', entire.wavBytes / minutes);
  report.remark(
    `One session for the whole call (a real one is replaced after 55 minutes, which throws state away). Processor time of the main thread, the staged world included; minutes 2 to ${1 + Math.min(10, Math.floor((minutes - 1) / 2))} against as many last ones, medians; each minute is the least of ${rounds} equal calls.`,
  );
  report.remark(
    `What grows is the record: ${whole(perTurn)} bytes of memory per turn of the caller with its answer, tool and lines of the bill, bounded by 5,000 turns (src/record/turn-log.ts).`,
  );
  return report;
}

export interface HistorySizes {
  turns: number;
  /** Turns of which the time is taken together. */
  window: number;
  passes: number;
}

export const historySizes = (short: boolean): HistorySizes =>
  short ? { turns: 200, window: 50, passes: 3 } : { turns: 5_000, window: 250, passes: 5 };

/** All events of a call of so many turns, but for the caller's frames; and where each of its turns begins. */
async function eventsOf(agent: Agent, turns: number, say: (text: string) => void) {
  const events: CallEvent[] = [];
  const beginsAt: number[] = [];
  const facts = factsOf(agent, randomUUID());
  const call = new LongCall(facts, [
    () => ({
      stepped(event) {
        if (event.type === 'leg.audio') return;
        if (event.type === 'speech.started') beginsAt.push(events.length);
        events.push(event);
      },
      frame() {},
    }),
  ]);
  await call.begin();
  for (let turn = 0; turn < turns && !call.isOver; turn++) {
    await call.turn(4_000, { asksSeconds: 0.4, answerSeconds: 1.2 });
    if (turn % 250 === 249) say(`${turn + 1} of ${turns} turns are staged`);
  }
  return { opening: facts.opening, events, beginsAt, isOver: call.isOver };
}

/** Microseconds of a turn in the pure core, by windows of turns: the least of the passes, which other work only raises. */
export async function historyRun(agent: Agent, { turns, window, passes }: HistorySizes, say: (text: string) => void) {
  const { opening, events, beginsAt, isOver } = await eventsOf(agent, turns, say);
  const windows = Array.from({ length: Math.floor(beginsAt.length / window) }, (_, i) => i * window);
  const tookUs = windows.map((): number[] => []);
  let remembered = 0;
  // The first pass is for warming up.
  for (let pass = 0; pass <= passes; pass++) {
    let state: CallState = admittedCall(opening);
    let at = 0;
    for (const [i, turn] of windows.entries()) {
      for (const begins = beginsAt[turn] as number; at < begins; at++) [state] = step(state, events[at] as CallEvent);
      const end = beginsAt[turn + window] ?? events.length;
      const startMs = performance.now();
      for (; at < end; at++) [state] = step(state, events[at] as CallEvent);
      if (pass > 0) tookUs[i]?.push(((performance.now() - startMs) * 1_000) / window);
    }
    remembered = state.phase === 'ended' ? 0 : state.history.length;
  }
  const perTurn = windows.map((turn, i) => ({ turns: turn, us: Math.min(...(tookUs[i] ?? [])) }));
  return { perTurn, remembered, isOver, eventsPerTurn: events.length / beginsAt.length };
}

export async function measureHistory({ short, say }: PartOptions): Promise<PartReport> {
  const report = new PartReport();
  const sizes = historySizes(short);
  const { perTurn, remembered, isOver, eventsPerTurn } = await historyRun(await benchAgent(), sizes, say);
  report.fault(isOver, 'the staged call ended by itself');
  // Until the bound is reached, what is remembered still fills up.
  const first = perTurn[1]?.us ?? Number.NaN;
  const last = median(perTurn.slice(-2).map(({ us }) => us));
  report.figure('history_first_us', first);
  report.figure('history_last_us', last);
  report.figure('history_ratio', last / first);
  report.figure('history_entries', remembered);
  for (const { turns, us } of perTurn) report.point('history_us', turns, us);
  const shown = perTurn.filter(({ turns }, i) => i < 2 || i === perTurn.length - 1 || turns % 1_000 === 0);
  report.table(
    `A turn of the core after so many turns, ${sizes.window} turns at a time, least of ${sizes.passes} passes`,
    ['turns before it', 'µs per turn', 'to the second row'],
    shown.map(({ turns, us }) => [whole(turns), us.toFixed(1), `${(us / first).toFixed(2)} ×`]),
  );
  report.remark(
    `A turn is about ${eventsPerTurn.toFixed(0)} events of the core (frames left out). Its history holds ${remembered} things at the end, which is its bound (src/call/history.ts, MAX_HISTORY).`,
  );
  return report;
}
