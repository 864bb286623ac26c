// The filter of the list of calls without a browser: what is typed becomes parameters that the server takes, and parameters are
// told in words. Held against the server's own schema.
import { describe, expect, test } from 'vitest';
import { callListQuery } from '../../../src/dashboard/schemas/calls.ts';
import {
  dollarsOf,
  leastAndMost,
  millisecondsOf,
  numberOf,
  rangeInWords,
  secondsOf,
  share,
} from '../../../src/page/calls/amounts.ts';
import { chipsOf } from '../../../src/page/calls/chips.ts';
import { KIND_PARAMETERS, KINDS } from '../../../src/page/calls/kinds.ts';
import {
  atCursor,
  filterOf,
  inOrder,
  isFiltered,
  listPath,
  sortedBy,
  sortingOf,
  timeOf,
  timeText,
} from '../../../src/page/calls/query.ts';
import fc from '../../support/fast-check.ts';

const params = (text: string): URLSearchParams => new URLSearchParams(text);
const texts = (text: string): string[] => chipsOf(params(text)).map((chip) => `${chip.name}: ${chip.text}`);

describe('what is typed', () => {
  test.each([
    ['90', '90'],
    ['1:30', '90'],
    [' 1:02:03 ', '3723'],
    ['0', '0'],
    ['', null],
  ])('a duration: %j is %s seconds', (typed, seconds) => expect(secondsOf(typed)).toBe(seconds));
  test.each(['1:60', '1:2:3:4', 'x', '-1', '1.5', '1:', ':30', '12345678'])('no duration: %j', (typed) =>
    expect(() => secondsOf(typed)).toThrow(/1:30/),
  );

  test.each([
    ['0.25', '0.25'],
    ['$3', '3'],
    ['$ 3.50', '3.5'],
    ['0,5', '0.5'],
    ['.5', '0.5'],
    ['100', '100'],
    ['0.000000001', '0.000000001'],
    ['', null],
  ])('an amount of money: %j is %s', (typed, dollars) => expect(dollarsOf(typed)).toBe(dollars));
  test.each(['-1', '1e3', 'free', '1.2.3', '0x10'])('no amount of money: %j', (typed) =>
    expect(() => dollarsOf(typed)).toThrow(/dollars/),
  );

  test.each([
    ['800', '800'],
    ['800 ms', '800'],
    ['1.2 s', '1200'],
    ['1,5s', '1500'],
    ['', null],
  ])('a latency: %j is %s ms', (typed, ms) => expect(millisecondsOf(typed)).toBe(ms));
  test.each(['fast', '-5', '1 min', '1e9'])('no latency: %j', (typed) =>
    expect(() => millisecondsOf(typed)).toThrow(/800/),
  );

  test.each([
    ['+1 (555) 123-4567', { number: '+15551234567', from: null }],
    ['4567', { number: '4567', from: null }],
    ['sip:ann@example.org', { number: null, from: 'sip:ann@example.org' }],
    ['', { number: null, from: null }],
  ])('a number: %j', (typed, found) => expect(numberOf(typed)).toEqual(found));
  test.each(['1', '+', '#31#', '5'.repeat(21), '12+34'])('no number: %j', (typed) =>
    expect(() => numberOf(typed)).toThrow(/digits/),
  );

  test('whatever a field lets through, the server takes', () => {
    const reads: [string, (typed: string) => string | null][] = [
      ['min_seconds', secondsOf],
      ['min_usd', dollarsOf],
      ['min_latency_ms', millisecondsOf],
      ['number', (typed) => numberOf(typed).number],
      ['from', (typed) => numberOf(typed).from],
    ];
    const typing = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.string({ unit: fc.constantFrom(...'0123456789:.,$+-() sm'.split('')), maxLength: 10 }),
      fc.nat(999_999).map(String),
    );
    let taken = 0;
    fc.assert(
      fc.property(fc.constantFrom(...reads), typing, ([name, read], typed) => {
        let value: string | null;
        try {
          value = read(typed);
        } catch (error) {
          expect((error as Error).message).toMatch(/^Type /);
          return;
        }
        if (value === null) return;
        taken++;
        const query = { [name]: value };
        const asked = callListQuery.safeParse(query);
        // What is beyond its bounds the server says itself.
        if (!asked.success && Number(value) > 1_000_000) return;
        // A zero is in no number, and in no address.
        if (!asked.success && value.includes('\0')) return;
        expect(asked.error?.issues, JSON.stringify({ typed, query })).toBeUndefined();
      }),
      { numRuns: 2_000, seed: 7 },
    );
    expect(taken).toBeGreaterThan(200);
  });

  test('the least is no more than the most', () => {
    expect(leastAndMost('2', '10')).toEqual(['2', '10']);
    expect(leastAndMost(null, '10')).toEqual([null, '10']);
    expect(() => leastAndMost('10', '2')).toThrow(/least/);
  });
});

