// A server killed in the middle of a call: what the call had cost by then is in the database of the next one, and the call is over.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { callProcess, withProcesses } from '../support/server-process.ts';
import { useEngines } from './engines.ts';

const engines = useEngines();
const POLL = { timeout: 15_000, interval: 50 };

test('the next server knows what a killed one was charged, and ends its call', async () => {
  const dataDir = await engines.folder();
  const read = <Row>(statement: string): Row[] => {
    const db = new DatabaseSync(join(dataDir, 'trunkline.sqlite'), { readOnly: true });
    try {
      return db.prepare(statement).all() as Row[];
    } finally {
      db.close();
    }
  };
  const lines = () =>
    read<{ source: string; cost_nano_usd: number }>('select source, cost_nano_usd from lines order by source');
  await withProcesses(async (start) => {
    const killed = start({ DATA_DIR: dataDir });
    const call = callProcess(await killed.ready());
    await expect.poll(lines, POLL).not.toEqual([]);
    const before = lines();
    expect(before.every(({ cost_nano_usd }) => cost_nano_usd > 0)).toBe(true);
    killed.signal('SIGKILL');
    await killed.exit;
    await call.ended;

    const next = start({ DATA_DIR: dataDir });
    await next.ready();
    const told = await next.line('journal of a process that is gone was taken in, its open calls are ended');
    expect(told).toMatchObject({ level: 'warn', calls: 1 });
    const after = lines();
    expect(after.length).toBeGreaterThanOrEqual(before.length);
    expect(after).toEqual(expect.arrayContaining(before));
    // Nobody was left to charge what the carrier carried: the next server does, at its prices.
    const carried = read<{ cost_nano_usd: number }>(
      `select what, state, doubt, cost_nano_usd from lines where seller = 'twilio' order by what`,
    );
    expect(carried).toMatchObject(
      ['leg', 'media_stream'].map((what) => ({ what, state: 'estimated', doubt: 'process_died' })),
    );
    expect(carried.every(({ cost_nano_usd }) => cost_nano_usd > 0)).toBe(true);
    expect(read('select reason, ended_by, detail from calls')).toMatchObject([
      { reason: 'internal_error', ended_by: 'us', detail: 'the process died' },
    ]);
    next.signal('SIGTERM');
    expect(await next.exit).toBe(0);
    expect(await readdir(join(dataDir, 'journal'))).toEqual([]);
  });
}, 40_000);
