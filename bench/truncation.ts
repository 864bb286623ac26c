// How exactly the model learns what was heard: every race of an interruption in virtual time, many seeds, against the exact
// play buffer. The call core, the Realtime dialogue and their shells are the real ones; only time and wires are not.
import { seededRandom } from '../src/phone/seeded-random.ts';
import { races, runRace } from '../test/support/races.ts';
import { spreadOf } from './percentiles.ts';
import { type Bench, runBench, shown } from './report.ts';

const NETWORKS = [
  { name: '0 ms each way', delayMs: 0, jitterMs: 0, mostMs: 20 },
  { name: '60 ms each way', delayMs: 60, jitterMs: 0, mostMs: 20 },
  { name: '0-80 ms jitter each way', delayMs: 0, jitterMs: 80, mostMs: 100 },
];
const MODES = [
  { name: 'server interrupts', interrupts: true },
  { name: 'we interrupt', interrupts: false },
];
/** The interruption is moved by up to this much, so that it meets every part of a frame. */
const MOVED_MS = 20;
/** Codes of refused truncates and deletes. */
const REFUSED = new Set(['invalid_value', 'item_not_found', 'unsupported_content_type']);

await runBench('truncation', 'Truncation points against the exact play buffer, in virtual time', measure);

async function measure(bench: Bench): Promise<void> {
  const seeds = bench.number('seeds', 200, 4);
  const rows: string[][] = [];
  for (const network of NETWORKS) {
    for (const mode of MODES) {
      const what = `${network.name}, ${mode.name}`;
      const found = {
        errors: [] as number[],
        mostMs: -1,
        worst: '',
        refused: 0,
        provoked: 0,
        beyond: 0,
        after: 0,
        left: 0,
        faults: 0,
      };
      for (const race of races) {
        bench.say(`${what}: ${race.title}`);
        // A turn of the event loop, so that Ctrl-C is heard.
        await new Promise((resolve) => setImmediate(resolve));
        for (let seed = 1; seed <= seeds; seed++) {
          const random = seededRandom(seed);
          const { delayMs, jitterMs } = network;
          // Who asks for the answers changes with the seed.
          const { interrupts } = mode;
          const options = {
            interrupts,
            answers: seed % 2 === 0,
            delayMs,
            jitterMs,
            random,
            strikeLaterMs: random() * MOVED_MS,
          };
          const outcome = runRace(race, options);
          for (const item of outcome.items) {
            // Heard to its end and left alone: nothing was cut, so there is no point to be wrong.
            if (item.fate === 'whole' && item.errorMs === 0) continue;
            const errorMs = Math.abs(item.errorMs);
            if (errorMs > found.mostMs) Object.assign(found, { mostMs: errorMs, worst: race.title });
            found.errors.push(errorMs);
            if (item.truncatedAtMs !== null && item.truncatedAtMs > item.producedMs) found.beyond++;
          }
          found.refused += outcome.errors.filter((code) => REFUSED.has(code)).length;
          found.provoked += outcome.errors.length;
          found.after += outcome.playsAfterStrike.length;
          found.left += outcome.timersLeft;
          found.faults += outcome.faults.length;
        }
      }
      const spread = spreadOf(found.errors);
      const { p50, p95, p99, max, count } = spread;
      rows.push([
        network.name,
        mode.name,
        `${count}`,
        ...[p50, p95, p99, max].map((ms) => shown(ms, 1)),
        found.mostMs > 0 ? found.worst : '-',
        `${found.refused}`,
        `${found.provoked}`,
      ]);
      bench.figures(
        `error_ms_${network.jitterMs > 0 ? 'jitter80' : `delay${network.delayMs}`}_${mode.interrupts ? 'server' : 'us'}`,
        spread,
      );
      bench.fault(
        max > network.mostMs,
        `${what}: an error of ${shown(max, 1)} ms is above ${network.mostMs} ms (${found.worst})`,
      );
      bench.fault(found.provoked > 0, `${what}: ${found.provoked} error events provoked`);
      bench.fault(found.beyond > 0, `${what}: ${found.beyond} truncations beyond what was produced`);
      bench.fault(found.after > 0, `${what}: ${found.after} ranges were sent after the clear`);
      bench.fault(found.left > 0, `${what}: ${found.left} timers were left after the end`);
      bench.fault(found.faults > 0, `${what}: ${found.faults} exceptions`);
    }
  }
  bench.table(
    `Error in ms of every item that was cut: ${races.length} races, ${seeds} seeds each; the interruption is moved by 0-${MOVED_MS} ms`,
    ['network', 'who interrupts', 'items', 'p50', 'p95', 'p99', 'max', 'worst race', 'refused', 'error events'],
    rows,
  );
  bench.remark(
    'Aim: at most 20 ms at constant delays; with jitter at most jitter + 20 ms = 100 ms; nothing refused, no error event.',
  );
}
