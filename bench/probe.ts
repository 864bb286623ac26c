// Loaded into every measured server before its own code (`node --import`): tells when asked, over the IPC channel, what
// only the process itself knows exactly. The same for each subject, so that what it costs is in every figure alike.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

/** One look at a process; the event-loop delays are since the look before. */
export interface ProbeReading {
  /** User and system time since the start, all threads. */
  cpuMs: number;
  /** Time between what a timer was set for and when it ran, ms. */
  loopDelayMs: { p50: number; p99: number; max: number };
  heapUsedKib: number;
}

/** Of the sampler; what it measures includes it. */
const RESOLUTION_MS = 10;

if (isMainThread && process.send) {
  const sampler = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  sampler.enable();
  const beyond = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  process.on('message', (question) => {
    if (question !== '?') return;
    const { user, system } = process.cpuUsage();
    const reading: ProbeReading = {
      cpuMs: (user + system) / 1_000,
      loopDelayMs: {
        p50: beyond(sampler.percentile(50)),
        p99: beyond(sampler.percentile(99)),
        max: beyond(sampler.max),
      },
      heapUsedKib: process.memoryUsage().heapUsed / 1_024,
    };
    sampler.reset();
    process.send?.(reading);
  });
  // Whoever measures is gone: nothing of the measurement stays behind.
  process.once('disconnect', () => process.exit());
  // Asking must be possible without keeping a process alive that wants to end.
  process.channel?.unref();
}
