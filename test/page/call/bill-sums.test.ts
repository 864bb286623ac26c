// What a bill comes to: to the nano-dollar, with lines that nobody can price.
import { describe, expect, it } from 'vitest';
import { byWhat, cacheShare, difference, differences, runningTotal } from '../../../src/page/call/bill-sums.ts';
import type { Bill, BillLine } from '../../../src/page/call/types.ts';

const none = { fresh: 0, cached: 0, out: 0 };
const line = (given: Partial<BillLine>): BillLine => ({
  ...{ source: 's', what: 'answer', seller: 'openai', product: 'm', atWallMs: 1_000, unitPrice: null, costNanoUsd: 10 },
  quantities: { unit: 'tokens', text: none, audio: none, image: none },
  ...{ state: 'metered', priceBook: 'b', doubt: null, billedNanoUsd: null },
  ...given,
});

describe('running total', () => {
  it('goes by time, one point for one moment; what has no price adds nothing', () => {
    const lines = [
      line({ atWallMs: 3_000, costNanoUsd: 7 }),
      line({ atWallMs: 1_000, costNanoUsd: 1 }),
      line({ atWallMs: 3_000, costNanoUsd: 2 }),
      line({ atWallMs: 4_500, costNanoUsd: null }),
    ];
    expect(runningTotal(lines, 1_000)).toEqual({ seconds: [0, 2, 3.5], nanoUsd: [1, 10, 10] });
  });
  it('keeps what was charged before the media started at its beginning, so that time never runs back', () => {
    const { seconds } = runningTotal(
      [line({ atWallMs: 500 }), line({ atWallMs: 900 }), line({ atWallMs: 1_500 })],
      1_000,
    );
    expect(seconds).toEqual([0, 0.5]);
  });
  it('is empty for no line', () => expect(runningTotal([], 0)).toEqual({ seconds: [], nanoUsd: [] }));
});

describe('cache share', () => {
  it('is of what went in, over all modalities; what came out does not count', () => {
    const quantities = {
      unit: 'tokens' as const,
      text: { fresh: 10, cached: 20, out: 999 },
      audio: { fresh: 20, cached: 40, out: 999 },
      image: { fresh: 5, cached: 5, out: 0 },
    };
    expect(cacheShare([line({ quantities }), line({ quantities: { unit: 'seconds', seconds: 9 } })])).toEqual({
      ...{ share: 0.65, cached: 65, input: 100 },
    });
  });
  it('is not known when nothing went in', () => {
    expect(cacheShare([])).toBeNull();
    expect(cacheShare([line({ quantities: { unit: 'count', count: 3 } })])).toBeNull();
  });
});

describe('differences', () => {
  it('are of lines that both priced', () => {
    const lines = [
      line({ costNanoUsd: 10, billedNanoUsd: 12 }),
      line({ costNanoUsd: 10, billedNanoUsd: 9 }),
      line({ costNanoUsd: null, billedNanoUsd: 9 }),
      line({ costNanoUsd: 10, billedNanoUsd: null }),
    ];
    expect(lines.map(difference)).toEqual([2, -1, null, null]);
    expect(differences({ lines } as unknown as Bill)).toEqual({ lines: 2, nanoUsd: 1 });
  });
});

it('sums by what was bought, the dearest first', () => {
  const lines = [
    line({ what: 'leg', costNanoUsd: 5 }),
    line({ what: 'answer', costNanoUsd: 9 }),
    line({ what: 'leg', costNanoUsd: null }),
  ];
  expect(byWhat(lines)).toEqual([
    { what: 'answer', nanoUsd: 9, unpriced: 0, lines: 1 },
    { what: 'leg', nanoUsd: 5, unpriced: 1, lines: 2 },
  ]);
});
