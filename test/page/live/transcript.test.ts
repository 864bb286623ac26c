// The running transcript: merging what is told again, the window that is drawn, and what is read out.
import { describe, expect, test } from 'vitest';
import type { LiveEntry } from '../../../src/dashboard/schemas/live.ts';
import {
  DRAWN,
  finalLines,
  firstDrawn,
  mergeEntries,
  MOST_ENTRIES,
  placeOf,
} from '../../../src/page/live/transcript.ts';
import { liveEntry } from './facts.ts';
import fc from '../../support/fast-check.ts';

const many = (count: number, from = 0): LiveEntry[] => Array.from({ length: count }, (_, n) => liveEntry(from + n));

describe('merging', () => {
  test('whatever order lines are told in, they stand by their numbers, the last telling counts', () => {
    const line = fc.record({ entry: fc.integer({ min: 0, max: 30 }), text: fc.string() });
    fc.assert(
      fc.property(fc.array(fc.array(line, { maxLength: 5 }), { maxLength: 20 }), (pieces) => {
        const expected = new Map<number, string>();
        let entries: readonly LiveEntry[] = [];
        for (const piece of pieces) {
          for (const { entry, text } of piece) expected.set(entry, text);
          entries = mergeEntries(
            entries,
            piece.map(({ entry, text }) => liveEntry(entry, { text })),
          );
        }
        expect(entries.map(({ entry, text }) => [entry, text])).toEqual([...expected].toSorted(([a], [b]) => a - b));
      }),
    );
  });

  test('lines that did not change stay the same objects', () => {
    const before = many(3);
    const after = mergeEntries(before, [liveEntry(1, { text: 'other' })]);
    expect([after[0], after[2]]).toEqual([before[0], before[2]]);
    expect(after[0]).toBe(before[0]);
    expect(after[1]?.text).toBe('other');
    expect(before[1]?.text).not.toBe('other');
  });

  test('the oldest go when there are too many', () => {
    const entries = mergeEntries(many(MOST_ENTRIES), many(10, MOST_ENTRIES));
    expect(entries).toHaveLength(MOST_ENTRIES);
    expect(entries[0]?.entry).toBe(10);
  });
});

describe('the window', () => {
  test('follows the end', () => {
    expect(firstDrawn(many(DRAWN), null)).toBe(0);
    expect(firstDrawn(many(DRAWN + 7), null)).toBe(7);
  });

  test('stands where the reader stopped it, however much comes', () => {
    const entries = many(DRAWN + 500);
    expect(firstDrawn(entries, 7)).toBe(7);
    // The server forgot those: what there is.
    expect(firstDrawn(many(DRAWN + 500, 100), 7)).toBe(0);
  });

  test('a number that is missing is where it would stand', () => {
    expect(placeOf([liveEntry(2), liveEntry(5)], 3)).toBe(1);
    expect(placeOf([], 3)).toBe(0);
    expect(placeOf([liveEntry(2)], 9)).toBe(1);
  });
});

describe('what is read out', () => {
  const agent = (entry: number, heard: string | null, unheard: string | null = null): LiveEntry =>
    liveEntry(entry, { kind: 'agent', text: `words ${entry}`, heard, unheard });
  const caller = (entry: number, text = `words ${entry}`): LiveEntry =>
    liveEntry(entry, { kind: 'caller', text, heard: null, unheard: null });

  test("the agent's words when it is known how much was heard", () => {
    expect(finalLines([agent(1, null)], 0, false)).toEqual({ lines: [], upTo: 0 });
    expect(finalLines([agent(1, 'words 1', '')], 0, false)).toEqual({ lines: ['Agent: words 1'], upTo: 1 });
    expect(finalLines([agent(1, 'words', '1')], 0, false).lines).toEqual(['Agent, cut off: words']);
  });

  test('or when something came behind them, or the call is over', () => {
    expect(finalLines([agent(1, null), caller(2)], 0, false).lines).toEqual(['Agent: words 1', 'Caller: words 2']);
    expect(finalLines([agent(1, null)], 0, true).lines).toEqual(['Agent: words 1']);
  });

  test("the caller's words once, when they are written down; nobody waits for ever for them", () => {
    const waiting = [caller(1, ''), agent(2, 'words 2', '')];
    expect(finalLines(waiting, 0, false)).toEqual({ lines: [], upTo: 0 });
    expect(finalLines([caller(1), agent(2, 'words 2', '')], 0, false).upTo).toBe(2);
    const given = [...waiting, caller(3), agent(4, 'words 4', ''), caller(5)];
    expect(finalLines(given, 0, false).lines).toEqual([
      'Agent: words 2',
      'Caller: words 3',
      'Agent: words 4',
      'Caller: words 5',
    ]);
  });

  test('nothing twice', () => {
    const entries = [caller(1), caller(2)];
    const { upTo } = finalLines(entries, 0, false);
    expect(finalLines(entries, upTo, false)).toEqual({ lines: [], upTo });
    expect(finalLines([...entries, caller(3)], upTo, false).lines).toEqual(['Caller: words 3']);
  });
});
