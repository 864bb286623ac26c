// Callers talk to the whole product at once; one of them is forgotten while the server goes on.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { realClock } from '../../src/clock.ts';
import { forget } from '../../src/privacy/command.ts';
import { startStore } from '../../src/store/start.ts';
import { interruption, startE2e } from '../support/e2e.ts';

const ANNA = '+15551230001';
const BEN = '+15551230002';
/** Ended calls are left alone for so long. */
const LATER_MS = 60_000;

const files = (dataDir: string): Map<string, Buffer> =>
  new Map(
    readdirSync(dataDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path, readFileSync(path)]),
  );

test('a caller of a running server is forgotten to the last byte, and the other calls are as they were', async () => {
  const e2e = await startE2e({
    database: true,
    agent: ({ greeting, recording }) => ({ greeting, recording }),
    simulator: {
      script: {
        greeting: { items: [{ stampedMs: 300 }] },
        turns: [{ callerTranscript: `call me back at ${ANNA}`, items: [{ stampedMs: 300 }] }],
      },
    },
  });
  try {
    const track = { steps: [{ cue: { atMs: 100 }, action: { say: interruption() } }] };
    const phones = [ANNA, BEN, ANNA].map((from) => e2e.call({ from, track, hangupAfterTrack: 1_000 }));
    await Promise.all(phones.map(({ ended }) => ended));
    const records = await Promise.all(phones.map(({ callSid }) => e2e.record(callSid)));
    const [anna, ben, annaAgain] = records.map(({ callId }) => callId) as [string, string, string];
    const { dataDir } = e2e.config;
    const before = files(dataDir);
    const ofBen = [...before].filter(([path]) => path.includes(ben));
    expect(ofBen.map(([path]) => path.slice(path.lastIndexOf('/') + 1)).toSorted()).toEqual([
      ...['audio.wav', 'record.json', 'tape.jsonl'],
    ]);
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const run = async (): Promise<{ code: number; text: string }> => {
      const lines: string[] = [];
      const code = await forget(['--caller', ANNA], {
        open: () => startStore({ dataDir, databaseUrl: null, nodeId: 'f'.repeat(12), clock: realClock, log }),
        ...{ dataDir, out: (text: string) => lines.push(text), wallMs: () => realClock.wallMs() + LATER_MS },
      });
      return { code, text: lines.join('\n') };
    };

    const first = await run();
    expect(first.text).toContain('Forgotten: 2 calls of this caller.');
    // The server clears its journal away when nothing came for a while; until then that is the only trace.
    if (first.code !== 0) expect(first.text).toMatch(/traces left {2}1\n\nStill there:\n {2}journal\//);
    const journals = () =>
      [...files(dataDir).keys()].filter((path) => path.endsWith('.jsonl') && path.includes('journal'));
    await expect.poll(journals, { timeout: 10_000, interval: 100 }).toEqual([]);
    const second = await run();
    expect([second.code, second.text]).toEqual([0, expect.stringContaining('traces left  0')]);

    const after = files(dataDir);
    // The other caller says the number: the words are theirs, in their folder and in the database.
    const still = [...after].filter(([, bytes]) => bytes.includes(ANNA.slice(1))).map(([path]) => path);
    expect(still.filter((path) => !path.includes(ben) && !path.includes('trunkline.sqlite'))).toEqual([]);
    expect(still).toContain(join(dataDir, 'calls', ben, 'record.json'));
    expect([...after.keys()].filter((path) => path.includes(anna) || path.includes(annaAgain))).toEqual([]);
    for (const [path, bytes] of ofBen) expect(after.get(path)?.equals(bytes), path).toBe(true);

    const db = new DatabaseSync(join(dataDir, 'trunkline.sqlite'), { readOnly: true });
    const all = (text: string, ...values: string[]) => db.prepare(text).all(...values);
    expect(all('select call_id, from_value from calls where from_value is not null')).toEqual([
      { call_id: ben, from_value: BEN },
    ]);
    expect(all('select distinct call_id from turns')).toEqual([{ call_id: ben }]);
    expect(all('select distinct call_id from lines where call_id in (?, ?)', anna, annaAgain)).toHaveLength(2);
    db.close();
    expect(JSON.stringify(e2e.logLines)).not.toMatch(/\+?1555123000[12]/);
  } catch (error) {
    if (error instanceof Error) error.message += `\n${await e2e.story()}`;
    throw error;
  } finally {
    await e2e.abandon();
  }
});
