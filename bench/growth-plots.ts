// The plots of a growth run, by file name. What a part did not measure is not drawn.
import type { Point } from './growth-report.ts';
import { lineChart, type LineChart, type Series } from './svg.ts';

const COLORS = ['#1d6fb8', '#e07a1f', '#2a9d8f', '#8a5cd1', '#c2416b', '#64748b', '#1f2933'];

interface Plot extends Omit<LineChart, 'series' | 'limits' | 'subtitles'> {
  subtitle: string;
  /** Name of the curve to its label. */
  curves: Record<string, string>;
}

const PLOTS: Record<string, Plot> = {
  'growth-length.svg': {
    title: 'What a minute of one call costs, minute by minute',
    subtitle: 'processor time of the main thread, one call in virtual time, five turns a minute',
    x: { label: 'minute of the call', log: false },
    y: { label: 'ms per minute of call', log: false },
    curves: { length_everything_ms: 'everything on', length_no_record_ms: 'without the record' },
  },
  'growth-agents.svg': {
    title: 'A cold start with many agents',
    subtitle: 'median of some starts, each a process of its own; and the agent of a number found in memory',
    x: { label: 'agents', log: true },
    y: { label: 'ms (look-up: µs)', log: true },
    curves: {
      agents_load_ms: 'agent files loaded',
      agents_server_ms: 'server ready',
      agents_lookup_us: 'found for a number, µs',
    },
  },
  'growth-tape.svg': {
    title: 'Reading a tape, by its length',
    subtitle: 'parsed, and folded through the core again; the least of some rounds',
    x: { label: 'minutes of call', log: true },
    y: { label: 'ms per minute of call', log: false },
    curves: { tape_parse_ms_per_minute: 'parsed', tape_fold_ms_per_minute: 'folded' },
  },
  'growth-database.svg': {
    title: 'SQLite with more and more calls in it',
    subtitle: 'p50 through the store’s own threads',
    x: { label: 'calls in the database', log: true },
    y: { label: 'ms', log: true },
    curves: {
      database_insert_cpu_ms: 'taken in (CPU)',
      database_first_page_ms: 'page 1',
      database_deep_page_ms: 'middle page',
      database_one_ms: 'one call',
      database_by_cost_ms: 'by cost',
      database_statistics_ms: 'statistics',
    },
  },
};

/** @param where the machine and the day, as a line of the plot */
export function growthPlots(curves: Readonly<Record<string, Point[]>>, where: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const [file, { subtitle, curves: wanted, ...chart }] of Object.entries(PLOTS)) {
    const series = Object.entries(wanted).flatMap(([name, label], i): Series[] => {
      const points = curves[name];
      return points === undefined ? [] : [{ label, color: COLORS[i % COLORS.length] ?? '#000000', points }];
    });
    if (series.length > 0) files.set(file, lineChart({ ...chart, subtitles: [subtitle, where], series, limits: [] }));
  }
  return files;
}
