// The machine as the measurements found it, and what /proc says of a process: CPU time, memory, open sockets. Linux only;
// elsewhere the figures are NaN and say so in the tables.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Machine {
  cores: number;
  cpu: string;
  memoryGib: number;
  node: string;
  system: string;
}

export const machine = (): Machine => ({
  cores: cpus().length,
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  memoryGib: Math.round((totalmem() / 2 ** 30) * 10) / 10,
  node: process.version,
  system: `${process.platform} ${release()} ${process.arch}`,
});

/** Of the last minute: how many processes wanted a core. */
export const loadAverage = (): number => Math.round((loadavg()[0] ?? 0) * 100) / 100;

/** Milliseconds in one tick of /proc; 100 ticks a second unless the system says otherwise. */
const TICK_MS = ((): number => {
  try {
    return 1000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8', timeout: 2_000 }).trim());
  } catch {
    return 10;
  }
})();

/** User and system time of a process so far. */
export function cpuMs(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Busy time of all cores so far, and how much of it another guest of the same host had. */
export function machineCpuMs(): { busyMs: number; stolenMs: number } {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
    read('/proc/stat').split('\n')[0] ?? ''
  )
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return { busyMs: (user + nice + system + irq + softirq + steal) * TICK_MS, stolenMs: steal * TICK_MS };
}

/** Memory of a process in KiB: resident now, and the most it ever was. */
export function memoryKib(pid: number): { rssKib: number; peakKib: number } {
  const status = read(`/proc/${pid}/status`);
  const kib = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN);
  return { rssKib: kib('VmRSS'), peakKib: kib('VmHWM') };
}

/** Open file descriptors of a process, and how many of them are sockets. */
export function descriptors(pid: number): { open: number; sockets: number } {
  const folder = `/proc/${pid}/fd`;
  const targets = readdirSync(folder).map((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`);
    } catch {
      return ''; // Closed since it was listed.
    }
  });
  return {
    open: targets.filter((target) => target !== '').length,
    sockets: targets.filter((target) => target.startsWith('socket:')).length,
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
