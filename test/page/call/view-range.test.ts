// Zooming and moving never leave the call, and levels of a stretch are those of its bytes.
import { describe, expect, it } from 'vitest';
import { encodeSample } from '../../../src/audio/mulaw.ts';
import { levelsOf } from '../../../src/page/call/close-up.ts';
import { holding, moved, ticks, whole, zoomed } from '../../../src/page/call/view-range.ts';
import fc from '../../support/fast-check.ts';

describe('range', () => {
  it('keeps what lies under the pointer where it is', () => {
    const range = zoomed(whole(100_000), 100_000, 4, 40_000);
    expect(range).toEqual({ fromMs: 30_000, toMs: 55_000 });
    expect((40_000 - range.fromMs) / (range.toMs - range.fromMs)).toBeCloseTo(0.4);
  });
  it('stays in the call and no closer than is useful, whatever is done', () => {
    const step = fc.oneof(
      fc.record({
        zoom: fc.double({ min: 0.01, max: 100, noNaN: true }),
        at: fc.double({ min: -1e5, max: 1e5, noNaN: true }),
      }),
      fc.record({ move: fc.double({ min: -1e6, max: 1e6, noNaN: true }) }),
      fc.record({ hold: fc.double({ min: 0, max: 60_000, noNaN: true }) }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60_000 }), fc.array(step, { maxLength: 30 }), (durationMs, steps) => {
        let range = whole(durationMs);
        for (const one of steps) {
          if ('zoom' in one) range = zoomed(range, durationMs, one.zoom, one.at);
          else if ('move' in one) range = moved(range, durationMs, one.move);
          else range = holding(range, durationMs, one.hold);
          expect(range.fromMs).toBeGreaterThanOrEqual(0);
          expect(range.toMs).toBeLessThanOrEqual(durationMs + 1e-6);
          expect(range.toMs - range.fromMs).toBeGreaterThanOrEqual(Math.min(2_000, durationMs) - 1e-6);
        }
      }),
    );
  });
  it('has round moments on its ruler, never too many', () => {
    expect(ticks({ fromMs: 0, toMs: 120_000 }, 0.1)).toEqual(
      [0, 15, 30, 45, 60, 75, 90, 105, 120].map((s) => s * 1_000),
    );
    fc.assert(
      fc.property(fc.nat(10_000_000), fc.integer({ min: 1, max: 100_000_000 }), (fromMs, width) => {
        expect(ticks({ fromMs, toMs: fromMs + width }, 0.07).length).toBeLessThanOrEqual(16);
      }),
    );
  });
});

describe('levels of a stretch', () => {
  it('are the highest of each side in every ten milliseconds', () => {
    const bytes = new Uint8Array(16 * 25).fill(0xff);
    bytes[0] = encodeSample(-32_000);
    bytes[161] = encodeSample(16_000);
    const { caller, agent, bucketMs, fromMs, toMs } = levelsOf(bytes, 1_000);
    expect([bucketMs, fromMs, toMs]).toEqual([10, 1_000, 1_025]);
    expect([...caller].map((level) => Math.round(level * 100) / 100)).toEqual([1, 0, 0]);
    expect([...agent].map((level) => Math.round(level * 100) / 100)).toEqual([0, 0.5, 0]);
  });
});
