// One run of a tool: its place among the runs at once, its tries and the pauses between them, all within one deadline. It
// always settles. (The loop is ours because cockatiel's retry sleeps on timers that no clock of ours can move.)
import type { Clock } from '../clock.ts';
import type { Circuit } from './circuit.ts';
import type { Slots } from './slots.ts';
import { ToolFailure } from './tool.ts';

/**
 * How a run ended. `answered`. `declined`: the tool says that it did nothing. `broken`: it failed, and may have had its effect
 * before. `late`: no answer by the deadline. `stopped`: the call ended while it read. Never tried: `call_over`, `crowded`
 * (too many run), `circuit_open`.
 */
export type RunEnd =
  | { end: 'answered'; answer: unknown }
  /** `passing`: it was no answer of the service's to what was asked. */
  | { end: 'declined' | 'broken'; error: unknown; passing?: boolean }
  | { end: 'late' | 'stopped' | 'call_over' | 'crowded' | 'circuit_open' };

export interface Run {
  clock: Clock;
  /** Milliseconds for everything. */
  deadlineMs: number;
  /** Further tries after a failure that may pass. */
  retries: number;
  /** Aborted when the call ends. */
  hangUp: AbortSignal;
  /** A hang-up stops it while it runs. One that has not begun never begins after it. */
  reads: boolean;
  slots: Slots;
  circuit: Circuit;
  /** From 0 to 1, for the pauses. */
  random: () => number;
  /** One try. */
  start(signal: AbortSignal): unknown;
  /** The last try answered after all, when nobody waited any more. */
  answeredLate(answer: unknown): void;
}

/** First pause before another try; it doubles, and 50 to 100 % of it are waited so that callers do not come back at once. */
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2_000;

type TryEnd = RunEnd & { passing?: boolean };

/** What ends a run from outside. `by` is asked before anything is started: a race may have been won by the other side. */
interface Interrupted {
  by: TryEnd | null;
  promise: Promise<TryEnd>;
}

/** Runs it; `tries` is how often it was started. Never rejects. */
export async function runTries(run: Run): Promise<{ end: RunEnd; tries: number }> {
  if (run.hangUp.aborted) return { end: { end: 'call_over' }, tries: 0 };
  const place = run.slots.take();
  if (!place) return { end: { end: 'crowded' }, tries: 0 };
  const stop = new AbortController();
  const { promise, resolve } = Promise.withResolvers<TryEnd>();
  const interrupted: Interrupted = { by: null, promise };
  const interrupt = (by: TryEnd): void => resolve((interrupted.by ??= by));
  const deadlineAtMs = run.clock.nowMs() + run.deadlineMs;
  // Settled before the tool is told, so that what it answers to being stopped changes nothing.
  const cancelDeadline = run.clock.at(deadlineAtMs, () => {
    interrupt({ end: 'late' });
    stop.abort(new DOMException('The tool took too long.', 'TimeoutError'));
  });
  let begun = false;
  const hungUp = () => {
    if (begun && !run.reads) return;
    interrupt({ end: 'stopped' });
    stop.abort(new DOMException('The call ended.', 'AbortError'));
  };
  run.hangUp.addEventListener('abort', hungUp, { once: true });
  try {
    if (place.entered) await Promise.race([interrupted.promise, place.entered]);
    if (interrupted.by) return { end: { end: interrupted.by.end === 'stopped' ? 'call_over' : 'crowded' }, tries: 0 };
    begun = true;
    return await loop(run, stop.signal, interrupted, deadlineAtMs);
  } finally {
    cancelDeadline();
    run.hangUp.removeEventListener('abort', hungUp);
    place.leave();
  }
}

async function loop(run: Run, signal: AbortSignal, interrupted: Interrupted, deadlineAtMs: number) {
  let last: TryEnd | null = null;
  for (let tries = 0; ; ) {
    const trying = run.circuit.run(() => once(run, signal, interrupted), isFault);
    if (trying === null) return { end: last ?? ({ end: 'circuit_open' } as const), tries };
    tries += 1;
    const ended = await trying;
    // What an earlier try may have done a later refusal does not undo.
    const before: boolean = last !== null && last.end !== 'declined';
    last = before && ended.end === 'declined' ? { ...ended, end: 'broken' } : ended;
    if (!ended.passing || tries > run.retries) return { end: last, tries };
    const fullMs = Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS);
    const untilMs = run.clock.nowMs() + fullMs * (0.5 + 0.5 * run.random());
    // A try without time to answer only delays the news.
    if (untilMs >= deadlineAtMs) return { end: last, tries };
    await paused(run.clock, untilMs, interrupted);
    if (interrupted.by) return { end: interrupted.by.end === 'stopped' ? interrupted.by : last, tries };
  }
}

/** A failure that another caller would have met too. A hang-up says nothing, but must not close a circuit. */
const isFault = (ended: TryEnd, deciding: boolean): boolean =>
  ended.passing === true || ended.end === 'late' || (deciding && ended.end === 'stopped');

async function once(run: Run, signal: AbortSignal, interrupted: Interrupted): Promise<TryEnd> {
  const answering = begin(run, signal);
  const ended = await Promise.race([interrupted.promise, answering]);
  if (ended.end === 'late')
    void answering.then((late) => {
      if (late.end === 'answered') run.answeredLate(late.answer);
    });
  return ended;
}

async function begin(run: Run, signal: AbortSignal): Promise<TryEnd> {
  try {
    return { end: 'answered', answer: await run.start(signal) };
  } catch (error) {
    return failure(error);
  }
}

/** Only a ToolFailure can say that nothing was done: whatever else is thrown may come from after the deed. */
function failure(error: unknown): TryEnd {
  try {
    if (error instanceof ToolFailure)
      return { end: error.nothingDone ? 'declined' : 'broken', error, passing: error.passing };
    // The tool's own time limit for one try, as AbortSignal.timeout() ends a fetch.
    return { end: 'broken', error, passing: (error as Error | undefined)?.name === 'TimeoutError' };
  } catch {
    // An error that cannot be read says nothing.
    return { end: 'broken', error: undefined };
  }
}

async function paused(clock: Clock, untilMs: number, interrupted: Interrupted): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.at(untilMs, resolve);
  await Promise.race([promise, interrupted.promise]);
  cancel();
}
