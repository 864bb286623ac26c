// Who used the processor during a measured window: the server, the load generator, everybody else, and the host that gave
// the time to other guests.
import { cpuMs, machineCpuMs } from './machine.ts';

/** Cores used on average, 1 = one core all the time. */
export interface CpuUse {
  seconds: number;
  server: number;
  generator: number;
  others: number;
  stolen: number;
  /** Server CPU in the window, ms. */
  serverMs: number;
}

/** Starts a window; call the result to end it. */
export function watchCpu(serverPid: number): () => CpuUse {
  const startMs = performance.now();
  const before = { server: cpuMs(serverPid), own: ownCpuMs(), machine: machineCpuMs() };
  return () => {
    const ms = performance.now() - startMs;
    const serverMs = cpuMs(serverPid) - before.server;
    const ownMs = ownCpuMs() - before.own;
    const machine = machineCpuMs();
    const stolenMs = machine.stolenMs - before.machine.stolenMs;
    const busyMs = machine.busyMs - before.machine.busyMs;
    return {
      seconds: ms / 1_000,
      server: serverMs / ms,
      generator: ownMs / ms,
      others: Math.max(0, busyMs - stolenMs - serverMs - ownMs) / ms,
      stolen: stolenMs / ms,
      serverMs,
    };
  };
}

/** Whether the generator or the machine was what was measured, in a sentence; `lateP99Ms` is the generator's own lateness. */
export function bottleneck({ server, generator, others, stolen }: CpuUse, lateP99Ms: number, cores: number): string {
  const causes = [
    ...(generator > 0.8 ? ['its process used more than 80 % of a core'] : []),
    ...(lateP99Ms > 5 ? [`its own frames were ${lateP99Ms.toFixed(1)} ms late at p99`] : []),
    ...(server + generator + others + stolen > cores * 0.9 ? ['the machine had less than 10 % idle'] : []),
    ...(others > 0.5 ? [`other processes used ${others.toFixed(2)} cores`] : []),
  ];
  return causes.length === 0
    ? 'The generator was not the bottleneck.'
    : `The generator or the machine was a bottleneck (${causes.join('; ')}): these times are not the server's alone.`;
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
