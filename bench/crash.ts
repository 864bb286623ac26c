// kill -9 at random points of a process that takes usage: afterwards every usage that it had said was on the disk is in the
// database, each exactly once.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../src/phone/seeded-random.ts';
import { hasPostgres, startPostgres } from '../test/support/postgres.ts';
import { type CrashResult, crashRounds } from './crash-rounds.ts';
import { type Bench, runBench, shown } from './report.ts';

const SEED = 20_261_121;

await runBench('crash', 'Killed at random points', measure);

async function measure(bench: Bench): Promise<void> {
  const kills = bench.number('kills', 200, 6);
  const seed = bench.number('seed', SEED, SEED);
  const rows: string[][] = [];
  const run = async (engine: string, databaseUrl: string | null, rounds: number): Promise<void> => {
    const dataDir = mkdtempSync(join(tmpdir(), 'trunkline-crash-'));
    try {
      const said = (round: number): void => bench.say(`${engine}: ${round} of ${rounds} kills`);
      const result = await crashRounds({ dataDir, databaseUrl, rounds, random: seededRandom(seed), said });
      rows.push(told(engine, result));
      judge(bench, engine, result);
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  };
  await run('SQLite', null, kills);
  if (hasPostgres) {
    const postgres = await startPostgres();
    try {
      await run('PostgreSQL', await postgres.freshUrl(), Math.ceil(kills / 5));
    } finally {
      await postgres.close();
    }
  } else bench.remark('There is no PostgreSQL here: it was left out.');
  bench.table(
    'Each process takes about 7,500 usages a second, one kill in five comes while it starts, the others within 500 ms after',
    [
      'database',
      'kills',
      'before it was up',
      'promised',
      'in the database',
      'missing',
      'doubled',
      'out of order',
      'last recovery ms',
    ],
    rows,
  );
  bench.remark(
    'Promised: the process had said that they are on the disk. What it had only taken may be there or not, but never with a gap.',
  );
  bench.remark(`Seed ${seed}.`);
}

function told(engine: string, result: CrashResult): string[] {
  return [
    engine,
    `${result.early + result.late}`,
    `${result.early}`,
    `${result.promised}`,
    `${result.kept}`,
    `${result.missing.length}`,
    `${result.doubled.length}`,
    `${result.torn.length}`,
    shown(result.recoveryMs, 0),
  ];
}

function judge(
  bench: Bench,
  engine: string,
  { missing, doubled, torn, errors, promised, kept, late }: CrashResult,
): void {
  bench.fault(late === 0, `${engine}: no process came up`);
  bench.fault(promised === 0, `${engine}: no process promised anything`);
  bench.fault(missing.length > 0, `${engine}: ${missing.length} promised usages are missing, the first: ${missing[0]}`);
  bench.fault(doubled.length > 0, `${engine}: ${doubled.length} usages are doubled, the first: ${doubled[0]}`);
  bench.fault(
    torn.length > 0,
    `${engine}: ${torn.length} usages are there without what came before, the first: ${torn[0]}`,
  );
  bench.fault(errors.length > 0, `${engine}: ${errors.length} errors, the first: ${errors[0]}`);
  bench.figure(`${engine.toLowerCase()}_promised`, promised);
  bench.figure(`${engine.toLowerCase()}_kept`, kept);
  bench.figure(`${engine.toLowerCase()}_missing`, missing.length);
  bench.figure(`${engine.toLowerCase()}_doubled`, doubled.length);
}
