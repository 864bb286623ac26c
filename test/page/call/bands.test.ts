// Who is drawn when: sounds of both, barge-ins, silences, and finding what lies in a stretch.
import { describe, expect, it } from 'vitest';
import { type Band, bandsOf, bandsWithin, longestOf, silences, soundOf } from '../../../src/page/call/bands.ts';
import { quietUntil } from '../../../src/page/call/quiet.ts';
import { agentSays, callerSays, latencyOf, toolRuns } from './turns.ts';
import fc from '../../support/fast-check.ts';

describe('when a turn could be heard', () => {
  it("takes the caller's last sound, not the report that came after the silence the model waits for", () => {
    const turn = callerSays({ from: 1_000, committed: 4_500, latency: latencyOf({ endOfTurnWaitMs: 500 }) });
    expect(soundOf(turn)).toEqual({ fromMs: 1_000, toMs: 4_000 });
    expect(soundOf(callerSays({ from: 1_000, committed: 4_500, latency: null }))).toEqual({
      fromMs: 1_000,
      toMs: 4_500,
    });
  });
  it('knows no sound of a turn of keys, nor of an utterance of which nothing was heard', () => {
    expect(soundOf(callerSays({ from: null, committed: 4_500 }))).toBeNull();
    expect(soundOf(agentSays({ at: 1_000, heardMs: 0, receivedMs: 900, outcome: 'unheard' }))).toBeNull();
    expect(soundOf(agentSays({ at: null, heardMs: 10, receivedMs: 900 }))).toBeNull();
  });
  it('never ends before it begins, whatever was measured', () => {
    const turn = callerSays({ from: 4_000, committed: 4_200, latency: latencyOf({ endOfTurnWaitMs: 900 }) });
    expect(soundOf(turn)).toEqual({ fromMs: 4_000, toMs: 4_000 });
  });
});

describe('bands', () => {
  it('has a barge-in where the agent stopped being heard, and what was lost behind it', () => {
    const turns = [agentSays({ at: 1_000, heardMs: 700, receivedMs: 2_000, outcome: 'interrupted' })];
    const bands = bandsOf(turns, [toolRuns({ at: 1_200, durationMs: null })], [1_500], 4_000);
    expect(bands).toEqual([
      { kind: 'agent', fromMs: 1_000, toMs: 1_700, label: '' },
      { kind: 'tool', fromMs: 1_200, toMs: 1_200, label: 'find_patient' },
      { kind: 'key', fromMs: 1_500, toMs: 1_500, label: 'key' },
      { kind: 'barge_in', fromMs: 1_700, toMs: 1_700, label: 'barge-in' },
      { kind: 'unheard', fromMs: 1_700, toMs: 3_000, label: '' },
      { kind: 'silence', fromMs: 1_700, toMs: 4_000, label: '2.3 s' },
    ]);
  });
  it('calls silence what is longer than two seconds, with talk over each other taken as one', () => {
    const heard = (kind: Band['kind'], fromMs: number, toMs: number): Band => ({ kind, fromMs, toMs, label: '' });
    const bands = [heard('agent', 2_000, 9_000), heard('caller', 3_000, 4_000), heard('caller', 11_000, 12_000)];
    expect(silences(bands, 15_000).map(({ fromMs, toMs }) => [fromMs, toMs])).toEqual([[12_000, 15_000]]);
    expect(silences([], 2_000)).toEqual([]);
    expect(silences([], 2_001)).toHaveLength(1);
  });
  it('finds in any stretch what a look at every band finds', () => {
    const band = fc.record({ fromMs: fc.nat(1_000), long: fc.nat(300) });
    fc.assert(
      fc.property(fc.array(band, { maxLength: 60 }), fc.nat(1_000), fc.nat(400), (given, fromMs, width) => {
        const bands = given
          .map(({ fromMs: from, long }): Band => ({ kind: 'tool', fromMs: from, toMs: from + long, label: '' }))
          .toSorted((a, b) => a.fromMs - b.fromMs);
        const toMs = fromMs + width;
        expect(bandsWithin(bands, longestOf(bands), fromMs, toMs)).toEqual(
          bands.filter((one) => one.toMs >= fromMs && one.fromMs <= toMs),
        );
      }),
    );
  });
});

describe('skipping silence', () => {
  const quiet = [
    { fromMs: 1_000, toMs: 5_000 },
    { fromMs: 8_000, toMs: 8_900 },
  ];
  it('goes on shortly before what follows, after a moment of the silence', () => {
    expect(quietUntil(quiet, 1_100)).toBeNull();
    expect(quietUntil(quiet, 1_200)).toBe(4_700);
    expect(quietUntil(quiet, 4_000)).toBe(4_700);
  });
  it('does not stumble over the rest of a silence, nor outside of one', () => {
    expect(quietUntil(quiet, 4_400)).toBeNull();
    expect(quietUntil(quiet, 6_000)).toBeNull();
    expect(quietUntil(quiet, 0)).toBeNull();
    expect(quietUntil([], 100)).toBeNull();
  });
  it('always gets on: a skip never ends where another begins', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), (atMs) => {
        const until = quietUntil(quiet, atMs);
        if (until === null) return;
        expect(until).toBeGreaterThan(atMs);
        expect(quietUntil(quiet, until)).toBeNull();
      }),
    );
  });
});
