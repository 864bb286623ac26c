// The judgement of a call: which measures cost how many points, and that every missing point is explained.
import { describe, expect, test } from 'vitest';
import { qualityParts } from '../../src/metrics/labels.ts';
import { type Circumstances, judge, QUALITY_PARTS, type QualityMeasures } from '../../src/record/quality.ts';
import fc from '../support/fast-check.ts';

const FINE: QualityMeasures = {
  frames: { received: 1_000, late: 0, filled: 0 },
  underruns: { count: 0, ms: 0 },
  deadAir: { count: 0, beyondMs: 0, longestMs: 900 },
  talkOverMs: 0,
  bargeIns: { count: 1, meanMs: 0, slowestMs: 0 },
  firstWordMs: 40,
  answers: { count: 3, meanMs: 620, slowestMs: 900 },
  holds: 0,
  sessions: { opened: 1, fallback: 0, lost: 0, rolledOver: 0 },
  media: { started: true, lost: 0, awayMs: 0 },
  failures: { answers: 0, tools: 0 },
};
const USUAL: Circumstances = { failed: false, greets: true, interruptAfterMs: 0 };

test('a call without a fault has 100 and nothing to explain', () => {
  expect(judge(FINE, USUAL)).toEqual({ score: 100, deductions: [], ...FINE });
});

describe('each part costs what the page says', () => {
  test.each<[string, Partial<QualityMeasures>, Partial<Circumstances>, number, string]>([
    ['unfinished', {}, { failed: true }, 30, 'the call ended by a failure'],
    [
      'dead_air',
      { deadAir: { count: 2, beyondMs: 3_400, longestMs: 4_000 } },
      {},
      17,
      '3.4 s of silence beyond 2 s, in 2 waits',
    ],
    ['dead_air', { deadAir: { count: 1, beyondMs: 60_000, longestMs: 62_000 } }, {}, 40, '60.0 s'],
    [
      'lost_session',
      { sessions: { opened: 3, fallback: 0, lost: 2, rolledOver: 0 } },
      {},
      10,
      '2 model sessions lost and replaced',
    ],
    ['lost_session', { sessions: { opened: 9, fallback: 0, lost: 8, rolledOver: 0 } }, {}, 15, '8 model sessions'],
    ['lost_media', { media: { started: true, lost: 1, awayMs: 2_900 } }, {}, 5, 'came back 1 time, after 2.9 s'],
    ['first_word', { firstWordMs: 1_450 }, {}, 5, 'first sound after 1.4 s'],
    // What is beyond two seconds is dead air, which is measured apart.
    ['first_word', { firstWordMs: 9_000 }, {}, 10, 'first sound after 9.0 s'],
    ['answer_time', { answers: { count: 4, meanMs: 1_300, slowestMs: 2_000 } }, {}, 3, '1.3 s on the mean of 4'],
    ['answer_time', { answers: { count: 4, meanMs: 5_000, slowestMs: 9_000 } }, {}, 10, '5.0 s'],
    ['failed_answer', { failures: { answers: 2, tools: 0 } }, {}, 4, '2 answers of the model failed'],
    ['failed_answer', { failures: { answers: 20, tools: 0 } }, {}, 10, '20 answers'],
    ['underrun', { underruns: { count: 3, ms: 740 } }, {}, 7, "0.7 s of gaps inside the agent's speech, in 3"],
    ['underrun', { underruns: { count: 3, ms: 9_000 } }, {}, 20, '9.0 s'],
    ['caller_audio', { frames: { received: 970, late: 0, filled: 30 } }, {}, 6, "3.0 % of the caller's audio"],
    ['caller_audio', { frames: { received: 10, late: 0, filled: 90 } }, {}, 15, '90.0 %'],
    ['late_audio', { frames: { received: 1_000, late: 60, filled: 0 } }, {}, 3, '6.0 %'],
    ['late_audio', { frames: { received: 1_000, late: 900, filled: 0 } }, {}, 5, '90.0 %'],
    ['talk_over', { talkOverMs: 4_200 }, {}, 3, 'spoke at once for 4.2 s'],
    ['talk_over', { talkOverMs: 90_000 }, {}, 10, '90.0 s'],
    ['barge_in', { bargeIns: { count: 2, meanMs: 400, slowestMs: 800 } }, {}, 5, 'stopped 0.8 s after'],
    [
      'barge_in',
      { bargeIns: { count: 2, meanMs: 400, slowestMs: 1_100 } },
      { interruptAfterMs: 600 },
      2,
      'stopped 1.1 s after',
    ],
    ['barge_in', { bargeIns: { count: 1, meanMs: 9_000, slowestMs: 9_000 } }, {}, 10, '9.0 s'],
  ])('%s: %o', (part, measures, circumstances, points, why) => {
    const { score, deductions } = judge({ ...FINE, ...measures }, { ...USUAL, ...circumstances });
    expect(deductions).toEqual([{ part, points, why: expect.stringContaining(why) }]);
    expect(score).toBe(100 - points);
  });
});

