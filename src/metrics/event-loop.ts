// How late the event loop runs its timers: what an overloaded process shows first, before its CPU time does.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Gauge } from 'prom-client';

/** Resolution of the sampler; what it measures includes it. */
const RESOLUTION_MS = 10;

/** Watches the loop; `show` sets the gauge's quantiles since the last `show`. */
export function watchEventLoop(delay: Gauge): { show(): void; close(): void } {
  const sampler = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  sampler.enable();
  const p50 = delay.labels({ quantile: '0.5' });
  const p99 = delay.labels({ quantile: '0.99' });
  const max = delay.labels({ quantile: '1' });
  const beyond = (ns: number) => Math.max(0, ns / 1e9 - RESOLUTION_MS / 1_000);
  return {
    show() {
      p50.set(beyond(sampler.percentile(50)));
      p99.set(beyond(sampler.percentile(99)));
      max.set(beyond(sampler.max));
      sampler.reset();
    },
    close: () => sampler.disable(),
  };
}

/** The window's age when it is read: from this to twice this. */
const HALF_WINDOW_MS = 5_000;
/** Every millisecond of these samplers is a wake-up of the process, and admission needs no finer view. */
const RECENT_RESOLUTION_MS = 20;

/** How late the loop runs of late, whoever scrapes. */
export interface RecentLoopDelay {
  /** The 99th percentile of the last 5 to 10 seconds; 0 before the first 5 are over. */
  readonly p99Ms: () => number;
  close(): void;
}

/**
 * Watches the loop with two samplers that take turns: the younger begins anew every half window, the elder is read, so what
 * is read is never older than the window and never younger than its half.
 */
export function watchRecentLoop(halfWindowMs = HALF_WINDOW_MS): RecentLoopDelay {
  const sampler = () => {
    const made = monitorEventLoopDelay({ resolution: RECENT_RESOLUTION_MS });
    made.enable();
    return made;
  };
  let younger = sampler();
  let elder: typeof younger | null = null;
  const turn = setInterval(() => {
    const gone = elder;
    elder = younger;
    gone?.reset();
    younger = gone ?? sampler();
  }, halfWindowMs);
  turn.unref();
  return {
    p99Ms: () => (elder === null ? 0 : Math.max(0, elder.percentile(99) / 1e6 - RECENT_RESOLUTION_MS)),
    close() {
      clearInterval(turn);
      younger.disable();
      elder?.disable();
    },
  };
}
