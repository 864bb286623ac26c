// Places the calls of a run: so many at a time, one after the other, until all are over or the run is given up.
import { realClock } from '../clock.ts';
import type { CallRecord } from '../record/call-record.ts';
import type { CheckedStop } from './buffer-check.ts';
import { measureCall } from './call-measure.ts';
import type { CallResult } from './call-result.ts';
import { unmeasuredCall } from './call-unmeasured.ts';
import { judge, type Verdict } from './expect.ts';
import type { Expectation } from './expect-file.ts';
import type { PhoneCall } from '../phone/phone.ts';
import { PhoneLog } from '../phone/phone-log.ts';
import { type CallInput, scriptOf } from './replay-inputs.ts';
import { networkOptions } from './replay-network.ts';
import { dialOutcome } from './replay-people.ts';
import type { ReplayOptions } from './replay-options.ts';
import type { CallOptions, Lines } from './replay-servers.ts';

/** One call to be placed. */
export interface Job {
  input: CallInput;
  /** Which of the calls of this file, from 1. */
  nth: number;
}

/** One call that is over. */
export interface PlacedCall extends Job {
  result: CallResult;
  /** The server's own account; null when it let no call in, or is not ours. */
  record: CallRecord | null;
  stops: readonly CheckedStop[];
  verdicts: readonly Verdict[];
  /** The run was given up while it was up: it is not judged. */
  interrupted: boolean;
  /** The folder of the server's own files. */
  dataDir: string | null;
  startedWallMs: number;
  tookMs: number;
}

/** What a call leaves that only `--out` keeps. */
export interface CallTraces {
  stereoWav: Buffer;
  /** The lines of `events.jsonl`. */
  events: string;
}

/** Who is told of each call when it is over; what the call leaves is gone afterwards. */
export interface CallHandlers {
  /** Keeps what it leaves. What goes wrong here fails the call. */
  keep: (placed: PlacedCall, traces: () => CallTraces) => Promise<void>;
  /** The last word on it. */
  over: (placed: PlacedCall) => void;
}

/** How far a run is. */
export interface RunState {
  waiting: number;
  /** Calls that are up, and how long each takes at least from now on. */
  up: number;
  leastLeftMs: number;
  done: number;
  failed: number;
}

const DEFAULT_MAX_MS = 300_000;

/** One run. `placeAll` once; `state` at any time. */
export class CallRun {
  readonly #options: ReplayOptions;
  readonly #lines: Lines;
  readonly #expectations: readonly Expectation[];
  readonly #jobs: readonly Job[];
  readonly #live = new Map<PhoneCall, Job>();
  #started = 0;
  #done = 0;
  #failed = 0;
  #nextStartMs = 0;

  constructor(jobs: readonly Job[], options: ReplayOptions, lines: Lines, expectations: readonly Expectation[]) {
    this.#jobs = jobs;
    this.#options = options;
    this.#lines = lines;
    this.#expectations = expectations;
  }

