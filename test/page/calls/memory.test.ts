// What the list remembers in the browser: the way through its pages and its columns, also where the browser keeps nothing, or
// something that was never ours; and how the list grows while it is looked at.
import { describe, expect, test } from 'vitest';
import { chosenColumns, COLUMNS, keepColumns } from '../../../src/page/calls/columns.ts';
import { arrivedSince, grown } from '../../../src/page/calls/growth.ts';
import { remember, stepTo } from '../../../src/page/calls/trail.ts';
import type { CallList } from '../../../src/page/calls/types.ts';

function storage(): Pick<Storage, 'getItem' | 'setItem'> {
  const kept = new Map<string, string>();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) };
}
const forbidden = {
  getItem: () => {
    throw new Error('SecurityError');
  },
  setItem: () => {
    throw new Error('QuotaExceededError');
  },
};
const holding = (text: string) => ({ getItem: () => text });

describe('the way through the pages', () => {
  test('is remembered, the latest of each page', () => {
    const kept = storage();
    remember('cursor=b', { newer: '', offset: 50 }, kept);
    remember('cursor=c', { newer: 'cursor=b', offset: 100 }, kept);
    remember('cursor=b', { newer: '', offset: 49 }, kept);
    expect(stepTo('cursor=c', kept)).toEqual({ newer: 'cursor=b', offset: 100 });
    expect(stepTo('cursor=b', kept)).toEqual({ newer: '', offset: 49 });
    expect(stepTo('cursor=d', kept)).toBeNull();
  });

  test('does not grow without end', () => {
    const kept = storage();
    for (let n = 0; n < 400; n++) remember(`cursor=${n}`, { newer: `cursor=${n - 1}`, offset: n * 50 }, kept);
    expect(stepTo('cursor=399', kept)?.offset).toBe(19_950);
    expect(stepTo('cursor=1', kept)).toBeNull();
    expect((kept.getItem('trk-calls-trail') ?? '').length).toBeLessThan(30_000);
  });

  test('is nothing where nothing can be kept, or where it is not ours', () => {
    expect(() => remember('a', { newer: '', offset: 1 }, forbidden)).not.toThrow();
    expect(stepTo('a', forbidden)).toBeNull();
    for (const text of ['', '{', '{}', '[1,null,["a"],["a",null],["a",{"newer":1,"offset":"x"}]]'])
      expect(stepTo('a', holding(text))).toBeNull();
  });
});

describe('columns', () => {
  test('as they were chosen, in their own order, never without the link to the call', () => {
    const kept = storage();
    const atFirst = chosenColumns(kept);
    expect(atFirst).toContain('latency');
    expect(atFirst).not.toContain('id');
    keepColumns(['id', 'cost', 'parties'], kept);
    expect(chosenColumns(kept)).toEqual(['time', 'parties', 'cost', 'id']);
    keepColumns([], kept);
    expect(chosenColumns(kept)).toEqual(['time']);
  });
  test('as at first where nothing of ours is kept', () => {
    const atFirst = chosenColumns(storage());
    expect(chosenColumns(forbidden)).toEqual(atFirst);
    expect(chosenColumns(holding('{"a":1}'))).toEqual(atFirst);
    expect(chosenColumns(holding('[1,"colour","cost"]'))).toEqual(['time', 'cost']);
    expect(() => keepColumns(['cost'], forbidden)).not.toThrow();
  });
  test('each says what it means', () => {
    for (const { means } of COLUMNS) expect(means.length).toBeGreaterThan(15);
  });
});

test('the list grows where it stands', () => {
  const call = (callId: string, costs: number) =>
    ({ callId, cost: { nanoUsd: costs } }) as unknown as CallList['calls'][number];
  const shown: CallList = { calls: [call('b', 1), call('a', 1)], next: 'n', count: 2 };
  const later: CallList = { calls: [call('d', 0), call('c', 0), call('b', 7)], next: 'm', count: 4 };
  expect(grown(shown, later)).toEqual({ calls: [call('b', 7), call('a', 1)], next: 'n', count: 2 });
  expect(arrivedSince(shown, later)).toBe(2);
  expect(arrivedSince(later, shown)).toBe(0);
});
