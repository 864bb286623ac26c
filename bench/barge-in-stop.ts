// How fast the agent stops: from `speech_started` written by the model to `clear` read by the carrier, and how exactly the
// model then learns what was heard. The server is a process of its own; this process plays both ends, so one clock
// measures.
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesToMs } from '../src/audio/mulaw.ts';
import { seededRandom } from '../src/phone/seeded-random.ts';
import { bottleneck, watchCpu } from './cpu-watch.ts';
import { FrameBeat } from './frame-beat.ts';
import { ModelEnd } from './model-end.ts';
import type { ModelSession } from './model-session.ts';
import { spreadOf } from './percentiles.ts';
import { BenchCall } from './phone-end.ts';
import { type Bench, runBench, shown, spreadCells } from './report.ts';
import { MAX_LINE, StampWriter } from './stamps.ts';
import { Subject } from './subject.ts';
import { trunkline } from './subjects.ts';

/** An answer longer than any that is let finish. */
const ANSWER_MS = 10_000;
const DELTA_MS = 200;
const PACE = 5;
const GREETING_MS = 400;
/** No `clear` for this long is a failure. */
const CLEAR_WITHIN_MS = 1_000;
/** What still comes of a stopped answer within this is noticed; then the caller has finished. */
const CALLER_SPEAKS_MS = 60;
/** Most answers that can be told apart by their stamps. */
const MAX_ANSWERS = MAX_LINE;

interface Part {
  calls: number;
  bargeIns: number;
  /** The answer sounds for this long before the caller interrupts. */
  soundsMs: [from: number, to: number];
}

/** One interruption as both ends saw it. */
interface Stop {
  answer: number;
  /** When the model said so; null until then. */
  toldAtMs: number | null;
  clearAtMs: number | null;
  heardMs: number;
  truncatedAtMs: number | null;
  /** Resolved by the clear. */
  cleared(): void;
}

await runBench('barge-in-stop', 'From speech_started to clear, separate processes', measure);

async function measure(bench: Bench): Promise<void> {
  const parts: Part[] = [
    { calls: 1, bargeIns: bench.number('barge-ins', 320, 20), soundsMs: [60, 160] },
    { calls: bench.number('calls', 50, 5), bargeIns: bench.number('barge-ins', 1_000, 30), soundsMs: [300, 1_500] },
  ];
  const rows: string[][] = [];
  for (const part of parts) rows.push(await measurePart(bench, part));
  bench.table(
    "ms; error: where the model was told that the answer was cut, against the carrier end's own buffer",
    [
      'calls',
      'barge-ins',
      'p50',
      'p95',
      'p99',
      'max',
      "server's own p50 below",
      'generator late p99',
      'error p50',
      'error p99',
      'error max',
      'audio after clear',
    ],
    rows,
  );
  bench.remark('Aim: p50 1 ms, p99 5 ms. The figures hold two loopback hops and the wake-ups of both processes.');
}

