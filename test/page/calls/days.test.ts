// Days as the viewer counts them, in zones with and without a change of the clocks.
import { afterEach, describe, expect, test } from 'vitest';
import { dateField, midnight, presetStretch, stretchInWords, stretchOfFields } from '../../../src/page/calls/days.ts';

const HOUR_MS = 3_600_000;
const zone = process.env['TZ'];
const inZone = (name: string): void => void (process.env['TZ'] = name);
afterEach(() => {
  if (zone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zone;
});

describe('midnights', () => {
  test('a day may have 23 or 25 hours', () => {
    inZone('America/New_York');
    const spring = Date.parse('2026-03-08T12:00:00-04:00');
    expect(midnight(spring, 1) - midnight(spring)).toBe(23 * HOUR_MS);
    const autumn = Date.parse('2026-11-01T12:00:00-05:00');
    expect(midnight(autumn, 1) - midnight(autumn)).toBe(25 * HOUR_MS);
  });

  test('today is the day of the viewer, not that of the server', () => {
    inZone('Pacific/Auckland');
    const now = Date.parse('2026-11-21T20:00:00Z');
    expect(presetStretch('Today', now)).toEqual({ sinceMs: Date.parse('2026-11-22T00:00:00+13:00'), untilMs: null });
    expect(presetStretch('Yesterday', now)).toEqual({
      sinceMs: Date.parse('2026-11-21T00:00:00+13:00'),
      untilMs: Date.parse('2026-11-22T00:00:00+13:00'),
    });
    expect(presetStretch('Last 7 days', now).sinceMs).toBe(Date.parse('2026-11-16T00:00:00+13:00'));
    expect(presetStretch('Last 30 days', now).sinceMs).toBe(Date.parse('2026-10-24T00:00:00+13:00'));
  });
});

describe('fields', () => {
  test('both days are in it', () => {
    inZone('Europe/Berlin');
    const stretch = stretchOfFields('2026-11-14', '2026-11-21');
    expect(stretch).toEqual({
      sinceMs: Date.parse('2026-11-14T00:00:00+01:00'),
      untilMs: Date.parse('2026-11-22T00:00:00+01:00'),
    });
    expect(dateField(stretch?.sinceMs ?? 0)).toBe('2026-11-14');
    // As the form shows the last day again.
    expect(dateField(midnight((stretch?.untilMs ?? 0) - 1))).toBe('2026-11-21');
    expect(stretchOfFields('', '')).toEqual({ sinceMs: null, untilMs: null });
    expect(stretchOfFields('soon', '')).toBeNull();
  });
});

describe('in words', () => {
  const day = (month: number, date: number, year = 2026, hour = 0): number =>
    new Date(year, month - 1, date, hour).getTime();
  test('whole days, the last one in it', () => {
    expect(stretchInWords({ sinceMs: day(11, 14), untilMs: day(11, 22) })).toBe('Nov 14 – Nov 21, 2026');
    expect(stretchInWords({ sinceMs: day(12, 30), untilMs: day(1, 3, 2027) })).toBe('Dec 30, 2026 – Jan 2, 2027');
    expect(stretchInWords({ sinceMs: day(11, 14), untilMs: day(11, 15) })).toBe('Nov 14, 2026');
    expect(stretchInWords({ sinceMs: day(11, 14), untilMs: null })).toBe('since Nov 14, 2026');
    expect(stretchInWords({ sinceMs: null, untilMs: day(11, 14) })).toBe('before Nov 14, 2026');
    expect(stretchInWords({ sinceMs: null, untilMs: null })).toBe('at any time');
  });
  test('with the time where it is no midnight', () => {
    expect(stretchInWords({ sinceMs: day(11, 14, 2026, 9), untilMs: null })).toMatch(/^since Nov 14, 2026, 9:00\sAM$/);
    expect(stretchInWords({ sinceMs: day(11, 14, 2026, 9), untilMs: day(11, 15) })).toMatch(/9:00\sAM – Nov 15, 2026$/);
  });
});
