// The plots of a bench, by file name.
import { median } from './summary.ts';
import { type BenchResults, FLOOR, mainOf } from './results.ts';
import { barChart, lineChart, type Series } from './svg.ts';

const COLORS = ['#64748b', '#1d6fb8', '#2a9d8f', '#e07a1f', '#8a5cd1', '#c2416b'];

export function plots(results: BenchResults): Map<string, string> {
  const files = new Map<string, string>();
  const color = (name: string): string =>
    COLORS[results.subjects.findIndex((subject) => subject.name === name) % COLORS.length] ?? '#000000';
  const { cpu, node } = results.machine;
  const where = `${results.machine.cores} cores (${cpu}), Node ${node}, ${results.date.slice(0, 10)}`;
  const main = mainOf(results);
  if (main) {
    const tls = results.tls ? 'TLS to the model' : 'no TLS';
    const others = main.summaries.filter(({ subject }) => subject !== FLOOR);
    if (others.length > 0)
      files.set(
        'bench-cpu-ratio.svg',
        barChart({
          title: 'CPU against a bare relay',
          subtitles: [`${main.calls} calls, ${tls}; median of ${main.rounds} rounds, whiskers: least and most`, where],
          unit: '×',
          bars: others.map(({ subject, cpuRatio: { median: value, least, most } }) => ({
            label: subject,
            value,
            least,
            most,
            color: color(subject),
          })),
          limits: [
            { value: 1.1, label: 'aim, bridge alone 1.1' },
            { value: 1.25, label: 'aim, everything on 1.25' },
          ],
        }),
      );
    const memory = main.summaries.map(({ subject }): Series => {
      const runs = main.runs.filter((run) => run.subject === subject);
      const seconds = runs[0]?.memory.rssKib.length ?? 0;
      return {
        label: subject,
        color: color(subject),
        points: Array.from({ length: seconds }, (_, x) => ({
          x,
          y: median(runs.map(({ memory: { rssKib, idleKib } }) => ((rssKib[x] ?? Number.NaN) - idleKib) / 1_024)),
        })),
      };
    });
    files.set(
      'bench-memory.svg',
      lineChart({
        title: 'Memory while the calls last',
        subtitles: [`${main.calls} calls, ${tls}; median of ${main.rounds} rounds`, where],
        x: { label: 'seconds of the window', log: false },
        y: { label: 'MiB resident beyond the idle server', log: false },
        series: memory,
        limits: [],
      }),
    );
  }
  if (results.sweep) {
    const { points } = results.sweep;
    const bySubject = (pick: (runs: (typeof points)[number]['runs']) => number): Series[] =>
      [...new Set(points.map(({ subject }) => subject))].map((subject) => ({
        label: subject,
        color: color(subject),
        points: points
          .filter((point) => point.subject === subject)
          .map((point) => ({ x: point.calls, y: pick(point.runs) })),
      }));
    files.set(
      'bench-delay.svg',
      lineChart({
        title: 'Delay of a caller frame on its way to the model, p99',
        subtitles: [`socket to socket, median of the windows at each size`, where],
        x: { label: 'calls at once', log: true },
        y: { label: 'ms', log: true },
        series: bySubject((runs) => median(runs.map((run) => run.toModelMs.p99))),
        limits: [{ value: 10, label: 'limit of the rated capacity: 10 ms' }],
      }),
    );
    files.set(
      'bench-cpu.svg',
      lineChart({
        title: 'CPU of one call',
        subtitles: [`ms of CPU per second and call, median of the windows at each size`, where],
        x: { label: 'calls at once', log: true },
        y: { label: 'ms per call-second', log: false },
        series: bySubject((runs) => median(runs.map((run) => run.cpuMsPerCallSecond))),
        limits: [],
      }),
    );
  }
  return files;
}
