// kill -9 at random points of a process that takes usage, again and again over one data folder and one database; then what the
// database holds is compared with what each process had said was on the disk.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { realClock } from '../src/clock.ts';
import { type Database, openDatabase } from '../src/store/database.ts';
import { placeOf } from '../src/store/place.ts';
import { startStore } from '../src/store/start.ts';

export interface CrashOptions {
  dataDir: string;
  /** Null: SQLite in the data folder. */
  databaseUrl: string | null;
  rounds: number;
  /** From 0 to 1. */
  random: () => number;
  said?: (round: number) => void;
}

export interface CrashResult {
  /** Kills before the process had its store, and after. */
  early: number;
  late: number;
  /** Usages that the processes said were on the disk. */
  promised: number;
  /** Usages in the database. */
  kept: number;
  /** Of the promised: not there. */
  missing: string[];
  /** There more than once, as a line or as the fact beside it. */
  doubled: string[];
  /** There without one that came before it, or without the fact beside it. */
  torn: string[];
  /** What the processes logged as errors. */
  errors: string[];
  /** The recovery of what the last kills had left. */
  recoveryMs: number;
}

/** Share of kills that come while a process starts, and takes in what the one before it left. */
const EARLY = 0.2;
const LONGEST_START_MS = 500;
const LONGEST_LIFE_MS = 500;

export async function crashRounds({ dataDir, databaseUrl, rounds, random, said }: CrashOptions): Promise<CrashResult> {
  const promised = new Map<string, number>();
  const errors: string[] = [];
  let early = 0;
  for (let round = 0; round < rounds; round++) {
    const nodeId = (round + 1).toString(16).padStart(12, '0');
    const lines = await lifeOf([dataDir, nodeId, databaseUrl ?? ''], random() < EARLY, random());
    if (!lines.includes('ready')) early += 1;
    errors.push(...lines.filter((line) => line.startsWith('error')));
    promised.set(nodeId, Number(lines.findLast((line) => line.startsWith('flushed'))?.split(' ')[1] ?? 0));
    said?.(round + 1);
  }
  const startMs = performance.now();
  const log = { info() {}, warn() {}, error: (_: object, message: string) => void errors.push(message) };
  const store = await startStore({ ...{ dataDir, databaseUrl, clock: realClock, log }, nodeId: 'ffffffffffff' });
  await store.settled();
  const recoveryMs = performance.now() - startMs;
  await store.close();
  const db = await openDatabase(placeOf(databaseUrl, join(dataDir, 'trunkline.sqlite')));
  try {
    return { early, late: rounds - early, errors, recoveryMs, ...(await compared(db, promised)) };
  } finally {
    await db.destroy();
  }
}

/** What a process said until it was killed: in its start, or after it. */
async function lifeOf(args: string[], early: boolean, share: number): Promise<string[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'crash-process.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  const up = Promise.withResolvers<void>();
  child.stdout.on('data', (data: Buffer) => {
    text += data.toString();
    if (text.includes('ready\n')) up.resolve();
  });
  child.once('exit', () => up.resolve());
  if (!early) await up.promise;
  await sleep(share * (early ? LONGEST_START_MS : LONGEST_LIFE_MS));
  if (child.exitCode === null) {
    const gone = once(child, 'close');
    child.kill('SIGKILL');
    await gone;
  }
  // A last line without its end was being said.
  return text.split('\n').slice(0, -1);
}

async function compared(
  db: Database,
  promised: ReadonlyMap<string, number>,
): Promise<Pick<CrashResult, 'promised' | 'kept' | 'missing' | 'doubled' | 'torn'>> {
  const lines = (await db.selectFrom('lines').select('source').execute()).map(({ source }) => source);
  const beside = (await db.selectFrom('audit').select('subject').execute()).map(({ subject }) => subject);
  const counts = new Map<string, number>();
  for (const source of beside) counts.set(source, (counts.get(source) ?? 0) + 1);
  const known = new Set(lines);
  const all = [...promised].flatMap(([node, count]) => Array.from({ length: count }, (_, n) => `${node}-${n}`));
  return {
    promised: all.length,
    kept: known.size,
    missing: all.filter((source) => !known.has(source) || !counts.has(source)),
    doubled: [...counts].filter(([, count]) => count > 1).map(([source]) => source),
    // Facts are on the disk in the order they came: only what came last of all can be without the fact behind it.
    torn: lines.filter(
      (source) => !known.has(neighbour(source, -1)) || (known.has(neighbour(source, 1)) && !counts.has(source)),
    ),
  };
}

/** The usage that its process took before or after one; the first is its own. */
function neighbour(source: string, step: number): string {
  const [node, n] = source.split('-');
  return `${node}-${Math.max(0, Number(n) + step)}`;
}
