// Many calls at once on the product: every 20 ms frame of every caller and every millisecond of every answer is accounted
// for. One run of what `npm run bench` compares, with everything that must hold as a fault; for `npm run prove`.
import { type Account, PROMPT_MS } from './accounts.ts';
import { spreadOf } from './percentiles.ts';
import { type Bench, runBench, shown, spreadCells } from './report.ts';
import { measureRun } from './run.ts';
import type { Subject } from './subject.ts';
import { trunkline } from './subjects.ts';

await runBench('load', 'Calls at once, every frame accounted for', measure);

async function measure(bench: Bench): Promise<void> {
  const calls = bench.number('calls', 100, 10);
  const seconds = bench.number('seconds', 60, 4);
  const own = { stillLive: 0, reasons: {} as Record<string, number>, filled: 0, complaints: [] as [string, number][] };
  const ask = async (subject: Subject): Promise<void> => {
    own.stillLive = await subject.idle(10_000);
    const after = await subject.scrape();
    own.reasons = after.by('trunkline_sessions_closed_total', 'reason');
    own.filled = after.sum('trunkline_frames_total', 'path="filled"');
    own.complaints = Object.entries(subject.complaints());
  };
  const say = (text: string): void => bench.say(`${calls} calls, ${text}`);
  const run = await measureRun({ spec: trunkline, calls, seconds, trust: null, say }, ask);
  const { toModel, toCarrier, cpu, memory, loopDelayMs, webhookMs, lateMs, stopMs } = run;
  const endedWrongly = calls - (own.reasons['caller_hung_up'] ?? 0);

  bench.table(
    `${calls} calls for ${seconds} s; ms from one end's socket to the other's, loopback and both ends' event loops included`,
    [
      ...['way', 'frames sent', 'arrived', 'lost', 'dropped at barge-ins', 'repeated', 'out of order', 'wrong call'],
      ...['foreign bytes', 'p50', 'p95', 'p99', 'max'],
    ],
    [
      ['caller to model', ...counts(toModel), ...spreadCells(run.toModelMs)],
      ['model to carrier', ...counts(toCarrier), ...spreadCells(run.toCarrierMs)],
      ['(generator: frames late by)', `${lateMs.frames.count}`, ...Array(7).fill(''), ...spreadCells(lateMs.frames)],
    ],
  );
  bench.table(
    'The server meanwhile',
    [
      ...['CPU ms per call-second', 'CPU of one core', 'RSS idle MiB', 'RSS at the end MiB', 'KiB per call'],
      ...['loop delay p50 ms', 'p99 ms', 'max ms', 'ended wrongly'],
    ],
    [
      [
        shown(run.cpuMsPerCallSecond),
        `${shown(cpu.server * 100, 0)} %`,
        shown(memory.idleKib / 1_024, 0),
        shown((memory.rssKib.at(-1) as number) / 1_024, 0),
        shown(memory.perCallKib, 0),
        ...[loopDelayMs.p50, loopDelayMs.p99, loopDelayMs.max].map((ms) => shown(ms)),
        `${endedWrongly}`,
      ],
    ],
  );
  bench.figures('caller_to_model_ms', run.toModelMs);
  bench.figures('model_to_carrier_ms', run.toCarrierMs);
  bench.figures('generator_late_ms', lateMs.frames);
  bench.figures('webhook_ms', webhookMs);
  bench.figures('stop_ms', stopMs);
  const medianSecond = spreadOf(run.bySecond.map(({ toModelP99Ms }) => toModelP99Ms)).p50;
  const slowSeconds = run.bySecond.filter(({ toModelP99Ms }) => toModelP99Ms > 5).length;
  const numbers = {
    calls,
    frames_in: toModel.sent,
    frames_in_lost: toModel.lost,
    frames_out: toCarrier.sent,
    frames_out_lost: toCarrier.lost,
    cpu_ms_per_call_second: run.cpuMsPerCallSecond,
    server_cores: cpu.server,
    generator_cores: cpu.generator,
    other_cores: cpu.others,
    rss_mib: (memory.rssKib.at(-1) as number) / 1_024,
    rss_growth_kib_in_window: (memory.rssKib.at(-1) as number) - (memory.rssKib[0] as number),
    loop_delay_p99_ms: loopDelayMs.p99,
    loop_delay_max_ms: loopDelayMs.max,
    ended_wrongly: endedWrongly,
    caller_to_model_ms_p99_of_median_second: medianSecond,
    slow_seconds: slowSeconds,
  };
  for (const [name, value] of Object.entries(numbers)) bench.figure(name, value);

  for (const [way, { lost, repeated, disordered, strays, foreignBytes }] of [
    ['caller to model', toModel],
    ['model to carrier', toCarrier],
  ] as const) {
    bench.fault(lost > 0, `${way}: ${lost} frames lost`);
    bench.fault(repeated > 0, `${way}: ${repeated} frames came twice`);
    bench.fault(disordered > 0, `${way}: ${disordered} frames out of order`);
    bench.fault(strays > 0, `${way}: ${strays} frames on a wrong call`);
    bench.fault(foreignBytes > 0, `${way}: ${foreignBytes} bytes that nobody sent (silence filled in, or damage)`);
  }
  bench.fault(run.stops.unanswered > 0, `${run.stops.unanswered} barge-ins brought no clear`);
  bench.fault(run.stops.framesAfterClear > 0, `${run.stops.framesAfterClear} frames came after their clear`);
  bench.fault(run.wrong.length > 0, `${run.wrong.length} calls went wrong, the first: ${run.wrong[0]}`);
  bench.fault(
    endedWrongly !== 0,
    `${endedWrongly} calls did not end as caller_hung_up: ${JSON.stringify(own.reasons)}`,
  );
  bench.fault(own.stillLive !== 0, `${own.stillLive} calls were still live 10 s after the hang-up`);
  bench.fault(
    run.provoked.length > 0,
    `${run.provoked.length} error events provoked: ${[...new Set(run.provoked)].join(', ')}`,
  );
  bench.fault(
    own.complaints.length > 0,
    `the server complained: ${own.complaints.map(([what, n]) => `${n} x ${what}`).join(', ')}`,
  );
  bench.fault(own.filled > 0, `the server filled ${own.filled} frames of silence for callers who never paused`);
  bench.fault(!run.orderly, 'the server did not stop in good order on SIGTERM');

  bench.remark(
    `Model to carrier: deltas that may go on at once (the first ${PROMPT_MS / 1_000} s of an answer); the rest waits for its turn on purpose and is only counted.`,
  );
  bench.remark(
    `Every other answer is interrupted: ${stopMs.count} barge-ins in the window, clear after p50 ${shown(stopMs.p50)}, p99 ${shown(stopMs.p99)} ms.`,
  );
  bench.remark(
    `Webhook to TwiML while calls were set up: p50 ${shown(webhookMs.p50, 1)}, p99 ${shown(webhookMs.p99, 1)}, max ${shown(webhookMs.max, 1)} ms (aim 50).`,
  );
  bench.remark(
    `Caller to model, second by second: p99 of the median second ${shown(medianSecond)} ms; above 5 ms in ${slowSeconds} of ${seconds} seconds.`,
  );
  bench.remark(`Gaps under a second in what callers heard: ${run.underruns}.`);
  bench.remark(
    `Cores used: server ${shown(cpu.server)}, both ends ${shown(cpu.generator)}, everything else on the machine ${shown(cpu.others)}, taken by the host ${shown(cpu.stolen)}, of ${bench.report.machine.cores}.`,
  );
  bench.remark(
    run.bottlenecks.length === 0
      ? 'The generator was not the bottleneck.'
      : `The generator or the machine was a bottleneck (${run.bottlenecks.join('; ')}): these times are not the server's alone.`,
  );
}

function counts(account: Account): string[] {
  const { sent, arrived, lost, dropped, repeated, disordered, strays, foreignBytes } = account;
  return [sent, arrived, lost, dropped, repeated, disordered, strays, foreignBytes].map((value) => `${value}`);
}
