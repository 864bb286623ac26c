// Where an answer's time went: parts one after the other, tools beside them, what nobody can explain shown as such.
import { describe, expect, it } from 'vitest';
import { spreadOf, waterfallOf } from '../../../src/page/call/waterfall.ts';
import { agentSays, callerSays, latencyOf, toolRuns } from './turns.ts';
import fc from '../../support/fast-check.ts';

describe('waterfall', () => {
  it('has the parts in their order, each where the one before it ends, and nothing unattributed when they fit', () => {
    const latency = latencyOf({ queuedMs: 100, toolsMs: 60 });
    const turns = [callerSays({ from: 1_000, committed: 4_000, latency }), agentSays({ at: 4_361, heardMs: 900 })];
    const [row] = waterfallOf(turns, [toolRuns({ at: 4_050, durationMs: 60 })]);
    expect(row?.parts).toEqual([
      { part: 'wait', fromMs: 0, ms: 500 },
      { part: 'model', fromMs: 500, ms: 50 },
      { part: 'tools', fromMs: 550, ms: 60 },
      { part: 'model', fromMs: 610, ms: 150 },
      { part: 'ours', fromMs: 760, ms: 1 },
      { part: 'queued', fromMs: 761, ms: 100 },
      { part: 'carrier', fromMs: 861, ms: 30 },
    ]);
    expect(row).toMatchObject({ zeroAtMs: 3_500, totalMs: 891, voiceToVoiceMs: 891, oursMs: 1 });
  });
  it('draws a tool beside the parts, at its own time, and never adds it', () => {
    const turns = [
      callerSays({ from: 1_000, committed: 4_000, latency: latencyOf() }),
      agentSays({ at: 4_201, heardMs: 9 }),
    ];
    const long = waterfallOf(turns, [toolRuns({ at: 3_900, durationMs: 5_000 })]);
    expect(long[0]?.tools).toEqual([{ name: 'find_patient', fromMs: 400, ms: 5_000 }]);
    expect(long[0]?.totalMs).toBe(waterfallOf(turns, [])[0]?.totalMs);
    expect(waterfallOf(turns, [toolRuns({ at: 9_000, durationMs: 1 })])[0]?.tools).toEqual([]);
  });
  it('shows what passed beyond all parts as unattributed', () => {
    const turns = [
      callerSays({ from: 1_000, committed: 4_000, latency: latencyOf() }),
      agentSays({ at: 4_901, heardMs: 9 }),
    ];
    expect(waterfallOf(turns, [])[0]?.parts.at(-1)).toEqual({ part: 'unattributed', fromMs: 731, ms: 700 });
    const odd = [callerSays({ from: 1_000, committed: 4_000, latency: latencyOf({ voiceToVoiceMs: 931 }) })];
    expect(waterfallOf(odd, [])[0]?.parts.at(-1)).toEqual({ part: 'unattributed', fromMs: 731, ms: 200 });
  });
  it("does not take a later answer for an earlier turn's: a rounding is not unattributed", () => {
    const turns = [
      agentSays({ at: 100, heardMs: 500 }),
      callerSays({ from: 1_000, committed: 4_000, latency: latencyOf({ ourMs: 0.4, answerMs: 200 }) }),
      agentSays({ at: 4_201, heardMs: 9 }),
    ];
    expect(waterfallOf(turns, [])[0]?.parts.map(({ part }) => part)).toEqual(['wait', 'model', 'ours', 'carrier']);
  });
  it('counts from the commit where nobody can say when the caller stopped, and says so', () => {
    const turns = [
      callerSays({ from: 1_000, committed: 4_000, latency: latencyOf({ endOfTurnWaitMs: null, endOfTurnFrom: null }) }),
    ];
    expect(waterfallOf(turns, [])[0]).toMatchObject({
      zeroAtMs: 4_000,
      totalMs: 231,
      voiceToVoiceMs: null,
      worst: false,
    });
  });
  it('marks one worst turn, by what the caller waited, and none of a single one', () => {
    const turn = (n: number, modelMs: number) =>
      callerSays({ turn: n, from: n * 9_000, committed: n * 9_000 + 900, latency: latencyOf({ modelMs }) });
    const rows = waterfallOf([turn(0, 200), turn(1, 900), turn(2, 900), turn(3, 100)], []);
    expect(rows.map(({ worst }) => worst)).toEqual([false, true, false, false]);
    expect(waterfallOf([turn(0, 200)], [])[0]?.worst).toBe(false);
    expect(waterfallOf([callerSays({ from: 1, committed: 2, latency: null })], [])).toEqual([]);
  });
});

describe('percentiles', () => {
  it('are values that were measured, by nearest rank', () => {
    expect(spreadOf([])).toBeNull();
    expect(spreadOf([null, null])).toBeNull();
    expect(spreadOf([5])).toEqual({ count: 1, p50: 5, p95: 5, worst: 5 });
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(spreadOf([...hundred, null])).toEqual({ count: 100, p50: 50, p95: 95, worst: 100 });
  });
  it('never exceed each other, whatever the order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1 }), (values) => {
        const spread = spreadOf(values);
        expect(spread).not.toBeNull();
        const { p50, p95, worst } = spread as NonNullable<typeof spread>;
        expect(p50 <= p95 && p95 <= worst && worst === Math.max(...values)).toBe(true);
        expect(values).toContain(p50);
      }),
    );
  });
});
