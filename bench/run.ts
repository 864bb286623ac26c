// One measured run: a subject, a number of calls, a window. The server and both ends are processes of their own, started
// for this run and gone after it; this process only asks and compares.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Account,
  accountToCarrier,
  accountToModel,
  delaysToCarrier,
  delaysToModel,
  pairs,
  type Stops,
  stopsOf,
} from './accounts.ts';
import type { CarrierBooks, ModelBooks } from './books.ts';
import type { CarrierProcess } from './carrier-process.ts';
import { LONG, type Script } from './conversation.ts';
import { bottlenecks, type CpuUse, watchCpu } from './cpu-watch.ts';
import { EndProcess } from './end-process.ts';
import { machine } from './machine.ts';
import type { ModelProcess } from './model-process.ts';
import { type Spread, spreadOf } from './percentiles.ts';
import type { ProbeReading } from './probe.ts';
import { sharedNowMs } from './shared-clock.ts';
import { Subject } from './subject.ts';
import type { SubjectSpec } from './subject-spec.ts';
import type { Trust } from './trust.ts';

export interface RunPlan {
  spec: SubjectSpec;
  calls: number;
  /** Length of the measured window. */
  seconds: number;
  /** The calls go on for so long before it; default 0. */
  warmUpSeconds?: number;
  /** TLS to the model; null: plain. */
  trust: Trust | null;
  /** How the calls go; the long one unless told. */
  script?: Script;
  /** Told what is being done, now and then. */
  say: (text: string) => void;
}

export interface RunResult {
  subject: string;
  calls: number;
  seconds: number;
  tls: boolean;
  startUpMs: number;
  webhookMs: Spread;
  cpu: CpuUse;
  cpuMsPerCallSecond: number;
  loopDelayMs: ProbeReading['loopDelayMs'];
  memory: Memory;
  toModelMs: Spread;
  toCarrierMs: Spread;
  toModel: Account;
  toCarrier: Account;
  stopMs: Spread;
  stops: Omit<Stops, 'stopMs'>;
  underruns: number;
  /** How late the generator itself was: its frames, and the model's deltas. */
  lateMs: { frames: Spread; deltas: Spread };
  /** Second by second: p99 of the delay to the model and of the lateness of frames. */
  bySecond: { toModelP99Ms: number }[];
  /** Why the times are not the server's alone; empty when they are. */
  bottlenecks: string[];
  /** What each call that went wrong said. */
  wrong: string[];
  /** Codes of error events that the server provoked at the model. */
  provoked: string[];
  orderly: boolean;
}

export interface Memory {
  idleKib: number;
  /** Resident memory, every second of the window. */
  rssKib: number[];
  /** Beyond the idle server, at the end of the window. */
  perCallKib: number;
  /** Least squares over the window. */
  slopeKibPerMinute: number;
}

/** What a run leaves for whoever wants to ask the server more, before it is stopped. */
export type Afterwards = (subject: Subject) => Promise<void>;

/** Calls come at this rate, or faster where the ramp would take longer than `RAMP_SECONDS`. */
const RAMP_PER_SECOND = 25;
const RAMP_SECONDS = 8;
/** After the greeting and the pause, into the cycle. */
const SETTLE_MS = 600;
/** After the last answer has been heard. */
const LAST_WORDS_MS = 3_000;

/** About how long a run takes, s. */
export function runSeconds({
  calls,
  seconds,
  warmUpSeconds = 0,
  script = LONG,
}: Pick<RunPlan, 'calls' | 'seconds' | 'warmUpSeconds' | 'script'>): number {
  const talkMs = script.greetingMs + script.pauseMs + SETTLE_MS + script.speechMs;
  return warmUpSeconds + seconds + Math.min(RAMP_SECONDS, calls / RAMP_PER_SECOND) + talkMs / 1_000 + 2;
}

export async function measureRun(plan: RunPlan, afterwards?: Afterwards): Promise<RunResult> {
  const { spec, calls, seconds, warmUpSeconds = 0, trust, script = LONG, say } = plan;
  const model = new EndProcess<ModelProcess>('model-process.ts');
  const carrier = new EndProcess<CarrierProcess>('carrier-process.ts');
  let subject: Subject | null = null;
  try {
    const modelOrigin = await model.ask('start', {
      tls: trust && { certPem: trust.certPem, keyPem: trust.keyPem },
      handshakeMs: 0,
      greetsUnasked: !spec.greets,
      script,
      greetingOnly: false,
    });
    say('starting');
    const caFile = trust?.caFile ?? null;
    subject = await Subject.start(spec, { modelOrigin, maxCalls: calls + 10, caFile, probe: 'probe.ts' });
    const idleKib = subject.memoryKib().rssKib;
    say(`setting up ${calls} calls`);
    const callee = { origin: subject.origin, authToken: subject.authToken, paths: subject.paths };
    const perSecond = Math.max(RAMP_PER_SECOND, calls / RAMP_SECONDS);
    const webhookMs = await carrier.ask('connect', { callee, calls, perSecond, setUpMs: 0 });
    await sleep(script.greetingMs + script.pauseMs + SETTLE_MS);
    if (warmUpSeconds > 0) say('warming up');
    await sleep(warmUpSeconds * 1_000);
    const measured = await measureWindow(subject, model, carrier, seconds, say);
    say('letting the last answers end');
    await lastWords(model, carrier, script.speechMs + LAST_WORDS_MS);
    const books = { carrier: await carrier.ask('books'), model: await model.ask('books') };
    say('hanging up');
    await carrier.ask('hangUp');
    await afterwards?.(subject);
    const { startUpMs } = subject;
    const orderly = await subject.stop();
    return {
      subject: spec.name,
      calls,
      seconds,
      tls: trust !== null,
      startUpMs,
      webhookMs: spreadOf(webhookMs.filter((ms) => !Number.isNaN(ms))),
      ...compared(books, measured, calls, idleKib),
      orderly,
    };
  } finally {
    await subject?.stop();
    await Promise.all([model.stop(), carrier.stop()]);
  }
}

