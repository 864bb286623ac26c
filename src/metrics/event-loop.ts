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
