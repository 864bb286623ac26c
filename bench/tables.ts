// The results of a bench as tables, for the screen and for the page.
import { shown, type Table } from './report.ts';
import { type BenchResults, type Comparison, FLOOR, mainOf } from './results.ts';
import { AT_ONCE, CARRIER_SET_UP_MS, HANDSHAKE_MS } from './single-figures.ts';
import { median, type Summary, type Times } from './summary.ts';
import type { RunResult } from './run.ts';

export function tables(results: BenchResults): Table[] {
  const main = mainOf(results);
  return [
    ...(main ? comparisonTables(main, results.tls ? 'TLS to the model' : 'no TLS to the model') : []),
    ...(results.tls && results.plain ? [plainTable(results.plain)] : []),
    ...(results.sweep ? [sweepTable(results.sweep)] : []),
    ...singleTables(results),
  ];
}

const ms = (value: number): string => shown(value);
const whole = (value: number): string => shown(value, 0);
const times = (value: number): string => `${shown(value)} ×`;
const cells = ({ p50, p95, p99, max }: Times): string[] => [p50, p95, p99, max].map(ms);
const ratio = ({ subject, cpuRatio }: Summary): string =>
  subject === FLOOR
    ? '1 (the floor)'
    : `${times(cpuRatio.median)} (${shown(cpuRatio.least)} to ${shown(cpuRatio.most)})`;
const memoryRatio = ({ subject, memoryRatio: value }: Summary): string =>
  subject === FLOOR ? '1 (the floor)' : times(value);

function comparisonTables({ calls, rounds, seconds, warmUpSeconds, summaries }: Comparison, how: string): Table[] {
  const what = `${calls} calls, ${how}, median of ${rounds} rounds of ${seconds} s after ${warmUpSeconds} s of warming up`;
  return [
    {
      title: `Processor and memory: ${what}`,
      columns: [
        ...['subject', 'CPU ms per call-second', 'to the relay (least to most)', 'KiB per call', 'to the relay'],
        ...['KiB per minute in the window', 'loop delay p50 ms', 'p99 ms', 'max ms'],
      ],
      rows: summaries.map((summary) => [
        summary.subject,
        shown(summary.cpuMsPerCallSecond),
        ratio(summary),
        whole(summary.kibPerCall),
        memoryRatio(summary),
        whole(summary.slopeKibPerMinute),
        ...[summary.loopDelayMs.p50, summary.loopDelayMs.p99, summary.loopDelayMs.max].map(ms),
      ]),
    },
    {
      title: `Delay from socket to socket, ms: ${what}`,
      columns: [
        'subject',
        ...['caller to model p50', 'p95', 'p99', 'max', 'model to carrier p50', 'p95', 'p99', 'max'],
      ],
      rows: summaries.map(({ subject, toModelMs, toCarrierMs }) => [
        subject,
        ...cells(toModelMs),
        ...cells(toCarrierMs),
      ]),
    },
    {
      title: 'From speech_started in to clear out, ms: the same windows',
      columns: ['subject', 'barge-ins', 'p50', 'p95', 'p99', 'max', 'without a clear', 'frames after the clear'],
      rows: summaries.map(({ subject, stopMs, unanswered, framesAfterClear }) => [
        subject,
        `${stopMs.count}`,
        ...cells(stopMs),
        `${unanswered}`,
        whole(framesAfterClear),
      ]),
    },
    {
      title: 'Every frame accounted for, both ways: the same runs, all rounds together',
      columns: [
        ...['subject', 'sent', 'arrived', 'dropped at barge-ins', 'lost', 'of these before the first'],
        ...['repeated', 'out of order', 'wrong call', 'foreign bytes'],
      ],
      rows: summaries.map(({ subject, frames }) => [
        subject,
        ...[frames.sent, frames.arrived, frames.dropped, frames.lost, frames.lostAtStart].map(whole),
        ...[frames.repeated, frames.disordered, frames.strays, frames.foreignBytes].map(whole),
      ]),
    },
  ];
}

function plainTable({ calls, rounds, seconds, summaries }: Comparison): Table {
  return {
    title: `Without TLS to the model: ${calls} calls, median of ${rounds} rounds of ${seconds} s`,
    columns: [
      ...['subject', 'CPU ms per call-second', 'to the relay (least to most)', 'KiB per call', 'to the relay'],
      ...['caller to model p99 ms', 'model to carrier p99 ms', 'lost'],
    ],
    rows: summaries.map((summary) => [
      summary.subject,
      shown(summary.cpuMsPerCallSecond),
      ratio(summary),
      whole(summary.kibPerCall),
      memoryRatio(summary),
      ms(summary.toModelMs.p99),
      ms(summary.toCarrierMs.p99),
      whole(summary.frames.lost),
    ]),
  };
}

function sweepTable({ points }: NonNullable<BenchResults['sweep']>): Table {
  const middle = (runs: readonly RunResult[], pick: (run: RunResult) => number): string =>
    shown(median(runs.map(pick)));
  return {
    title: 'More and more calls: medians of the windows at each size',
    columns: [
      ...['subject', 'calls', 'windows', 'held', 'caller to model p99 ms', 'model to carrier p99 ms', 'lost'],
      ...['CPU ms per call-second', 'server cores', 'both ends cores', 'frames sent late p99 ms'],
    ],
    rows: points.map(({ subject, calls, held, runs }) => [
      subject,
      `${calls}`,
      `${runs.length}`,
      held ? 'yes' : 'no',
      middle(runs, (run) => run.toModelMs.p99),
      middle(runs, (run) => run.toCarrierMs.p99),
      whole(runs.reduce((sum, run) => sum + run.toModel.lost + run.toCarrier.lost, 0)),
      middle(runs, (run) => run.cpuMsPerCallSecond),
      middle(runs, (run) => run.cpu.server),
      middle(runs, (run) => run.cpu.generator),
      middle(runs, (run) => run.lateMs.frames.p99),
    ]),
  };
}

function singleTables(results: BenchResults): Table[] {
  const { setUps, firstAudio } = results;
  const startUps = mainOf(results)?.summaries ?? [];
  if (setUps.length === 0) return [];
  return [
    {
      title: `Start and set-up: from the spawn to readiness; calls set up and hung up by ${AT_ONCE} lines one after the other`,
      columns: ['subject', 'start-up ms', 'set-ups per second', 'webhook p50 ms', 'webhook p99 ms', 'went wrong'],
      rows: setUps.map(({ subject, perSecond, webhookMs, wrong }) => [
        subject,
        whole(startUps.find((summary) => summary.subject === subject)?.startUpMs ?? Number.NaN),
        whole(perSecond),
        ms(webhookMs.p50),
        ms(webhookMs.p99),
        wrong ?? 'nothing',
      ]),
    },
    {
      title: `First audio with a model handshake of ${HANDSHAKE_MS} ms; the media socket comes ${CARRIER_SET_UP_MS} ms after the TwiML`,
      columns: [
        ...['subject', 'from start p50 ms', 'max ms', 'from a ready session p50 ms', 'max ms'],
        ...["caller's frames lost", 'went wrong'],
      ],
      rows: firstAudio.map(({ subject, fromStartMs, fromReadyMs, framesLost, wrong }) => [
        subject,
        whole(fromStartMs.p50),
        whole(fromStartMs.max),
        ms(fromReadyMs.p50),
        ms(fromReadyMs.max),
        whole(framesLost),
        wrong ?? 'nothing',
      ]),
    },
  ];
}
