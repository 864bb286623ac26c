// The same day on both engines: the same lines, residues and results.
import { expect, test } from 'vitest';
import { ENGINES, useEngines } from '../store/engines.ts';
import { dayNo } from './ground.ts';
import { fill, openaiReader, reconcileDay, twilioReader, written } from './kept.ts';
import { makeMonth } from './month.ts';
import { serveReports } from './reports.ts';

const engines = useEngines();

test('both engines come to the same result', async () => {
  const month = makeMonth({ calls: 600, seed: 4, faults: true });
  const reports = await serveReports(month.market);
  const results = [];
  try {
    for (const engine of ENGINES) {
      const db = await engines.open(await engines.place(engine));
      await fill(db, month.calls, month.lines);
      for (const n of [12, 20]) await reconcileDay(db, dayNo(n), openaiReader(reports), twilioReader(reports));
      results.push(await written(db));
    }
  } finally {
    await reports.close();
  }
  const [sqlite, ...others] = results;
  expect(sqlite?.residues.length).toBeGreaterThan(3);
  expect(sqlite?.lines.filter(({ state }) => state === 'billed').length).toBeGreaterThan(200);
  for (const other of others) expect(sortedAs(other)).toEqual(sortedAs(sqlite));
});

/** Columns come in another order from another engine. */
const asText = (row: object): string => JSON.stringify(Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** The engines sort letters differently. */
const sortedAs = (result: Awaited<ReturnType<typeof written>> | undefined) => ({
  ...result,
  lines: new Set(result?.lines.map((line) => JSON.stringify(line))),
  residues: new Set(result?.residues.map((residue) => asText(residue))),
  reconciliations: new Set(result?.reconciliations.map((row) => asText(row))),
});