describe('chips', () => {
  test('each kind in words', () => {
    expect(texts('agent=Harbor+Clinic&direction=inbound&result=failure&disposition=booked&words=late+slot')).toEqual([
      'Agent: Harbor Clinic',
      'Direction: inbound',
      'Result: failure',
      'Disposition: booked',
      'Words of the transcript: “late slot”',
    ]);
    expect(texts('reason=model_lost')).toEqual(['End reason: The model went away']);
    expect(texts('reason=model_lost,media_lost,drained,max_duration')).toEqual([
      'End reason: The model went away or The media was lost or 2 more',
    ]);
    expect(texts('min_seconds=60&max_seconds=300')).toEqual(['Duration: 1:00 – 5:00']);
    expect(texts('min_usd=0.5')).toEqual(['Cost: ≥ $0.5']);
    expect(texts('max_latency_ms=1200')).toEqual(['Latency: ≤ 1.2 s']);
    expect(texts('number=%2B1555&from=sip:ann@example.org')).toEqual(['Number: +1555, caller sip:ann@example.org']);
    expect(texts('day=2026-11-21')).toEqual(['Date: 2026-11-21 (UTC)']);
    expect(texts('sort=cost&order=asc&cursor=x&limit=20')).toEqual([]);
  });

  test('taking a chip out takes out all that it stood for, and nothing else', () => {
    for (const kind of KINDS) {
      const query = params('agent=a&direction=inbound&sort=cost');
      for (const parameter of KIND_PARAMETERS[kind]) query.set(parameter, '1');
      const chip = chipsOf(query).find((one) => one.kind === kind);
      const left = new URLSearchParams(query);
      for (const [name, value] of Object.entries(chip?.without ?? {})) {
        expect(value).toBeNull();
        left.delete(name);
      }
      const gone = [...query.keys()].filter((name) => !left.has(name));
      expect(new Set(gone)).toEqual(new Set(KIND_PARAMETERS[kind]));
    }
  });

  test('every parameter of the API that narrows has a chip', () => {
    const narrowing = Object.keys(callListQuery.shape).filter((name) => isFiltered(params(`${name}=1`)));
    expect(narrowing.toSorted()).toEqual(Object.values(KIND_PARAMETERS).flat().toSorted());
  });

  test('what nobody knows, and what is no value, can be seen and removed', () => {
    expect(texts('colour=red&since=tomorrow&min_seconds=long&reason=&words=')).toEqual([
      'Date: tomorrow – ',
      'End reason: ',
      'Duration: ≥ long',
      'Words of the transcript: “”',
      'colour: red',
    ]);
  });
});

describe('the address', () => {
  test('what narrows, and the page of the list', () => {
    const query = params('agent=a&sort=cost&order=asc&cursor=xyz');
    expect(filterOf(query).toString()).toBe('agent=a');
    expect(isFiltered(params('sort=cost&cursor=x'))).toBe(false);
    expect(listPath(query)).toBe('/calls?agent=a&sort=cost&order=asc&cursor=xyz&limit=50');
    expect(atCursor(query, null).toString()).toBe('agent=a&sort=cost&order=asc');
  });

  test('a column sorts the largest first, then the other way round, and begins anew', () => {
    const once = sortedBy(params('agent=a&cursor=x'), 'cost');
    expect(once.toString()).toBe('agent=a&sort=cost');
    const twice = sortedBy(once, 'cost');
    expect(twice.toString()).toBe('agent=a&sort=cost&order=asc');
    expect(sortedBy(twice, 'cost').toString()).toBe('agent=a&sort=cost');
    expect(sortedBy(twice, 'admitted').toString()).toBe('agent=a');
    expect(sortedBy(params(''), 'admitted').toString()).toBe('order=asc');
    expect(sortingOf(params('sort=colour&order=up'))).toEqual({ sort: 'admitted', order: 'desc' });
    expect(inOrder(params('cursor=x'), { sort: 'quality', order: 'asc' }).toString()).toBe('sort=quality&order=asc');
  });

  test('times as the server takes them', () => {
    const at = Date.UTC(2026, 10, 21, 9, 30);
    expect(timeOf(timeText(at))).toBe(at);
    expect(callListQuery.parse({ since: timeText(at) }).since).toBe(at);
    expect(timeOf(String(at))).toBe(at);
    expect(timeOf('soon')).toBeNull();
  });
});

test('a share is 100 % only when nothing is missing', () => {
  expect(share(999_999, 1_000_000)).toBe('99.9 %');
  expect(share(3, 3)).toBe('100 %');
  expect(share(1, 3)).toBe('33.3 %');
  expect(share(0, 0)).toBe('–');
});

test('a range with one end or both', () => {
  const dollars = (n: number): string => `$${n}`;
  expect(rangeInWords('1', null, dollars)).toBe('≥ $1');
  expect(rangeInWords(null, '2', dollars)).toBe('≤ $2');
  expect(rangeInWords('1', '2', dollars)).toBe('$1 – $2');
});