test.each<[string, Partial<QualityMeasures>, Partial<Circumstances>]>([
  ['a first word that nobody waits for', { firstWordMs: 5_000 }, { greets: false }],
  ['an agent that never spoke', { firstWordMs: null }, { greets: true }],
  ['a session replaced in a pause', { sessions: { opened: 2, fallback: 0, lost: 0, rolledOver: 1 } }, {}],
  ['a tool that failed', { failures: { answers: 0, tools: 3 } }, {}],
  ['words that overlap a little', { talkOverMs: 1_000 }, {}],
  [
    'a stop as late as the agent file wants it',
    { bargeIns: { count: 1, meanMs: 800, slowestMs: 800 } },
    { interruptAfterMs: 500 },
  ],
  ['a call without audio of the caller', { frames: { received: 0, late: 0, filled: 0 } }, {}],
])('nothing is taken for %s', (_what, measures, circumstances) => {
  expect(judge({ ...FINE, ...measures }, { ...USUAL, ...circumstances })).toMatchObject({ score: 100, deductions: [] });
});

test('a call whose media never started is not judged: there was nothing to hear', () => {
  const measures = { ...FINE, media: { started: false, lost: 0, awayMs: 0 }, firstWordMs: null };
  expect(judge(measures, { ...USUAL, failed: true })).toMatchObject({ score: null, deductions: [] });
});

const ms = fc.nat({ max: 600_000 });
const count = fc.nat({ max: 1_000 });
const measured: fc.Arbitrary<QualityMeasures> = fc.record({
  frames: fc.record({ received: count, late: count, filled: count }),
  underruns: fc.record({ count, ms }),
  deadAir: fc.record({ count, beyondMs: ms, longestMs: ms }),
  talkOverMs: ms,
  bargeIns: fc.record({ count, meanMs: ms, slowestMs: ms }),
  firstWordMs: fc.option(ms),
  answers: fc.record({ count, meanMs: ms, slowestMs: ms }),
  holds: count,
  sessions: fc.record({ opened: count, fallback: count, lost: count, rolledOver: count }),
  media: fc.record({ started: fc.constant(true), lost: count, awayMs: ms }),
  failures: fc.record({ answers: count, tools: count }),
});

test('whatever was measured: from 0 to 100, and every missing point is explained once', () => {
  fc.assert(
    fc.property(measured, fc.boolean(), fc.boolean(), (measures, failed, greets) => {
      const { score, deductions } = judge(measures, { failed, greets, interruptAfterMs: 0 });
      const lost = deductions.reduce((sum, { points }) => sum + points, 0);
      expect(score).toBe(Math.max(0, 100 - lost));
      expect(new Set(deductions.map(({ part }) => part)).size).toBe(deductions.length);
      for (const { points } of deductions) expect(Number.isInteger(points) && points > 0).toBe(true);
    }),
  );
});

test('more silence, more gaps, or a failure never make a call better', () => {
  fc.assert(
    fc.property(measured, ms, (measures, more) => {
      const score = (m: QualityMeasures, failed = false) =>
        judge(m, { failed, greets: true, interruptAfterMs: 0 }).score as number;
      const { deadAir, underruns } = measures;
      const worse = [
        { ...measures, deadAir: { ...deadAir, beyondMs: deadAir.beyondMs + more } },
        { ...measures, underruns: { ...underruns, ms: underruns.ms + more } },
        { ...measures, talkOverMs: measures.talkOverMs + more },
      ];
      for (const m of worse) expect(score(m)).toBeLessThanOrEqual(score(measures));
      expect(score(measures, true)).toBeLessThanOrEqual(score(measures));
    }),
  );
});

test('the metrics know every part', () => {
  expect([...qualityParts.all].filter((part) => part !== 'other')).toEqual([...QUALITY_PARTS]);
});
