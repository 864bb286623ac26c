// Many calls at once: every 20 ms frame of every caller and every millisecond of every answer is accounted for, and how
// long each was on its way is measured by one clock. The server is a process of its own; this process plays both ends.
import { setTimeout as sleep } from 'node:timers/promises';
import { FRAME_MS } from '../src/audio/mulaw.ts';
import { seededRandom } from '../src/replay/seeded-random.ts';
import { bottleneck, watchCpu } from './cpu-watch.ts';
import { FrameBeat } from './frame-beat.ts';
import { ModelEnd, type ModelSession } from './model-end.ts';
import { spreadOf } from './percentiles.ts';
import { BenchCall } from './phone-end.ts';
import { type Bench, runBench, shown, spreadCells } from './report.ts';
import { StampWriter } from './stamps.ts';
import { Subject } from './subject.ts';

/** How the model speaks: half of the time, in deltas several times faster than real time. */
const SPEECH_MS = 6_000;
const CYCLE_MS = 12_000;
const DELTA_MS = 200;
const PACE = 5;
const GREETING_MS = 2_000;
/** The caller's own turn before each answer. */
const TURN_MS = 800;
/** The product sends at most this far ahead of playback (its `maxAheadMs`); what lies beyond waits on purpose. */
const AHEAD_MS = 4_000;
const RAMP_PER_SECOND = 20;
const SETTLE_MS = 2_000;

/** What the model said on one session, in deltas. */
interface Spoken {
  stamps: StampWriter;
  /** By delta: when it was handed to the socket, and whether it may go on at once. */
  sentAtMs: number[];
  prompt: boolean[];
  /** Deltas whose arrival was noted. */
  arrived: number;
  nextTurn: NodeJS.Timeout | undefined;
}

await runBench('load', 'Calls at once, every frame accounted for', measure);

