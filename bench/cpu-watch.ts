// Who used the processor during a measured window: the server, the load generator, everybody else, and the host that gave
// the time to other guests.
import { cpuMs, machineCpuMs } from './machine.ts';

/** Cores used on average, 1 = one core all the time. */
export interface CpuUse {
  seconds: number;
  server: number;
  /** All processes of the generator together, and the busiest of them. */
  generator: number;
  busiestEnd: number;
  others: number;
  stolen: number;
  /** Server CPU in the window, ms. */
  serverMs: number;
}

/**
 * Starts a window; call the result to end it.
 * @param endPids the generator's processes, this one unless told
 */
export function watchCpu(serverPid: number, endPids: readonly number[] = [process.pid]): () => CpuUse {
  const startMs = performance.now();
  const before = { server: cpuMs(serverPid), ends: endPids.map(cpuMs), machine: machineCpuMs() };
  return () => {
    const ms = performance.now() - startMs;
    const serverMs = cpuMs(serverPid) - before.server;
    const endsMs = endPids.map((pid, i) => cpuMs(pid) - (before.ends[i] as number));
    const ownMs = endsMs.reduce((sum, endMs) => sum + endMs, 0);
    const machine = machineCpuMs();
    const stolenMs = machine.stolenMs - before.machine.stolenMs;
    const busyMs = machine.busyMs - before.machine.busyMs;
    return {
      seconds: ms / 1_000,
      server: serverMs / ms,
      generator: ownMs / ms,
      busiestEnd: Math.max(...endsMs) / ms,
      others: Math.max(0, busyMs - stolenMs - serverMs - ownMs) / ms,
      stolen: stolenMs / ms,
      serverMs,
    };
  };
}

/** Why the generator or the machine was what was measured; empty when neither was. `lateP99Ms` is the generator's own lateness. */
export function bottlenecks(
  { server, generator, busiestEnd, others, stolen }: CpuUse,
  lateP99Ms: number,
  cores: number,
): string[] {
  return [
    ...(busiestEnd > 0.8 ? ['a process of it used more than 80 % of a core'] : []),
    ...(lateP99Ms > 5 ? [`its own frames were ${lateP99Ms.toFixed(1)} ms late at p99`] : []),
    ...(server + generator + others + stolen > cores * 0.9 ? ['the machine had less than 10 % idle'] : []),
    ...(others > 0.5 ? [`other processes used ${others.toFixed(2)} cores`] : []),
  ];
}

/** The same as a sentence. */
export function bottleneck(use: CpuUse, lateP99Ms: number, cores: number): string {
  const causes = bottlenecks(use, lateP99Ms, cores);
  return causes.length === 0
    ? 'The generator was not the bottleneck.'
    : `The generator or the machine was a bottleneck (${causes.join('; ')}): these times are not the server's alone.`;
}