async function measurePart(bench: Bench, { calls: lines, bargeIns, soundsMs }: Part): Promise<string[]> {
  const random = seededRandom(lines);
  const stops: Stop[] = [];
  const current = new Map<ModelSession, Stop>();
  const byItem = new Map<string, Stop>();
  const sessionOf = new Map<number, ModelSession>();
  /** Bytes played on a call when the answer began. */
  const playedBefore = new Map<number, number>();
  let answers = 0;
  let afterClear = 0;

  const say = (
    session: ModelSession,
    ms: number,
    metadata: object | null,
  ): { answer: number; itemId: string | null } => {
    const answer = answers++ % MAX_ANSWERS;
    const stamps = new StampWriter(answer);
    return { answer, itemId: session.speak({ stamps, ms, deltaMs: DELTA_MS, pace: PACE }, metadata) };
  };
  const model = await ModelEnd.start({
    ready() {},
    asked: (session, metadata) => void say(session, GREETING_MS, metadata),
    heard: (session) => {
      if (session.heard.line !== null) sessionOf.set(session.heard.line, session);
    },
    truncated(_session, itemId, audioEndMs) {
      const stop = byItem.get(itemId);
      if (stop) stop.truncatedAtMs = audioEndMs;
    },
  });
  const subject = await Subject.start(trunkline, { modelOrigin: model.origin, maxCalls: lines + 10 });
  const beat = new FrameBeat();
  const calls = Array.from(
    { length: lines },
    (_, number) =>
      new BenchCall(number, subject, beat, {
        media(call) {
          const session = sessionOf.get(call.number);
          const stop = session && current.get(session);
          if (stop?.clearAtMs && call.heard.newestLine === stop.answer) afterClear++;
        },
        clear(call, atMs, playedBytesTotal) {
          const session = sessionOf.get(call.number);
          const stop = session && current.get(session);
          if (!stop || stop.clearAtMs !== null) return;
          stop.clearAtMs = atMs;
          stop.heardMs = bytesToMs(playedBytesTotal - (playedBefore.get(call.number) ?? 0));
          stop.cleared();
        },
      }),
  );

  async function interruptAgainAndAgain(call: BenchCall): Promise<void> {
    const session = sessionOf.get(call.number);
    if (!session) return;
    while (stops.length < bargeIns && !session.closed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const stop: Stop = {
        answer: -1,
        toldAtMs: null,
        clearAtMs: null,
        heardMs: 0,
        truncatedAtMs: null,
        cleared: resolve,
      };
      stops.push(stop);
      playedBefore.set(call.number, call.playback.playedBytes(Number.POSITIVE_INFINITY));
      current.set(session, stop);
      const { answer, itemId } = say(session, ANSWER_MS, null);
      stop.answer = answer;
      if (itemId !== null) byItem.set(itemId, stop);
      const [from, to] = soundsMs;
      await sleep(from + random() * (to - from));
      stop.toldAtMs = session.callerStarts();
      await Promise.race([promise, sleep(CLEAR_WITHIN_MS)]);
      await sleep(CALLER_SPEAKS_MS);
      session.callerStops();
      bench.say(`${lines} calls: ${stops.length} of ${bargeIns} barge-ins`);
    }
  }

  try {
    for (const call of calls) {
      bench.say(`setting up ${lines} calls`);
      await call.connect();
    }
    await sleep(GREETING_MS + 800);
    const endWindow = watchCpu(subject.pid);
    beat.measure(true);
    await Promise.all(calls.map((call) => interruptAgainAndAgain(call)));
    beat.measure(false);
    const cpu = endWindow();
    const metrics = await subject.scrape();
    const wrong = calls.filter((call) => call.wrong !== null);
    await Promise.all(calls.map((call) => call.hangUp()));

    const done = stops.filter((stop) => stop.clearAtMs !== null);
    const spread = spreadOf(done.map(({ toldAtMs, clearAtMs }) => (clearAtMs as number) - (toldAtMs as number)));
    const told = done.filter((stop) => stop.truncatedAtMs !== null);
    const error = spreadOf(told.map(({ truncatedAtMs, heardMs }) => Math.abs((truncatedAtMs as number) - heardMs)));
    const late = spreadOf(beat.lateMs);
    const provoked = model.sessions.flatMap((session) => session.errors);
    const untold = done.filter((stop) => stop.truncatedAtMs === null);

    bench.figures(`stop_ms_${lines}_calls`, spread);
    bench.figures(`truncation_error_ms_${lines}_calls`, error);
    bench.figures(`generator_late_ms_${lines}_calls`, late);
    const what = `${lines} call${lines === 1 ? '' : 's'}`;
    bench.fault(
      done.length < stops.length,
      `${what}: ${stops.length - done.length} of ${stops.length} barge-ins brought no clear`,
    );
    bench.fault(untold.length > 0, `${what}: ${untold.length} stopped answers were neither truncated nor deleted`);
    bench.fault(afterClear > 0, `${what}: ${afterClear} messages with audio of a stopped answer came after its clear`);
    bench.fault(
      provoked.length > 0,
      `${what}: error events provoked: ${provoked.length} (${[...new Set(provoked)].join(', ')})`,
    );
    bench.fault(wrong.length > 0, `${what}: ${wrong.length} calls went wrong, the first: ${wrong[0]?.wrong}`);
    bench.remark(
      `${what}: cores used: server ${shown(cpu.server)}, generator ${shown(cpu.generator)}, everything else ${shown(cpu.others)}, taken by the host ${shown(cpu.stolen)}; ${shown(done.length / cpu.seconds, 1)} barge-ins a second. ${bottleneck(cpu, late.p99, bench.report.machine.cores)}`,
    );
    return [
      `${lines}`,
      `${done.length}`,
      ...spreadCells(spread),
      ownMedian(metrics.buckets('trunkline_barge_in_stop_seconds')),
      shown(late.p99),
      ...[error.p50, error.p99, error.max].map((ms) => shown(ms, 1)),
      `${afterClear}`,
    ];
  } finally {
    bench.say('stopping the server');
    beat.stop();
    await subject.stop();
    await model.close();
  }
}

/** The bucket of the server's own histogram that holds the median, in ms. */
function ownMedian(buckets: { le: number; count: number }[]): string {
  const total = buckets.at(-1)?.count ?? 0;
  const found = buckets.find(({ count }) => count >= total / 2);
  return total === 0 || !found ? 'n/a' : shown(found.le * 1_000);
}