/** What was seen from outside during the window. */
interface Measured {
  window: { fromMs: number; toMs: number };
  cpu: CpuUse;
  loopDelayMs: ProbeReading['loopDelayMs'];
  rssKib: number[];
}

async function measureWindow(
  subject: Subject,
  model: EndProcess<ModelProcess>,
  carrier: EndProcess<CarrierProcess>,
  seconds: number,
  say: (text: string) => void,
): Promise<Measured> {
  await Promise.all([model.ask('measure', true), carrier.ask('measure', true)]);
  const endWindow = watchCpu(subject.pid, [model.pid, carrier.pid]);
  const before = await subject.look<ProbeReading>();
  const fromMs = sharedNowMs();
  const rssKib = [subject.memoryKib().rssKib];
  for (let second = 1; second <= seconds; second++) {
    say(`${second} of ${seconds} s`);
    await sleep(Math.max(0, fromMs + second * 1_000 - sharedNowMs()));
    rssKib.push(subject.memoryKib().rssKib);
  }
  const toMs = sharedNowMs();
  const after = await subject.look<ProbeReading>();
  // The probe counts in microseconds, the system in ticks of ten milliseconds.
  const cpu = endWindow();
  const serverMs = after.cpuMs - before.cpuMs;
  await Promise.all([model.ask('measure', false), carrier.ask('measure', false)]);
  return { window: { fromMs, toMs }, cpu: { ...cpu, serverMs }, loopDelayMs: after.loopDelayMs, rssKib };
}

/** Lets everything that is under way arrive, then ends the frames. */
async function lastWords(
  model: EndProcess<ModelProcess>,
  carrier: EndProcess<CarrierProcess>,
  withinMs: number,
): Promise<void> {
  await model.ask('finish');
  for (const startMs = performance.now(); performance.now() - startMs < withinMs; ) {
    const [owed, heard] = await Promise.all([model.ask('owed'), carrier.ask('heard')]);
    if ([...owed].every(([session, ms]) => ms !== null && (heard.get(session) ?? 0) >= ms)) break;
    await sleep(200);
  }
  await carrier.ask('stopFrames');
  await sleep(300);
}

function compared(
  books: { carrier: CarrierBooks; model: ModelBooks },
  { window, cpu, loopDelayMs, rssKib }: Measured,
  calls: number,
  idleKib: number,
): Omit<RunResult, 'subject' | 'calls' | 'seconds' | 'tls' | 'startUpMs' | 'webhookMs' | 'orderly'> {
  const { carrier, model } = books;
  const all = pairs(carrier, model);
  const toModelMs = delaysToModel(all, carrier, model, window);
  const { stopMs, ...stops } = stopsOf(all, carrier, model, window);
  const frames = spreadOf(carrier.lateMs);
  const deltas = spreadOf(model.lateMs);
  const late = Math.max(frames.p99, Number.isNaN(deltas.p99) ? 0 : deltas.p99);
  return {
    cpu,
    cpuMsPerCallSecond: cpu.serverMs / (cpu.seconds * calls),
    loopDelayMs,
    memory: {
      idleKib,
      rssKib,
      perCallKib: ((rssKib.at(-1) ?? Number.NaN) - idleKib) / calls,
      slopeKibPerMinute: slope(rssKib) * 60,
    },
    toModelMs: spreadOf(toModelMs),
    toCarrierMs: spreadOf(delaysToCarrier(all, carrier, model, window)),
    toModel: accountToModel(all),
    toCarrier: accountToCarrier(all),
    stopMs: spreadOf(stopMs),
    stops,
    underruns: carrier.calls.reduce((sum, call) => sum + call.underruns, 0),
    lateMs: { frames, deltas },
    bySecond: secondsOf(window).map((second) => ({
      toModelP99Ms: spreadOf(delaysToModel(all, carrier, model, second)).p99,
    })),
    bottlenecks: bottlenecks(cpu, late, machine().cores),
    wrong: carrier.calls.flatMap(({ wrong }) => (wrong === null ? [] : [wrong])),
    provoked: model.sessions.flatMap(({ errors }) => errors),
  };
}

function secondsOf({ fromMs, toMs }: { fromMs: number; toMs: number }): { fromMs: number; toMs: number }[] {
  const seconds = [];
  for (let atMs = fromMs; atMs + 500 < toMs; atMs += 1_000) seconds.push({ fromMs: atMs, toMs: atMs + 1_000 });
  return seconds;
}

/** Least-squares slope of equally spaced values, per step. */
export function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let above = 0;
  let below = 0;
  for (const [i, value] of values.entries()) {
    above += (i - middle) * (value - mean);
    below += (i - middle) ** 2;
  }
  return below === 0 ? 0 : above / below;
}
