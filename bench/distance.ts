// How far the product is from its aims, line by line, by what one bench measured.
import { shown, type Table } from './report.ts';
import { type BenchResults, FLOOR, mainOf } from './results.ts';
import type { RunResult } from './run.ts';
import { median, type Summary } from './summary.ts';

const PRODUCT = 'trunkline';
const BRIDGE = 'trunkline-bare';
/** What a recorded call keeps in memory by design: 12 s of two channels, 8 bytes per ms each (src/tape/recording.ts). */
const RECORDING_KIB = (12_000 * 8 * 2) / 1_024;

/** One aim. */
interface Distance {
  what: string;
  aim: string;
  measured: string;
  met: boolean | null;
  /** The same of the neighbours in this run. */
  neighbours: string;
}

export function distanceTable(results: BenchResults): Table {
  return {
    title: 'Distance to the aims',
    columns: ['what', 'aim', 'measured', 'met', 'neighbours in the same run'],
    rows: distances(results).map(({ what, aim, measured, met, neighbours }) => [
      what,
      aim,
      measured,
      met === null ? 'not known' : met ? 'yes' : '**no**',
      neighbours,
    ]),
  };
}

export function distances(results: BenchResults): Distance[] {
  const summaries = mainOf(results)?.summaries ?? [];
  const product = summaries.find(({ subject }) => subject === PRODUCT);
  const bridge = summaries.find(({ subject }) => subject === BRIDGE);
  const others = summaries.filter(({ subject }) => ![FLOOR, PRODUCT, BRIDGE].includes(subject));
  const of = (tell: (summary: Summary) => string): string =>
    others.length === 0 ? '' : others.map((summary) => `${summary.subject} ${tell(summary)}`).join('; ');
  return [
    ...(product ? timesOf(product, of) : []),
    ...(product ? beyondFloor(product, mainOf(results)?.runs ?? []) : []),
    ...(bridge ? [cpu('CPU against the bare relay, bridge alone', bridge, 1.1, '')] : []),
    ...(product ? [cpu('CPU against the bare relay, everything on', product, 1.25, of(cpuOf))] : []),
    ...(product ? [...capacity(product, results, of), ...memory(product, summaries, of)] : []),
    ...connecting(results),
  ];
}

function timesOf(product: Summary, of: (tell: (summary: Summary) => string) => string): Distance[] {
  const { stopMs, toModelMs, toCarrierMs, frames } = product;
  const p50 = Math.max(toModelMs.p50, toCarrierMs.p50);
  const p99 = Math.max(toModelMs.p99, toCarrierMs.p99);
  const wrong = frames.lost + frames.repeated + frames.disordered + frames.strays;
  return [
    {
      what: '`speech_started` in to `clear` out',
      aim: '≤ 1 ms p50, ≤ 5 ms p99',
      measured: `${shown(stopMs.p50)} ms p50, ${shown(stopMs.p99)} ms p99 (${stopMs.count} barge-ins, ${product.unanswered} without a clear)`,
      met: stopMs.p50 <= 1 && stopMs.p99 <= 5 && product.unanswered === 0,
      neighbours: of(({ stopMs: own, unanswered }) =>
        [
          `${shown(own.p50)} p50, ${shown(own.p99)} p99`,
          ...(unanswered > 0 ? [`${unanswered} of ${own.count + unanswered} without a clear`] : []),
        ].join(', '),
      ),
    },
    {
      what: 'delay added to a frame, the slower way, and frames lost or out of order',
      aim: '≤ 1 ms p50, ≤ 10 ms p99, none',
      measured: `${shown(p50)} ms p50, ${shown(p99)} ms p99, ${shown(wrong, 0)} of ${shown(frames.sent, 0)} frames`,
      met: p50 <= 1 && p99 <= 10 && wrong === 0,
      neighbours: of(
        (one) =>
          `${shown(Math.max(one.toModelMs.p50, one.toCarrierMs.p50))} p50, ${shown(Math.max(one.toModelMs.p99, one.toCarrierMs.p99))} p99, ${shown(one.frames.lost, 0)} lost`,
      ),
    },
  ];
}

