import { describe, expect, test } from 'vitest';
import { bottlenecks, type CpuUse } from '../../bench/cpu-watch.ts';
import { type RunResult, slope } from '../../bench/run.ts';
import { alternating, lossesOf, median, ratios, summaries } from '../../bench/summary.ts';
import { held, ratingOf, type SweepPoint, sweep, verdictOf } from '../../bench/sweep.ts';
import { relay, trunkline } from '../../bench/subjects.ts';

const account = {
  sent: 10,
  arrived: 10,
  lost: 0,
  lostAtStart: 0,
  dropped: 0,
  repeated: 0,
  disordered: 0,
  strays: 0,
  foreignBytes: 0,
};
const spread = (p99: number) => ({ count: 100, p50: p99 / 4, p95: p99 / 2, p99, max: p99 * 2 });
const cpu: CpuUse = {
  seconds: 10,
  server: 0.2,
  generator: 0.2,
  busiestEnd: 0.1,
  others: 0,
  stolen: 0,
  serverMs: 2_000,
};
const run = (given: Partial<RunResult>): RunResult => ({
  subject: 'relay',
  calls: 100,
  seconds: 10,
  tls: true,
  startUpMs: 100,
  webhookMs: spread(1),
  cpu,
  cpuMsPerCallSecond: 2,
  loopDelayMs: { p50: 0, p99: 1, max: 2 },
  memory: { idleKib: 1_000, rssKib: [2_000, 2_000], perCallKib: 10, slopeKibPerMinute: 0 },
  toModelMs: spread(1),
  toCarrierMs: spread(1),
  toModel: account,
  toCarrier: account,
  stopMs: spread(1),
  stops: { unanswered: 0, framesAfterClear: 0 },
  underruns: 0,
  lateMs: { frames: spread(1), deltas: spread(1) },
  bySecond: [],
  bottlenecks: [],
  wrong: [],
  provoked: [],
  orderly: true,
  ...given,
});

describe('a comparison', () => {
  test('lets subjects take turns', () => {
    expect(alternating(['a', 'b'], 2).map(({ round, subject }) => `${round}${subject}`)).toEqual([
      '1a',
      '1b',
      '2a',
      '2b',
    ]);
  });

  test('tells medians, and leaves out what was not measured', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([Number.NaN, 7, Number.NaN])).toBe(7);
    expect(median([])).toBeNaN();
  });

  test('takes ratios within a round, so that a slow round slows both sides', () => {
    expect(ratios([3, 30, 4], [2, 20])).toEqual([1.5, 1.5, Number.NaN]);
    const ours = [3, 30, 4].map((ms) => run({ subject: 'trunkline', cpuMsPerCallSecond: ms }));
    const floor = [2, 20, 2].map((ms) => run({ cpuMsPerCallSecond: ms }));
    const [first, second] = summaries([...floor, ...ours], 'relay');
    expect(first).toMatchObject({ subject: 'relay', cpuRatio: { median: 1 } });
    expect(second).toMatchObject({
      subject: 'trunkline',
      rounds: 3,
      cpuMsPerCallSecond: 4,
      cpuRatio: { median: 1.5, least: 1.5, most: 2 },
      frames: { sent: 60 },
    });
  });

  test('names every frame that went astray', () => {
    expect(lossesOf(run({}))).toEqual([]);
    expect(lossesOf(run({ toModel: { ...account, lost: 2 }, toCarrier: { ...account, repeated: 1 } }))).toEqual([
      'relay at 100 calls, caller to model: 2 frames lost',
      'relay at 100 calls, model to carrier: 1 frames repeated',
    ]);
  });

  test('fits the slope of memory', () => {
    expect(slope([10, 12, 14, 16])).toBeCloseTo(2);
    expect(slope([5, 5, 5])).toBe(0);
    expect(slope([5])).toBe(0);
  });

  test('says why the generator was what was measured', () => {
    expect(bottlenecks(cpu, 1, 2)).toEqual([]);
    expect(bottlenecks({ ...cpu, busiestEnd: 0.9, generator: 1.2, server: 0.7 }, 6, 2)).toEqual([
      'a process of it used more than 80 % of a core',
      'its own frames were 6.0 ms late at p99',
      'the machine had less than 10 % idle',
    ]);
  });
});

describe('the search for the capacity', () => {
  test('is decided by two windows that agree', () => {
    expect(verdictOf([true])).toBe('again');
    expect(verdictOf([true, true])).toBe('held');
    expect(verdictOf([true, false])).toBe('again');
    expect(verdictOf([false, true, false])).toBe('failed');
  });

  test('holds a window without losses and with p99 of both ways within the limit', () => {
    expect(held(run({ toModelMs: spread(10) }))).toBe(true);
    expect(held(run({ toCarrierMs: spread(10.1) }))).toBe(false);
    expect(held(run({ toModel: { ...account, lost: 1 } }))).toBe(false);
  });

  test('lets a subject that failed go, and the others on', async () => {
    const measured: string[] = [];
    const points = await sweep([relay, trunkline], [10, 50, 100], async (spec, calls) => {
      measured.push(`${spec.name} ${calls}`);
      return run({ subject: spec.name, calls, toModelMs: spread(spec === trunkline && calls > 10 ? 20 : 1) });
    });
    expect(measured.filter((name) => name.startsWith('trunkline'))).toEqual([
      'trunkline 10',
      'trunkline 10',
      'trunkline 50',
      'trunkline 50',
    ]);
    expect(measured.slice(0, 4)).toEqual(['relay 10', 'trunkline 10', 'relay 10', 'trunkline 10']);
    expect(ratingOf('relay', points)).toEqual({
      subject: 'relay',
      calls: 100,
      atLeast: true,
      because: 'more was not tried',
    });
    expect(ratingOf('trunkline', points)).toEqual({
      subject: 'trunkline',
      calls: 10,
      atLeast: false,
      because: 'p99 was 20.0 ms at 50 calls',
    });
  });

  test('is a lower bound where the generator gave way first', () => {
    const points: SweepPoint[] = [
      { subject: 'relay', calls: 200, held: true, runs: [run({})] },
      {
        subject: 'relay',
        calls: 400,
        held: false,
        runs: [run({ toModelMs: spread(30), bottlenecks: ['the machine had less than 10 % idle'] })],
      },
    ];
    expect(ratingOf('relay', points)).toMatchObject({ calls: 200, atLeast: true });
  });
});