async function measure(bench: Bench): Promise<void> {
  const lines = bench.number('calls', 100, 10);
  const seconds = bench.number('seconds', 60, 4);
  const random = seededRandom(1);
  const toModelMs: number[] = [];
  const toCarrierMs: number[] = [];
  let measuring = false;
  let talking = true;

  const calls: BenchCall[] = [];
  const spoken = new Map<ModelSession, Spoken>();

  function say(session: ModelSession, ms: number, metadata: object | null): void {
    const said = spoken.get(session) as Spoken;
    let positionMs = 0;
    session.speak(
      {
        stamps: said.stamps,
        ms,
        deltaMs: DELTA_MS,
        pace: PACE,
        sending(atMs) {
          positionMs += DELTA_MS;
          said.sentAtMs.push(atMs);
          said.prompt.push(positionMs <= AHEAD_MS - DELTA_MS);
        },
      },
      metadata,
    );
  }

  /** One turn of the caller, the answer to it, and the wait for the next turn. */
  function converse(session: ModelSession): void {
    const said = spoken.get(session) as Spoken;
    if (!talking || session.closed) return;
    session.callerStarts();
    said.nextTurn = setTimeout(() => {
      session.callerStops();
      say(session, SPEECH_MS, null);
      said.nextTurn = setTimeout(() => converse(session), CYCLE_MS - TURN_MS);
    }, TURN_MS);
  }

  const model = await ModelEnd.start({
    ready(session) {
      const said: Spoken = {
        stamps: new StampWriter(session.number),
        sentAtMs: [],
        prompt: [],
        arrived: 0,
        nextTurn: undefined,
      };
      spoken.set(session, said);
      // Once the greeting is over, anywhere in a cycle.
      said.nextTurn = setTimeout(() => converse(session), GREETING_MS + 1_000 + random() * CYCLE_MS);
    },
    asked: (session, metadata) => say(session, GREETING_MS, metadata),
    heard(session, atMs) {
      const { line, next } = session.heard;
      const sentAtMs = line === null ? undefined : calls[line]?.frameSentAtMs[next / FRAME_MS - 1];
      if (measuring && sentAtMs !== undefined) toModelMs.push(atMs - sentAtMs);
    },
  });
  const subject = await Subject.start({ modelOrigin: model.origin, maxCalls: lines + 10 });
  const beat = new FrameBeat();

  function media(call: BenchCall, atMs: number): void {
    const { line, next } = call.heard;
    const session = line === null ? undefined : model.sessions[line];
    const said = session && spoken.get(session);
    if (!said) return;
    for (; (said.arrived + 1) * DELTA_MS <= next; said.arrived++) {
      if (measuring && said.prompt[said.arrived]) toCarrierMs.push(atMs - (said.sentAtMs[said.arrived] as number));
    }
  }

  try {
    const idle = subject.memoryKib().rssKib;
    bench.say(`setting up ${lines} calls`);
    const setUps: Promise<void>[] = [];
    const rampStartMs = performance.now();
    for (let number = 0; number < lines; number++) {
      const call = new BenchCall(number, subject, beat, { media });
      calls.push(call);
      setUps.push(call.connect());
      await sleep(Math.max(0, rampStartMs + ((number + 1) * 1_000) / RAMP_PER_SECOND - performance.now()));
    }
    await Promise.all(setUps);
    await sleep(SETTLE_MS);

    await subject.scrape(); // Begins a new window of event-loop delays.
    const endWindow = watchCpu(subject.pid);
    measuring = true;
    beat.measure(true);
    const rssBefore = subject.memoryKib().rssKib;
    /** Where each second begins in the measured values. */
    const begins: { up: number; late: number }[] = [];
    for (let second = 0; second < seconds; second++) {
      bench.say(`${lines} calls, ${second} of ${seconds} s`);
      begins.push({ up: toModelMs.length, late: beat.lateMs.length });
      await sleep(1_000);
    }
    measuring = false;
    beat.measure(false);
    const cpu = endWindow();
    const during = await subject.scrape();
    const memory = subject.memoryKib();

    bench.say('letting the last answers end');
    talking = false;
    for (const said of spoken.values()) clearTimeout(said.nextTurn);
    const delivered = (): boolean =>
      calls.every((call) => {
        const session = call.heard.line === null ? undefined : model.sessions[call.heard.line];
        return session !== undefined && !session.speaking && call.heard.next >= (spoken.get(session)?.stamps.next ?? 0);
      });
    for (let waitedMs = 0; waitedMs < SPEECH_MS + 3_000 && !delivered(); waitedMs += 100) await sleep(100);
    for (const call of calls) call.stopFrames();
    await sleep(300);

    // Accounts before the hang-up: afterwards nothing is owed.
    const in_ = { sent: 0, came: 0, lost: 0, repeated: 0, disordered: 0, strays: 0, foreign: 0 };
    const out = { ...in_ };
    const sessionOf = new Map(model.sessions.map((session) => [session.heard.line, session]));
    for (const call of calls) {
      const session = sessionOf.get(call.number);
      in_.sent += call.framesSent;
      if (!session) {
        in_.lost += call.framesSent;
        continue;
      }
      const { heard } = session;
      const lostMs = heard.missing + call.framesSent * FRAME_MS - heard.next;
      in_.lost += lostMs / FRAME_MS;
      in_.came += (heard.next - heard.missing) / FRAME_MS;
      in_.repeated += heard.repeated / FRAME_MS;
      in_.disordered += heard.disordered / FRAME_MS;
      in_.strays += heard.strays / FRAME_MS;
      in_.foreign += heard.foreignBytes;
      const written = spoken.get(session)?.stamps.next ?? 0;
      out.sent += written / FRAME_MS;
      out.came += (call.heard.next - call.heard.missing) / FRAME_MS;
      out.lost += (call.heard.missing + written - call.heard.next) / FRAME_MS;
      out.repeated += call.heard.repeated / FRAME_MS;
      out.disordered += call.heard.disordered / FRAME_MS;
      out.strays += (call.heard.strays + (call.heard.line === session.number ? 0 : written)) / FRAME_MS;
      out.foreign += call.heard.foreignBytes;
    }
    const early = calls.filter((call) => call.wrong !== null);
    const bySecond = begins.map(({ up: from, late: lateFrom }, i) => ({
      p99: spreadOf(toModelMs.slice(from, begins[i + 1]?.up)).p99,
      lateP99: spreadOf(beat.lateMs.slice(lateFrom, begins[i + 1]?.late)).p99,
    }));
    const underruns = calls.reduce(
      (sum, call) => sum + call.playback.underruns.filter(({ gapMs }) => gapMs < 1_000).length,
      0,
    );
    bench.say('hanging up');
    await Promise.all(calls.map((call) => call.hangUp()));
    const stillLive = await subject.idle(10_000);
    const after = await subject.scrape();
    const reasons = after.by('trunkline_sessions_closed_total', 'reason');
    const endedWrongly = lines - (reasons['caller_hung_up'] ?? 0);
    const provoked = model.sessions.flatMap((session) => session.errors);
    const complaints = Object.entries(subject.complaints());

    const late = spreadOf(beat.lateMs);
    const up = spreadOf(toModelMs);
    const down = spreadOf(toCarrierMs);
    const loop = (quantile: string): number =>
      during.sum('trunkline_event_loop_delay_seconds', `quantile="${quantile}"`) * 1_000;
    const callSeconds = cpu.seconds * lines;

    bench.table(
      `${lines} calls for ${seconds} s; ms from one end's socket to the other's, loopback and both ends' event loops included`,
      [
        'way',
        'frames sent',
        'arrived',
        'lost',
        'repeated',
        'out of order',
        'wrong call',
        'foreign bytes',
        'p50',
        'p95',
        'p99',
        'max',
      ],
      [
        ['caller to model', ...counts(in_), ...spreadCells(up)],
        ['model to carrier', ...counts(out), ...spreadCells(down)],
        ['(generator: frames late by)', `${late.count}`, '', '', '', '', '', '', ...spreadCells(late)],
      ],
    );
    bench.table(
      'The server meanwhile',
      [
        'CPU ms per call-second',
        'CPU of one core',
        'RSS idle MiB',
        'RSS at the end MiB',
        'KiB per call',
        'loop delay p50 ms',
        'p99 ms',
        'max ms',
        'ended wrongly',
      ],
      [
        [
          shown(cpu.serverMs / callSeconds),
          `${shown(cpu.server * 100, 0)} %`,
          shown(idle / 1_024, 0),
          shown(memory.rssKib / 1_024, 0),
          shown((memory.rssKib - idle) / lines, 0),
          shown(loop('0.5')),
          shown(loop('0.99')),
          shown(loop('1')),
          `${endedWrongly}`,
        ],
      ],
    );
    bench.figures('caller_to_model_ms', up);
    bench.figures('model_to_carrier_ms', down);
    bench.figures('generator_late_ms', late);
    const numbers = {
      calls: lines,
      frames_in: in_.sent,
      frames_in_lost: in_.lost,
      frames_out: out.sent,
      frames_out_lost: out.lost,
      cpu_ms_per_call_second: cpu.serverMs / callSeconds,
      server_cores: cpu.server,
      generator_cores: cpu.generator,
      other_cores: cpu.others,
      rss_mib: memory.rssKib / 1_024,
      rss_growth_kib_in_window: memory.rssKib - rssBefore,
      loop_delay_p99_ms: loop('0.99'),
      loop_delay_max_ms: loop('1'),
      ended_wrongly: endedWrongly,
    };
    for (const [name, value] of Object.entries(numbers)) bench.figure(name, value);

    for (const [way, { lost, repeated, disordered, strays, foreign }] of [
      ['caller to model', in_],
      ['model to carrier', out],
    ] as const) {
      bench.fault(lost > 0, `${way}: ${lost} frames lost`);
      bench.fault(repeated > 0, `${way}: ${repeated} frames came twice`);
      bench.fault(disordered > 0, `${way}: ${disordered} frames out of order`);
      bench.fault(strays > 0, `${way}: ${strays} frames on a wrong call`);
      bench.fault(foreign > 0, `${way}: ${foreign} bytes that nobody sent (silence filled in, or damage)`);
    }
    bench.fault(early.length > 0, `${early.length} calls went wrong, the first: ${early[0]?.wrong}`);
    bench.fault(endedWrongly !== 0, `${endedWrongly} calls did not end as caller_hung_up: ${JSON.stringify(reasons)}`);
    bench.fault(stillLive !== 0, `${stillLive} calls were still live 10 s after the hang-up`);
    bench.fault(provoked.length > 0, `${provoked.length} error events provoked: ${[...new Set(provoked)].join(', ')}`);
    bench.fault(
      complaints.length > 0,
      `the server complained: ${complaints.map(([what, n]) => `${n} x ${what}`).join(', ')}`,
    );
    const filled = after.sum('trunkline_frames_total', 'path="filled"');
    bench.fault(filled > 0, `the server filled ${filled} frames of silence for callers who never paused`);

    const webhooks = spreadOf(calls.map((call) => call.webhookMs));
    bench.figures('webhook_ms', webhooks);
    bench.remark(
      `Model to carrier: deltas that may go on at once (the first ${(AHEAD_MS - DELTA_MS) / 1_000} s of an answer); the rest waits for its turn on purpose and is only counted.`,
    );
    bench.remark(
      `Webhook to TwiML while ${RAMP_PER_SECOND} calls a second came in: p50 ${shown(webhooks.p50, 1)}, p99 ${shown(webhooks.p99, 1)}, max ${shown(webhooks.max, 1)} ms (aim 50).`,
    );
    const slow = bySecond.filter(({ p99 }) => p99 > 5);
    const medianSecond = spreadOf(bySecond.map(({ p99 }) => p99)).p50;
    bench.figure('caller_to_model_ms_p99_of_median_second', medianSecond);
    bench.figure('slow_seconds', slow.length);
    bench.remark(
      `Caller to model, second by second: p99 of the median second ${shown(medianSecond)} ms; above 5 ms in ${slow.length} of ${seconds} seconds, in ${slow.filter(({ lateP99 }) => lateP99 > 3).length} of which the generator's own frames were late too (p99 above 3 ms).`,
    );
    bench.remark(`Gaps under a second in what callers heard: ${underruns}.`);
    bench.remark(
      `Cores used: server ${shown(cpu.server)}, generator ${shown(cpu.generator)}, everything else on the machine ${shown(cpu.others)}, taken by the host ${shown(cpu.stolen)}, of ${bench.report.machine.cores}.`,
    );
    bench.remark(bottleneck(cpu, late.p99, bench.report.machine.cores));
  } finally {
    bench.say('stopping the server');
    beat.stop();
    for (const said of spoken.values()) clearTimeout(said.nextTurn);
    const orderly = await subject.stop();
    bench.fault(!orderly, 'the server did not stop in good order on SIGTERM');
    await model.close();
  }
}

function counts(n: {
  sent: number;
  came: number;
  lost: number;
  repeated: number;
  disordered: number;
  strays: number;
  foreign: number;
}): string[] {
  return [n.sent, n.came, n.lost, n.repeated, n.disordered, n.strays, n.foreign].map((value) => `${value}`);
}