  get state(): RunState {
    const left = [...this.#live].map(([call, { input }]) => Math.max(0, input.caller.leastMs - call.nowMs));
    const { length } = this.#jobs;
    return {
      waiting: length - this.#started,
      up: this.#live.size,
      leastLeftMs: Math.max(0, ...left),
      done: this.#done,
      failed: this.#failed,
    };
  }

  /**
   * Places every call; resolves when the last one is over.
   * @param signal gives the run up: calls that are up are hung up, no further ones are placed
   */
  async placeAll(handlers: CallHandlers, signal: AbortSignal): Promise<PlacedCall[]> {
    const placed: PlacedCall[] = [];
    const waiting = this.#jobs.values();
    const hangUp = () => {
      for (const call of this.#live.keys()) call.hangUp();
    };
    signal.addEventListener('abort', hangUp);
    const worker = async (): Promise<void> => {
      for (const job of waiting) {
        await this.#turnToStart(signal);
        if (signal.aborted) return;
        placed.push(await this.#place(job, handlers, signal));
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(this.#options.parallel, this.#jobs.length) }, worker));
    } finally {
      signal.removeEventListener('abort', hangUp);
    }
    const place = ({ input, nth }: Job) => this.#jobs.findIndex((job) => job.input === input && job.nth === nth);
    return placed.toSorted((a, b) => place(a) - place(b));
  }

  /** Waits until the call before has had its head start. */
  async #turnToStart(signal: AbortSignal): Promise<void> {
    const startMs = Math.max(realClock.nowMs(), this.#nextStartMs);
    this.#nextStartMs = startMs + this.#options.staggerMs;
    if (startMs <= realClock.nowMs() || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = realClock.at(startMs, resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    cancel();
  }

  /** A flag goes before what the caller file says. */
  #callOptions({ input: { caller }, nth }: Job): CallOptions {
    const { from, to, maxMs, network } = this.#options;
    const calling = from ?? caller.from;
    const called = to ?? caller.to;
    return {
      track: caller.track,
      maxMs: maxMs ?? caller.maxMs ?? DEFAULT_MAX_MS,
      network: networkOptions(caller.network, network, nth - 1),
      // What the carrier says itself takes as long as a caller would hear it.
      verbPace: 1,
      ...(caller.tones === undefined ? {} : { tones: caller.tones }),
      dial: (to) => dialOutcome(caller.people, to),
      ...(calling === undefined ? {} : { from: calling }),
      ...(called === undefined ? {} : { to: called }),
    };
  }

  async #place(job: Job, { keep, over }: CallHandlers, signal: AbortSignal): Promise<PlacedCall> {
    const { input } = job;
    const { caller } = input;
    const line = this.#lines.of(scriptOf(caller, this.#options.script));
    const startedWallMs = realClock.wallMs();
    const startedMs = realClock.nowMs();
    const { call, ended } = line.place(this.#callOptions(job), caller.people);
    const log = new PhoneLog(call);
    this.#started++;
    this.#live.set(call, job);
    const verdicts: Verdict[] = [];
    const attempt = attemptsOf(verdicts);
    const ends = await attempt('followed', 'a call that can be followed to its end', () => ended);
    const { record = null, stops = [] } = ends ?? {};
    const interrupted = signal.aborted;
    const measured = await attempt('measured', 'a call that can be measured', () => {
      if (ends === null) return null;
      const audio = { callerAudio: call.callerAudio(), agentAudio: call.agentAudio() };
      return measureCall({ source: input.path, result: ends.result, record, stops, reached: ends.reached, ...audio });
    });
    const result = measured ?? unmeasuredCall(input.path, call.callSid, call.nowMs);
    if (measured && !interrupted) {
      const expectations = [...this.#expectations, ...(caller.expectation ? [caller.expectation] : [])];
      const judged = await attempt('judged', 'a call that can be judged', () => judge(result, expectations));
      verdicts.push(...(judged ?? []), ...recorded(result, line.dataDir !== null));
    }
    const tookMs = realClock.nowMs() - startedMs;
    const facts = { result, record, stops, verdicts, interrupted, dataDir: line.dataDir, startedWallMs, tookMs };
    const placed: PlacedCall = { ...job, ...facts };
    await attempt('kept', 'a call that can be written to --out', () =>
      keep(placed, () => ({ stereoWav: call.stereoWav(), events: log.text() })),
    );
    await attempt('told', 'a call that can be told of', () => over(placed));
    this.#live.delete(call);
    this.#done++;
    if (!isGood(placed)) this.#failed++;
    return placed;
  }
}

/** What goes wrong with one call is that call's own, and a verdict on it: the others go on. */
function attemptsOf(verdicts: Verdict[]) {
  return async <T>(what: string, expected: string, work: () => T | Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      verdicts.push({ what, where: null, ok: false, expected, found: String((error as Error)?.message ?? error) });
      return null;
    }
  };
}

/** A server of our own that keeps no record of a call that it took has lost it. */
const recorded = ({ end, callId }: CallResult, ours: boolean): Verdict[] =>
  ours && end.callStatus === 'completed'
    ? [
        {
          what: 'record',
          where: null,
          ok: callId !== null,
          expected: 'the server’s own record of the call',
          found: callId === null ? 'none' : 'one',
        },
      ]
    : [];

/** A call in which nothing was found wrong. */
export const isGood = ({ verdicts, interrupted }: Pick<PlacedCall, 'verdicts' | 'interrupted'>): boolean =>
  !interrupted && verdicts.every(({ ok }) => ok);
