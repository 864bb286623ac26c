// Retention and forgetting with PostgreSQL: the same rows go, and the tables are vacuumed.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sql } from 'kysely';
import { forget } from '../../src/privacy/command.ts';
import { runRetention } from '../../src/privacy/retention.ts';
import { hasPostgres, type Postgres, startPostgres } from '../support/postgres.ts';
import { ADMITTED_MS, DAY_MS, FOR_EVER, KeptFolder } from './kept.ts';

const ANNA = '+15551230001';

describe.skipIf(!hasPostgres)('with PostgreSQL', () => {
  let server: Postgres;
  let kept: KeptFolder;
  beforeAll(async () => {
    server = await startPostgres();
    kept = await KeptFolder.make({ engine: 'postgres', url: await server.freshUrl() });
  });
  afterAll(async () => {
    await kept.remove();
    await server.close();
  });

  test('words, then everything but the bill go on their day', async () => {
    await kept.keep({ callId: 'due', from: ANNA, retention: { audioDays: 1, textDays: 1, metadataDays: 2 } });
    await kept.keep({ callId: 'stays', from: '+15551230002' });
    const run = (nowWallMs: number) =>
      runRetention({
        ...{ files: kept.files, entries: kept.entries, store: kept.store, nowWallMs },
        ...{ agents: [{ retention: FOR_EVER }], strangers: true },
      });
    const lines = await kept.rows('lines');
    expect((await run(ADMITTED_MS + DAY_MS - 1)).files).toBe(0);
    expect((await run(ADMITTED_MS + DAY_MS)).calls).toEqual({ audio: 1, text: 1, metadata: 0 });
    expect(await kept.rows('turns', 'due')).not.toMatch(/order|Monday/);
    expect((await run(ADMITTED_MS + 2 * DAY_MS)).calls).toEqual({ audio: 0, text: 0, metadata: 1 });
    expect(await kept.rows('calls')).not.toContain(ANNA);
    expect(await kept.rows('turns', 'stays')).toContain('where is my order');
    expect(await kept.rows('lines')).toBe(lines);
  });

  test('a caller is forgotten, and nobody else; the tables are vacuumed', async () => {
    await kept.keep({ callId: 'anna', from: ANNA });
    await kept.keep({ callId: 'alice', from: { kind: 'sip', value: 'sip:Alice_1@pbx.example.com' } });
    await kept.keep({ callId: 'other', from: { kind: 'sip', value: 'sip:alicex1@pbx.example.com' } });
    const lines: string[] = [];
    const run = (caller: string) =>
      forget(['--caller', caller], {
        ...{ open: async () => kept.store, dataDir: kept.dataDir, out: (text: string) => lines.push(text) },
        wallMs: () => ADMITTED_MS + DAY_MS,
      });
    expect(await run(ANNA)).toBe(0);
    expect(await run('sip:alice_1@pbx.example.com')).toBe(0);
    expect(lines.join('\n')).toContain('1 call: the numbers, 2 turns, 1 tool run; 1 line of bills stay');
    const calls = await kept.rows('calls');
    expect(calls).not.toContain(ANNA);
    expect(calls).not.toContain('Alice_1');
    expect(calls).toContain('sip:alicex1@pbx.example.com');
    expect(kept.filesWith(ANNA)).toEqual([]);
    const { rows } = await sql<{ relname: string }>`
      select relname from pg_stat_user_tables where last_vacuum is not null order by relname`.execute(kept.db);
    expect(rows.map(({ relname }) => relname)).toEqual(['calls', 'tools', 'turns']);
  });
});