/** What the product adds to the floor's own delay of the same round, and how soon it is there. */
function beyondFloor(product: Summary, runs: readonly RunResult[]): Distance[] {
  const ready: Distance = {
    what: 'ready to take calls',
    aim: '< 1 s',
    measured: `${shown(product.startUpMs, 0)} ms`,
    met: product.startUpMs < 1_000,
    neighbours: '',
  };
  const of = (name: string): RunResult[] => runs.filter(({ subject }) => subject === name);
  const floor = of(FLOOR);
  if (floor.length === 0) return [ready];
  const ways = (
    [
      ['to the model', (run: RunResult) => run.toModelMs.p99],
      ['to the carrier', (run: RunResult) => run.toCarrierMs.p99],
    ] as const
  ).map(([way, p99]) => {
    const beyond = of(PRODUCT).flatMap((run, round) => {
      const under = floor[round];
      return under === undefined ? [] : [p99(run) - p99(under)];
    });
    return { way, ms: median(beyond), least: Math.min(...beyond), most: Math.max(...beyond) };
  });
  return [
    {
      what: 'p99 of that delay beyond the relay’s',
      aim: '≤ 1.5 ms',
      measured: ways
        .map(({ way, ms, least, most }) => `${shown(ms)} ms ${way} (${shown(least)} to ${shown(most)})`)
        .join(', '),
      met: ways.every(({ ms }) => ms <= 1.5),
      neighbours: '',
    },
    ready,
  ];
}

const cpuOf = ({ cpuRatio }: Summary): string => `${shown(cpuRatio.median)} ×`;

const cpu = (what: string, summary: Summary, aim: number, neighbours: string): Distance => ({
  what,
  aim: `≤ ${aim} ×`,
  measured: `${cpuOf(summary)} (${shown(summary.cpuRatio.least)} to ${shown(summary.cpuRatio.most)})`,
  met: summary.cpuRatio.median <= aim,
  neighbours,
});

function capacity(
  product: Summary,
  { sweep }: BenchResults,
  of: (tell: (summary: Summary) => string) => string,
): Distance[] {
  const extrapolated = (summary: Summary): number => 1_000 / summary.cpuMsPerCallSecond;
  const rating = sweep?.ratings.find(({ subject }) => subject === PRODUCT);
  return [
    {
      what: 'calls per core, everything on, extrapolated',
      aim: '≥ 400',
      measured: shown(extrapolated(product), 0),
      met: extrapolated(product) >= 400,
      neighbours: of((summary) => shown(extrapolated(summary), 0)),
    },
    {
      what: 'calls per core, everything on, held (p99 ≤ 10 ms, nothing lost)',
      aim: '≥ 200',
      measured: rating ? `${rating.atLeast ? 'at least ' : ''}${rating.calls}` : '',
      // What gave way first was not the server: nothing is known against it.
      met: rating && (rating.calls >= 200 || !rating.atLeast) ? rating.calls >= 200 : null,
      neighbours: '',
    },
  ];
}

function memory(
  product: Summary,
  summaries: readonly Summary[],
  of: (tell: (summary: Summary) => string) => string,
): Distance[] {
  const floor = summaries.find(({ subject }) => subject === FLOOR);
  if (!floor) return [];
  const beyond = (product.kibPerCall - RECORDING_KIB) / floor.kibPerCall;
  return [
    {
      what: `memory per call beyond the recording buffers (${shown(RECORDING_KIB, 0)} KiB)`,
      aim: '≤ 1.3 × the bare relay',
      measured: `${shown(beyond)} × (${shown(product.kibPerCall, 0)} KiB with them, relay ${shown(floor.kibPerCall, 0)} KiB)`,
      met: beyond <= 1.3,
      neighbours: of(({ memoryRatio, kibPerCall }) => `${shown(memoryRatio)} × (${shown(kibPerCall, 0)} KiB)`),
    },
  ];
}

function connecting({ firstAudio }: BenchResults): Distance[] {
  const product = firstAudio.find(({ subject }) => subject === PRODUCT);
  if (!product) return [];
  const others = firstAudio.filter(({ subject }) => ![FLOOR, PRODUCT, BRIDGE].includes(subject));
  return [
    {
      what: "caller's words while the model connects (800 ms)",
      aim: 'none lost',
      measured: `${shown(product.framesLost, 0)} frames lost`,
      met: product.framesLost === 0,
      neighbours: others.map(({ subject, framesLost }) => `${subject} ${shown(framesLost, 0)} frames`).join('; '),
    },
    {
      what: 'first byte of the greeting once stream and session are ready',
      aim: '≤ 50 ms',
      measured: `${shown(product.fromReadyMs.max)} ms at most`,
      met: product.fromReadyMs.max <= 50,
      neighbours: others.map(({ subject, fromReadyMs }) => `${subject} ${shown(fromReadyMs.max)} ms`).join('; '),
    },
  ];
}
