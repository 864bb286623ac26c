// The section on the quality of a call against the code: every part with its points, every measure, and an example that
// the code could have written.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { judge, QUALITY_PARTS, type QualityMeasures } from '../../src/record/quality.ts';

const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const section = page.split(/^### The quality of a call$/m)[1]?.split(/^##/m)[0] ?? '';
const rows = section
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

const NOTHING: QualityMeasures = {
  frames: { received: 100, late: 0, filled: 0 },
  underruns: { count: 0, ms: 0 },
  deadAir: { count: 0, beyondMs: 0, longestMs: 0 },
  talkOverMs: 0,
  bargeIns: { count: 0, meanMs: 0, slowestMs: 0 },
  firstWordMs: null,
  answers: { count: 0, meanMs: 0, slowestMs: 0 },
  holds: 0,
  sessions: { opened: 1, fallback: 0, lost: 0, rolledOver: 0 },
  media: { started: true, lost: 0, awayMs: 0 },
  failures: { answers: 0, tools: 0 },
};

/** As bad as can be in everything. */
const WORST: QualityMeasures = {
  ...NOTHING,
  frames: { received: 100, late: 100, filled: 1e6 },
  underruns: { count: 1e3, ms: 1e6 },
  deadAir: { count: 1e3, beyondMs: 1e6, longestMs: 1e6 },
  talkOverMs: 1e6,
  bargeIns: { count: 1, meanMs: 1e6, slowestMs: 1e6 },
  firstWordMs: 1e6,
  answers: { count: 1, meanMs: 1e6, slowestMs: 1e6 },
  sessions: { opened: 1e3, fallback: 0, lost: 1e3, rolledOver: 0 },
  media: { started: true, lost: 1e3, awayMs: 1e6 },
  failures: { answers: 1e3, tools: 0 },
};

test('every part is listed in the order of the record, with the most that it can cost', () => {
  const parts = rows
    .filter((row) => row.length === 4)
    .map(([part, , , most]) => [part?.replaceAll('`', ''), Number(most)]);
  const { deductions } = judge(WORST, { failed: true, greets: true, interruptAfterMs: 0 });
  expect(parts).toEqual(deductions.map(({ part, points }) => [part, points]));
  expect(parts.map(([part]) => part)).toEqual([...QUALITY_PARTS]);
});

test('every measure is listed', () => {
  const keys = rows.filter((row) => row.length === 2).map(([key]) => key?.replaceAll('`', ''));
  expect(keys).toEqual(Object.keys(NOTHING));
});

test('the example is what the code says of such a call', () => {
  const deadAir = { count: 1, beyondMs: 1_500, longestMs: 3_500 };
  const answers = { count: 3, meanMs: 1_700, slowestMs: 3_500 };
  const { score, deductions } = judge(
    { ...NOTHING, deadAir, answers },
    { failed: false, greets: true, interruptAfterMs: 0 },
  );
  const printed = JSON.stringify({ score, deductions }).slice(1, -1);
  expect(section.replace(/\n/g, '')).toContain(`"quality":{${printed}`);
});
