// The tables of chaos: from verdicts to rows, and what makes a run a bad one.
import { expect, test } from 'vitest';
import { pageWith, progressLine, reportLines, sectionOf } from '../../src/chaos/chaos-page.ts';
import { judge, type Verdict } from '../../src/chaos/judge.ts';
import { isGood, tally } from '../../src/chaos/tally.ts';
import { aCall, CLIPS } from './a-call.ts';

const verdictOf = (change: Parameters<typeof aCall>[0], more: Partial<Verdict> = {}): Verdict => ({
  ...judge(aCall(change), CLIPS, { between: () => 0 }),
  ...more,
});
const reportOf = (verdicts: readonly Verdict[], more: { leftovers?: string[]; unhandled?: string[] } = {}) =>
  tally(verdicts, {
    ...{ seed: 6, seconds: 60, leftovers: [], unhandled: [], longestStallMs: 0 },
    again: (call) => `trunkline chaos --seed 6 --call ${call}`,
    ...more,
  });
const twoSessions = { sessions: [{ model: 'chaos-1' }, { model: 'chaos-1' }] };

test('a fault’s row tells of the calls that it struck alone, and counts every strike', () => {
  const { rows, struck, calls, controls } = reportOf([
    verdictOf({ number: 1, faults: ['mute'] }),
    verdictOf({ number: 2, faults: ['mute'], call: twoSessions }, { longestUnexplainedMs: 1_500 }),
    verdictOf({ number: 3, faults: ['mute', 'stolen_cpu'] }, { longestUnexplainedMs: 3_000 }),
    verdictOf({ number: 5 }),
  ]);
  expect({ struck, calls, controls }).toEqual({ struck: 4, calls: 4, controls: 1 });
  expect(rows.map(({ fault }) => fault)).toEqual(['mute', 'stolen_cpu']);
  expect(rows[0]).toMatchObject({
    ...{ struck: 3, outcomes: { unnoticed: 1, recovered: 1 }, longestUnexplainedMs: 1_500, allowedMs: 4_000 },
    ...{ overlong: 0, unnamed: 0, stuck: 0, hurt: 0 },
  });
  // No call had it alone.
  expect(rows[1]).toMatchObject({ struck: 1, outcomes: {}, longestUnexplainedMs: null });
});

test('what no call that a fault struck alone can tell is left open: a silence of another fault is not laid to it', () => {
  const report = reportOf([
    verdictOf({ number: 1, faults: ['mute', 'stolen_cpu'] }, { longestUnexplainedMs: 3_000 }),
    verdictOf({ number: 2, faults: ['stall'] }, { longestUnexplainedMs: 3_000, soundJudged: false }),
  ]);
  const lines = reportLines(report, 200);
  for (const fault of ['stolen_cpu', 'stall'])
    expect(lines.find((line) => line.startsWith(fault))).toMatch(/ 1 +- +- +0 +0 +0 +0$/);
});

test.each([
  [3, '2 faults struck 1 call in 60 s (seed 6; 1 more found no moment)'],
  [2, '2 faults struck 1 call in 60 s (seed 6)'],
])('of %d planned faults, two struck', (planned, line) => {
  const plans = Array.from({ length: planned }, () => 'mute' as const);
  const report = reportOf([verdictOf({ number: 1, faults: ['mute', 'stolen_cpu'] }, { planned: plans })]);
  expect(reportLines(report, 200)).toContain(line);
});

test('a run tells how far it is, also past what was wanted, and without a number where only some calls are placed', () => {
  const state = { up: 1, done: 12, struck: 39, violations: 0 };
  expect(progressLine(61_000, state, 30)).toMatch(/1 call up, 12 done, 39 faults struck \(30 wanted\), 0 violations$/);
  expect(progressLine(61_000, state, null)).toMatch(/1 call up, 12 done, 39 faults struck, 0 violations$/);
});

test('what must not be is counted in the row, also where two faults struck', () => {
  const { rows } = reportOf([
    verdictOf({ faults: ['mute', 'stolen_cpu'] }, { overlong: true, unnamed: true, stuck: true }),
    verdictOf({ faults: ['mute'] }),
  ]);
  expect(rows[0]).toMatchObject({ struck: 2, overlong: 1, unnamed: 1, stuck: 1 });
});

test('a hurt control is put to the faults that struck others while it was up', () => {
  const control = verdictOf({ number: 5, rest: { record: null } }, { fromMs: 10_000, toMs: 20_000 });
  const meanwhile = verdictOf({ number: 1, faults: ['mute'] }, { strikes: [{ fault: 'mute', atMs: 15_000 }] });
  const later = verdictOf({ number: 2, faults: ['stall'] }, { strikes: [{ fault: 'stall', atMs: 25_000 }] });
  const report = reportOf([meanwhile, later, control]);
  expect(report.rows.map(({ fault, hurt }) => [fault, hurt])).toEqual([
    ['mute', 1],
    ['stall', 0],
  ]);
  expect(report.controlsHurt).toBe(1);
  expect(isGood(report)).toBe(false);
});

test('a run is good when nothing was violated, left over or unhandled', () => {
  const good = verdictOf({ faults: ['mute'] });
  expect(isGood(reportOf([good]))).toBe(true);
  expect(isGood(reportOf([verdictOf({ faults: ['mute'], rest: { ends: 2 } })]))).toBe(false);
  expect(isGood(reportOf([good], { leftovers: ['1 timers'] }))).toBe(false);
  expect(isGood(reportOf([good], { unhandled: ['Error: lost'] }))).toBe(false);
});

test('each violation is told with the command that has its call again, in the terminal and on the page', () => {
  const report = reportOf([verdictOf({ number: 163, faults: ['mute'], rest: { ends: 2 } })]);
  const again = 'trunkline chaos --seed 6 --call 163';
  expect(report.violations).toMatchObject([{ call: 163, faults: ['mute'], again }]);
  const lines = reportLines(report, 200).join('\n');
  const page = sectionOf(report, 'trunkline chaos --seed 6');
  for (const text of [lines, page]) {
    expect(text).toContain('ends: 2 told');
    expect(text).toContain(again);
  }
  expect(page).toMatch(/\| `mute` \|.*\| 1 \| unnoticed 1 \| 0\.\d of 4 s \| 0 \| 1 \| 0 \| 0 \|/);
});

test('a run is written between the markers of its page, and the words around them stay', () => {
  const page = pageWith('first run');
  expect(page).toMatch(/^# Chaos\n\n<!-- .* -->\n\nfirst run\n\n<!-- and here. -->\n$/);
  const edited = page.replace('# Chaos', '# Chaos\n\nBy hand.');
  expect(pageWith('second run', edited)).toBe(edited.replace('first run', 'second run'));
  expect(() => pageWith('a run', '# Another page\n')).toThrow('the page must hold');
});
